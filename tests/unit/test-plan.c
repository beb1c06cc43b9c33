/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "basic/macros.h"
#include "plan/plan.h"
#include "prng.h"
#include "scene.h"

#define AO ACCESS_OPTIMIZED
#define AN ACCESS_NON_OPTIMIZED
#define OTHER ACCESS_OTHER

/* makedev(8, minor) for a small minor, as a constant. */
#define DEV(minor_number) ((dev_t)8 << 8 | (minor_number))

/* Paths are 8:<minor>, each on the connection of that number. */
#define PATH(minor_number, index, state)                                                           \
    {.dev = DEV(minor_number),                                                                     \
     .policy = (index),                                                                            \
     .connection_id = (minor_number),                                                              \
     .access = (state)}

static const char live_text[] = "3 queue_if_no_path queue_mode bio 1 alua 1 1 service-time 0 6 2 "
                                "8:1 1 1 8:2 1 1 8:3 1 1 8:4 1 1 8:5 1 1 8:6 1 1";

#define HEAD "3 queue_if_no_path queue_mode bio 1 alua "

static void assert_plan(const struct plan_policy *policies, size_t n_policies,
                        const struct plan_path *paths, size_t n_paths, const char *expected)
{
    _cleanup_(mp_table_freep) struct mp_table *live = NULL;
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    _cleanup_free_ char *text = NULL;

    assert_int_equal(mp_table_parse(live_text, &live), 0);
    assert_int_equal(plan_map(live, policies, n_policies, paths, n_paths, &table), 0);
    assert_int_equal(mp_table_format(table, &text), 0);
    assert_string_equal(text, expected);
}

static void assert_refused(const struct plan_policy *policies, size_t n_policies,
                           const struct plan_path *paths, size_t n_paths, int error)
{
    _cleanup_(mp_table_freep) struct mp_table *live = NULL;
    struct mp_table *table = (struct mp_table *)live_text;

    assert_int_equal(mp_table_parse(live_text, &live), 0);
    assert_int_equal(plan_map(live, policies, n_policies, paths, n_paths, &table), error);
    assert_ptr_equal(table, live_text);
}

/* Six paths of one session, named in the order 6, 4, 2, 1, 3, 5. */
static const struct plan_member six_members[] = {
    {6, 30, false}, {4, 10, true},  {2, 20, false},
    {1, 10, true},  {3, 30, false}, {5, 4000000000, false},
};
static const struct plan_member six_failover[] = {
    {6, 0, false}, {4, 0, true}, {2, 0, false}, {1, 0, false}, {3, 0, false}, {5, 0, false},
};
static const struct plan_path six_paths[] = {
    PATH(1, 0, AO), PATH(2, 0, AO), PATH(3, 0, AO), PATH(4, 0, AO), PATH(5, 0, AO), PATH(6, 0, AO),
};

static void test_each_policy(void **state)
{
    struct plan_policy policy = {LB_FAILOVER, false, six_failover, 6};

    assert_plan(&policy, 1, six_paths, 6,
                HEAD "6 1 round-robin 0 1 1 8:4 1 round-robin 0 1 1 8:6 1 round-robin 0 1 1 8:2 1 "
                     "round-robin 0 1 1 8:1 1 round-robin 0 1 1 8:3 1 round-robin 0 1 1 8:5 1");
    policy.members = six_members;
    policy.policy = LB_ROUND_ROBIN;
    assert_plan(&policy, 1, six_paths, 6,
                HEAD "2 1 round-robin 0 2 1 8:4 1 8:1 1 round-robin 0 4 1 8:6 1 8:2 1 8:3 1 8:5 1");
    policy.policy = LB_ROUND_ROBIN_WITH_SUBSET;
    assert_plan(&policy, 1, six_paths, 6,
                HEAD "2 1 round-robin 0 2 1 8:4 1 8:1 1 round-robin 0 4 1 8:6 1 8:2 1 8:3 1 8:5 1");
    policy.policy = LB_DYN_LEAST_QUEUE_DEPTH;
    assert_plan(&policy, 1, six_paths, 6,
                HEAD "1 1 queue-length 0 6 1 8:6 1 8:4 1 8:2 1 8:1 1 8:3 1 8:5 1");
    policy.policy = LB_LEAST_BLOCKS;
    assert_plan(&policy, 1, six_paths, 6,
                HEAD "1 1 service-time 0 6 1 8:6 1 8:4 1 8:2 1 8:1 1 8:3 1 8:5 1");
    policy.policy = LB_WEIGHTED_PATHS;
    assert_plan(&policy, 1, six_paths, 6,
                HEAD "4 1 round-robin 0 2 1 8:4 1 8:1 1 round-robin 0 1 1 8:2 1 "
                     "round-robin 0 2 1 8:6 1 8:3 1 round-robin 0 1 1 8:5 1");
    policy.highest_first = true;
    assert_plan(&policy, 1, six_paths, 6,
                HEAD "4 1 round-robin 0 1 1 8:5 1 round-robin 0 2 1 8:6 1 8:3 1 "
                     "round-robin 0 1 1 8:2 1 round-robin 0 2 1 8:4 1 8:1 1");
}

/* Paths 2 and 5 joined later: the policies name 6, 4, 1 and 3 only. */
static void test_late_paths(void **state)
{
    static const struct plan_member named[] = {
        {6, 30, false},
        {4, 10, true},
        {1, 10, true},
        {3, 30, false},
    };
    static const struct plan_member failover[] = {
        {6, 0, false},
        {4, 0, true},
        {1, 0, false},
        {3, 0, false},
    };
    static const struct plan_member all_primary[] = {
        {6, 0, true},
        {4, 0, true},
        {1, 0, true},
        {3, 0, true},
    };
    struct plan_policy policy = {LB_FAILOVER, false, failover, 4};

    assert_plan(&policy, 1, six_paths, 6,
                HEAD "6 1 round-robin 0 1 1 8:4 1 round-robin 0 1 1 8:6 1 round-robin 0 1 1 8:1 1 "
                     "round-robin 0 1 1 8:3 1 round-robin 0 1 1 8:2 1 round-robin 0 1 1 8:5 1");
    policy.members = named;
    policy.policy = LB_ROUND_ROBIN;
    assert_plan(&policy, 1, six_paths, 6,
                HEAD "2 1 round-robin 0 4 1 8:4 1 8:1 1 8:2 1 8:5 1 round-robin 0 2 1 8:6 1 8:3 1");
    policy.policy = LB_ROUND_ROBIN_WITH_SUBSET;
    assert_plan(&policy, 1, six_paths, 6,
                HEAD "2 1 round-robin 0 2 1 8:4 1 8:1 1 round-robin 0 4 1 8:6 1 8:3 1 8:2 1 8:5 1");
    policy.policy = LB_DYN_LEAST_QUEUE_DEPTH;
    assert_plan(&policy, 1, six_paths, 6,
                HEAD "1 1 queue-length 0 6 1 8:6 1 8:4 1 8:1 1 8:3 1 8:2 1 8:5 1");
    policy.policy = LB_LEAST_BLOCKS;
    assert_plan(&policy, 1, six_paths, 6,
                HEAD "1 1 service-time 0 6 1 8:6 1 8:4 1 8:1 1 8:3 1 8:2 1 8:5 1");
    policy.policy = LB_WEIGHTED_PATHS;
    assert_plan(&policy, 1, six_paths, 6,
                HEAD "2 1 round-robin 0 2 1 8:4 1 8:1 1 round-robin 0 4 1 8:6 1 8:3 1 8:2 1 8:5 1");
    policy.highest_first = true;
    assert_plan(&policy, 1, six_paths, 6,
                HEAD "2 1 round-robin 0 2 1 8:6 1 8:3 1 round-robin 0 4 1 8:4 1 8:1 1 8:2 1 8:5 1");
    /* behind the primaries even where nothing else is */
    policy = (struct plan_policy){LB_ROUND_ROBIN_WITH_SUBSET, false, all_primary, 4};
    assert_plan(&policy, 1, six_paths, 6,
                HEAD "2 1 round-robin 0 4 1 8:6 1 8:4 1 8:1 1 8:3 1 round-robin 0 2 1 8:2 1 8:5 1");
}

/* The table is the same with paths 2 and 5, which are late, named as what they are said to be. */
static void assert_late_member(const struct plan_policy *policy, uint32_t weight, bool primary)
{
    _cleanup_(mp_table_freep) struct mp_table *live = NULL;
    _cleanup_(mp_table_freep) struct mp_table *late = NULL;
    _cleanup_(mp_table_freep) struct mp_table *named = NULL;
    struct plan_member members[6];
    struct plan_policy all = *policy;

    memcpy(members, policy->members, 4 * sizeof(*members));
    for (size_t i = 4; i < 6; i++) {
        members[i] = plan_member(policy, i == 4 ? 2 : 5);
        assert_int_equal(members[i].connection_id, i == 4 ? 2 : 5);
        assert_int_equal(members[i].weight, weight);
        assert_int_equal(members[i].primary, primary);
    }
    all.members = members;
    all.n_members = 6;
    assert_int_equal(mp_table_parse(live_text, &live), 0);
    assert_int_equal(plan_map(live, policy, 1, six_paths, 6, &late), 0);
    assert_int_equal(plan_map(live, &all, 1, six_paths, 6, &named), 0);
    assert_true(mp_table_same_meaning(late, named, NULL));
}

/* What a query says of a late path is what the table makes of it. */
static void test_late_members(void **state)
{
    static const struct plan_member named[] = {
        {6, 30, false},
        {4, 10, true},
        {1, 10, true},
        {3, 20, false},
    };
    static const struct plan_member failover[] = {
        {6, 0, false},
        {4, 0, true},
        {1, 0, false},
        {3, 0, false},
    };
    struct plan_policy policy = {LB_FAILOVER, false, failover, 4};

    assert_true(plan_member(&policy, 4).primary);
    assert_late_member(&policy, 0, false);
    policy.members = named;
    for (policy.policy = LB_ROUND_ROBIN; policy.policy < LB_WEIGHTED_PATHS; policy.policy++)
        assert_late_member(&policy, 0, policy.policy != LB_ROUND_ROBIN_WITH_SUBSET);
    assert_late_member(&policy, 30, true);
    assert_int_equal(plan_member(&policy, 3).weight, 20);
    assert_int_equal(plan_member(&policy, 3).primary, false);
    policy.highest_first = true;
    assert_late_member(&policy, 10, true);
    policy.policy = LB_LEAST_BLOCKS;
    assert_late_member(&policy, 0, true);
}

/* The policy of a disk that nobody has chosen names no path: none is behind another. */
static void test_nobody_named(void **state)
{
    for (unsigned policy = LB_FAILOVER; policy <= LB_WEIGHTED_PATHS; policy++) {
        const struct plan_policy nobody = {.policy = (enum lb_policy)policy};
        assert_int_equal(plan_member(&nobody, 1).weight, 0);
        assert_true(plan_member(&nobody, 1).primary);
    }
}

/* Late paths keep one order in every map, whatever the maps' tables are like. */
static void test_late_order(void **state)
{
    struct plan_policy policy = {LB_FAILOVER, false, six_failover, 4};
    struct plan_path paths[] = {PATH(3, 0, AO), PATH(4, 0, AO), PATH(5, 0, AO), PATH(6, 0, AO)};
    _cleanup_(mp_table_freep) struct mp_table *a = NULL;
    _cleanup_(mp_table_freep) struct mp_table *b = NULL;
    _cleanup_(mp_table_freep) struct mp_table *plan_a = NULL;
    _cleanup_(mp_table_freep) struct mp_table *plan_b = NULL;

    assert_int_equal(mp_table_parse("0 0 1 1 x 0 4 0 8:3 8:4 8:5 8:6", &a), 0);
    assert_int_equal(mp_table_parse("0 0 2 2 x 0 2 0 8:6 8:5 x 0 2 0 8:4 8:3", &b), 0);
    assert_int_equal(plan_map(a, &policy, 1, paths, 4, &plan_a), 0);
    assert_int_equal(plan_map(b, &policy, 1, paths, 4, &plan_b), 0);
    assert_true(mp_table_same_meaning(plan_a, plan_b, NULL));
}

static void test_foreign_paths(void **state)
{
    static const struct plan_path paths[] = {
        PATH(6, PLAN_NO_POLICY, AO), PATH(5, 0, AO), PATH(4, 0, AO),
        PATH(1, PLAN_NO_POLICY, AO), /* 2 and 3 are not there at all */
    };
    struct plan_policy policy = {LB_DYN_LEAST_QUEUE_DEPTH, false, six_members, 6};

    assert_plan(&policy, 1, paths, 4,
                HEAD "2 1 queue-length 0 2 1 8:4 1 8:5 1 queue-length 0 4 1 8:1 1 8:2 1 8:3 1 "
                     "8:6 1");
    policy.policy = LB_ROUND_ROBIN;
    assert_plan(&policy, 1, paths, 4,
                HEAD "3 1 round-robin 0 1 1 8:4 1 round-robin 0 1 1 8:5 1 "
                     "round-robin 0 4 1 8:1 1 8:2 1 8:3 1 8:6 1");
    /* no path of the session: everything is foreign */
    assert_plan(&policy, 1, NULL, 0,
                HEAD "1 1 round-robin 0 6 1 8:1 1 8:2 1 8:3 1 8:4 1 8:5 1 8:6 1");
}

static void test_access_states(void **state)
{
    static const struct plan_path paths[] = {
        PATH(1, 0, OTHER), PATH(2, 0, AN), PATH(3, 0, AO),
        PATH(4, 0, AO),    PATH(5, 0, AN), PATH(6, PLAN_NO_POLICY, AN),
    };
    struct plan_policy policy = {LB_ROUND_ROBIN_WITH_SUBSET, false, six_members, 6};

    /* the primaries are 4 and 1; the foreign path stays behind those of its own state only */
    assert_plan(&policy, 1, paths, 6,
                HEAD "5 1 round-robin 0 1 1 8:4 1 round-robin 0 1 1 8:3 1 "
                     "round-robin 0 2 1 8:2 1 8:5 1 round-robin 0 1 1 8:6 1 "
                     "round-robin 0 1 1 8:1 1");
    policy.policy = LB_DYN_LEAST_QUEUE_DEPTH;
    assert_plan(&policy, 1, paths, 6,
                HEAD "4 1 queue-length 0 2 1 8:4 1 8:3 1 queue-length 0 2 1 8:2 1 8:5 1 "
                     "queue-length 0 1 1 8:6 1 queue-length 0 1 1 8:1 1");
    policy.policy = LB_WEIGHTED_PATHS;
    assert_plan(&policy, 1, paths, 6,
                HEAD "6 1 round-robin 0 1 1 8:4 1 round-robin 0 1 1 8:3 1 round-robin 0 1 1 8:2 1 "
                     "round-robin 0 1 1 8:5 1 round-robin 0 1 1 8:6 1 round-robin 0 1 1 8:1 1");
}

static void assert_access(const struct plan_policy *policy, const struct plan_path *paths,
                          int result)
{
    _cleanup_(mp_table_freep) struct mp_table *live = NULL, *table = NULL;

    assert_int_equal(mp_table_parse("0 0 1 1 x 0 3 0 8:1 8:2 8:3", &live), 0);
    assert_int_equal(plan_check_access(live, policy, 1, paths, 2, 0), result);
    /* What may not be chosen can still come to be, when the array changes a path's state. */
    assert_int_equal(plan_map(live, policy, 1, paths, 2, &table), 0);
}

static void test_access_refusals(void **state)
{
    static const struct plan_member second_primary[] = {{1, 0, false}, {2, 5, true}};
    static const struct plan_member absent_primary[] = {{1, 0, false}, {9, 5, true}, {2, 0, false}};
    static const struct plan_path paths[] = {PATH(1, 0, AO), PATH(2, 0, AN)};
    static const struct plan_path worse[] = {PATH(1, 0, AN), PATH(2, 0, OTHER)};
    static const struct plan_path equal[] = {PATH(1, 0, OTHER), PATH(2, 0, OTHER)};
    static const struct plan_path late[] = {PATH(2, 0, AN), PATH(3, 0, AO)};

    for (unsigned number = LB_FAILOVER; number <= LB_WEIGHTED_PATHS; number++) {
        struct plan_policy policy = {(enum lb_policy)number, false, second_primary, 2};
        int refusal = number <= LB_ROUND_ROBIN_WITH_SUBSET ? -EOPNOTSUPP : 0;

        assert_access(&policy, paths, refusal);
        assert_access(&policy, worse, refusal);
        assert_access(&policy, late, refusal);
        assert_access(&policy, equal, 0);
        /* where none of the primaries is in the map, nothing is refused */
        policy.members = absent_primary;
        policy.n_members = 3;
        assert_access(&policy, paths, 0);
    }
}

/* Which paths are one controller's is nobody's to know there. */
static void test_other_handlers(void **state)
{
    static const char *const handlers[] = {"1 rdac", "1 emc", "1 hp_sw"};
    static const struct plan_path paths[] = {PATH(1, 0, AO), PATH(2, 0, AO)};

    for (size_t i = 0; i < ELEMENTSOF(handlers); i++)
        for (unsigned number = LB_FAILOVER; number <= LB_LEAST_BLOCKS; number++) {
            struct plan_policy policy = {.policy = (enum lb_policy)number};
            _cleanup_(mp_table_freep) struct mp_table *live = NULL;
            char text[64];

            if (!plan_selector(policy.policy))
                continue;
            snprintf(text, sizeof(text), "0 %s 1 1 x 0 2 0 8:1 8:2", handlers[i]);
            assert_int_equal(mp_table_parse(text, &live), 0);
            assert_int_equal(plan_check_access(live, &policy, 1, paths, 2, 0),
                             number == LB_FAILOVER ? 0 : -EOPNOTSUPP);
        }
}

/* Two targets, each a controller of its own: the better paths of the other one refuse nothing. */
static void test_access_of_other_sessions(void **state)
{
    static const struct plan_member first[] = {{1, 0, true}, {2, 0, true}};
    static const struct plan_member second[] = {{3, 0, true}, {4, 0, true}};
    static const struct plan_policy policies[] = {
        {LB_ROUND_ROBIN, false, second, 2},
        {LB_ROUND_ROBIN, false, first, 2},
    };
    static const struct plan_path paths[] = {
        PATH(1, 1, AO),
        PATH(2, 1, AO),
        PATH(3, 0, AN),
        PATH(4, 0, AN),
        PATH(5, PLAN_NO_POLICY, AO),
        PATH(6, PLAN_NO_POLICY, OTHER),
    };

    assert_plan(policies, 2, paths, 6,
                HEAD "4 1 round-robin 0 2 1 8:1 1 8:2 1 round-robin 0 1 1 8:5 1 "
                     "round-robin 0 2 1 8:3 1 8:4 1 round-robin 0 1 1 8:6 1");
}

static const struct plan_path two_sessions[] = {
    PATH(1, 0, AO), PATH(2, 1, AO), PATH(3, 0, AO), PATH(4, 1, AO), PATH(5, 0, AO), PATH(6, 1, AO),
};
static const struct plan_member odd[] = {{1, 1, true}, {3, 2, false}, {5, 2, false}};
static const struct plan_member even[] = {{6, 2, false}, {4, 1, true}, {2, 1, false}};

static void test_two_sessions_join(void **state)
{
    struct plan_policy policies[] = {{LB_ROUND_ROBIN, false, odd, 3},
                                     {LB_ROUND_ROBIN_WITH_SUBSET, false, even, 3}};

    assert_plan(policies, 2, two_sessions, 6,
                HEAD "2 1 round-robin 0 2 1 8:1 1 8:4 1 round-robin 0 4 1 8:3 1 8:5 1 8:6 1 8:2 1");
    policies[0].policy = LB_DYN_LEAST_QUEUE_DEPTH;
    policies[1].policy = LB_DYN_LEAST_QUEUE_DEPTH;
    assert_plan(policies, 2, two_sessions, 6,
                HEAD "1 1 queue-length 0 6 1 8:1 1 8:3 1 8:5 1 8:6 1 8:4 1 8:2 1");
}

static void test_two_sessions_apart(void **state)
{
    struct plan_policy policies[] = {{LB_ROUND_ROBIN, false, odd, 3},
                                     {LB_DYN_LEAST_QUEUE_DEPTH, false, even, 3}};
    struct plan_policy swapped[] = {policies[1], policies[0]};
    struct plan_path paths[ELEMENTSOF(two_sessions)];

    assert_plan(policies, 2, two_sessions, 6,
                HEAD "3 1 round-robin 0 1 1 8:1 1 round-robin 0 2 1 8:3 1 8:5 1 "
                     "queue-length 0 3 1 8:6 1 8:4 1 8:2 1");
    memcpy(paths, two_sessions, sizeof(paths));
    for (size_t i = 0; i < ELEMENTSOF(paths); i++)
        paths[i].policy = 1 - paths[i].policy;
    assert_plan(swapped, 2, paths, 6,
                HEAD "3 1 queue-length 0 3 1 8:6 1 8:4 1 8:2 1 round-robin 0 1 1 8:1 1 "
                     "round-robin 0 2 1 8:3 1 8:5 1");

    policies[1].policy = LB_FAILOVER;
    assert_plan(policies, 2, two_sessions, 6,
                HEAD "5 1 round-robin 0 1 1 8:1 1 round-robin 0 2 1 8:3 1 8:5 1 "
                     "round-robin 0 1 1 8:4 1 round-robin 0 1 1 8:6 1 round-robin 0 1 1 8:2 1");
    policies[0].policy = LB_WEIGHTED_PATHS;
    policies[1].policy = LB_WEIGHTED_PATHS;
    assert_plan(policies, 2, two_sessions, 6,
                HEAD "4 1 round-robin 0 1 1 8:1 1 round-robin 0 2 1 8:3 1 8:5 1 "
                     "round-robin 0 2 1 8:4 1 8:2 1 round-robin 0 1 1 8:6 1");
}

static void test_wrong_arguments(void **state)
{
    static const unsigned numbers[] = {0, 6, 7, 255};
    struct plan_policy policies[] = {{LB_ROUND_ROBIN, false, six_members, 6},
                                     {LB_ROUND_ROBIN, false, six_members, 6}};
    struct plan_path path = PATH(1, 2, AO);

    assert_refused(NULL, 0, six_paths, 6, -EINVAL);
    for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
        policies[1].policy = (enum lb_policy)numbers[i];
        assert_refused(policies, 2, six_paths, 6, -EINVAL);
        assert_null(plan_selector(policies[1].policy));
    }
    policies[1].policy = LB_ROUND_ROBIN;
    assert_refused(policies, 2, &path, 1, -EINVAL);
}

static void test_no_path(void **state)
{
    struct plan_policy policy = {LB_ROUND_ROBIN, false, six_members, 6};
    _cleanup_(mp_table_freep) struct mp_table *live = NULL;
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    _cleanup_free_ char *text = NULL;

    assert_int_equal(mp_table_parse("1 queue_if_no_path 0 0 0", &live), 0);
    assert_int_equal(plan_map(live, &policy, 1, six_paths, 6, &table), 0);
    assert_int_equal(mp_table_format(table, &text), 0);
    assert_string_equal(text, "1 queue_if_no_path 0 0 0");
}

/* A path twice in the table comes once; a path twice in a connection is alone under failover. */
static void test_repeated_paths(void **state)
{
    static const struct plan_path paths[] = {
        {DEV(1), 0, 4, AO}, {DEV(2), 0, 4, AO}, {DEV(9), 0, 4, AO}};
    struct plan_policy policy = {LB_FAILOVER, false, six_failover, 6};
    _cleanup_(mp_table_freep) struct mp_table *live = NULL;
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    _cleanup_free_ char *text = NULL;

    assert_int_equal(mp_table_parse("0 0 2 1 x 0 2 0 8:1 8:2 x 0 2 0 8:2 8:1", &live), 0);
    assert_int_equal(plan_map(live, &policy, 1, paths, 3, &table), 0);
    assert_int_equal(mp_table_format(table, &text), 0);
    assert_string_equal(text, "0 0 2 1 round-robin 0 1 1 8:1 1 round-robin 0 1 1 8:2 1");
}

static size_t group_of(const struct mp_table *table, dev_t dev)
{
    size_t found = table->n_groups;
    size_t n = 0;

    for (size_t i = 0; i < table->n_groups; i++) {
        for (size_t j = 0; j < table->groups[i].n_paths; j++) {
            if (table->groups[i].paths[j] == dev) {
                found = i;
                n++;
            }
        }
    }
    assert_int_equal(n, 1); /* every path exactly once */
    return found;
}

/* Tiers in order, none split but by access state and failover, none joined that must not be. */
static void check_groups(const struct scene *scene, const struct mp_table *table)
{
    for (size_t i = 0; i < scene->n_paths; i++) {
        const struct plan_path *a = &scene->paths[i];
        size_t group_a = group_of(table, a->dev);

        for (size_t j = 0; j < i; j++) {
            const struct plan_path *b = &scene->paths[j];
            size_t group_b = group_of(table, b->dev);
            int order = scene_order(scene, a, b);

            if (order < 0)
                assert_true(group_a < group_b);
            else if (order > 0)
                assert_true(group_a > group_b);
            else if (scene_alone(scene, a) && scene_alone(scene, b))
                assert_int_not_equal(group_a, group_b);
            else
                assert_int_equal(group_a, group_b);
        }
    }
}

static void check_selectors(const struct scene *scene, const struct mp_table *table)
{
    for (size_t i = 0; i < table->n_groups; i++) {
        const struct mp_group *group = &table->groups[i];

        assert_true(group->n_paths > 0);
        for (size_t j = 0; j < group->n_paths; j++) {
            const struct plan_path *path = scene_find(scene, group->paths[j]);
            const struct plan_policy *policy = scene_policy(scene, path);
            enum lb_policy number = (policy ? policy : scene->policies)->policy;

            assert_string_equal(group->selector, number == LB_DYN_LEAST_QUEUE_DEPTH
                                                     ? "queue-length 0"
                                                 : number == LB_LEAST_BLOCKS ? "service-time 0"
                                                                             : "round-robin 0");
        }
    }
}

static size_t old_place(const struct mp_table *live, dev_t dev)
{
    size_t place = 0;

    for (size_t i = 0; i < live->n_groups; i++)
        for (size_t j = 0; j < live->groups[i].n_paths; j++, place++)
            if (live->groups[i].paths[j] == dev)
                return place;
    return SIZE_MAX;
}

/* Inside a group: the order of the request, then late paths; foreign paths in their old order. */
static void check_order_inside(const struct scene *scene, const struct mp_table *table)
{
    for (size_t i = 0; i < table->n_groups; i++) {
        const struct mp_group *group = &table->groups[i];

        for (size_t j = 1; j < group->n_paths; j++) {
            const struct plan_path *before = scene_find(scene, group->paths[j - 1]);
            const struct plan_path *path = scene_find(scene, group->paths[j]);

            if (before->policy != path->policy)
                continue;
            if (path->policy == PLAN_NO_POLICY) {
                assert_true(old_place(scene->live, before->dev) <
                            old_place(scene->live, path->dev));
                continue;
            }
            if (scene_position(scene, path) >= 0) {
                assert_true(scene_position(scene, before) >= 0);
                assert_true(scene_position(scene, before) < scene_position(scene, path));
            }
        }
    }
}

static void assert_equal_tables(const struct mp_table *a, const struct mp_table *b)
{
    assert_string_equal(a->features, b->features);
    assert_string_equal(a->hwhandler, b->hwhandler);
    assert_int_equal(a->current, b->current);
    assert_int_equal(a->n_groups, b->n_groups);
    for (size_t i = 0; i < a->n_groups; i++) {
        assert_string_equal(a->groups[i].selector, b->groups[i].selector);
        assert_int_equal(a->groups[i].n_paths, b->groups[i].n_paths);
        assert_memory_equal(a->groups[i].paths, b->groups[i].paths,
                            a->groups[i].n_paths * sizeof(dev_t));
    }
}

static void check_round_trip(const struct mp_table *table)
{
    _cleanup_(mp_table_freep) struct mp_table *again = NULL;
    _cleanup_free_ char *text = NULL;

    assert_int_equal(mp_table_format(table, &text), 0);
    assert_int_equal(mp_table_parse(text, &again), 0);
    assert_equal_tables(table, again);
}

/* Planning on the planned table changes nothing: the service compares by meaning, and stops. */
static void check_stable(const struct scene *scene, const struct mp_table *table)
{
    _cleanup_(mp_table_freep) struct mp_table *again = NULL;

    assert_int_equal(
        plan_map(table, scene->policies, scene->n_policies, scene->paths, scene->n_paths, &again),
        0);
    assert_equal_tables(table, again);
}

/* Whether access states forbid to choose one of the scene's policies. */
static bool is_refused(const struct scene *scene)
{
    bool refused = false;

    for (size_t i = 0; i < scene->n_policies; i++) {
        int r = plan_check_access(scene->live, scene->policies, scene->n_policies, scene->paths,
                                  scene->n_paths, i);
        assert_true(r == 0 || r == -EOPNOTSUPP);
        refused = refused || r < 0;
    }
    return refused;
}

static bool check_scene(const struct scene *scene)
{
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;

    assert_int_equal(is_refused(scene), scene_refused(scene));
    assert_int_equal(plan_map(scene->live, scene->policies, scene->n_policies, scene->paths,
                              scene->n_paths, &table),
                     0);
    assert_int_equal(mp_table_n_paths(table), scene->n_paths);
    assert_string_equal(table->features, scene->live->features);
    assert_string_equal(table->hwhandler, scene->live->hwhandler);
    assert_int_equal(table->current, 1);
    check_groups(scene, table);
    check_selectors(scene, table);
    check_order_inside(scene, table);
    check_round_trip(table);
    check_stable(scene, table);
    return !is_refused(scene);
}

static void test_properties_of_one_session(void **state)
{
    struct prng prng = {11};

    for (size_t n_paths = 1; n_paths <= SCENE_PATHS; n_paths++) {
        for (unsigned policy = LB_FAILOVER; policy <= LB_WEIGHTED_PATHS; policy++) {
            for (unsigned i = 0; i < 64; i++) { /* each combination of what may come, four times */
                const struct scene_kind kind = {
                    .n_paths = n_paths,
                    .n_policies = 1,
                    .policy = (enum lb_policy)policy,
                    .alua = i & 1,
                    .late = i & 2,
                    .foreign = i & 4,
                    .absent = i & 8,
                };
                struct scene scene;

                scene_init(&scene, &kind, &prng);
                if (!check_scene(&scene))
                    assert_true(kind.alua);
                scene_done(&scene);
            }
        }
    }
}

static void test_properties_of_many_sessions(void **state)
{
    struct prng prng = {12};
    size_t n_planned = 0;

    for (unsigned i = 0; i < 6000; i++) {
        const size_t n_policies = 2 + i % (SCENE_POLICIES - 1);
        const struct scene_kind kind = {
            .n_paths = n_policies + prng_below(&prng, SCENE_PATHS + 1 - n_policies),
            .n_policies = n_policies,
            .alua = prng_below(&prng, 2),
            .late = prng_below(&prng, 2),
            .foreign = prng_below(&prng, 2),
            .absent = prng_below(&prng, 2),
        };
        struct scene scene;

        scene_init(&scene, &kind, &prng);
        n_planned += check_scene(&scene);
        scene_done(&scene);
    }
    assert_true(n_planned > 3000);
}

/* As many paths as one group can have. */
static void test_many_paths(void **state)
{
    static struct plan_member members[1024];
    static struct plan_path paths[1024];
    struct plan_policy policy = {LB_FAILOVER, false, members, ELEMENTSOF(members)};
    _cleanup_(mp_table_freep) struct mp_table *like = NULL;
    _cleanup_(mp_table_freep) struct mp_table *live = NULL;
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    struct mp_group *group;

    assert_int_equal(mp_table_parse("0 0 0 0", &like), 0);
    live = mp_table_new_like(like);
    assert_non_null(live);
    assert_int_equal(mp_table_add_group(live, "service-time 0", &group), 0);
    for (unsigned i = 0; i < 1024; i++) {
        members[i] = (struct plan_member){.connection_id = 1023 - i, .primary = i == 500};
        paths[i] = (struct plan_path){.dev = makedev(8, i), .connection_id = i};
        assert_int_equal(mp_group_add_path(group, makedev(8, i)), 0);
    }
    assert_int_equal(plan_map(live, &policy, 1, paths, 1024, &table), 0);
    assert_int_equal(table->n_groups, 1024);
    assert_true(table->groups[0].paths[0] == makedev(8, 523));
    assert_true(table->groups[1].paths[0] == makedev(8, 1023));
    assert_true(table->groups[1023].paths[0] == makedev(8, 0));
    check_round_trip(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_policy),
        cmocka_unit_test(test_late_paths),
        cmocka_unit_test(test_late_members),
        cmocka_unit_test(test_nobody_named),
        cmocka_unit_test(test_late_order),
        cmocka_unit_test(test_foreign_paths),
        cmocka_unit_test(test_access_states),
        cmocka_unit_test(test_access_refusals),
        cmocka_unit_test(test_other_handlers),
        cmocka_unit_test(test_access_of_other_sessions),
        cmocka_unit_test(test_two_sessions_join),
        cmocka_unit_test(test_two_sessions_apart),
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_no_path),
        cmocka_unit_test(test_repeated_paths),
        cmocka_unit_test(test_properties_of_one_session),
        cmocka_unit_test(test_properties_of_many_sessions),
        cmocka_unit_test(test_many_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
