/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "basic/macros.h"
#include "plan/failover.h"
#include "prng.h"

#define N_MAX 6U

/* A table of groups such as "1 23 4", and its status: "A" or "E" for each, "F" after failed paths.
 */
static void make(const char *groups, const char *states, const char *failed,
                 struct mp_table **ret_table, struct mp_status **ret_status)
{
    struct mp_group *group = NULL;
    struct mp_status *status = calloc(1, sizeof(*status));

    assert_non_null(status);
    assert_int_equal(mp_table_parse("0 0 0 0", ret_table), 0);
    status->paths = calloc(N_MAX, sizeof(*status->paths));
    status->group_states = strdup(states);
    status->n_groups = strlen(states);
    assert_non_null(status->paths);
    for (; *groups; groups++) {
        if (*groups == ' ') {
            group = NULL;
            continue;
        }
        dev_t dev = makedev(8, (unsigned)(*groups - '0'));
        if (!group)
            assert_int_equal(mp_table_add_group(*ret_table, "round-robin 0", &group), 0);
        assert_int_equal(mp_group_add_path(group, dev), 0);
        status->paths[status->n_paths++] =
            (struct mp_path_state){dev, strchr(failed, *groups) != NULL};
    }
    *ret_status = status;
}

static void assert_active(const char *groups, const char *states, const char *failed, unsigned last,
                          bool in_sync, unsigned wanted)
{
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    _cleanup_(mp_status_freep) struct mp_status *status = NULL;

    make(groups, states, failed, &table, &status);
    dev_t active = failover_active_path(table, status, last ? makedev(8, last) : 0, in_sync);
    if (active != (wanted ? makedev(8, wanted) : 0))
        fail_msg("%s (%s, failed %s): %u", groups, states, failed, minor(active));
}

static void assert_stays(const char *groups, const char *states, const char *failed, unsigned last,
                         unsigned wanted)
{
    assert_active(groups, states, failed, last, true, wanted);
}

static void assert_active_path(const char *groups, const char *states, const char *failed,
                               unsigned wanted)
{
    assert_stays(groups, states, failed, 0, wanted);
}

static void test_last_active_path(void **state)
{
    /* It leads while it can, wherever somebody else's table has it. */
    assert_stays("1 2 3", "EEE", "", 2, 2);
    assert_stays("1 2 3", "AEE", "", 2, 2);
    assert_stays("1 23", "AE", "", 2, 2);
    assert_stays("123", "A", "", 3, 3);
    assert_stays("2 1 3", "AEE", "1", 2, 2);
    /* It has failed, or is away. */
    assert_stays("1 2 3", "AEE", "1", 1, 2);
    assert_stays("1 2 3", "EAE", "1", 1, 2);
    assert_stays("1 2 3", "EEA", "1", 1, 3);
    assert_stays("2 3", "AE", "", 1, 2);
    assert_stays("23", "A", "", 1, 0);
    assert_stays("1 2", "AE", "12", 1, 0);
    /* It has failed and is back: the kernel has passed it over. */
    assert_stays("1 2 3", "EAE", "", 1, 2);
    assert_stays("1 2 3", "EEA", "", 2, 3);
}

static void test_active_path(void **state)
{
    /* Nobody has used it yet: the first that is usable. */
    assert_active_path("1 2 3", "EEE", "", 1);
    assert_active_path("1 2 3", "EEE", "1", 2);
    assert_active_path("1 2 3", "EEE", "12", 3);
    /* The group in use, wherever it stands, while it has its path. */
    assert_active_path("1 2 3", "EAE", "", 2);
    assert_active_path("1 2 3", "EAE", "1", 2);
    assert_active_path("1 2 3", "EEA", "1", 3);
    assert_active_path("1 2 3", "AEE", "1", 2);
    assert_active_path("1 2 3", "EEA", "3", 1);
    assert_active_path("1 2 3", "EEA", "13", 2);
    /* A disabled group is a group. */
    assert_active_path("1 2 3", "DEE", "", 1);
    /* A lone path leads, and no path does where none is usable. */
    assert_active_path("1", "E", "", 1);
    assert_active_path("1 2", "AE", "12", 0);
    assert_active_path("", "", "", 0);
    /* Several paths in the group that counts tell of no one; in another they do not matter. */
    assert_active_path("12 3", "EE", "", 0);
    assert_active_path("12 3", "AE", "1", 0);
    assert_active_path("12 3", "EA", "", 3);
    assert_active_path("12 3", "EE", "12", 3);
    assert_active_path("1 23", "AE", "", 1);
}

/* What multipathd, which was not told of the groups, has the kernel use is no failover. */
static void test_before_multipathd_is_told(void **state)
{
    assert_active("1 2 3", "EAE", "", 1, false, 1);
    assert_active("1 2 3", "EAE", "", 0, false, 1);
    assert_active("2 1 3", "EAE", "", 2, false, 2);
    /* That its path has failed, is one. */
    assert_active("1 2 3", "EEA", "1", 1, false, 2);
    assert_active("1 2 3", "EAE", "1", 0, false, 2);
    assert_active("1 2", "AE", "12", 1, false, 0);
}

static void test_without_a_status(void **state)
{
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    _cleanup_(mp_status_freep) struct mp_status *status = NULL;

    make("2 1", "EA", "", &table, &status);
    assert_true(failover_active_path(table, NULL, 0, true) == makedev(8, 2));
    assert_true(failover_active_path(table, status, 0, true) == makedev(8, 1));
}

static void test_is_active(void **state)
{
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    _cleanup_(mp_status_freep) struct mp_status *status = NULL;

    make("12 34", "EA", "3", &table, &status);
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(failover_is_active(table, status, makedev(8, i)), i == 3 || i == 4);
}

static void assert_order(const char *primaries, const char *others, uint64_t first,
                         const char *wanted)
{
    struct plan_member members[N_MAX], order[N_MAX + 1];
    char found[N_MAX + 2] = "";
    size_t n = 0;

    /* As a request names them: the others, and the primaries last. */
    for (const char *c = others; *c; c++)
        members[n++] = (struct plan_member){.connection_id = (uint64_t)(*c - '0')};
    for (const char *c = primaries; *c; c++)
        members[n++] = (struct plan_member){.connection_id = (uint64_t)(*c - '0'), .primary = true};
    size_t n_order = failover_order(members, n, first, order);
    for (size_t i = 0; i < n_order; i++) {
        found[i] = (char)('0' + order[i].connection_id);
        bool is_primary = order[i].connection_id == first || strchr(primaries, found[i]);
        assert_int_equal(order[i].primary, is_primary);
    }
    assert_string_equal(found, wanted);
}

static void test_order(void **state)
{
    assert_order("3", "12", 0, "312");
    assert_order("3", "12", 3, "312");
    assert_order("3", "12", 2, "231");
    assert_order("3", "12", 1, "132");
    assert_order("3", "12", 5, "5312"); /* it joined later */
    assert_order("", "12", 0, "12");
    assert_order("", "12", 2, "21");
    assert_order("", "", 2, "2");
    assert_order("34", "12", 4, "4312");
}

/* The table for it has that path first, and then says so again: it stays. */
static void test_it_stays_active(void **state)
{
    struct prng prng = {3};

    for (int i = 0; i < 2000; i++) {
        char groups[2 * N_MAX] = "", states[N_MAX + 1] = "", failed[N_MAX + 1] = "";
        size_t n = 1 + prng_below(&prng, N_MAX), in_use = prng_below(&prng, n + 1);
        struct plan_path paths[N_MAX];
        struct plan_member members[N_MAX], order[N_MAX + 1];

        for (size_t k = 0; k < n; k++) {
            groups[2 * k] = (char)('1' + k);
            groups[2 * k + 1] = k + 1 < n ? ' ' : '\0';
            states[k] = k == in_use ? 'A' : 'E';
            if (prng_below(&prng, 3) == 0)
                failed[strlen(failed)] = (char)('1' + k);
            paths[k] =
                (struct plan_path){.dev = makedev(8, (unsigned)k + 1), .connection_id = k + 1};
            members[k] = (struct plan_member){.connection_id = k + 1, .primary = k == 0};
        }
        _cleanup_(mp_table_freep) struct mp_table *table = NULL, *planned = NULL;
        _cleanup_(mp_status_freep) struct mp_status *status = NULL;
        make(groups, states, failed, &table, &status);
        dev_t active = failover_active_path(table, status, 0, true);
        if (!active)
            continue;

        struct plan_policy policy = {.policy = LB_FAILOVER, .members = order};
        policy.n_members = failover_order(members, n, minor(active), order);
        assert_int_equal(plan_map(table, &policy, 1, paths, n, &planned), 0);
        assert_true(planned->groups[0].paths[0] == active);
        /* A new table has no group in use yet. */
        memset(status->group_states, 'E', n);
        assert_true(failover_active_path(planned, status, 0, true) == active);
        assert_true(failover_active_path(table, status, active, true) == active);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_active_path),
        cmocka_unit_test(test_last_active_path),
        cmocka_unit_test(test_before_multipathd_is_told),
        cmocka_unit_test(test_without_a_status),
        cmocka_unit_test(test_is_active),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_it_stays_active),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
