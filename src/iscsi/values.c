/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "iscsi/values.h"

bool value_is_set(const char *text)
{
    return text && text[0] && strcmp(text, "<empty>") != 0 && strcmp(text, "(null)") != 0;
}

uint32_t value_number(const char *text)
{
    if (!text || text[0] < '0' || text[0] > '9')
        return 0;
    errno = 0;
    unsigned long long number = strtoull(text, NULL, 10);
    return errno == 0 && number <= UINT32_MAX ? (uint32_t)number : 0;
}

static bool parse_isid(const char *text, uint8_t ret[ISID_SIZE])
{
    if (!text || strlen(text) != 2 * ISID_SIZE ||
        strspn(text, "0123456789abcdefABCDEF") != 2 * ISID_SIZE)
        return false;
    unsigned long long number = strtoull(text, NULL, 16);
    for (size_t i = ISID_SIZE; i-- > 0; number >>= 8)
        ret[i] = (uint8_t)number;
    return true;
}

void value_isid(const char *text, uint32_t sid, uint8_t ret[ISID_SIZE])
{
    if (parse_isid(text, ret))
        return;
    const uint8_t built[ISID_SIZE] = {
        0x00, 0x02, 0x3d, (uint8_t)(sid >> 16), (uint8_t)(sid >> 8), (uint8_t)sid};
    memcpy(ret, built, sizeof(built));
}

enum auth_type value_auth_type(const char *username, const char *username_in)
{
    if (!value_is_set(username))
        return AUTH_NONE;
    return value_is_set(username_in) ? AUTH_MUTUAL_CHAP : AUTH_CHAP;
}

enum connection_state value_connection_state(const char *state)
{
    if (!value_is_set(state))
        return CONNECTION_LOGOUT;
    return strcmp(state, "LOGGED_IN") == 0 ? CONNECTION_FULL : CONNECTION_LOGIN;
}

enum session_type value_session_type(const char *boot_target)
{
    return value_is_set(boot_target) ? SESSION_BOOT : SESSION_DATA;
}
