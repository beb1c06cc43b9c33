/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "prng.h"
#include "wmi/policy.h"
#include "wmi/status.h"

#define MAX_PATHS 10002

/* A request and the session that it names, filled so that the request is good. */
struct bench {
    struct lb_path paths[MAX_PATHS];
    uint64_t connections[MAX_PATHS];
    struct lb_request request;
    struct lb_session session;
};

static struct bench bench;

static uint64_t connection(size_t i)
{
    return (i + 1) * UINT64_C(0x9E3779B97F4A7C15); /* scattered, all different */
}

static void prepare(uint32_t policy, size_t n)
{
    memset(bench.paths, 0, (n + 2) * sizeof(bench.paths[0]));
    for (size_t i = 0; i < n; i++) {
        bench.paths[i].connection_id = connection(n - 1 - i);
        bench.paths[i].weight = (uint32_t)i;
        bench.paths[i].status = LB_CONNECTED;
        bench.connections[i] = connection(i);
    }
    bench.paths[n / 2].primary = UINT32_MAX; /* any nonzero value */
    bench.request = (struct lb_request){
        .session_id = 1,
        .policy = policy,
        .path_count = (uint32_t)n,
        .paths = bench.paths,
        .n_paths = n,
    };
    bench.session = (struct lb_session){
        .known = true,
        .connections = bench.connections,
        .n_connections = n,
        .any_up = true,
        .has_map = true,
    };
}

static uint32_t check(void)
{
    return lb_check(&bench.request, &bench.session);
}

/* The rows of lb_check(); a fault is the number of its row. */
static const uint32_t row_status[] = {
    [1] = ISDSC_BUFFER_TOO_SMALL,
    [2] = ISDSC_INVALID_LOAD_BALANCE_POLICY,
    [3] = ISDSC_DUPLICATE_PATH_SPECIFIED,
    [4] = ISDSC_INVALID_SESSION_ID,
    [5] = ISDSC_PATH_COUNT_MISMATCH,
    [6] = ISDSC_INVALID_PATH_ID,
    [7] = ISDSC_MULTIPLE_PRIMARY_PATHS_SPECIFIED,
    [8] = ISDSC_NO_PRIMARY_PATH_SPECIFIED,
    [9] = ISDSC_SESSION_BUSY,
    [10] = ISDSC_NO_CONNECTION_AVAILABLE,
    [11] = ISDSC_DEVICE_NOT_FOUND,
};

#define N_ROWS 11

static void put_fault(unsigned row, size_t n)
{
    switch (row) {
    case 1:
        bench.request.n_paths--;
        break;
    case 2:
        bench.request.policy = n % 2 ? 0 : 7;
        break;
    case 3: /* both at odd places, which Windows' own sample overlooks */
        bench.paths[3].connection_id = bench.paths[1].connection_id;
        break;
    case 4:
        bench.session.known = false;
        break;
    case 5:
        bench.session.n_connections += n % 2 ? 1 : (size_t)-1;
        break;
    case 6:
        bench.paths[0].connection_id = 4711;
        break;
    case 7:
        bench.paths[0].primary = 1;
        bench.paths[1].primary = 2;
        break;
    case 8:
        for (size_t i = 0; i < n; i++)
            bench.paths[i].primary = 0;
        break;
    case 9:
        bench.session.busy = true;
        break;
    case 10:
        bench.session.any_up = false;
        break;
    case 11:
        bench.session.has_map = false;
        break;
    }
}

static bool row_applies(unsigned row, uint32_t policy, bool has_policy)
{
    switch (row) {
    case 3:
    case 5:
    case 6:
        return policy != LB_VENDOR_SPECIFIC;
    case 7:
        return policy == LB_FAILOVER;
    case 8:
        return policy <= LB_ROUND_ROBIN_WITH_SUBSET;
    case 10:
    case 11:
        return policy != LB_VENDOR_SPECIFIC || !has_policy;
    default:
        return true;
    }
}

static uint32_t expected(unsigned faults, uint32_t policy, bool has_policy)
{
    for (unsigned row = 1; row <= N_ROWS; row++)
        if ((faults & 1U << row) && row_applies(row, policy, has_policy))
            return row_status[row];
    return STATUS_SUCCESS;
}

static void check_combination(unsigned faults, uint32_t policy, size_t n, bool has_policy)
{
    prepare(policy, n);
    bench.session.has_policy = has_policy;
    for (unsigned row = 1; row <= N_ROWS; row++)
        if (faults & 1U << row)
            put_fault(row, n);
    assert_int_equal(check(), expected(faults, policy, has_policy));
}

/* Every set of faults at once, under every policy: the earliest row that applies wins. */
static void test_all_combinations(void **state)
{
    for (uint32_t policy = LB_FAILOVER; policy <= LB_VENDOR_SPECIFIC; policy++) {
        for (unsigned faults = 0; faults < 2U << N_ROWS; faults += 2) {
            if ((faults & 1U << 7) && (faults & 1U << 8))
                continue; /* many primaries and none exclude each other */
            for (size_t n = 8; n <= 9; n++) {
                check_combination(faults, policy, n, false);
                check_combination(faults, policy, n, true);
            }
        }
    }
}

static void test_policy_numbers(void **state)
{
    static const uint32_t wrong[] = {0, 7, 8, 255, 256, 0x7FFFFFFF, 0x80000001, UINT32_MAX};

    for (uint32_t policy = LB_FAILOVER; policy <= LB_VENDOR_SPECIFIC; policy++) {
        prepare(policy, 4);
        assert_int_equal(check(), STATUS_SUCCESS);
    }
    for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
        prepare(wrong[i], 4);
        assert_int_equal(check(), ISDSC_INVALID_LOAD_BALANCE_POLICY);
    }
}

static void test_primaries(void **state)
{
    for (uint32_t policy = LB_FAILOVER; policy <= LB_WEIGHTED_PATHS; policy++) {
        bool needs_one = policy <= LB_ROUND_ROBIN_WITH_SUBSET;

        prepare(policy, 3);
        for (size_t i = 0; i < 3; i++)
            bench.paths[i].primary = 1;
        assert_int_equal(check(), policy == LB_FAILOVER ? ISDSC_MULTIPLE_PRIMARY_PATHS_SPECIFIED
                                                        : STATUS_SUCCESS);
        for (size_t i = 0; i < 3; i++)
            bench.paths[i].primary = 0;
        assert_int_equal(check(), needs_one ? ISDSC_NO_PRIMARY_PATH_SPECIFIED : STATUS_SUCCESS);
    }
}

static void test_duplicates(void **state)
{
    for (size_t i = 0; i < 7; i++) {
        for (size_t j = 0; j < i; j++) {
            prepare(LB_ROUND_ROBIN, 7);
            bench.paths[i].connection_id = bench.paths[j].connection_id;
            assert_int_equal(check(), ISDSC_DUPLICATE_PATH_SPECIFIED);
        }
    }
}

static void test_membership(void **state)
{
    static const uint64_t strangers[] = {0, 1, UINT64_MAX};

    for (size_t i = 0; i < 7; i++) {
        for (size_t j = 0; j < ELEMENTSOF(strangers); j++) {
            prepare(LB_ROUND_ROBIN, 7);
            bench.paths[i].connection_id = strangers[j];
            assert_int_equal(check(), ISDSC_INVALID_PATH_ID);
        }
    }
}

/* Entries past iSCSI_PathCount may hold anything. */
static void test_extra_entries(void **state)
{
    for (uint32_t policy = LB_FAILOVER; policy <= LB_VENDOR_SPECIFIC; policy++) {
        prepare(policy, 4);
        bench.paths[4] = bench.paths[0];
        bench.paths[5] = (struct lb_path){.connection_id = 4711, .primary = 1};
        bench.request.n_paths = 6;
        assert_int_equal(check(), STATUS_SUCCESS);
        bench.request.path_count = 5;
        assert_int_equal(check(), policy == LB_VENDOR_SPECIFIC ? STATUS_SUCCESS
                                                               : ISDSC_DUPLICATE_PATH_SPECIFIED);
    }
    prepare(LB_FAILOVER, 4);
    bench.paths[2].primary = 0;
    bench.paths[4].primary = 1;
    bench.request.n_paths = 5;
    assert_int_equal(check(), ISDSC_NO_PRIMARY_PATH_SPECIFIED);
}

static void test_counts_near_the_limit(void **state)
{
    static const uint32_t counts[] = {5,          0x7FFFFFFF,     0x80000000,
                                      0x80000001, UINT32_MAX - 1, UINT32_MAX};

    for (size_t i = 0; i < ELEMENTSOF(counts); i++) {
        for (uint32_t policy = LB_FAILOVER; policy <= LB_VENDOR_SPECIFIC; policy++) {
            prepare(policy, 4);
            bench.request.path_count = counts[i];
            assert_int_equal(check(), ISDSC_BUFFER_TOO_SMALL);
            bench.request.paths = NULL;
            bench.request.n_paths = 0;
            assert_int_equal(check(), ISDSC_BUFFER_TOO_SMALL);
        }
    }
}

static void test_no_entry(void **state)
{
    for (uint32_t policy = LB_FAILOVER; policy <= LB_VENDOR_SPECIFIC; policy++) {
        uint32_t good =
            policy <= LB_ROUND_ROBIN_WITH_SUBSET ? ISDSC_NO_PRIMARY_PATH_SPECIFIED : STATUS_SUCCESS;

        prepare(policy, 0);
        bench.request.paths = NULL;
        bench.session.connections = NULL;
        assert_int_equal(check(), good);
        bench.session.connections = bench.connections;
        bench.session.n_connections = 1;
        assert_int_equal(check(),
                         policy == LB_VENDOR_SPECIFIC ? STATUS_SUCCESS : ISDSC_PATH_COUNT_MISMATCH);
    }
}

static void test_one_entry(void **state)
{
    for (uint32_t policy = LB_FAILOVER; policy <= LB_VENDOR_SPECIFIC; policy++) {
        prepare(policy, 1);
        assert_int_equal(check(), STATUS_SUCCESS);
    }
    prepare(LB_FAILOVER, 1);
    bench.paths[0].connection_id = 0;
    assert_int_equal(check(), ISDSC_INVALID_PATH_ID);
    bench.connections[0] = 0;
    assert_int_equal(check(), STATUS_SUCCESS);
}

static void shuffle(size_t n)
{
    struct prng prng = {77};

    for (size_t i = n - 1; i > 0; i--) {
        size_t j = prng_below(&prng, i + 1);
        struct lb_path path = bench.paths[i];

        bench.paths[i] = bench.paths[j];
        bench.paths[j] = path;
    }
}

static void test_many_entries(void **state)
{
    const size_t n = 10000;

    prepare(LB_FAILOVER, n);
    shuffle(n);
    assert_int_equal(check(), STATUS_SUCCESS);

    bench.paths[n - 1].connection_id = bench.paths[0].connection_id;
    assert_int_equal(check(), ISDSC_DUPLICATE_PATH_SPECIFIED);

    prepare(LB_FAILOVER, n);
    bench.paths[n - 1].connection_id = connection(n);
    assert_int_equal(check(), ISDSC_INVALID_PATH_ID);

    prepare(LB_FAILOVER, n);
    bench.paths[n - 1].primary = 1;
    assert_int_equal(check(), ISDSC_MULTIPLE_PRIMARY_PATHS_SPECIFIED);

    prepare(LB_WEIGHTED_PATHS, n);
    for (size_t i = 0; i < n; i++) { /* sorted already, both ways */
        bench.paths[i].connection_id = i;
        bench.connections[i] = n - 1 - i;
    }
    assert_int_equal(check(), STATUS_SUCCESS);
    bench.request.path_count = (uint32_t)n - 1;
    assert_int_equal(check(), ISDSC_PATH_COUNT_MISMATCH);
}

/* Where the session is not known, nothing else of it is looked at. */
static void test_unknown_session(void **state)
{
    prepare(LB_ROUND_ROBIN, 4);
    bench.session.known = false;
    bench.session.connections = NULL;
    bench.session.busy = true;
    assert_int_equal(check(), ISDSC_INVALID_SESSION_ID);
    bench.request.policy = LB_VENDOR_SPECIFIC;
    assert_int_equal(check(), ISDSC_INVALID_SESSION_ID);
}

/* Policy 6 gives a stored policy back even where no path and no map is left. */
static void test_vendor_specific(void **state)
{
    prepare(LB_VENDOR_SPECIFIC, 4);
    bench.paths[1] = bench.paths[0];
    bench.request.path_count = 3;
    assert_int_equal(check(), STATUS_SUCCESS);
    bench.session.has_map = false;
    assert_int_equal(check(), ISDSC_DEVICE_NOT_FOUND);
    bench.session.any_up = false;
    assert_int_equal(check(), ISDSC_NO_CONNECTION_AVAILABLE);
    bench.session.has_policy = true;
    assert_int_equal(check(), STATUS_SUCCESS);
    bench.session.busy = true;
    assert_int_equal(check(), ISDSC_SESSION_BUSY);

    prepare(LB_ROUND_ROBIN, 4);
    bench.session.has_policy = true;
    bench.session.has_map = false;
    assert_int_equal(check(), ISDSC_DEVICE_NOT_FOUND);
}

static void assert_policy_text(const char *text, uint32_t policy)
{
    uint32_t parsed = 0;

    assert_int_equal(lb_policy_parse(text, &parsed), 0);
    assert_int_equal(parsed, policy);
}

static void test_names(void **state)
{
    for (uint32_t policy = LB_FAILOVER; policy <= LB_VENDOR_SPECIFIC; policy++)
        assert_policy_text(lb_policy_name(policy), policy);
    assert_string_equal(lb_policy_name(1), "FAILOVER");
    assert_string_equal(lb_policy_name(3), "ROUND_ROBIN_WITH_SUBSET");
    assert_null(lb_policy_name(0));
    assert_null(lb_policy_name(7));
    assert_null(lb_policy_name(UINT32_MAX));

    assert_policy_text("1", LB_FAILOVER);
    assert_policy_text("6", LB_VENDOR_SPECIFIC);
    assert_policy_text("failover", LB_FAILOVER);
    assert_policy_text("round-robin", LB_ROUND_ROBIN);
    assert_policy_text("Round_Robin-with-Subset", LB_ROUND_ROBIN_WITH_SUBSET);
    assert_policy_text("dyn-least-queue-depth", LB_DYN_LEAST_QUEUE_DEPTH);
    assert_policy_text("weighted-paths", LB_WEIGHTED_PATHS);
}

static void test_names_garbage(void **state)
{
    static const char *const texts[] = {
        "",   "0",   "7",     "10",           "01",          "1 ",        " 1",        "+1",
        "-1", "0x1", "ROUND", "ROUND_ROBIN_", "ROUND ROBIN", "_FAILOVER", "FAILOVER1", "(null)",
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        uint32_t policy = 4711;

        assert_int_equal(lb_policy_parse(texts[i], &policy), -EINVAL);
        assert_int_equal(policy, 4711);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_combinations),
        cmocka_unit_test(test_policy_numbers),
        cmocka_unit_test(test_primaries),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_membership),
        cmocka_unit_test(test_extra_entries),
        cmocka_unit_test(test_counts_near_the_limit),
        cmocka_unit_test(test_no_entry),
        cmocka_unit_test(test_one_entry),
        cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_unknown_session),
        cmocka_unit_test(test_vendor_specific),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_garbage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
