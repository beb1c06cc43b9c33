/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The policy of a disk as far as it goes without a map: a disk that the state knows, and what a
 * request gets before a kernel is asked.
 */

#include "fixture.h"
#include "service/base/bounds.h"
#include "wmi/dsm.h"

#include <stdlib.h>
#include <string.h>

#define OPERATIONS INTERFACE("DSM_LB_Operations")
#define QUERY INTERFACE("DSM_QueryLBPolicy_V2")
#define SUPPORTED INTERFACE("DSM_QuerySupportedLBPolicies_V2")
#define DISK INTERFACE("Disk")
#define POLICY_V2 "(uuuua(ttuuuuuuuyyquut))"

static void assert_text(struct harness *harness, const char *interface, const char *name,
                        const char *wanted)
{
    _cleanup_free_ char *text = get_text(harness, DISK_PATH, interface, name);
    assert_string_equal(text, wanted);
}

/* The disk is as the fixture made it. */
static void assert_unchanged(struct harness *harness)
{
    assert_true(has_object(harness, DISK_PATH));
    assert_int_equal(get_number(harness, DISK_PATH, DISK, "LoadBalancePolicy"), DSM_LEAST_BLOCKS);
    assert_text(harness, DISK, "Provenance", "disk");
}

static void assert_active(struct harness *harness, const char *interface, int wanted)
{
    int value;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        get_property(harness, DISK_PATH, interface, "Active", "b");
    assert_true(sd_bus_message_read(reply, "b", &value) > 0);
    assert_int_equal(value, wanted);
}

static void test_disk_without_a_map(void **state)
{
    static const char *const classes[] = {OPERATIONS, QUERY, SUPPORTED};

    for (size_t i = 0; i < ELEMENTSOF(classes); i++) {
        assert_text(*state, classes[i], "InstanceName", DISK_WWID);
        assert_active(*state, classes[i], 0);
    }
    assert_text(*state, DISK, "WWID", DISK_WWID);
    assert_text(*state, DISK, "Name", "");
    assert_text(*state, DISK, "Agreement", "Pending");
    assert_text(*state, DISK, "MultipathdAgreement", "Agrees");
    assert_int_equal(get_number(*state, DISK_PATH, DISK, "Reapplications"), 0);
    _cleanup_free_ char *reason = get_text(*state, DISK_PATH, DISK, "Reason");
    assert_true(strlen(reason) > 10);
    assert_unchanged(*state);
}

/* Version, policy, and no path. */
static void test_query(void **state)
{
    uint32_t version, policy, count, reserved;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        get_property(*state, DISK_PATH, QUERY, "LoadBalancePolicy", POLICY_V2);

    assert_true(sd_bus_message_enter_container(reply, 'r', "uuuua(ttuuuuuuuyyquut)") > 0);
    assert_true(sd_bus_message_read(reply, "uuuu", &version, &policy, &count, &reserved) > 0);
    assert_int_equal(version, 2);
    assert_int_equal(policy, DSM_LEAST_BLOCKS);
    assert_int_equal(count, 0);
    assert_int_equal(reserved, 0);
    assert_true(sd_bus_message_enter_container(reply, 'a', "(ttuuuuuuuyyquut)") > 0);
    assert_int_equal(sd_bus_message_at_end(reply, 0), 1);
}

/* As many as are counted, ascending, each without a path; which, is the kernel's. */
static void test_supported(void **state)
{
    uint32_t n = get_number(*state, DISK_PATH, SUPPORTED, "SupportedLBPoliciesCount");
    uint32_t version, policy, count, reserved, last = 0, found = 0;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        get_property(*state, DISK_PATH, SUPPORTED, "Supported_LB_Policies", "a" POLICY_V2);

    assert_true(sd_bus_message_enter_container(reply, 'a', POLICY_V2) > 0);
    while (sd_bus_message_enter_container(reply, 'r', "uuuua(ttuuuuuuuyyquut)") > 0) {
        assert_true(sd_bus_message_read(reply, "uuuu", &version, &policy, &count, &reserved) > 0);
        assert_int_equal(version, 2);
        assert_true(policy > last && policy <= DSM_LEAST_BLOCKS);
        assert_int_equal(count, 0);
        assert_int_equal(reserved, 0);
        last = policy;
        found++;
        assert_true(sd_bus_message_skip(reply, "a(ttuuuuuuuyyquut)") > 0);
        assert_true(sd_bus_message_exit_container(reply) > 0);
    }
    assert_int_equal(found, n);
    assert_int_equal(get_number(*state, DISK_PATH, SUPPORTED, "Reserved"), 0);
}

/* Whatever is asked for, there is no map to do it on. */
static void test_no_map(void **state)
{
    for (uint32_t policy = 1; policy <= 8; policy++) {
        assert_int_equal(call_status(*state, DISK_PATH, OPERATIONS, "DsmSetLoadBalancePolicy",
                                     "(uuuua(ttuu))", 1U, policy, 1U, 0U, 1U, UINT64_C(7),
                                     UINT64_C(0), 0U, 1U),
                         STATUS_NO_SUCH_DEVICE);
        assert_int_equal(call_status(*state, DISK_PATH, OPERATIONS, "DsmSetLoadBalancePolicyALUA",
                                     POLICY_V2, 9U, policy, UINT32_MAX, 0U, 1U, UINT64_C(7),
                                     UINT64_C(0), 0U, 1U, 1U, 0U, 0U, 0U, 0U, 0, 0, 0, 0U, 0U,
                                     UINT64_C(0)),
                         STATUS_NO_SUCH_DEVICE);
    }
    assert_unchanged(*state);
}

static uint32_t set_many(struct harness *harness, unsigned n)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
    uint32_t status;

    assert_true(sd_bus_message_new_method_call(harness->bus, &message, NAME, DISK_PATH, OPERATIONS,
                                               "DsmSetLoadBalancePolicy") >= 0);
    assert_true(sd_bus_message_open_container(message, 'r', "uuuua(ttuu)") >= 0);
    assert_true(sd_bus_message_append(message, "uuuu", 1U, DSM_ROUND_ROBIN, n, 0U) >= 0);
    assert_true(sd_bus_message_open_container(message, 'a', "(ttuu)") >= 0);
    for (unsigned i = 0; i < n; i++)
        assert_true(
            sd_bus_message_append(message, "(ttuu)", (uint64_t)i + 1, UINT64_C(0), 0U, 1U) >= 0);
    assert_true(sd_bus_message_close_container(message) >= 0);
    assert_true(sd_bus_message_close_container(message) >= 0);
    assert_true(sd_bus_call(harness->bus, message, 0, NULL, &reply) >= 0);
    assert_true(sd_bus_message_read(reply, "u", &status) > 0);
    return status;
}

/* A request with more paths than the service takes is not looked at. */
static void test_too_many_paths(void **state)
{
    assert_int_equal(set_many(*state, PATHS_MAX), STATUS_NO_SUCH_DEVICE);
    assert_int_equal(set_many(*state, PATHS_MAX + 1), STATUS_INSUFFICIENT_RESOURCES);
    assert_unchanged(*state);
}

static void test_wrong_signatures(void **state)
{
#define FAILS(method, ...)                                                                         \
    assert_call_fails(*state, INVALID_ARGS, DISK_PATH, OPERATIONS, method, __VA_ARGS__)
    FAILS("DsmSetLoadBalancePolicy", "");
    FAILS("DsmSetLoadBalancePolicy", "u", 0U);
    FAILS("DsmSetLoadBalancePolicy", POLICY_V2, 2U, 0U, 0U, 0U, 0U);
    FAILS("DsmSetLoadBalancePolicyALUA", "(uuuua(ttuu))", 1U, 0U, 0U, 0U, 0U);
    FAILS("DsmSetLoadBalancePolicyALUA", "uuuua(ttuuuuuuuyyquut)", 2U, 0U, 0U, 0U, 0U);
#undef FAILS
    assert_call_fails(*state, UNKNOWN_METHOD, DISK_PATH, OPERATIONS, "DsmClear", "");
    assert_call_fails(*state, "org.freedesktop.DBus.Error.PropertyReadOnly", DISK_PATH,
                      "org.freedesktop.DBus.Properties", "Set", "ssv", DISK, "LoadBalancePolicy",
                      "u", 0U);
    assert_unchanged(*state);
}

/* No disk, no WWID, and no other way to write the right one. */
static void test_unknown_objects(void **state)
{
    static const char *const paths[] = {
        DISKS_PATH "/x",
        DISKS_PATH "/_",
        DISKS_PATH "/_336001405_2EA_2DB", /* the digits of a decoder that reads capitals, too */
        DISKS_PATH "/_336001405_2ea_2db0",
        DISKS_PATH "/_336001405_2ea_2d_62", /* an escape that need not be one */
        DISKS_PATH "/_336001405_2ea_2db/x",
    };

    for (size_t i = 0; i < ELEMENTSOF(paths); i++)
        assert_call_fails(*state, UNKNOWN_OBJECT, paths[i], OPERATIONS, "DsmSetLoadBalancePolicy",
                          "(uuuua(ttuu))", 1U, 0U, 0U, 0U, 0U);
    assert_unchanged(*state);
}

/* A clear that cannot be saved is done, as on Windows; the state still has what it had. */
static void test_clear_not_saved(void **state)
{
    struct harness *harness = *state;

    harness_forbid_writing(harness, true);
    assert_int_equal(call_status(harness, DISK_PATH, OPERATIONS, "DsmSetLoadBalancePolicyALUA",
                                 POLICY_V2, 2U, 0U, 0U, 0U, 0U),
                     STATUS_SUCCESS);
    harness_forbid_writing(harness, false);
    assert_false(has_object(harness, DISK_PATH));
    assert_non_null(strstr(harness_log(harness), "cannot be saved"));
    harness_restart(harness);
    assert_unchanged(harness);
}

/* With a default policy it has that in its place, and keeps its object. */
static void test_clear_with_a_default(void **state)
{
    struct harness *harness = *state;
    struct signal_count changes;

    if (get_number(harness, DISK_PATH, SUPPORTED, "SupportedLBPoliciesCount") < DSM_LEAST_BLOCKS)
        skip(); /* a kernel without the selectors has no default to give */
    sd_bus_message_unref(call_well(harness, ROOT_PATH, "org.freedesktop.DBus.Properties", "Set",
                                   "ssv", INTERFACE("Manager"), "DefaultLoadBalancePolicy", "u",
                                   4U));
    assert_unchanged(harness); /* a default leaves alone what is there */
    signal_count_begin(harness, &changes, DISK_PATH, "org.freedesktop.DBus.Properties",
                       "PropertiesChanged");
    assert_int_equal(call_status(harness, DISK_PATH, OPERATIONS, "DsmSetLoadBalancePolicy",
                                 "(uuuua(ttuu))", 1U, 0U, 0U, 0U, 0U),
                     STATUS_SUCCESS);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(get_number(harness, DISK_PATH, DISK, "LoadBalancePolicy"), 4);
        assert_text(harness, DISK, "Provenance", "default");
        if (round == 0) {
            /* Disk's own and the class', once each. */
            assert_int_equal(signal_count_now(harness, &changes), 2);
            signal_count_end(&changes);
            harness_restart(harness);
        }
    }
    sd_bus_message_unref(call_well(harness, ROOT_PATH, "org.freedesktop.DBus.Properties", "Set",
                                   "ssv", INTERFACE("Manager"), "DefaultLoadBalancePolicy", "u",
                                   0U));
}

/* Numbers that make no sense with it: they are not looked at. Its object goes with it. */
static void test_clear(void **state)
{
    struct harness *harness = *state;
    struct signal_count removed;
    const char *object;

    signal_count_begin(harness, &removed, ROOT_PATH, "org.freedesktop.DBus.ObjectManager",
                       "InterfacesRemoved");
    assert_int_equal(call_status(harness, DISK_PATH, OPERATIONS, "DsmSetLoadBalancePolicy",
                                 "(uuuua(ttuu))", UINT32_MAX, 0U, UINT32_MAX, 1U, 0U),
                     STATUS_SUCCESS);
    assert_int_equal(signal_count_now(harness, &removed), 1);
    assert_true(sd_bus_message_read(removed.last, "o", &object) > 0);
    assert_string_equal(object, DISK_PATH);
    signal_count_end(&removed);
    assert_false(has_object(harness, DISK_PATH));
    harness_restart(harness);
    assert_false(has_object(harness, DISK_PATH));
}

static void test_journal_says_who(void **state)
{
    const char *log = harness_log(*state);

    assert_non_null(strstr(log, "for disk " DISK_WWID ", asked by test-"));
    assert_non_null(strstr(log, "STATUS_SUCCESS"));
    assert_non_null(strstr(log, "STATUS_NO_SUCH_DEVICE"));
    assert_non_null(strstr(log, "(LEAST_BLOCKS)"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk_without_a_map),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_supported),
        cmocka_unit_test(test_no_map),
        cmocka_unit_test(test_too_many_paths),
        cmocka_unit_test(test_wrong_signatures),
        cmocka_unit_test(test_unknown_objects),
        cmocka_unit_test(test_clear_not_saved),
        cmocka_unit_test(test_clear_with_a_default),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_journal_says_who),
        cmocka_unit_test(harness_test_clean_end),
    };
    return harness_result(cmocka_run_group_tests(tests, fixture_setup, harness_teardown));
}
