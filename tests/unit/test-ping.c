/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "wmi/ping.h"
#include "wmi/status.h"

static const uint8_t loopback_bytes[16] = {[15] = 1};

static struct ping_request text_request(const char *text)
{
    return (struct ping_request){
        .count = 4, .size = 32, .timeout_msec = 1000, .address = {.text = text}};
}

static uint32_t check_text(const char *text, struct sockaddr_storage *ret)
{
    const struct ping_request request = text_request(text);
    return ping_check(&request, ret);
}

static void test_numbers(void **state)
{
    static const struct {
        uint32_t count, size, timeout_msec, status;
    } cases[] = {
        {1, 0, 1, STATUS_SUCCESS},
        {PING_COUNT_MAX, PING_SIZE_MAX, PING_TIMEOUT_MAX_MSEC, STATUS_SUCCESS},
        {0, 32, 1000, ISDSC_INVALID_PARAMETER},
        {PING_COUNT_MAX + 1, 32, 1000, ISDSC_INVALID_PARAMETER},
        {UINT32_MAX, 32, 1000, ISDSC_INVALID_PARAMETER},
        {4, PING_SIZE_MAX + 1, 1000, ISDSC_INVALID_PARAMETER},
        {4, UINT32_MAX, 1000, ISDSC_INVALID_PARAMETER},
        {4, 32, 0, ISDSC_INVALID_PARAMETER},
        {4, 32, PING_TIMEOUT_MAX_MSEC + 1, ISDSC_INVALID_PARAMETER},
        {4, 32, UINT32_MAX, ISDSC_INVALID_PARAMETER},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct sockaddr_storage address;
        struct ping_request request = text_request("127.0.0.1");
        request.count = cases[i].count;
        request.size = cases[i].size;
        request.timeout_msec = cases[i].timeout_msec;
        assert_int_equal(ping_check(&request, &address), cases[i].status);
    }
}

static void test_text_addresses(void **state)
{
    static const struct {
        const char *text;
        uint32_t status;
    } cases[] = {
        {"127.0.0.1", STATUS_SUCCESS},
        {"192.0.2.1", STATUS_SUCCESS},
        {"::1", STATUS_SUCCESS},
        {"2001:db8::17", STATUS_SUCCESS},
        {"fe80::1%1", STATUS_SUCCESS},
        {"fe80::1%lo", STATUS_SUCCESS},
        {"", ISDSC_INVALID_PARAMETER},
        {"0.0.0.0", ISDSC_INVALID_PARAMETER},
        {"0.1.2.3", ISDSC_INVALID_PARAMETER},
        {"224.0.0.1", ISDSC_INVALID_PARAMETER},
        {"255.255.255.255", ISDSC_INVALID_PARAMETER},
        {"::", ISDSC_INVALID_PARAMETER},
        {"ff02::1%1", ISDSC_INVALID_PARAMETER},
        {"::ffff:127.0.0.1", ISDSC_INVALID_PARAMETER},
        {"fe80::1", ISDSC_INVALID_PARAMETER},
        {"fe80::1%", ISDSC_INVALID_PARAMETER},
        {"fe80::1%0", ISDSC_INVALID_PARAMETER},
        {"fe80::1%no-such-interface", ISDSC_INVALID_PARAMETER},
        {"localhost", ISDSC_DNS_NAME_UNRESOLVED},
        {"127.1", ISDSC_DNS_NAME_UNRESOLVED},
        {" 127.0.0.1", ISDSC_DNS_NAME_UNRESOLVED},
        {"127.0.0.1%lo", ISDSC_DNS_NAME_UNRESOLVED},
        {"[::1]", ISDSC_DNS_NAME_UNRESOLVED},
        {"::1:::::::::::::::::::::::::::::::::::::::::::::::::::::", ISDSC_DNS_NAME_UNRESOLVED},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct sockaddr_storage address;
        assert_int_equal(check_text(cases[i].text, &address), cases[i].status);
    }
}

static void test_scope(void **state)
{
    struct sockaddr_storage address;

    assert_int_equal(check_text("fe80::1%7", &address), STATUS_SUCCESS);
    assert_int_equal(((struct sockaddr_in6 *)&address)->sin6_scope_id, 7);
}

static void test_binary_addresses(void **state)
{
    struct sockaddr_storage address;
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)&address;
    struct ping_request request = text_request("not looked at");

    request.address.type = PING_ADDRESS_IPV4;
    request.address.ipv4 = 0x0100007F;
    assert_int_equal(ping_check(&request, &address), STATUS_SUCCESS);
    assert_int_equal(address.ss_family, AF_INET);
    assert_int_equal(((struct sockaddr_in *)&address)->sin_addr.s_addr, inet_addr("127.0.0.1"));

    request.address.type = PING_ADDRESS_IPV6;
    request.address.ipv6 = loopback_bytes;
    request.address.ipv6_size = sizeof(loopback_bytes);
    request.address.ipv6_flow_info = 0x12345;
    request.address.ipv6_scope_id = 3;
    assert_int_equal(ping_check(&request, &address), STATUS_SUCCESS);
    assert_int_equal(address.ss_family, AF_INET6);
    assert_memory_equal(&ipv6->sin6_addr, &in6addr_loopback, sizeof(in6addr_loopback));
    assert_int_equal(ntohl(ipv6->sin6_flowinfo), 0x12345);
    assert_int_equal(ipv6->sin6_scope_id, 3);
    request.address.ipv6_size = 15;
    assert_int_equal(ping_check(&request, &address), ISDSC_INVALID_PARAMETER);

    request.address.type = PING_ADDRESS_EMPTY;
    assert_int_equal(ping_check(&request, &address), ISDSC_INVALID_PARAMETER);
    request.address.type = 4;
    assert_int_equal(ping_check(&request, &address), ISDSC_ADDRESS_TYPE_NOT_SUPPORTED);
}

/* What has been refused leaves the output as it was. */
static void test_refused_gives_nothing(void **state)
{
    struct sockaddr_storage address, before;

    memset(&before, 0x5A, sizeof(before));
    address = before;
    assert_int_not_equal(check_text("ff02::1%1", &address), STATUS_SUCCESS);
    assert_int_not_equal(check_text("0.0.0.0", &address), STATUS_SUCCESS);
    assert_memory_equal(&address, &before, sizeof(before));
}

static uint32_t sum_words(const uint8_t *packet, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += (uint32_t)packet[i] << (i % 2 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return sum;
}

/* As the answering host does it: another type; the IPv4 header, where the socket shows one. */
static size_t reply_to(const struct ping_format *format, const uint8_t *request, size_t size,
                       uint8_t *ret)
{
    size_t offset = format->raw && !format->ipv6 ? 24 : 0; /* with an option */

    memset(ret, 0, offset);
    if (offset)
        ret[0] = 0x46;
    memcpy(ret + offset, request, size);
    ret[offset] = format->ipv6 ? 129 : 0;
    return offset + size;
}

static void test_packets(void **state)
{
    static const size_t sizes[] = {0, 1, 7, 8, 9, 32, 1473, PING_SIZE_MAX};
    uint8_t *request = malloc(PING_PACKET_MAX), *reply = malloc(PING_PACKET_MAX + 60);

    assert_non_null(request);
    assert_non_null(reply);
    for (unsigned kind = 0; kind < 4; kind++)
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
            const struct ping_format format = {
                .ipv6 = kind & 1,
                .raw = kind & 2,
                .id = 0xBEEF,
                .token = 0x0123456789ABCDEF,
                .size = sizes[i],
            };
            uint16_t sequence = 0;
            size_t size = ping_build(&format, 0x1234, request);
            assert_int_equal(size, PING_HEADER_SIZE + sizes[i]);
            assert_int_equal(request[0], format.ipv6 ? 128 : 8);
            if (!format.ipv6)
                assert_int_equal(sum_words(request, size), 0xFFFF);
            assert_false(ping_parse(&format, request, size, &sequence)); /* our own, looped back */

            size = reply_to(&format, request, size, reply);
            assert_true(ping_parse(&format, reply, size, &sequence));
            assert_int_equal(sequence, 0x1234);
            for (size_t less = 1; less <= size && less <= 40; less++)
                assert_false(ping_parse(&format, reply, size - less, &sequence));
            assert_false(ping_parse(&format, reply, size + 1, &sequence));
        }
    free(request);
    free(reply);
}

static void test_other_packets(void **state)
{
    const struct ping_format format = {.raw = true, .id = 0xBEEF, .token = 42, .size = 16};
    uint8_t request[64], reply[64];
    uint16_t sequence = 7;
    size_t size = reply_to(&format, request, ping_build(&format, 1, request), reply);

    for (size_t i = 24; i < size; i++) {
        if (i == 26 || i == 27 || i == 30 || i == 31)
            continue; /* the checksum, which the kernel has checked; the sequence number */
        reply[i] ^= 0x40;
        assert_false(ping_parse(&format, reply, size, &sequence));
        reply[i] ^= 0x40;
    }
    assert_int_equal(sequence, 7);

    /* The kernel gives other sockets an ID of its own. */
    const struct ping_format datagram = {.id = 0, .token = 42, .size = 16};
    assert_true(ping_parse(&datagram, reply + 24, size - 24, &sequence));
}

static void test_same_host(void **state)
{
    struct sockaddr_storage a, b;

    assert_int_equal(check_text("192.0.2.1", &a), STATUS_SUCCESS);
    assert_int_equal(check_text("192.0.2.1", &b), STATUS_SUCCESS);
    ((struct sockaddr_in *)&b)->sin_port = 1;
    assert_true(ping_same_host(&a, &b));
    assert_int_equal(check_text("192.0.2.2", &b), STATUS_SUCCESS);
    assert_false(ping_same_host(&a, &b));
    assert_int_equal(check_text("::1", &b), STATUS_SUCCESS);
    assert_false(ping_same_host(&a, &b));
    assert_int_equal(check_text("fe80::1%2", &a), STATUS_SUCCESS);
    assert_int_equal(check_text("fe80::1%3", &b), STATUS_SUCCESS);
    assert_false(ping_same_host(&a, &b));
    ((struct sockaddr_in6 *)&b)->sin6_scope_id = 0;
    assert_true(ping_same_host(&a, &b));
}

#define START 1000000U

static struct ping_progress begin(uint32_t count, uint32_t timeout_msec)
{
    struct ping_progress progress;
    struct ping_request request = text_request("127.0.0.1");

    request.count = count;
    request.timeout_msec = timeout_msec;
    ping_begin(&progress, &request);
    return progress;
}

static void assert_waits(const struct ping_progress *progress, uint64_t now, uint64_t wanted)
{
    uint64_t until = 0;
    assert_int_equal(ping_next(progress, now, &until), PING_WAIT);
    assert_int_equal(until, wanted);
}

static void assert_step(const struct ping_progress *progress, uint64_t now, enum ping_step step)
{
    uint64_t until;
    assert_int_equal(ping_next(progress, now, &until), step);
}

static void test_all_answered(void **state)
{
    struct ping_progress progress = begin(3, 1000);

    for (uint16_t i = 0; i < 3; i++) {
        assert_step(&progress, START + i, PING_SEND);
        ping_sent(&progress, START + i, true);
        ping_answered(&progress, i, START + i);
    }
    assert_step(&progress, START + 2, PING_DONE);
    assert_int_equal(progress.n_received, 3);
}

static void test_none_answered(void **state)
{
    struct ping_progress progress = begin(2, 1000);

    ping_sent(&progress, START, true);
    assert_waits(&progress, START, START + PING_INTERVAL_USEC);
    assert_step(&progress, START + PING_INTERVAL_USEC, PING_SEND);
    ping_sent(&progress, START + PING_INTERVAL_USEC, true);
    assert_waits(&progress, START + 500000, START + PING_INTERVAL_USEC + 1000000);
    assert_step(&progress, START + PING_INTERVAL_USEC + 1000000, PING_DONE);
    assert_int_equal(progress.n_received, 0);
    assert_int_equal(progress.n_failed, 0);
}

/* A time that is shorter than the interval is the interval. */
static void test_short_timeout(void **state)
{
    struct ping_progress progress = begin(2, 10);

    ping_sent(&progress, START, true);
    assert_waits(&progress, START, START + 10000);
    assert_step(&progress, START + 10000, PING_SEND);
}

/* The last is answered, the first still has time. */
static void test_first_is_open(void **state)
{
    struct ping_progress progress = begin(2, 1000);

    ping_sent(&progress, START, true);
    ping_sent(&progress, START + PING_INTERVAL_USEC, true);
    ping_answered(&progress, 1, START + PING_INTERVAL_USEC + 1);
    assert_waits(&progress, START + PING_INTERVAL_USEC + 1, START + 1000000);
    ping_answered(&progress, 0, START + 1000000);
    assert_step(&progress, START + 1000000, PING_DONE);
    assert_int_equal(progress.n_received, 2);
}

static void test_answers_that_do_not_count(void **state)
{
    struct ping_progress progress = begin(2, 100);

    ping_answered(&progress, 0, START); /* nothing was sent */
    ping_sent(&progress, START, true);
    ping_answered(&progress, 1, START + 1);
    ping_answered(&progress, UINT16_MAX, START + 1);
    ping_answered(&progress, 0, START + 100001); /* late */
    assert_int_equal(progress.n_received, 0);
    ping_sent(&progress, START + 100000, true);
    ping_answered(&progress, 1, START + 150000);
    ping_answered(&progress, 1, START + 150001); /* twice */
    assert_int_equal(progress.n_received, 1);
}

static void test_nothing_can_be_sent(void **state)
{
    struct ping_progress progress = begin(PING_COUNT_MAX, 60000);

    for (uint32_t i = 0; i < PING_COUNT_MAX; i++) {
        assert_step(&progress, START, PING_SEND);
        ping_sent(&progress, START, false);
    }
    assert_step(&progress, START, PING_DONE);
    assert_int_equal(progress.n_failed, PING_COUNT_MAX);
    ping_answered(&progress, 0, START);
    assert_int_equal(progress.n_received, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_text_addresses),
        cmocka_unit_test(test_scope),
        cmocka_unit_test(test_binary_addresses),
        cmocka_unit_test(test_refused_gives_nothing),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_other_packets),
        cmocka_unit_test(test_same_host),
        cmocka_unit_test(test_all_answered),
        cmocka_unit_test(test_none_answered),
        cmocka_unit_test(test_short_timeout),
        cmocka_unit_test(test_first_is_open),
        cmocka_unit_test(test_answers_that_do_not_count),
        cmocka_unit_test(test_nothing_can_be_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
