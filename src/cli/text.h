/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* IDs, sizes, portals and roles as text, and back. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/macros.h"
#include "cli/report.h"

#define ID_TEXT_SIZE 17U /* 16 hex digits and the NUL */
#define SIZE_TEXT_SIZE 24U
#define ROLE_TEXT_SIZE 24U /* "weight 4294967295" */

void text_id(uint64_t id, char ret_text[ID_TEXT_SIZE]);

/* An ID from 16 hex digits, or 0x and 1 to 16 of them. -EINVAL: neither. */
int text_parse_id(const char *text, uint64_t *ret_id);

/* Whether text could begin an ID: 4 to 16 hex digits. */
bool text_is_id_prefix(const char *text);

/* A decimal number, digits only. -EINVAL: not one, -ERANGE: too large. */
int text_parse_u32(const char *text, uint32_t *ret_value);

/* Powers of 1024 with one decimal where it is not 0: "512B", "10G", "1.5T". */
void text_size(uint64_t bytes, char ret_text[SIZE_TEXT_SIZE]);

/* "ADDR:PORT" or "[v6]:PORT", to be freed. NULL: out of memory. */
char *text_portal(const char *address, uint16_t port);

struct portal {
    char *address;
    uint16_t port; /* 0: any */
    char *iface;   /* NULL: any */
};

void portal_clear(struct portal *portal);
#define _cleanup_portal_ _cleanup_(portal_clear)

/*
 * ADDR, ADDR:PORT, [v6], [v6]:PORT or v6, each with @IFACE behind it or not. -EINVAL: none of
 * these. The address is not looked at: anything may be one.
 */
int text_parse_portal(const char *text, struct portal *ret_portal);

/* Two addresses, whichever way they are written: "::1" is "0:0:0:0:0:0:0:1". */
bool text_same_address(const char *a, const char *b);

/* "connected", "disconnected", "reconnecting", "unknown". */
const char *text_connection_status(uint32_t status);

/* "primary", "standby", "weight 3", or "-" where the policy gives connections no role. */
void text_role(uint32_t policy, const struct report_connection *connection,
               char ret_text[ROLE_TEXT_SIZE]);

/*
 * The shortest name that means only this one of the connections, to be freed: the portal, else
 * PORTAL@IFACE, else the ID. NULL: out of memory.
 */
char *text_connection(const struct report_connections *connections,
                      const struct report_connection *connection);

/* What a path of a disk is, or is to be: "optimized", "unoptimized", "standby", "unavailable". */
const char *text_path_state(const struct iscsiwmi_dsm_path_v2 *path);

/* "weight 3" under policy 5; else the above, with ", preferred" behind it where it is that. */
void text_path_role(uint32_t policy, const struct iscsiwmi_dsm_path_v2 *path,
                    char ret_text[ROLE_TEXT_SIZE]);

/* The access state of a path's target port group, in the same words; "-": it has none. */
const char *text_access_state(uint32_t state);

/* "none", "implicit", "explicit", "both". */
const char *text_alua(uint32_t support);
