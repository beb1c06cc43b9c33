/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * PingIPAddress over a loopback interface of the test's own network namespace: no packet can leave
 * the machine, and the socket of either kind can be asked for. Without the rights for a namespace
 * only the arguments are tested.
 */

#include "fixture.h"

#include "basic/clock.h"
#include "service/base/bounds.h"
#include "wmi/ping.h"
#include "wmi/status.h"

#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define MANAGEMENT INTERFACE("MSiSCSI_ManagementOperations")
#define GROUP_RANGE "/proc/sys/net/ipv4/ping_group_range"

static bool is_alone; /* in a network namespace of our own */

static void enter_namespace(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    _cleanup_close_ int fd = -1;

    if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
        return;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    is_alone = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) >= 0;
}

static void skip_unless_alone(void)
{
    if (is_alone)
        return;
    print_message("no network namespace may be made here\n");
    skip();
}

/* Whether the service may have datagram sockets for ICMP. */
static void set_group_range(const char *range)
{
    _cleanup_fclose_ FILE *file = fopen(GROUP_RANGE, "we");
    assert_non_null(file);
    assert_true(fputs(range, file) >= 0);
    assert_int_equal(fflush(file), 0);
}

struct result {
    uint32_t status, n_received;
};

static struct result read_result(sd_bus_message *reply)
{
    struct result result;
    assert_string_equal(sd_bus_message_get_signature(reply, 1), "uu");
    assert_true(sd_bus_message_read(reply, "uu", &result.status, &result.n_received) > 0);
    return result;
}

static struct result ping_text(struct harness *harness, uint32_t count, uint32_t size,
                               uint32_t timeout, const char *text)
{
    char adapter[FIXTURE_PATH_MAX];

    fixture_adapter_path(adapter);
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        call_well(harness, adapter, MANAGEMENT, "PingIPAddress", "uuu(uuayuus)", count, size,
                  timeout, PING_ADDRESS_TEXT, 0, 0, 0, 0, text);
    return read_result(reply);
}

static void assert_pings(struct harness *harness, uint32_t count, uint32_t size, const char *text)
{
    struct result result = ping_text(harness, count, size, 5000, text);
    assert_int_equal(result.status, STATUS_SUCCESS);
    assert_int_equal(result.n_received, count);
}

static void assert_refused(struct harness *harness, uint32_t status, uint32_t count, uint32_t size,
                           uint32_t timeout, const char *text)
{
    struct result result = ping_text(harness, count, size, timeout, text);
    assert_int_equal(result.status, status);
    assert_int_equal(result.n_received, 0);
}

static void test_arguments(void **state)
{
    struct harness *harness = *state;

    assert_refused(harness, ISDSC_INVALID_PARAMETER, 0, 32, 1000, "127.0.0.1");
    assert_refused(harness, ISDSC_INVALID_PARAMETER, PING_COUNT_MAX + 1, 32, 1000, "127.0.0.1");
    assert_refused(harness, ISDSC_INVALID_PARAMETER, 1, PING_SIZE_MAX + 1, 1000, "127.0.0.1");
    assert_refused(harness, ISDSC_INVALID_PARAMETER, 1, 32, 0, "127.0.0.1");
    assert_refused(harness, ISDSC_INVALID_PARAMETER, 1, 32, UINT32_MAX, "127.0.0.1");
    assert_refused(harness, ISDSC_INVALID_PARAMETER, 1, 32, 1000, "");
    assert_refused(harness, ISDSC_DNS_NAME_UNRESOLVED, 1, 32, 1000, "localhost");
}

static void test_wrong_signatures(void **state)
{
    char adapter[FIXTURE_PATH_MAX];

    fixture_adapter_path(adapter);
    assert_call_fails(*state, INVALID_ARGS, adapter, MANAGEMENT, "PingIPAddress", "");
    assert_call_fails(*state, INVALID_ARGS, adapter, MANAGEMENT, "PingIPAddress", "uuus", 1, 32,
                      1000, "127.0.0.1");
}

static void assert_loopback_answers(struct harness *harness)
{
    static const uint32_t sizes[] = {0, 7, 32, 1472, PING_SIZE_MAX};

    for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
        assert_pings(harness, 3, sizes[i], "127.0.0.1");
        assert_pings(harness, 3, sizes[i], "::1");
    }
    assert_pings(harness, PING_COUNT_MAX, 56, "127.0.0.9");
}

static void test_datagram_sockets(void **state)
{
    skip_unless_alone();
    set_group_range("0 2147483647");
    assert_loopback_answers(*state);
}

static void test_raw_sockets(void **state)
{
    skip_unless_alone();
    set_group_range("1 0");
    assert_loopback_answers(*state);
}

static void test_binary_addresses(void **state)
{
    char adapter[FIXTURE_PATH_MAX];
    struct result result;

    skip_unless_alone();
    fixture_adapter_path(adapter);
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *ipv4 =
        call_well(*state, adapter, MANAGEMENT, "PingIPAddress", "uuu(uuayuus)", 2, 32, 5000,
                  PING_ADDRESS_IPV4, 0x0100007F, 0, 0, 0, "");
    result = read_result(ipv4);
    assert_int_equal(result.status, STATUS_SUCCESS);
    assert_int_equal(result.n_received, 2);

    _cleanup_(sd_bus_message_unrefp) sd_bus_message *ipv6 = call_well(
        *state, adapter, MANAGEMENT, "PingIPAddress", "uuu(uuayuus)", 2, 32, 5000,
        PING_ADDRESS_IPV6, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, "");
    result = read_result(ipv6);
    assert_int_equal(result.status, STATUS_SUCCESS);
    assert_int_equal(result.n_received, 2);
}

/* In the namespace there is a loopback interface and nothing else. */
static void test_no_route(void **state)
{
    skip_unless_alone();
    assert_refused(*state, ISDSC_SEND_FAILED, 3, 32, 60000, "192.0.2.1");
    assert_refused(*state, ISDSC_SEND_FAILED, 3, 32, 60000, "2001:db8::1");
}

/* Has the namespace answer no echo request. */
static void set_silent(bool silent)
{
    _cleanup_fclose_ FILE *file = fopen("/proc/sys/net/ipv4/icmp_echo_ignore_all", "we");
    assert_non_null(file);
    assert_true(fputs(silent ? "1" : "0", file) >= 0);
    assert_int_equal(fflush(file), 0);
}

static void test_silence(void **state)
{
    skip_unless_alone();
    set_silent(true);
    int64_t before = monotonic_msec();
    assert_refused(*state, STATUS_SUCCESS, 3, 32, 400, "127.0.0.1");
    int64_t took = monotonic_msec() - before;
    set_silent(false);
    assert_true(took >= 2 * PING_INTERVAL_USEC / 1000 + 400);
}

struct pending {
    unsigned n_answered, n_refused;
};

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct pending *pending = userdata;
    struct result result = read_result(reply);

    pending->n_answered++;
    pending->n_refused += result.status == ISDSC_OUT_OF_RESOURCES;
    assert_int_equal(result.n_received, 0);
    return 0;
}

static void start_ping(struct harness *harness, struct pending *pending, uint32_t timeout)
{
    char adapter[FIXTURE_PATH_MAX];

    fixture_adapter_path(adapter);
    assert_true(sd_bus_call_method_async(harness->bus, NULL, NAME, adapter, MANAGEMENT,
                                         "PingIPAddress", on_answer, pending, "uuu(uuayuus)", 1, 32,
                                         timeout, PING_ADDRESS_TEXT, 0, 0, 0, 0, "127.0.0.1") >= 0);
}

static void wait_for_answers(struct harness *harness, const struct pending *pending, unsigned n)
{
    while (pending->n_answered < n) {
        int r = sd_bus_process(harness->bus, NULL);
        assert_true(r >= 0);
        if (r == 0)
            assert_true(sd_bus_wait(harness->bus, 60U * 1000000U) > 0);
    }
}

/* Calls that wait are no hindrance to others; there is room for so many of them. */
static void test_many_at_a_time(void **state)
{
    struct harness *harness = *state;
    struct pending pending = {0};
    char adapter[FIXTURE_PATH_MAX];

    skip_unless_alone();
    fixture_adapter_path(adapter);
    set_silent(true);
    for (unsigned i = 0; i < PINGS_MAX_PER_CLIENT + 3; i++)
        start_ping(harness, &pending, 2000);
    _cleanup_free_ char *name = get_text(harness, adapter, MANAGEMENT, "InstanceName");
    assert_string_equal(name, INITIATOR);
    assert_true(pending.n_answered <= 3);
    wait_for_answers(harness, &pending, PINGS_MAX_PER_CLIENT + 3);
    assert_int_equal(pending.n_refused, 3);
    set_silent(false);
    assert_pings(harness, 1, 32, "127.0.0.1");
}

_Static_assert(PINGS_MAX % PINGS_MAX_PER_CLIENT == 0, "some clients have all, and none less");

/* A client that leaves has its calls given up, and frees its share and that of all. */
static void test_clients_leave(void **state)
{
    struct harness *harness = *state;
    struct harness clients[PINGS_MAX / PINGS_MAX_PER_CLIENT];
    struct pending pending = {0}, own = {0};

    skip_unless_alone();
    set_silent(true);
    for (size_t i = 0; i < ELEMENTSOF(clients); i++) {
        clients[i] = *harness;
        clients[i].bus = harness_connect(harness);
        for (unsigned k = 0; k < PINGS_MAX_PER_CLIENT + 1; k++)
            start_ping(&clients[i], &pending, 60000);
        wait_for_answers(&clients[i], &pending, (unsigned)i + 1);
    }
    assert_int_equal(pending.n_refused, ELEMENTSOF(clients));
    start_ping(harness, &own, 60000);
    wait_for_answers(harness, &own, 1);
    assert_int_equal(own.n_refused, 1);

    sd_bus_flush_close_unref(clients[0].bus);
    set_silent(false);
    for (unsigned i = 0; i < PINGS_MAX_PER_CLIENT; i++)
        assert_pings(harness, 1, 32, "127.0.0.1");
    for (size_t i = 1; i < ELEMENTSOF(clients); i++)
        sd_bus_flush_close_unref(clients[i].bus);
}

static int on_cancelled(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct result *result = userdata;
    *result = read_result(reply);
    return 0;
}

/* A service that stops answers first. */
static void test_stop_answers(void **state)
{
    struct harness *harness = *state;
    char adapter[FIXTURE_PATH_MAX];
    struct result result = {.status = UINT32_MAX};

    skip_unless_alone();
    fixture_adapter_path(adapter);
    set_silent(true);
    assert_true(sd_bus_call_method_async(harness->bus, NULL, NAME, adapter, MANAGEMENT,
                                         "PingIPAddress", on_cancelled, &result, "uuu(uuayuus)", 1,
                                         32, 60000, PING_ADDRESS_TEXT, 0, 0, 0, 0,
                                         "127.0.0.1") >= 0);
    free(get_text(harness, adapter, MANAGEMENT, "InstanceName")); /* it has the call by now */
    harness_restart(harness);
    while (result.status == UINT32_MAX)
        if (sd_bus_process(harness->bus, NULL) == 0)
            assert_true(sd_bus_wait(harness->bus, 60U * 1000000U) > 0);
    assert_int_equal(result.status, ISDSC_SERVICE_UNAVAILABLE);
    set_silent(false);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),         cmocka_unit_test(test_wrong_signatures),
        cmocka_unit_test(test_datagram_sockets),  cmocka_unit_test(test_raw_sockets),
        cmocka_unit_test(test_binary_addresses),  cmocka_unit_test(test_no_route),
        cmocka_unit_test(test_silence),           cmocka_unit_test(test_many_at_a_time),
        cmocka_unit_test(test_clients_leave),     cmocka_unit_test(test_stop_answers),
        cmocka_unit_test(harness_test_clean_end),
    };

    enter_namespace();
    return harness_result(cmocka_run_group_tests(tests, fixture_setup, harness_teardown));
}
