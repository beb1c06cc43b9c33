/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the kernel's texts about a session mean, in Windows' numbers. Pure. A text is NULL where
 * the kernel does not show the attribute.
 */

#include <stdbool.h>
#include <stdint.h>

#define ISID_SIZE 6U

/* ISCSI_SessionStaticInfo.Type */
enum session_type {
    SESSION_DISCOVERY = 0,
    SESSION_INFORMATIONAL = 1,
    SESSION_DATA = 2,
    SESSION_BOOT = 3,
};

/* ISCSI_ConnectionStaticInfo.State */
enum connection_state {
    CONNECTION_LOGIN = 0,
    CONNECTION_FULL = 1,
    CONNECTION_LOGOUT = 2,
};

/* ISCSI_ConnectionStaticInfo.AuthType (ISCSI_AUTH_TYPES) */
enum auth_type {
    AUTH_NONE = 0,
    AUTH_CHAP = 1,
    AUTH_MUTUAL_CHAP = 2,
};

/* Whether it says anything: "(null)" and "<empty>" are the kernel's and open-iscsi's nothing. */
bool value_is_set(const char *text);

/* A decimal number; 0 where there is none, or one that does not fit. */
uint32_t value_number(const char *text);

/*
 * The initiator's part of the session ID: 12 hex digits where the kernel shows them (adapters
 * that log in by themselves); otherwise what iscsid sends, an OUI of its own (00 02 3d) and the
 * kernel's session ID in the last three bytes.
 */
void value_isid(const char *text, uint32_t sid, uint8_t ret[ISID_SIZE]);

/* From the names that the initiator and, under mutual CHAP, the target log in with. */
enum auth_type value_auth_type(const char *username, const char *username_in);

/* From the kernel's word for a session. FREE: the recovery time is over, iscsid still tries. */
enum connection_state value_connection_state(const char *state);

/* From the name of the firmware's target entry that the session was made of, if it was. */
enum session_type value_session_type(const char *boot_target);
