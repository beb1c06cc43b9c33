/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * MSiSCSI_ManagementOperations.PingIPAddress without its socket: the checks, the packets, and when
 * what is to be done. Times are microseconds of one monotonic clock.
 *
 * Sources: iscsimgt.h (PingIPAddress_IN: milliseconds for each request, bytes of each request),
 * RFC 792 and 4443 (echo messages).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* The bounds of one call. The size is that of Windows' ping, -l: data after the ICMP header. */
#define PING_COUNT_MAX 64U
#define PING_SIZE_MAX 65500U
#define PING_TIMEOUT_MAX_MSEC 60000U

/* A request that is not answered keeps the next one back for no longer than this. */
#define PING_INTERVAL_USEC 250000U

#define PING_HEADER_SIZE 8U
#define PING_PACKET_MAX (PING_HEADER_SIZE + PING_SIZE_MAX)

/* ISCSI_IP_Address.Type */
enum ping_address_type {
    PING_ADDRESS_TEXT = 0,
    PING_ADDRESS_IPV4 = 1,
    PING_ADDRESS_IPV6 = 2,
    PING_ADDRESS_EMPTY = 3,
};

/* ISCSI_IP_Address as it came: nothing in it has been checked. */
struct ping_address {
    uint32_t type;
    uint32_t ipv4; /* as Windows' inet_addr(): the first octet is the lowest byte */
    const uint8_t *ipv6;
    size_t ipv6_size; /* bytes that really came */
    uint32_t ipv6_flow_info;
    uint32_t ipv6_scope_id;
    const char *text;
};

/* The in-arguments, as they came. */
struct ping_request {
    uint32_t count;
    uint32_t size;
    uint32_t timeout_msec;
    struct ping_address address;
};

/*
 * Checks a request, and gives the address to send to. Returns STATUS_SUCCESS, or with nothing in
 * *ret: ISDSC_INVALID_PARAMETER (a number out of its bounds, an address that is malformed or not
 * one host's), ISDSC_ADDRESS_TYPE_NOT_SUPPORTED (no such type), ISDSC_DNS_NAME_UNRESOLVED (a text
 * that is no address: names are not resolved).
 */
uint32_t ping_check(const struct ping_request *request, struct sockaddr_storage *ret);

/* How the packets of one call look. */
struct ping_format {
    bool ipv6;
    bool raw;       /* of a raw socket, which wants an ID of ours and shows the IPv4 header */
    uint16_t id;    /* raw sockets only: others get theirs from the kernel */
    uint64_t token; /* of this call alone: fills the data */
    size_t size;    /* of the data */
};

/* Writes request number `sequence`; its size, at most PING_PACKET_MAX. */
size_t ping_build(const struct ping_format *format, uint16_t sequence, uint8_t *ret);

/* Whether a packet answers one of the call's requests, and which. */
bool ping_parse(const struct ping_format *format, const uint8_t *packet, size_t size,
                uint16_t *ret_sequence);

/* Whether two addresses are of the same host. A zone counts where both have one. */
bool ping_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* The requests of one call and their answers. */
struct ping_progress {
    uint32_t count;
    uint64_t timeout;
    uint32_t n_sent, n_failed, n_received; /* those that failed count as sent */
    struct {
        uint64_t at;
        bool settled; /* answered, or could not be sent */
    } requests[PING_COUNT_MAX];
};

void ping_begin(struct ping_progress *progress, const struct ping_request *request);

enum ping_step {
    PING_SEND, /* request number n_sent is due */
    PING_WAIT, /* for an answer, until *ret_until */
    PING_DONE,
};
enum ping_step ping_next(const struct ping_progress *progress, uint64_t now, uint64_t *ret_until);

/* Request number n_sent has gone out, or could not. */
void ping_sent(struct ping_progress *progress, uint64_t now, bool success);

/* An answer has come: counted once for each request, and not after the request's time. */
void ping_answered(struct ping_progress *progress, uint16_t sequence, uint64_t now);
