/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "iscsi/record-name.h"

#define NODES "/nodes/"
#define IFACES "/ifaces/"

int node_name_parse(const char *path, struct node_name *ret)
{
    const char *words = strstr(path, NODES);
    if (!words)
        return -EINVAL;

    _cleanup_free_ char *text = strdup(words + strlen(NODES));
    if (!text)
        return -ENOMEM;
    char *address = strchr(text, '/');
    if (!address)
        return -EINVAL;
    *address++ = '\0';
    char *iface = strchr(address, '/');
    if (iface)
        *iface++ = '\0';
    char *port = strchr(address, ',');
    if (!port)
        return -EINVAL;
    *port++ = '\0';
    if (!text[0] || !address[0] || (iface && !iface[0]))
        return -EINVAL;

    *ret = (struct node_name){
        .target = text,
        .address = address,
        .port = (uint16_t)strtoul(port, NULL, 10),
        .iface = iface ? iface : "default",
    };
    ret->text = TAKE_PTR(text);
    return 0;
}

/* Where the part begins that all paths of a discovery have, from its kind on. */
static const char *find_discovery(const char *path)
{
    const char *found = strstr(path, "/send_targets/");
    return found ? found : strstr(path, "/isns/");
}

static size_t length_of_discovery(const char *name)
{
    const char *last = strrchr(name, '/');
    bool is_config = last && (strcmp(last, "/st_config") == 0 || strcmp(last, "/isns_config") == 0);

    return is_config ? (size_t)(last - name) : strlen(name);
}

char *record_name(enum record_kind kind, const char *path)
{
    static const char *const prefixes[] = {NODES, IFACES};
    const char *found =
        kind == RECORD_DISCOVERY ? find_discovery(path) : strstr(path, prefixes[kind]);

    if (!found)
        return strdup(path);
    if (kind != RECORD_DISCOVERY)
        return strdup(found + strlen(prefixes[kind]));
    return strndup(found + 1, length_of_discovery(found + 1));
}

const char *record_kind_name(enum record_kind kind)
{
    static const char *const names[] = {"node", "iface", "discovery"};
    return names[kind];
}

const char *record_difference_name(enum record_difference difference)
{
    static const char *const names[] = {"changed", "added", "removed"};
    return names[difference];
}
