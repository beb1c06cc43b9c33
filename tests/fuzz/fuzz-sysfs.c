/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A sysfs attribute, by each that reads one: as the text of its first line, and as bytes. */

#include <arpa/inet.h>

#include "basic/sanitize.h"
#include "fuzz.h"
#include "iscsi/address.h"
#include "iscsi/kernel-session.h"
#include "iscsi/target-port.h"
#include "iscsi/values.h"
#include "plan/access.h"

static void check_values(const char *text)
{
    uint8_t isid[ISID_SIZE], again[ISID_SIZE];
    char number[16], hex[2 * ISID_SIZE + 1];

    snprintf(number, sizeof(number), "%u", value_number(text));
    CHECK(value_number(number) == value_number(text));

    value_isid(text, 7, isid);
    for (size_t i = 0; i < ISID_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", isid[i]);
    value_isid(hex, 8, again);
    CHECK(memcmp(isid, again, sizeof(isid)) == 0);

    CHECK(value_connection_state(text) <= CONNECTION_LOGOUT);
    CHECK(value_auth_type(text, NULL) == (value_is_set(text) ? AUTH_CHAP : AUTH_NONE));
    CHECK(value_session_type(text) == (value_is_set(text) ? SESSION_BOOT : SESSION_DATA));
    CHECK(access_state_parse(text) <= ACCESS_OTHER);
    CHECK(target_port_state(text) <= DSM_UNAVAILABLE ||
          target_port_state(text) == DSM_STATE_NOT_USED);
}

static void check_address(const char *text)
{
    struct ip_address address, again;

    ip_address_parse(text, &address);
    CHECK(address.type <= IP_ADDRESS_EMPTY);
    CHECK((address.type == IP_ADDRESS_EMPTY) == !text[0]);
    CHECK(memchr(address.text, '\0', sizeof(address.text)));
    ip_address_parse(address.text, &again);
    CHECK(sink_takes(SINK_BUS, address.text));
    CHECK(again.type == address.type || strlen(text) >= sizeof(address.text));
    if (address.type == IP_ADDRESS_V4 || address.type == IP_ADDRESS_V6) {
        CHECK(ip_address_equal(&address, &again));
        CHECK(strcmp(address.text, again.text) == 0);
    }
    if (ip_address_is_link_local(&address))
        CHECK(strncmp(address.text, "fe", 2) == 0);
}

static void check_path(const char *text)
{
    char number[32];
    uint32_t sid;

    if (kernel_session_sid_of_path(text, &sid) < 0)
        return;
    snprintf(number, sizeof(number), "/session%u", sid);
    CHECK(strstr(text, "/session"));
    CHECK(kernel_session_sid_of_path(number, &sid) == 0);
}

static void check_bytes(const uint8_t *data, size_t size)
{
    uint16_t group, group_again;
    uint32_t port, port_again;

    CHECK(target_port_alua(data, size) <= DSM_ALUA_BOTH);
    target_port_ids(data, size, &group, &port);
    CHECK(port <= UINT16_MAX);
    /* What stands behind the page's own length is no part of it. */
    if (size < 4 || 4U + data[2] * 256U + data[3] >= size)
        return;
    target_port_ids(data, 4U + data[2] * 256U + data[3], &group_again, &port_again);
    CHECK(group == group_again && port == port_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size);

    text[strcspn(text, "\n")] = '\0';
    check_values(text);
    check_address(text);
    check_path(text);
    check_bytes(data, size);
    return 0;
}
