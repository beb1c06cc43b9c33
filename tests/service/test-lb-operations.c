/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SetLoadBalancePolicy as far as it goes without an iSCSI session that is up: what a request gets
 * before a kernel is asked. The session is one that is logged out and has a policy.
 */

#include "fixture.h"
#include "../unit/prng.h"
#include "service/base/bounds.h"
#include "wmi/status.h"

#include <stdlib.h>
#include <string.h>

#define LB_OPERATIONS INTERFACE("MSiSCSI_LB_Operations")
#define SESSION INTERFACE("Session")
#define MANY PATHS_MAX

static uint64_t own_session(void)
{
    return session_id(INITIATOR, TARGET);
}

static void append_paths(sd_bus_message *message, const struct lb_path *paths, size_t n)
{
    assert_true(sd_bus_message_open_container(message, 'a', "(ttuuuu)") >= 0);
    for (size_t i = 0; i < n; i++)
        assert_true(sd_bus_message_append(message, "(ttuuuu)", paths[i].connection_id,
                                          paths[i].link_speed, paths[i].weight, paths[i].primary,
                                          paths[i].status, paths[i].offload) >= 0);
    assert_true(sd_bus_message_close_container(message) >= 0);
}

static uint32_t request_on(struct harness *harness, const char *adapter, uint64_t session,
                           uint32_t policy, uint32_t count, const struct lb_path *paths, size_t n)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    uint32_t status;

    assert_true(sd_bus_message_new_method_call(harness->bus, &message, NAME, adapter, LB_OPERATIONS,
                                               "SetLoadBalancePolicy") >= 0);
    assert_true(sd_bus_message_open_container(message, 'r', "tuua(ttuuuu)") >= 0);
    assert_true(sd_bus_message_append(message, "tuu", session, policy, count) >= 0);
    append_paths(message, paths, n);
    assert_true(sd_bus_message_close_container(message) >= 0);

    if (sd_bus_call(harness->bus, message, 0, &error, &reply) < 0)
        fail_msg("SetLoadBalancePolicy: %s: %s", error.name, error.message);
    assert_string_equal(sd_bus_message_get_signature(reply, 1), "u");
    assert_true(sd_bus_message_read(reply, "u", &status) > 0);
    (void)harness_log(harness);
    return status;
}

static uint32_t request(struct harness *harness, uint64_t session, uint32_t policy, uint32_t count,
                        const struct lb_path *paths, size_t n)
{
    char adapter[FIXTURE_PATH_MAX];

    fixture_adapter_path(adapter);
    return request_on(harness, adapter, session, policy, count, paths, n);
}

/* The session is as the fixture made it. */
static void assert_unchanged(struct harness *harness)
{
    char path[FIXTURE_PATH_MAX];

    fixture_session_path(path);
    assert_true(has_object(harness, path));
    assert_int_equal(get_number(harness, path, SESSION, "LoadBalancePolicy"), LB_ROUND_ROBIN);
}

#define UNKNOWN 0x123456789abcdef0U
#define OWN 0U /* stands for the fixture's session */

struct example {
    uint64_t session;
    uint32_t policy;
    uint32_t count;
    uint64_t ids[4];
    size_t n;
    uint32_t status;
};

/* Each with the faults of later rows as well, so that the order shows. */
static const struct example examples[] = {
    /* Row 1: more paths counted than sent. */
    {UNKNOWN, 2, 1, {0}, 0, ISDSC_BUFFER_TOO_SMALL},
    {UNKNOWN, 0, 3, {7, 7}, 2, ISDSC_BUFFER_TOO_SMALL},
    {UNKNOWN, 7, UINT32_MAX, {7, 7}, 2, ISDSC_BUFFER_TOO_SMALL},
    {OWN, 1, UINT32_MAX, {7}, 1, ISDSC_BUFFER_TOO_SMALL},
    {OWN, 2, UINT32_MAX - 1, {0}, 0, ISDSC_BUFFER_TOO_SMALL},
    {OWN, 6, 1, {0}, 0, ISDSC_BUFFER_TOO_SMALL},
    {OWN, 6, UINT32_C(0x80000000), {7}, 1, ISDSC_BUFFER_TOO_SMALL},
    /* Row 2: no such policy. */
    {UNKNOWN, 0, 2, {7, 7}, 2, ISDSC_INVALID_LOAD_BALANCE_POLICY},
    {UNKNOWN, 7, 2, {7, 7}, 2, ISDSC_INVALID_LOAD_BALANCE_POLICY},
    {OWN, 0, 0, {0}, 0, ISDSC_INVALID_LOAD_BALANCE_POLICY},
    {OWN, UINT32_MAX, 1, {7}, 1, ISDSC_INVALID_LOAD_BALANCE_POLICY},
    {OWN, UINT32_C(0x10001), 1, {7}, 1, ISDSC_INVALID_LOAD_BALANCE_POLICY},
    /* Row 3: a path twice. */
    {UNKNOWN, 1, 2, {7, 7}, 2, ISDSC_DUPLICATE_PATH_SPECIFIED},
    {UNKNOWN, 4, 3, {7, 8, 7}, 3, ISDSC_DUPLICATE_PATH_SPECIFIED},
    {OWN, 5, 4, {0, 8, 7, 0}, 4, ISDSC_DUPLICATE_PATH_SPECIFIED},
    {OWN, 2, 2, {UINT64_MAX, UINT64_MAX, 3}, 3, ISDSC_DUPLICATE_PATH_SPECIFIED},
    /* Row 4: no such session. Entries past the count, and under policy 6 all, are ignored. */
    {UNKNOWN, 1, 0, {0}, 0, ISDSC_INVALID_SESSION_ID},
    {UNKNOWN, 2, 1, {7, 7}, 2, ISDSC_INVALID_SESSION_ID},
    {UNKNOWN, 5, 3, {7, 8, 9, 9}, 4, ISDSC_INVALID_SESSION_ID},
    {UNKNOWN, 6, 2, {7, 7}, 2, ISDSC_INVALID_SESSION_ID},
    {UNKNOWN, 6, 0, {0}, 0, ISDSC_INVALID_SESSION_ID},
    {UINT64_MAX, 4, 0, {0}, 0, ISDSC_INVALID_SESSION_ID},
    /* Row 5: the session has no connection now. */
    {OWN, 1, 1, {7}, 1, ISDSC_PATH_COUNT_MISMATCH},
    {OWN, 4, 3, {7, 8, 9, 9}, 4, ISDSC_PATH_COUNT_MISMATCH},
    /* Row 8: none of none is a primary. */
    {OWN, 1, 0, {0}, 0, ISDSC_NO_PRIMARY_PATH_SPECIFIED},
    {OWN, 2, 0, {7, 7}, 2, ISDSC_NO_PRIMARY_PATH_SPECIFIED},
    {OWN, 3, 0, {0}, 0, ISDSC_NO_PRIMARY_PATH_SPECIFIED},
    /* Row 10: no connection is up. */
    {OWN, 4, 0, {0}, 0, ISDSC_NO_CONNECTION_AVAILABLE},
    {OWN, 5, 0, {7, 7}, 2, ISDSC_NO_CONNECTION_AVAILABLE},
};

static void test_statuses_in_order(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(examples); i++) {
        const struct example *e = &examples[i];
        struct lb_path paths[4] = {0};

        for (size_t k = 0; k < e->n; k++)
            paths[k] = (struct lb_path){.connection_id = e->ids[k], .primary = 1};
        uint32_t status = request(*state, e->session == OWN ? own_session() : e->session, e->policy,
                                  e->count, paths, e->n);
        if (status != e->status)
            fail_msg("example %zu: %s, expected %s", i, status_symbol(status),
                     status_symbol(e->status));
    }
    assert_unchanged(*state);
}

static void test_session_of_another_adapter(void **state)
{
    if (!has_object(*state, BARE_ADAPTER))
        skip();
    assert_int_equal(request_on(*state, BARE_ADAPTER, own_session(), 4, 0, NULL, 0),
                     ISDSC_INVALID_SESSION_ID);
    assert_int_equal(request_on(*state, BARE_ADAPTER, own_session(), 6, 0, NULL, 0),
                     ISDSC_INVALID_SESSION_ID);
    assert_unchanged(*state);
}

static void test_many_paths(void **state)
{
    _cleanup_free_ struct lb_path *paths = calloc(MANY, sizeof(*paths));
    assert_non_null(paths);
    for (size_t i = 0; i < MANY; i++)
        paths[i] = (struct lb_path){.connection_id = i, .weight = UINT32_MAX, .primary = 1};

    assert_int_equal(request(*state, own_session(), 5, MANY, paths, MANY),
                     ISDSC_PATH_COUNT_MISMATCH);
    assert_int_equal(request(*state, own_session(), 5, MANY + 1, paths, MANY),
                     ISDSC_BUFFER_TOO_SMALL);
    assert_int_equal(request(*state, UNKNOWN, 5, MANY, paths, MANY), ISDSC_INVALID_SESSION_ID);
    assert_int_equal(request(*state, own_session(), 5, 0, paths, MANY),
                     ISDSC_NO_CONNECTION_AVAILABLE);

    /* The last two alike: seen where both count, and not where the last is past the count. */
    paths[MANY - 1].connection_id = paths[0].connection_id;
    assert_int_equal(request(*state, own_session(), 2, MANY, paths, MANY),
                     ISDSC_DUPLICATE_PATH_SPECIFIED);
    assert_int_equal(request(*state, own_session(), 2, MANY - 1, paths, MANY),
                     ISDSC_PATH_COUNT_MISMATCH);
    assert_unchanged(*state);
}

/* Nothing of it is looked at. */
static void test_too_many_paths(void **state)
{
    static const struct lb_path paths[PATHS_MAX + 1];

    assert_int_equal(request(*state, own_session(), 6, 0, paths, PATHS_MAX + 1),
                     ISDSC_OUT_OF_RESOURCES);
    assert_int_equal(request(*state, UNKNOWN, 0, 0, paths, PATHS_MAX + 1), ISDSC_OUT_OF_RESOURCES);
    assert_unchanged(*state);
}

/* Whatever the numbers, there is a Status, and it is one that this session can get. */
static void test_random_requests(void **state)
{
    static const uint32_t possible[] = {
        ISDSC_BUFFER_TOO_SMALL,        ISDSC_INVALID_LOAD_BALANCE_POLICY,
        ISDSC_INVALID_SESSION_ID,      ISDSC_DUPLICATE_PATH_SPECIFIED,
        ISDSC_PATH_COUNT_MISMATCH,     ISDSC_NO_PRIMARY_PATH_SPECIFIED,
        ISDSC_NO_CONNECTION_AVAILABLE,
    };
    unsigned seen[ELEMENTSOF(possible)] = {0};
    struct prng prng = {17};

    for (int i = 0; i < 500; i++) {
        struct lb_path paths[5];
        size_t n = prng_below(&prng, 6);
        for (size_t k = 0; k < n; k++)
            paths[k] = (struct lb_path){
                prng_below(&prng, 8),       prng_next(&prng),
                (uint32_t)prng_next(&prng), (uint32_t)prng_below(&prng, 2),
                (uint32_t)prng_next(&prng), (uint32_t)prng_next(&prng),
            };
        uint64_t session = prng_below(&prng, 3) ? own_session() : prng_next(&prng);
        uint32_t policy = (uint32_t)prng_below(&prng, 8);
        if (policy == LB_VENDOR_SPECIFIC)
            policy = 0; /* would take the policy back */
        uint32_t status =
            request(*state, session, policy, (uint32_t)prng_below(&prng, n + 2), paths, n);
        size_t at = 0;
        while (at < ELEMENTSOF(possible) && possible[at] != status)
            at++;
        if (at == ELEMENTSOF(possible))
            fail_msg("request %d: %#x", i, (unsigned)status);
        seen[at]++;
    }
    for (size_t i = 0; i < ELEMENTSOF(possible); i++)
        assert_true(seen[i] > 0);
    assert_unchanged(*state);
}

static void test_wrong_signatures(void **state)
{
    char adapter[FIXTURE_PATH_MAX];

    fixture_adapter_path(adapter);
#define FAILS(...)                                                                                 \
    assert_call_fails(*state, INVALID_ARGS, adapter, LB_OPERATIONS, "SetLoadBalancePolicy",        \
                      __VA_ARGS__)
    FAILS("");
    FAILS("u", 2U);
    FAILS("tuu", own_session(), 2U, 0U);
    FAILS("tuua(ttuuuu)", own_session(), 2U, 0U, 0U); /* no structure around it */
    FAILS("(tuua(ttuuu))", own_session(), 2U, 0U, 0U);
    FAILS("(uuua(ttuuuu))", 1U, 2U, 0U, 0U);
    FAILS("(tuua(ttuuuu))u", own_session(), 6U, 0U, 0U, 1U);
    FAILS("v", "(tuua(ttuuuu))", own_session(), 6U, 0U, 0U);
#undef FAILS
    assert_unchanged(*state);
}

static void test_unknown_names(void **state)
{
    char adapter[FIXTURE_PATH_MAX];

    fixture_adapter_path(adapter);
    assert_call_fails(*state, UNKNOWN_METHOD, adapter, LB_OPERATIONS, "GetLoadBalancePolicy", "");
    assert_call_fails(*state, UNKNOWN_METHOD, adapter, INTERFACE("MSiSCSI_Operations"),
                      "SetLoadBalancePolicy", "");
    assert_call_fails(*state, UNKNOWN_PROPERTY, adapter, "org.freedesktop.DBus.Properties", "Get",
                      "ss", LB_OPERATIONS, "Passive");
    assert_call_fails(*state, "org.freedesktop.DBus.Error.PropertyReadOnly", adapter,
                      "org.freedesktop.DBus.Properties", "Set", "ssv", LB_OPERATIONS, "Active", "b",
                      0);

    assert_unchanged(*state);
}

static void assert_no_adapter(struct harness *harness, const char *path, const char *error)
{
    assert_call_fails(harness, error, path, LB_OPERATIONS, "SetLoadBalancePolicy", "(tuua(ttuuuu))",
                      own_session(), 6U, 0U, 0U);
}

/* No adapter, no ID, and no other way to write the right one. */
static void test_unknown_objects(void **state)
{
    char adapter[FIXTURE_PATH_MAX], path[FIXTURE_PATH_MAX + 8];

    assert_no_adapter(*state, ADAPTERS_PATH "/0000000000000000", UNKNOWN_OBJECT);
    assert_no_adapter(*state, ADAPTERS_PATH "/x", UNKNOWN_OBJECT);
    assert_no_adapter(*state, "/com/open_iscsi/WMI2", UNKNOWN_OBJECT);
    assert_no_adapter(*state, ADAPTERS_PATH, UNKNOWN_METHOD);
    assert_no_adapter(*state, SESSIONS_PATH, UNKNOWN_METHOD);
    assert_no_adapter(*state, "/", UNKNOWN_OBJECT);

    fixture_adapter_path(adapter);
    snprintf(path, sizeof(path), "%s0", adapter);
    assert_no_adapter(*state, path, UNKNOWN_OBJECT);
    path[strlen(adapter) - 1] = '\0';
    assert_no_adapter(*state, path, UNKNOWN_OBJECT);
    snprintf(path, sizeof(path), "%s/x", adapter);
    assert_no_adapter(*state, path, UNKNOWN_OBJECT);

    snprintf(path, sizeof(path), "%s", adapter);
    for (char *p = strrchr(path, '/'); *p; p++)
        *p = *p >= 'a' && *p <= 'f' ? (char)(*p - 'a' + 'A') : *p;
    assert_string_not_equal(path, adapter);
    assert_no_adapter(*state, path, UNKNOWN_OBJECT);
    assert_unchanged(*state);
}

/* Only sessions that are logged in are Windows' business. */
static void test_query_has_no_dead_session(void **state)
{
    char adapter[FIXTURE_PATH_MAX];

    fixture_adapter_path(adapter);
    assert_int_equal(
        get_number(*state, adapter, INTERFACE("MSiSCSI_QueryLBPolicy"), "SessionCount"), 0);
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        get_property(*state, adapter, INTERFACE("MSiSCSI_QueryLBPolicy"), "LoadBalancePolicies",
                     "a(tuua(ttuuuu))");
    assert_true(sd_bus_message_enter_container(reply, 'a', "(tuua(ttuuuu))") > 0);
    assert_int_equal(sd_bus_message_at_end(reply, 0), 1);
}

static void test_session_object(void **state)
{
    char path[FIXTURE_PATH_MAX];

    fixture_session_path(path);
    _cleanup_free_ char *initiator = get_text(*state, path, SESSION, "InitiatorName");
    _cleanup_free_ char *target = get_text(*state, path, SESSION, "TargetName");
    _cleanup_free_ char *provenance = get_text(*state, path, SESSION, "Provenance");
    _cleanup_free_ char *agreement = get_text(*state, path, SESSION, "Agreement");
    _cleanup_free_ char *reason = get_text(*state, path, SESSION, "Reason");

    assert_string_equal(initiator, INITIATOR);
    assert_string_equal(target, TARGET);
    assert_string_equal(provenance, "session");
    assert_string_equal(agreement, "Pending");
    assert_true(strlen(reason) > 10);
}

/* Row 16: nothing is left to change but the store, and that fails. */
static void test_give_back_not_saved(void **state)
{
    struct harness *harness = *state;

    harness_forbid_writing(harness, true);
    assert_int_equal(request(harness, own_session(), 6, 0, NULL, 0),
                     ISDSC_FAILURE_TO_PERSIST_LB_POLICY);
    harness_forbid_writing(harness, false);

    /* What was saved before is what a new start finds. */
    harness_restart(harness);
    assert_unchanged(harness);
}

/*
 * Policy 6 with paths that make no sense: they are not looked at. Its object goes with it, and that
 * of its adapter, which is no port's.
 */
static void test_give_back(void **state)
{
    struct harness *harness = *state;
    char path[FIXTURE_PATH_MAX], adapter[FIXTURE_PATH_MAX];
    struct signal_count removed;
    struct lb_path paths[] = {{.connection_id = 7}, {.connection_id = 7}};

    fixture_session_path(path);
    fixture_adapter_path(adapter);
    signal_count_begin(harness, &removed, ROOT_PATH, "org.freedesktop.DBus.ObjectManager",
                       "InterfacesRemoved");
    assert_int_equal(request(harness, own_session(), 6, 2, paths, 2), STATUS_SUCCESS);
    assert_int_equal(signal_count_now(harness, &removed), 2);
    const char *object;
    assert_true(sd_bus_message_read(removed.last, "o", &object) > 0);
    assert_string_equal(object, adapter);
    signal_count_end(&removed);

    assert_false(has_object(harness, path));
    assert_false(has_object(harness, adapter));
    harness_restart(harness);
    assert_false(has_object(harness, path));
    assert_false(has_object(harness, adapter));
}

static void test_journal_says_who(void **state)
{
    const char *log = harness_log(*state);
    char session[32];

    snprintf(session, sizeof(session), "%016" PRIx64, own_session());
    assert_non_null(strstr(log, session));
    assert_non_null(strstr(log, "STATUS_SUCCESS"));
    assert_non_null(strstr(log, "ISDSC_FAILURE_TO_PERSIST_LB_POLICY"));
    assert_non_null(strstr(log, "asked by test-"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses_in_order),
        cmocka_unit_test(test_session_of_another_adapter),
        cmocka_unit_test(test_many_paths),
        cmocka_unit_test(test_too_many_paths),
        cmocka_unit_test(test_random_requests),
        cmocka_unit_test(test_wrong_signatures),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_unknown_objects),
        cmocka_unit_test(test_query_has_no_dead_session),
        cmocka_unit_test(test_session_object),
        cmocka_unit_test(test_give_back_not_saved),
        cmocka_unit_test(test_give_back),
        cmocka_unit_test(test_journal_says_who),
        cmocka_unit_test(harness_test_clean_end),
    };
    return harness_result(cmocka_run_group_tests(tests, fixture_setup, harness_teardown));
}
