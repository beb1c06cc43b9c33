/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Manager, and what an adapter says of a host that lacks what policies need. */

#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define MANAGER INTERFACE("Manager")
#define HBA INTERFACE("MSiSCSI_HBAInformation")
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define N_STATUSES 105

static void describe(struct harness *harness, uint32_t code, char *symbol, char *text, size_t size)
{
    const char *symbol_found, *text_found;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        call_well(harness, ROOT_PATH, MANAGER, "DescribeStatus", "u", code);

    assert_string_equal(sd_bus_message_get_signature(reply, 1), "ss");
    assert_true(sd_bus_message_read(reply, "ss", &symbol_found, &text_found) > 0);
    snprintf(symbol, size, "%s", symbol_found);
    snprintf(text, size, "%s", text_found);
}

static void test_describe_every_status(void **state)
{
    char path[4096], line[256], wanted[80], symbol[512], text[512];
    uint32_t code;
    size_t n = 0;

    snprintf(path, sizeof(path), "%s/isdsc-status.tsv", required_env("TEST_DATA_DIR"));
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%" SCNx32 " %79s", &code, wanted), 2);
        describe(*state, code, symbol, text, sizeof(text));
        assert_string_equal(symbol, wanted);
        assert_true(strlen(text) > 10);
        n++;
    }
    assert_int_equal(n, N_STATUSES);
}

static void test_describe_other_numbers(void **state)
{
    static const uint32_t codes[] = {1, 0xEFFF0000, 0xEFFF002E, 0xEFFF0069, 0xAFFF0008, UINT32_MAX};
    char symbol[512], text[512];

    for (size_t i = 0; i < ELEMENTSOF(codes); i++) {
        describe(*state, codes[i], symbol, text, sizeof(text));
        assert_string_equal(symbol, "");
        assert_string_equal(text, "");
    }
    describe(*state, 0xC000000D, symbol, text, sizeof(text)); /* DSM_LB_Operations' */
    assert_string_equal(symbol, "STATUS_INVALID_PARAMETER");
    assert_true(strlen(text) > 10);
    assert_call_fails(*state, INVALID_ARGS, ROOT_PATH, MANAGER, "DescribeStatus", "s",
                      "ISDSC_NOT_FOUND");
    assert_call_fails(*state, INVALID_ARGS, ROOT_PATH, MANAGER, "DescribeStatus", "");
}

static void test_version(void **state)
{
    _cleanup_free_ char *version = get_text(*state, ROOT_PATH, MANAGER, "Version");
    assert_string_equal(version, PROJECT_VERSION);
}

static void assert_order(struct harness *harness, const char *wanted)
{
    _cleanup_free_ char *order = get_text(harness, ROOT_PATH, MANAGER, "PathWeightOrder");
    assert_string_equal(order, wanted);
}

static void set_order(struct harness *harness, const char *order)
{
    sd_bus_message_unref(call_well(harness, ROOT_PATH, PROPERTIES, "Set", "ssv", MANAGER,
                                   "PathWeightOrder", "s", order));
}

static void count_changes(struct harness *harness, struct signal_count *count)
{
    signal_count_begin(harness, count, ROOT_PATH, PROPERTIES, "PropertiesChanged");
}

static void assert_signal_says(sd_bus_message *signal, const char *wanted)
{
    const char *interface, *property, *order;

    assert_true(sd_bus_message_read(signal, "s", &interface) > 0);
    assert_string_equal(interface, MANAGER);
    assert_true(sd_bus_message_enter_container(signal, 'a', "{sv}") > 0);
    assert_true(sd_bus_message_enter_container(signal, 'e', "sv") > 0);
    assert_true(sd_bus_message_read(signal, "s", &property) > 0);
    assert_string_equal(property, "PathWeightOrder");
    assert_true(sd_bus_message_read(signal, "v", "s", &order) > 0);
    assert_string_equal(order, wanted);
    assert_true(sd_bus_message_exit_container(signal) > 0);
    assert_int_equal(sd_bus_message_at_end(signal, 0), 1);
}

static void test_path_weight_order(void **state)
{
    struct harness *harness = *state;
    struct signal_count changes;

    assert_order(harness, "lowest-first");
    count_changes(harness, &changes);
    set_order(harness, "highest-first");
    assert_int_equal(signal_count_now(harness, &changes), 1);
    assert_signal_says(changes.last, "highest-first");
    signal_count_end(&changes);
    assert_order(harness, "highest-first");

    harness_restart(harness);
    assert_order(harness, "highest-first");
    set_order(harness, "lowest-first");
    harness_restart(harness);
    assert_order(harness, "lowest-first");
}

static void test_path_weight_order_refused(void **state)
{
    static const char *const bad[] = {"",  "highest",       "Highest-First",      "lowest-first ",
                                      "1", "highest_first", "highest-first\nmore"};
    struct harness *harness = *state;
    struct signal_count changes;

    set_order(harness, "highest-first");
    count_changes(harness, &changes);
    for (size_t i = 0; i < ELEMENTSOF(bad); i++)
        assert_call_fails(harness, INVALID_ARGS, ROOT_PATH, PROPERTIES, "Set", "ssv", MANAGER,
                          "PathWeightOrder", "s", bad[i]);
    assert_call_fails(harness, INVALID_ARGS, ROOT_PATH, PROPERTIES, "Set", "ssv", MANAGER,
                      "PathWeightOrder", "u", 1U);
    assert_int_equal(signal_count_now(harness, &changes), 0);
    assert_order(harness, "highest-first");

    /* One that cannot be saved is none. */
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    harness_forbid_writing(harness, true);
    assert_null(call(harness, ROOT_PATH, PROPERTIES, "Set", &error, "ssv", MANAGER,
                     "PathWeightOrder", "s", "lowest-first"));
    harness_forbid_writing(harness, false);
    assert_non_null(strstr(error.message, "PathWeightOrder"));
    assert_int_equal(signal_count_now(harness, &changes), 0);
    signal_count_end(&changes);
    assert_order(harness, "highest-first");
    harness_restart(harness);
    assert_order(harness, "highest-first");
}

static void assert_default(struct harness *harness, uint32_t wanted)
{
    assert_int_equal(get_number(harness, ROOT_PATH, MANAGER, "DefaultLoadBalancePolicy"), wanted);
}

static void set_default(struct harness *harness, uint32_t policy)
{
    sd_bus_message_unref(call_well(harness, ROOT_PATH, PROPERTIES, "Set", "ssv", MANAGER,
                                   "DefaultLoadBalancePolicy", "u", policy));
}

static void test_default_policy(void **state)
{
    static const uint32_t good[] = {1, 2, 4, 6};
    struct harness *harness = *state;
    struct signal_count changes;

    assert_default(harness, 0);
    count_changes(harness, &changes);
    for (size_t i = 0; i < ELEMENTSOF(good); i++) {
        set_default(harness, good[i]);
        assert_default(harness, good[i]);
    }
    assert_int_equal(signal_count_now(harness, &changes), ELEMENTSOF(good));
    signal_count_end(&changes);
    harness_restart(harness);
    assert_default(harness, 6);
    set_default(harness, 0);
    harness_restart(harness);
    assert_default(harness, 0);
}

static void test_default_policy_refused(void **state)
{
    static const uint32_t bad[] = {3, 5, 7, 8, 100, UINT32_MAX};
    struct harness *harness = *state;
    struct signal_count changes;

    set_default(harness, 4);
    count_changes(harness, &changes);
    for (size_t i = 0; i < ELEMENTSOF(bad); i++)
        assert_call_fails(harness, INVALID_ARGS, ROOT_PATH, PROPERTIES, "Set", "ssv", MANAGER,
                          "DefaultLoadBalancePolicy", "u", bad[i]);
    assert_call_fails(harness, INVALID_ARGS, ROOT_PATH, PROPERTIES, "Set", "ssv", MANAGER,
                      "DefaultLoadBalancePolicy", "s", "6");

    /* One that cannot be saved is none. */
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    harness_forbid_writing(harness, true);
    assert_null(call(harness, ROOT_PATH, PROPERTIES, "Set", &error, "ssv", MANAGER,
                     "DefaultLoadBalancePolicy", "u", 1U));
    harness_forbid_writing(harness, false);
    assert_non_null(strstr(error.message, "DefaultLoadBalancePolicy"));
    assert_int_equal(signal_count_now(harness, &changes), 0);
    signal_count_end(&changes);
    assert_default(harness, 4);
    harness_restart(harness);
    assert_default(harness, 4);
    set_default(harness, 0);
}

static void test_other_properties_cannot_be_set(void **state)
{
    assert_call_fails(*state, "org.freedesktop.DBus.Error.PropertyReadOnly", ROOT_PATH, PROPERTIES,
                      "Set", "ssv", MANAGER, "Version", "s", "2");
    assert_call_fails(*state, "org.freedesktop.DBus.Error.PropertyReadOnly", ROOT_PATH, PROPERTIES,
                      "Set", "ssv", MANAGER, "Order", "s", "2");
    assert_call_fails(*state, UNKNOWN_METHOD, ROOT_PATH, MANAGER, "Reload", "");
}

static size_t count_conditions(struct harness *harness, bool *ret_no_session)
{
    const char *sentence;
    size_t n = 0;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        get_property(harness, ROOT_PATH, MANAGER, "Conditions", "as");

    *ret_no_session = false;
    assert_true(sd_bus_message_enter_container(reply, 'a', "s") > 0);
    while (sd_bus_message_read(reply, "s", &sentence) > 0) {
        assert_true(strlen(sentence) > 10);
        assert_int_equal(sentence[strlen(sentence) - 1], '.');
        *ret_no_session = *ret_no_session || strstr(sentence, "No iSCSI session");
        n++;
    }
    return n;
}

/* A service that tests can start has no session: that alone is a condition. */
static void test_conditions(void **state)
{
    char adapter[FIXTURE_PATH_MAX];
    bool no_session;

    fixture_adapter_path(adapter);
    if (access("/sys/class/iscsi_session", F_OK) == 0 && geteuid() != 0)
        skip();
    assert_true(count_conditions(*state, &no_session) > 0);
    assert_true(no_session);
    assert_int_equal(get_number(*state, adapter, HBA, "Status"), 1);
    if (has_object(*state, BARE_ADAPTER))
        assert_int_equal(get_number(*state, BARE_ADAPTER, HBA, "Status"), 1);
}

static void assert_text(struct harness *harness, const char *adapter, const char *name,
                        const char *wanted)
{
    _cleanup_free_ char *text = get_text(harness, adapter, HBA, name);
    assert_string_equal(text, wanted);
}

static void assert_bool(struct harness *harness, const char *adapter, const char *name, int wanted)
{
    int value;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        get_property(harness, adapter, HBA, name, "b");
    assert_true(sd_bus_message_read(reply, "b", &value) > 0);
    assert_int_equal(value, wanted);
}

static void test_adapter(void **state)
{
    static const char *const empty[] = {"VendorModel", "FirmwareVersion", "AsicVersion",
                                        "OptionRomVersion", "SerialNumber"};
    char adapter[FIXTURE_PATH_MAX];
    uint64_t id;

    fixture_adapter_path(adapter);
    assert_text(*state, adapter, "InstanceName", INITIATOR);
    assert_text(*state, adapter, "VendorID", "open-iscsi");
    assert_text(*state, adapter, "DriverName", "iscsi_tcp");
    for (size_t i = 0; i < ELEMENTSOF(empty); i++)
        assert_text(*state, adapter, empty[i], "");
    assert_bool(*state, adapter, "Active", 1);
    assert_bool(*state, adapter, "CacheValid", 1);
    assert_bool(*state, adapter, "IntegratedTCPIP", 0);
    assert_int_equal(get_number(*state, adapter, HBA, "FunctionalitySupported"), 0x10);
    assert_int_equal(get_number(*state, adapter, HBA, "MaxCDBLength"), 260);

    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        get_property(*state, adapter, HBA, "UniqueAdapterId", "t");
    assert_true(sd_bus_message_read(reply, "t", &id) > 0);
    assert_true(id == adapter_id(INITIATOR));
}

#define NOBODY 65534

/* What somebody else than root may do: in a process of its own, whose exit status says it. */
static int check_as_nobody(struct harness *harness)
{
    _cleanup_(sd_bus_error_free) sd_bus_error denied = SD_BUS_ERROR_NULL, read = SD_BUS_ERROR_NULL;
    char adapter[FIXTURE_PATH_MAX];
    sd_bus_message *reply = NULL;
    sd_bus *bus = NULL;

    fixture_adapter_path(adapter);
    if (setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return 10;
    if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, harness->address) < 0 ||
        sd_bus_set_bus_client(bus, 1) < 0 || sd_bus_start(bus) < 0)
        return 11;
    if (sd_bus_call_method(bus, NAME, adapter, INTERFACE("MSiSCSI_SecurityConfigOperations"),
                           "SetGenerationalGuid", &denied, NULL, "ay", 0) >= 0 ||
        !sd_bus_error_has_name(&denied, SD_BUS_ERROR_ACCESS_DENIED))
        return 12;
    sd_bus_error_free(&denied);
    if (sd_bus_call_method(bus, NAME, adapter, INTERFACE("MSiSCSI_LB_Operations"),
                           "SetLoadBalancePolicy", &denied, NULL, "(tuua(ttuuuu))",
                           session_id(INITIATOR, TARGET), 6U, 0U, 0U) >= 0 ||
        !sd_bus_error_has_name(&denied, SD_BUS_ERROR_ACCESS_DENIED))
        return 13;
    sd_bus_error_free(&denied);
    if (sd_bus_set_property(bus, NAME, ROOT_PATH, MANAGER, "PathWeightOrder", &denied, "s",
                            "lowest-first") >= 0 ||
        !sd_bus_error_has_name(&denied, SD_BUS_ERROR_ACCESS_DENIED))
        return 14;
    sd_bus_error_free(&denied);
    if (sd_bus_set_property(bus, NAME, ROOT_PATH, MANAGER, "DefaultLoadBalancePolicy", &denied, "u",
                            0U) >= 0 ||
        !sd_bus_error_has_name(&denied, SD_BUS_ERROR_ACCESS_DENIED))
        return 16;
    sd_bus_error_free(&denied);
    if (sd_bus_call_method(bus, NAME, DISK_PATH, INTERFACE("DSM_LB_Operations"),
                           "DsmSetLoadBalancePolicy", &denied, NULL, "(uuuua(ttuu))", 1U, 0U, 0U,
                           0U, 0U) >= 0 ||
        !sd_bus_error_has_name(&denied, SD_BUS_ERROR_ACCESS_DENIED))
        return 17;
    sd_bus_error_free(&denied);
    if (sd_bus_call_method(bus, NAME, DISK_PATH, INTERFACE("DSM_LB_Operations"),
                           "DsmSetLoadBalancePolicyALUA", &denied, NULL, "(uuuua(ttuuuuuuuyyquut))",
                           2U, 0U, 0U, 0U, 0U) >= 0 ||
        !sd_bus_error_has_name(&denied, SD_BUS_ERROR_ACCESS_DENIED))
        return 18;
    if (sd_bus_get_property(bus, NAME, ROOT_PATH, MANAGER, "Conditions", &read, &reply, "as") < 0 ||
        sd_bus_call_method(bus, NAME, ROOT_PATH, MANAGER, "DescribeStatus", &read, NULL, "u", 0U) <
            0)
        return 15;
    return 0;
}

static void test_only_root_may_set(void **state)
{
    int status;

    if (geteuid() != 0)
        skip(); /* there is nobody else to be */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(check_as_nobody(*state));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe_every_status),
        cmocka_unit_test(test_describe_other_numbers),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_path_weight_order),
        cmocka_unit_test(test_path_weight_order_refused),
        cmocka_unit_test(test_default_policy),
        cmocka_unit_test(test_default_policy_refused),
        cmocka_unit_test(test_other_properties_cannot_be_set),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_adapter),
        cmocka_unit_test(test_only_root_may_set),
        cmocka_unit_test(harness_test_clean_end),
    };
    return harness_result(cmocka_run_group_tests(tests, fixture_setup, harness_teardown));
}
