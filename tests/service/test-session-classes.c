/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The classes that tell of sessions, on an adapter that has none: its one session is logged out. */

#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void assert_empty(struct harness *harness, const char *interface, const char *count,
                         const char *list, const char *type)
{
    char path[FIXTURE_PATH_MAX];

    fixture_adapter_path(path);
    assert_int_equal(get_number(harness, path, interface, count), 0);
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        get_property(harness, path, interface, list, type);
    assert_true(sd_bus_message_enter_container(reply, 'a', type + 1) > 0);
    assert_true(sd_bus_message_at_end(reply, 0) > 0);
}

static void test_no_session(void **state)
{
    assert_empty(*state, INTERFACE("MSiSCSI_InitiatorSessionInfo"), "SessionCount", "SessionsList",
                 "a(tssqaybbybbyuuuuqa(tqyyyyquu(uuayuus)u(uuayuus)utu))");
}

static void test_no_portal(void **state)
{
    assert_empty(*state, INTERFACE("MSiSCSI_PortalInfoClass"), "PortalInfoCount",
                 "PortalInformation", "a(uyyyy(uuayuus)uq)");
}

static void test_key(void **state)
{
    static const char *const interfaces[] = {INTERFACE("MSiSCSI_InitiatorSessionInfo"),
                                             INTERFACE("MSiSCSI_HBASessionConfig"),
                                             INTERFACE("MSiSCSI_PortalInfoClass")};
    char path[FIXTURE_PATH_MAX];

    fixture_adapter_path(path);
    for (size_t i = 0; i < ELEMENTSOF(interfaces); i++) {
        _cleanup_free_ char *name = get_text(*state, path, interfaces[i], "InstanceName");
        assert_string_equal(name, INITIATOR);
    }
}

static bool get_truth(struct harness *harness, const char *path, const char *name)
{
    int value;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        get_property(harness, path, INTERFACE("MSiSCSI_HBASessionConfig"), name, "b");
    assert_true(sd_bus_message_read(reply, "b", &value) > 0);
    return value;
}

/* A host without iscsid.conf (the harness hides it from root, others cannot read it): open-iscsi's
 * own values. */
static void test_defaults(void **state)
{
    static const struct {
        const char *name;
        uint32_t value;
    } numbers[] = {
        {"MaxRecvDataSegmentLength", 262144},
        {"MaxBurstLength", 16776192},
        {"FirstBurstLength", 262144},
        {"MaxOutstandingR2T", 1},
    };
    char path[FIXTURE_PATH_MAX];

    if (geteuid() != 0 && access("/etc/iscsi/iscsid.conf", R_OK) == 0)
        skip();
    fixture_adapter_path(path);
    assert_false(get_truth(*state, path, "InitialR2T"));
    assert_true(get_truth(*state, path, "ImmediateData"));
    for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
        assert_int_equal(
            get_number(*state, path, INTERFACE("MSiSCSI_HBASessionConfig"), numbers[i].name),
            numbers[i].value);
}

static void test_nothing_can_be_set(void **state)
{
    char path[FIXTURE_PATH_MAX];

    fixture_adapter_path(path);
    assert_call_fails(*state, "org.freedesktop.DBus.Error.PropertyReadOnly", path,
                      "org.freedesktop.DBus.Properties", "Set", "ssv",
                      INTERFACE("MSiSCSI_HBASessionConfig"), "MaxBurstLength", "u", 4096);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_session),
        cmocka_unit_test(test_no_portal),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_nothing_can_be_set),
        cmocka_unit_test(harness_test_clean_end),
    };
    return harness_result(cmocka_run_group_tests(tests, fixture_setup, harness_teardown));
}
