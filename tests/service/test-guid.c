/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* MSiSCSI_SecurityConfigOperations and HBAInformation.GenerationalGuid. */

#include "fixture.h"
#include "wmi/status.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SECURITY INTERFACE("MSiSCSI_SecurityConfigOperations")
#define HBA INTERFACE("MSiSCSI_HBAInformation")
#define MIB (1024U * 1024U)

static const uint8_t zeros[GUID_SIZE];
static const uint8_t first[GUID_SIZE] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                         0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
static const uint8_t second[GUID_SIZE] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* These tests set the GUID of the adapter without a name, for which no record has to be read. */
static void skip_without_bare_adapter(struct harness *harness)
{
    if (!has_object(harness, BARE_ADAPTER))
        skip();
}

static sd_bus_message *new_request(struct harness *harness, const char *adapter, const void *guid,
                                   size_t size)
{
    sd_bus_message *message = NULL;

    assert_true(sd_bus_message_new_method_call(harness->bus, &message, NAME, adapter, SECURITY,
                                               "SetGenerationalGuid") >= 0);
    assert_true(sd_bus_message_append_array(message, 'y', guid, size) >= 0);
    return message;
}

static uint32_t read_status(sd_bus_message *reply)
{
    uint32_t status;

    assert_false(sd_bus_message_is_method_error(reply, NULL));
    assert_string_equal(sd_bus_message_get_signature(reply, 1), "u");
    assert_true(sd_bus_message_read(reply, "u", &status) > 0);
    return status;
}

static uint32_t set_guid(struct harness *harness, const void *guid, size_t size)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message =
        new_request(harness, BARE_ADAPTER, guid, size);

    assert_true(sd_bus_call(harness->bus, message, 0, NULL, &reply) >= 0);
    return read_status(reply);
}

static void assert_guid_of(struct harness *harness, const char *adapter,
                           const uint8_t guid[GUID_SIZE])
{
    const void *found;
    size_t size;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        get_property(harness, adapter, HBA, "GenerationalGuid", "ay");

    assert_true(sd_bus_message_read_array(reply, 'y', &found, &size) > 0);
    assert_int_equal(size, GUID_SIZE);
    assert_memory_equal(found, guid, GUID_SIZE);
}

static void assert_guid(struct harness *harness, const uint8_t guid[GUID_SIZE])
{
    assert_guid_of(harness, BARE_ADAPTER, guid);
}

static void count_changes(struct harness *harness, struct signal_count *count)
{
    signal_count_begin(harness, count, BARE_ADAPTER, "org.freedesktop.DBus.Properties",
                       "PropertiesChanged");
}

static void test_zeros_before_the_first(void **state)
{
    skip_without_bare_adapter(*state);
    assert_guid(*state, zeros);
}

static void test_wrong_lengths(void **state)
{
    struct harness *harness = *state;
    static const size_t sizes[] = {0, 1, 15, 17, 32, MIB};
    struct signal_count changes;

    skip_without_bare_adapter(harness);
    _cleanup_free_ uint8_t *data = malloc(MIB);
    assert_non_null(data);
    memset(data, 0x5a, MIB);
    assert_int_equal(set_guid(harness, first, GUID_SIZE), STATUS_SUCCESS);
    count_changes(harness, &changes);
    for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
        assert_int_equal(set_guid(harness, data, sizes[i]), ISDSC_INVALID_PARAMETER);
    assert_int_equal(signal_count_now(harness, &changes), 0);
    signal_count_end(&changes);
    assert_guid(harness, first);
}

static void test_byte_for_byte(void **state)
{
    struct harness *harness = *state;

    skip_without_bare_adapter(harness);
    assert_int_equal(set_guid(harness, second, GUID_SIZE), STATUS_SUCCESS);
    assert_guid(harness, second);
    assert_int_equal(set_guid(harness, first, GUID_SIZE), STATUS_SUCCESS);
    assert_guid(harness, first);
    harness_restart(harness);
    assert_guid(harness, first);
    /* Windows' text form, as the tag and the journal have it. */
    assert_non_null(strstr(harness_log(harness), "33221100-5544-7766-8899-aabbccddeeff"));
}

/* What was answered is on the disk: nothing that happens to the service afterwards matters. */
static void test_survives_a_crash(void **state)
{
    struct harness *harness = *state;

    skip_without_bare_adapter(harness);
    assert_int_equal(set_guid(harness, second, GUID_SIZE), STATUS_SUCCESS);
    harness_kill(harness);
    harness_start(harness);
    assert_guid(harness, second);
}

static void test_sixteen_zeros(void **state)
{
    struct harness *harness = *state;

    skip_without_bare_adapter(harness);
    assert_int_equal(set_guid(harness, first, GUID_SIZE), STATUS_SUCCESS);
    assert_int_equal(set_guid(harness, zeros, GUID_SIZE), STATUS_SUCCESS);
    assert_guid(harness, zeros);
    harness_restart(harness);
    assert_guid(harness, zeros);
}

/* The one changed property and its value, in the signal. */
static void assert_signal_says(sd_bus_message *signal, const uint8_t guid[GUID_SIZE])
{
    const char *interface, *property;
    const void *value;
    size_t size;

    assert_string_equal(sd_bus_message_get_signature(signal, 1), "sa{sv}as");
    assert_true(sd_bus_message_read(signal, "s", &interface) > 0);
    assert_string_equal(interface, HBA);
    assert_true(sd_bus_message_enter_container(signal, 'a', "{sv}") > 0);
    assert_true(sd_bus_message_enter_container(signal, 'e', "sv") > 0);
    assert_true(sd_bus_message_read(signal, "s", &property) > 0);
    assert_string_equal(property, "GenerationalGuid");
    assert_true(sd_bus_message_enter_container(signal, 'v', "ay") > 0);
    assert_true(sd_bus_message_read_array(signal, 'y', &value, &size) > 0);
    assert_int_equal(size, GUID_SIZE);
    assert_memory_equal(value, guid, GUID_SIZE);
    assert_true(sd_bus_message_exit_container(signal) > 0);
    assert_true(sd_bus_message_exit_container(signal) > 0);
    assert_int_equal(sd_bus_message_at_end(signal, 0), 1);
}

static void test_changed_once(void **state)
{
    struct harness *harness = *state;
    struct signal_count changes;

    skip_without_bare_adapter(harness);
    assert_int_equal(set_guid(harness, first, GUID_SIZE), STATUS_SUCCESS);
    count_changes(harness, &changes);
    assert_int_equal(set_guid(harness, second, GUID_SIZE), STATUS_SUCCESS);
    assert_int_equal(signal_count_now(harness, &changes), 1);
    assert_signal_says(changes.last, second);
    signal_count_end(&changes);
}

static void test_store_cannot_be_written(void **state)
{
    struct harness *harness = *state;
    struct signal_count changes;

    skip_without_bare_adapter(harness);
    assert_int_equal(set_guid(harness, first, GUID_SIZE), STATUS_SUCCESS);
    count_changes(harness, &changes);
    harness_forbid_writing(harness, true);
    assert_int_equal(set_guid(harness, second, GUID_SIZE),
                     ISDSC_COULD_NOT_SAVE_PERSISTENT_LOGIN_DATA);
    assert_int_equal(set_guid(harness, zeros, GUID_SIZE),
                     ISDSC_COULD_NOT_SAVE_PERSISTENT_LOGIN_DATA);
    assert_int_equal(signal_count_now(harness, &changes), 0);
    signal_count_end(&changes);
    assert_guid(harness, first);

    /* It goes on where it can. */
    harness_forbid_writing(harness, false);
    assert_guid(harness, first);
    assert_int_equal(set_guid(harness, second, GUID_SIZE), STATUS_SUCCESS);
    harness_restart(harness);
    assert_guid(harness, second);
}

static void test_adapters_are_apart(void **state)
{
    struct harness *harness = *state;
    char other[FIXTURE_PATH_MAX];

    skip_without_bare_adapter(harness);
    fixture_adapter_path(other);
    assert_int_equal(set_guid(harness, first, GUID_SIZE), STATUS_SUCCESS);
    assert_guid_of(harness, other, zeros);
}

static int take_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    sd_bus_message **to = userdata;
    *to = sd_bus_message_ref(reply);
    return 1;
}

static void wait_for_replies(struct harness *harness, sd_bus_message **replies, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (replies[i])
            i++;
        else if (sd_bus_process(harness->bus, NULL) == 0)
            assert_true(sd_bus_wait(harness->bus, UINT64_MAX) >= 0);
    }
}

/* A call to the bus itself: it has handed on all that was sent before. */
static void pass_the_bus(struct harness *harness)
{
    assert_true(sd_bus_call_method(harness->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus", "GetId", NULL, NULL, "") >= 0);
}

/* Sends two requests, so that both are there when the service looks at the first. */
static void request_twice(struct harness *harness, const char *adapter, uint32_t status[2])
{
    sd_bus_message *replies[2] = {0};

    assert_int_equal(kill(harness->service_pid, SIGSTOP), 0);
    for (size_t i = 0; i < 2; i++) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message =
            new_request(harness, adapter, i == 0 ? first : second, GUID_SIZE);
        assert_true(sd_bus_call_async(harness->bus, NULL, message, take_reply, &replies[i], 0) >=
                    0);
    }
    pass_the_bus(harness);
    assert_int_equal(kill(harness->service_pid, SIGCONT), 0);
    wait_for_replies(harness, replies, 2);
    for (size_t i = 0; i < 2; i++) {
        status[i] = read_status(replies[i]);
        sd_bus_message_unref(replies[i]);
    }
}

/*
 * An adapter with a name has records, which a child process reads; the second request finds the
 * first at work, unless that child is as fast as the service itself. Whether the records can be
 * read depends on who runs the test.
 */
static void test_two_at_a_time(void **state)
{
    struct harness *harness = *state;
    char adapter[FIXTURE_PATH_MAX];
    const uint8_t *current = zeros;
    unsigned n_busy = 0;

    fixture_adapter_path(adapter);
    for (int i = 0; i < 200 && n_busy < 3; i++) {
        uint32_t status[2];
        request_twice(harness, adapter, status);
        assert_true(status[0] == STATUS_SUCCESS || status[0] == ISDSC_INITIATOR_ERROR);
        if (status[0] == STATUS_SUCCESS)
            current = first;
        if (status[1] == STATUS_SUCCESS)
            current = second;
        else if (status[1] == ISDSC_SESSION_BUSY)
            n_busy++;
        else
            assert_int_equal(status[1], ISDSC_INITIATOR_ERROR);
        assert_guid_of(harness, adapter, current);
    }
    assert_true(n_busy > 0);
}

static void test_wrong_signatures(void **state)
{
    struct harness *harness = *state;
    char adapter[FIXTURE_PATH_MAX];

    fixture_adapter_path(adapter);
    assert_call_fails(harness, INVALID_ARGS, adapter, SECURITY, "SetGenerationalGuid", "");
    assert_call_fails(harness, INVALID_ARGS, adapter, SECURITY, "SetGenerationalGuid", "s",
                      "33221100-5544-7766-8899-aabbccddeeff");
    assert_call_fails(harness, INVALID_ARGS, adapter, SECURITY, "SetGenerationalGuid", "ab", 1, 1);
    assert_call_fails(harness, INVALID_ARGS, adapter, SECURITY, "SetGenerationalGuid", "ayay", 0,
                      0);
    assert_call_fails(harness, INVALID_ARGS, adapter, SECURITY, "ClearCache", "b", 1);
    assert_call_fails(harness, UNKNOWN_METHOD, adapter, SECURITY, "GetGenerationalGuid", "");
    assert_call_fails(harness, "org.freedesktop.DBus.Error.PropertyReadOnly", adapter,
                      "org.freedesktop.DBus.Properties", "Set", "ssv", HBA, "GenerationalGuid",
                      "ay", 0);
}

static void test_clear_cache(void **state)
{
    struct harness *harness = *state;
    char adapter[FIXTURE_PATH_MAX];

    fixture_adapter_path(adapter);
    assert_int_equal(call_status(harness, adapter, SECURITY, "ClearCache", ""),
                     ISDSC_HBA_SECURITY_CACHE_NOT_SUPPORTED);
    skip_without_bare_adapter(harness);
    assert_int_equal(set_guid(harness, first, GUID_SIZE), STATUS_SUCCESS);
    assert_int_equal(call_status(harness, BARE_ADAPTER, SECURITY, "ClearCache", ""),
                     ISDSC_HBA_SECURITY_CACHE_NOT_SUPPORTED);
    assert_guid(harness, first);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeros_before_the_first),
        cmocka_unit_test(test_wrong_lengths),
        cmocka_unit_test(test_byte_for_byte),
        cmocka_unit_test(test_survives_a_crash),
        cmocka_unit_test(test_sixteen_zeros),
        cmocka_unit_test(test_changed_once),
        cmocka_unit_test(test_store_cannot_be_written),
        cmocka_unit_test(test_adapters_are_apart),
        cmocka_unit_test(test_wrong_signatures),
        cmocka_unit_test(test_two_at_a_time),
        cmocka_unit_test(test_clear_cache),
        cmocka_unit_test(harness_test_clean_end),
    };
    return harness_result(cmocka_run_group_tests(tests, fixture_setup, harness_teardown));
}
