/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

static const char hex_digits[] = "0123456789abcdefABCDEF";

void text_id(uint64_t id, char ret_text[ID_TEXT_SIZE])
{
    snprintf(ret_text, ID_TEXT_SIZE, "%016" PRIx64, id);
}

int text_parse_id(const char *text, uint64_t *ret_id)
{
    bool prefixed = strncasecmp(text, "0x", 2) == 0;
    const char *digits = prefixed ? text + 2 : text;
    size_t n = strspn(digits, hex_digits);

    if (digits[n] || n == 0 || n > 16 || (!prefixed && n != 16))
        return -EINVAL;
    *ret_id = strtoull(digits, NULL, 16);
    return 0;
}

bool text_is_id_prefix(const char *text)
{
    size_t n = strspn(text, hex_digits);

    return !text[n] && n >= 4 && n <= 16;
}

int text_parse_u32(const char *text, uint32_t *ret_value)
{
    uint64_t value = 0;

    if (!*text || text[strspn(text, "0123456789")])
        return -EINVAL;
    for (; *text; text++) {
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > UINT32_MAX)
            return -ERANGE;
    }
    *ret_value = (uint32_t)value;
    return 0;
}

void text_size(uint64_t bytes, char ret_text[SIZE_TEXT_SIZE])
{
    static const char units[] = "BKMGTPE";
    unsigned unit = 0;
    uint64_t whole = bytes, tenths = 0;

    while (whole >= 1024 && unit + 2 < sizeof(units)) {
        unit++;
        whole = bytes >> (10 * unit);
    }
    if (unit > 0) {
        uint64_t rest = (bytes >> (10 * (unit - 1))) & 1023;

        tenths = (rest * 10 + 512) / 1024;
    }
    if (tenths == 10) {
        tenths = 0;
        whole++;
    }
    if (whole == 1024 && unit + 2 < sizeof(units)) {
        whole = 1;
        unit++;
    }
    if (tenths)
        snprintf(ret_text, SIZE_TEXT_SIZE, "%" PRIu64 ".%" PRIu64 "%c", whole, tenths, units[unit]);
    else
        snprintf(ret_text, SIZE_TEXT_SIZE, "%" PRIu64 "%c", whole, units[unit]);
}

char *text_portal(const char *address, uint16_t port)
{
    bool bare_v6 = strchr(address, ':') && address[0] != '[';
    char *text;

    if (asprintf(&text, bare_v6 ? "[%s]:%u" : "%s:%u", address, port) < 0)
        return NULL;
    return text;
}

void portal_clear(struct portal *portal)
{
    free(portal->address);
    free(portal->iface);
    *portal = (struct portal){0};
}

static int parse_port(const char *text, uint16_t *ret_port)
{
    uint32_t port;
    int r = text_parse_u32(text, &port);

    if (r < 0 || port == 0 || port > UINT16_MAX)
        return -EINVAL;
    *ret_port = (uint16_t)port;
    return 0;
}

/* Splits text, which it owns, at the end of the address. Returns where the port begins, or NULL. */
static int split_address(char *text, char **ret_address, char **ret_port)
{
    char *colon = strchr(text, ':');
    char *end;

    if (text[0] == '[') {
        end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return -EINVAL;
        *ret_address = text + 1;
        *ret_port = end[1] ? end + 2 : NULL;
        *end = '\0';
        return 0;
    }
    *ret_address = text;
    *ret_port = NULL;
    if (colon && colon == strrchr(text, ':')) {
        *colon = '\0';
        *ret_port = colon + 1;
    }
    return 0;
}

int text_parse_portal(const char *text, struct portal *ret_portal)
{
    _cleanup_portal_ struct portal portal = {0};
    _cleanup_free_ char *copy = strdup(text);
    char *at, *address, *port;
    int r;

    if (!copy)
        return -ENOMEM;
    at = strrchr(copy, '@');
    if (at) {
        *at++ = '\0';
        if (!*at)
            return -EINVAL;
    }
    r = split_address(copy, &address, &port);
    if (r < 0)
        return r;
    if (!*address || (port && parse_port(port, &portal.port) < 0))
        return -EINVAL;
    portal.address = strdup(address);
    portal.iface = at ? strdup(at) : NULL;
    if (!portal.address || (at && !portal.iface))
        return -ENOMEM;
    *ret_portal = portal;
    portal = (struct portal){0};
    return 0;
}

bool text_same_address(const char *a, const char *b)
{
    struct in6_addr left, right;

    if (strcasecmp(a, b) == 0)
        return true;
    return inet_pton(AF_INET6, a, &left) == 1 && inet_pton(AF_INET6, b, &right) == 1 &&
           memcmp(&left, &right, sizeof(left)) == 0;
}

const char *text_connection_status(uint32_t status)
{
    switch (status) {
    case ISCSIWMI_CONNECTED:
        return "connected";
    case ISCSIWMI_DISCONNECTED:
        return "disconnected";
    case ISCSIWMI_RECONNECTING:
        return "reconnecting";
    default:
        return "unknown";
    }
}

void text_role(uint32_t policy, const struct report_connection *connection,
               char ret_text[ROLE_TEXT_SIZE])
{
    const char *role = "-";

    if (connection->in_policy && policy == ISCSIWMI_LB_WEIGHTED_PATHS) {
        snprintf(ret_text, ROLE_TEXT_SIZE, "weight %" PRIu32, connection->path.PathWeight);
        return;
    }
    if (connection->in_policy && policy >= ISCSIWMI_LB_FAILOVER &&
        policy <= ISCSIWMI_LB_DYN_LEAST_QUEUE_DEPTH)
        role = connection->path.PrimaryPath ? "primary" : "standby";
    snprintf(ret_text, ROLE_TEXT_SIZE, "%s", role);
}

static bool text_same_portal(const struct report_connection *a, const struct report_connection *b)
{
    return a->port == b->port && text_same_address(a->address, b->address);
}

char *text_connection(const struct report_connections *connections,
                      const struct report_connection *connection)
{
    _cleanup_free_ char *portal = text_portal(connection->address, connection->port);
    size_t n_portal = 0, n_iface = 0;
    char *text;

    if (!portal)
        return NULL;
    for (size_t i = 0; i < connections->n; i++) {
        const struct report_connection *other = &connections->items[i];

        if (!text_same_portal(other, connection))
            continue;
        n_portal++;
        n_iface += strcmp(other->iface, connection->iface) == 0;
    }
    if (n_portal <= 1 && *connection->address)
        return TAKE_PTR(portal);
    if (n_iface > 1 || !*connection->address) {
        text = malloc(ID_TEXT_SIZE);
        if (text)
            text_id(connection->id, text);
        return text;
    }
    return asprintf(&text, "%s@%s", portal, connection->iface) < 0 ? NULL : text;
}

const char *text_access_state(uint32_t state)
{
    switch (state) {
    case ISCSIWMI_DSM_ACTIVE_OPTIMIZED:
        return "optimized";
    case ISCSIWMI_DSM_ACTIVE_UNOPTIMIZED:
        return "unoptimized";
    case ISCSIWMI_DSM_STANDBY:
        return "standby";
    case ISCSIWMI_DSM_UNAVAILABLE:
        return "unavailable";
    case ISCSIWMI_DSM_STATE_NOT_USED:
        return "-";
    default:
        return "unknown";
    }
}

const char *text_path_state(const struct iscsiwmi_dsm_path_v2 *path)
{
    if (path->PrimaryPath)
        return path->OptimizedPath ? "optimized" : "unoptimized";
    return path->OptimizedPath ? "standby" : "unavailable";
}

void text_path_role(uint32_t policy, const struct iscsiwmi_dsm_path_v2 *path,
                    char ret_text[ROLE_TEXT_SIZE])
{
    if (policy == ISCSIWMI_DSM_WEIGHTED_PATHS)
        snprintf(ret_text, ROLE_TEXT_SIZE, "weight %" PRIu32, path->PathWeight);
    else
        snprintf(ret_text, ROLE_TEXT_SIZE, "%s%s", text_path_state(path),
                 path->PreferredPath ? ", preferred" : "");
}

const char *text_alua(uint32_t support)
{
    static const char *const words[] = {"none", "implicit", "explicit", "both"};

    return support < ELEMENTSOF(words) ? words[support] : "unknown";
}
