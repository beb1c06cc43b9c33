/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A packet from the network, by each kind of socket: the first byte chooses it. One of our own
 * requests is never an answer, and what is an answer has all of our data.
 */

#include "fuzz.h"
#include "wmi/ping.h"

enum {
    BIT_IPV6 = 1,
    BIT_RAW = 2,
};

#define DATA_SIZE 16U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ping_format format = {.id = 0x6957, .token = UINT64_C(0x0102030405060708)};
    uint8_t request[PING_HEADER_SIZE + DATA_SIZE];
    uint16_t sequence = 0;
    size_t n;

    if (size == 0)
        return 0;
    format.ipv6 = data[0] & BIT_IPV6;
    format.raw = data[0] & BIT_RAW;
    format.size = DATA_SIZE;
    n = ping_build(&format, data[0], request);
    CHECK(n == sizeof(request));
    CHECK(!ping_parse(&format, request, n, &sequence));

    if (!ping_parse(&format, data + 1, size - 1, &sequence))
        return 0;
    CHECK(size - 1 >= n);
    CHECK(memmem(data + 1, size - 1, request + PING_HEADER_SIZE, DATA_SIZE));
    /* The data belong to this call: of another one, it is no answer. */
    format.token++;
    CHECK(!ping_parse(&format, data + 1, size - 1, &sequence));
    return 0;
}
