/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "wmi/ping.h"
#include "wmi/status.h"

#define IPV4_ECHO_REQUEST 8U
#define IPV4_ECHO_REPLY 0U
#define IPV6_ECHO_REQUEST 128U
#define IPV6_ECHO_REPLY 129U

static bool is_one_ipv4_host(struct in_addr address)
{
    uint32_t number = ntohl(address.s_addr);
    return number >> 24 != 0 && !IN_MULTICAST(number) && number != INADDR_BROADCAST;
}

static bool is_one_ipv6_host(const struct sockaddr_in6 *address)
{
    const struct in6_addr *bytes = &address->sin6_addr;

    if (IN6_IS_ADDR_LINKLOCAL(bytes) && address->sin6_scope_id == 0)
        return false; /* one on each link */
    return !IN6_IS_ADDR_UNSPECIFIED(bytes) && !IN6_IS_ADDR_MULTICAST(bytes) &&
           !IN6_IS_ADDR_V4MAPPED(bytes);
}

static uint32_t check_ipv4(struct in_addr address, struct sockaddr_storage *ret)
{
    if (!is_one_ipv4_host(address))
        return ISDSC_INVALID_PARAMETER;
    memset(ret, 0, sizeof(*ret));
    *(struct sockaddr_in *)ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = address};
    return STATUS_SUCCESS;
}

static uint32_t check_ipv6(const struct sockaddr_in6 *address, struct sockaddr_storage *ret)
{
    if (!is_one_ipv6_host(address))
        return ISDSC_INVALID_PARAMETER;
    memset(ret, 0, sizeof(*ret));
    *(struct sockaddr_in6 *)ret = *address;
    return STATUS_SUCCESS;
}

/* The zone of "fe80::1%eth0" or "fe80::1%2"; 0: there is no such interface. */
static uint32_t scope_of(const char *zone)
{
    char *end;
    unsigned long number = strtoul(zone, &end, 10);

    if (zone[0] >= '0' && zone[0] <= '9' && !*end && number <= UINT32_MAX)
        return (uint32_t)number;
    return if_nametoindex(zone);
}

static uint32_t check_text(const char *text, struct sockaddr_storage *ret)
{
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    struct in_addr ipv4;
    char bare[INET6_ADDRSTRLEN];
    size_t length = strcspn(text, "%");

    if (!text[0])
        return ISDSC_INVALID_PARAMETER;
    if (inet_pton(AF_INET, text, &ipv4) == 1)
        return check_ipv4(ipv4, ret);
    if (length >= sizeof(bare))
        return ISDSC_DNS_NAME_UNRESOLVED;
    memcpy(bare, text, length);
    bare[length] = '\0';
    if (inet_pton(AF_INET6, bare, &ipv6.sin6_addr) != 1)
        return ISDSC_DNS_NAME_UNRESOLVED;
    if (text[length]) {
        ipv6.sin6_scope_id = scope_of(text + length + 1);
        if (ipv6.sin6_scope_id == 0)
            return ISDSC_INVALID_PARAMETER;
    }
    return check_ipv6(&ipv6, ret);
}

static uint32_t check_address(const struct ping_address *address, struct sockaddr_storage *ret)
{
    struct sockaddr_in6 ipv6 = {
        .sin6_family = AF_INET6,
        .sin6_flowinfo = htonl(address->ipv6_flow_info),
        .sin6_scope_id = address->ipv6_scope_id,
    };
    uint32_t n = address->ipv4;
    const uint8_t octets[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16),
                               (uint8_t)(n >> 24)};
    struct in_addr ipv4;

    switch (address->type) {
    case PING_ADDRESS_TEXT:
        return check_text(address->text, ret);
    case PING_ADDRESS_IPV4:
        memcpy(&ipv4, octets, sizeof(octets));
        return check_ipv4(ipv4, ret);
    case PING_ADDRESS_IPV6:
        if (address->ipv6_size != sizeof(ipv6.sin6_addr))
            return ISDSC_INVALID_PARAMETER;
        memcpy(&ipv6.sin6_addr, address->ipv6, sizeof(ipv6.sin6_addr));
        return check_ipv6(&ipv6, ret);
    case PING_ADDRESS_EMPTY:
        return ISDSC_INVALID_PARAMETER;
    default:
        return ISDSC_ADDRESS_TYPE_NOT_SUPPORTED;
    }
}

uint32_t ping_check(const struct ping_request *request, struct sockaddr_storage *ret)
{
    if (request->count == 0 || request->count > PING_COUNT_MAX || request->size > PING_SIZE_MAX ||
        request->timeout_msec == 0 || request->timeout_msec > PING_TIMEOUT_MAX_MSEC)
        return ISDSC_INVALID_PARAMETER;
    return check_address(&request->address, ret);
}

/* The Internet checksum, RFC 1071, as the two bytes of a packet. */
static void put_checksum(uint8_t *packet, size_t size, uint8_t *at)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum += i % 2 == 0 ? (uint32_t)packet[i] << 8 : packet[i];
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    at[0] = (uint8_t)(~sum >> 8);
    at[1] = (uint8_t)~sum;
}

static uint8_t data_byte(const struct ping_format *format, size_t i)
{
    return (uint8_t)(format->token >> 8 * (i % 8));
}

size_t ping_build(const struct ping_format *format, uint16_t sequence, uint8_t *ret)
{
    size_t size = PING_HEADER_SIZE + format->size;
    const uint8_t header[PING_HEADER_SIZE] = {
        format->ipv6 ? IPV6_ECHO_REQUEST : IPV4_ECHO_REQUEST,
        0, /* code */
        0,
        0, /* checksum */
        (uint8_t)(format->id >> 8),
        (uint8_t)format->id,
        (uint8_t)(sequence >> 8),
        (uint8_t)sequence,
    };

    memcpy(ret, header, sizeof(header));
    for (size_t i = 0; i < format->size; i++)
        ret[PING_HEADER_SIZE + i] = data_byte(format, i);
    /* That of ICMPv6 covers addresses of IP's: the kernel makes it, on raw sockets as well. */
    if (!format->ipv6)
        put_checksum(ret, size, ret + 2);
    return size;
}

/* Where the ICMP packet begins, behind the IPv4 header that only raw sockets show. */
static size_t icmp_offset(const struct ping_format *format, const uint8_t *packet, size_t size)
{
    if (!format->raw || format->ipv6)
        return 0;
    return size > 0 ? 4 * (size_t)(packet[0] & 0xF) : size;
}

bool ping_parse(const struct ping_format *format, const uint8_t *packet, size_t size,
                uint16_t *ret_sequence)
{
    size_t offset = icmp_offset(format, packet, size);

    if (size < offset || size - offset != PING_HEADER_SIZE + format->size)
        return false;
    packet += offset;
    if (packet[0] != (format->ipv6 ? IPV6_ECHO_REPLY : IPV4_ECHO_REPLY) || packet[1] != 0)
        return false;
    if (format->raw && (packet[4] != format->id >> 8 || packet[5] != (format->id & 0xFF)))
        return false;
    for (size_t i = 0; i < format->size; i++)
        if (packet[PING_HEADER_SIZE + i] != data_byte(format, i))
            return false;
    *ret_sequence = (uint16_t)(packet[6] << 8 | packet[7]);
    return true;
}

bool ping_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;

    const struct sockaddr_in6 *x = (const struct sockaddr_in6 *)a,
                              *y = (const struct sockaddr_in6 *)b;
    return IN6_ARE_ADDR_EQUAL(&x->sin6_addr, &y->sin6_addr) &&
           (x->sin6_scope_id == y->sin6_scope_id || x->sin6_scope_id == 0 || y->sin6_scope_id == 0);
}

void ping_begin(struct ping_progress *progress, const struct ping_request *request)
{
    *progress = (struct ping_progress){
        .count = request->count,
        .timeout = (uint64_t)request->timeout_msec * 1000,
    };
}

/* When the request after the last one that was sent is due. */
static uint64_t next_due(const struct ping_progress *progress)
{
    if (progress->n_sent == 0 || progress->requests[progress->n_sent - 1].settled)
        return 0;
    return progress->requests[progress->n_sent - 1].at +
           (progress->timeout < PING_INTERVAL_USEC ? progress->timeout : PING_INTERVAL_USEC);
}

/* When the last open request's time is over, 0: none is open. They stand in order of time. */
static uint64_t last_deadline(const struct ping_progress *progress)
{
    for (uint32_t i = progress->n_sent; i > 0; i--)
        if (!progress->requests[i - 1].settled)
            return progress->requests[i - 1].at + progress->timeout;
    return 0;
}

enum ping_step ping_next(const struct ping_progress *progress, uint64_t now, uint64_t *ret_until)
{
    uint64_t until =
        progress->n_sent < progress->count ? next_due(progress) : last_deadline(progress);

    if (now < until) {
        *ret_until = until;
        return PING_WAIT;
    }
    return progress->n_sent < progress->count ? PING_SEND : PING_DONE;
}

void ping_sent(struct ping_progress *progress, uint64_t now, bool success)
{
    progress->requests[progress->n_sent].at = now;
    progress->requests[progress->n_sent].settled = !success;
    progress->n_sent++;
    progress->n_failed += !success;
}

void ping_answered(struct ping_progress *progress, uint16_t sequence, uint64_t now)
{
    if (sequence >= progress->n_sent || progress->requests[sequence].settled ||
        now > progress->requests[sequence].at + progress->timeout)
        return;
    progress->requests[sequence].settled = true;
    progress->n_received++;
}
