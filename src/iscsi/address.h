/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An address as Windows' ISCSI_IP_Address has it, made of the kernel's text. Pure. */

#include <stdbool.h>
#include <stdint.h>

/* ISCSI_IP_Address.Type */
enum ip_address_type {
    IP_ADDRESS_TEXT = 0, /* a name */
    IP_ADDRESS_V4 = 1,
    IP_ADDRESS_V6 = 2,
    IP_ADDRESS_EMPTY = 3,
};

struct ip_address {
    enum ip_address_type type;
    uint32_t v4; /* as Windows' in_addr: the first octet is the lowest byte, on any machine */
    uint8_t v6[16];
    uint32_t scope; /* index of the network interface; set for a link-local address only */
    char text[256]; /* shortest form; Windows' limit for TextAddress */
};

/*
 * From text; NULL and "" are an empty address. The kernel writes IPv6 addresses in full, other
 * tools shortened, in brackets or with "%scope": all are the same address here.
 */
void ip_address_parse(const char *text, struct ip_address *ret);

/* From the bytes of an in_addr or in6_addr. */
void ip_address_of_v4(const void *bytes, struct ip_address *ret);
void ip_address_of_v6(const void *bytes, struct ip_address *ret);

/* Whether two numeric addresses are the same, whatever their scopes. */
bool ip_address_equal(const struct ip_address *a, const struct ip_address *b);

/* Whether the address means something only together with a network interface (fe80::/10). */
bool ip_address_is_link_local(const struct ip_address *address);
