/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "basic/sanitize.h"
#include "iscsi/address.h"

void ip_address_of_v4(const void *bytes, struct ip_address *ret)
{
    const uint8_t *b = bytes;

    *ret = (struct ip_address){.type = IP_ADDRESS_V4};
    ret->v4 = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    inet_ntop(AF_INET, bytes, ret->text, sizeof(ret->text));
}

void ip_address_of_v6(const void *bytes, struct ip_address *ret)
{
    *ret = (struct ip_address){.type = IP_ADDRESS_V6};
    memcpy(ret->v6, bytes, sizeof(ret->v6));
    inet_ntop(AF_INET6, bytes, ret->text, sizeof(ret->text));
}

/* The text between brackets, without a scope. */
static void strip(const char *text, char *ret, size_t size)
{
    snprintf(ret, size, "%s", text + (text[0] == '['));
    ret[strcspn(ret, "]%")] = '\0';
}

void ip_address_parse(const char *text, struct ip_address *ret)
{
    char bare[INET6_ADDRSTRLEN + 1];
    uint8_t bytes[16];

    if (!text || !text[0]) {
        *ret = (struct ip_address){.type = IP_ADDRESS_EMPTY};
        return;
    }

    strip(text, bare, sizeof(bare));
    if (inet_pton(AF_INET, text, bytes) == 1) {
        ip_address_of_v4(bytes, ret);
    } else if (inet_pton(AF_INET6, bare, bytes) == 1) {
        ip_address_of_v6(bytes, ret);
    } else {
        *ret = (struct ip_address){.type = IP_ADDRESS_TEXT};
        snprintf(ret->text, sizeof(ret->text), "%s", text);
        sanitize(ret->text, SINK_BUS);
    }
}

bool ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == IP_ADDRESS_V4)
        return a->v4 == b->v4;
    return a->type == IP_ADDRESS_V6 && memcmp(a->v6, b->v6, sizeof(a->v6)) == 0;
}

bool ip_address_is_link_local(const struct ip_address *address)
{
    return address->type == IP_ADDRESS_V6 && address->v6[0] == 0xfe &&
           (address->v6[1] & 0xc0) == 0x80;
}
