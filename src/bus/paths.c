/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/paths.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "basic/macros.h"
#include "bus/names.h"
#include "service/model/find.h"
#include "service/model/maps.h"

void adapter_path(uint64_t id, char ret[OBJECT_PATH_MAX])
{
    snprintf(ret, OBJECT_PATH_MAX, ADAPTER_PREFIX "/%016" PRIx64, id);
}

void session_path(uint64_t id, char ret[OBJECT_PATH_MAX])
{
    snprintf(ret, OBJECT_PATH_MAX, SESSION_PREFIX "/%016" PRIx64, id);
}

void connection_path(uint64_t id, char ret[OBJECT_PATH_MAX])
{
    snprintf(ret, OBJECT_PATH_MAX, CONNECTION_PREFIX "/%016" PRIx64, id);
}

char *disk_path(const char *wwid)
{
    char *path = NULL;
    return sd_bus_path_encode(DISK_PREFIX, wwid, &path) < 0 ? NULL : path;
}

/* The ID in a path of ours: exactly 16 lower-case hex digits. */
static bool id_of_path(const char *path, const char *prefix, uint64_t *ret)
{
    size_t length = strlen(prefix);

    if (strncmp(path, prefix, length) != 0 || path[length] != '/')
        return false;
    const char *digits = path + length + 1;
    if (strspn(digits, "0123456789abcdef") != 16 || digits[16] != '\0')
        return false;
    *ret = strtoull(digits, NULL, 16);
    return true;
}

bool connection_id_of_path(const char *path, uint64_t *ret_id)
{
    return id_of_path(path, CONNECTION_PREFIX, ret_id);
}

struct adapter *adapter_of_path(struct host *host, const char *path)
{
    uint64_t id;
    return id_of_path(path, ADAPTER_PREFIX, &id) ? host_adapter(host, id) : NULL;
}

struct session *session_of_path(struct host *host, const char *path)
{
    uint64_t id;
    return id_of_path(path, SESSION_PREFIX, &id) ? host_session(host, id) : NULL;
}

struct connection *connection_of_path(struct host *host, const char *path)
{
    uint64_t id;
    return id_of_path(path, CONNECTION_PREFIX, &id) ? host_connection(host, id) : NULL;
}

int disk_of_path(struct host *host, const char *path, struct host_map **ret)
{
    _cleanup_free_ char *wwid = NULL, *only = NULL;
    struct host_map *map;

    int r = sd_bus_path_decode(path, DISK_PREFIX, &wwid);
    if (r <= 0)
        return r;
    /* A disk has one path, though a decoder reads several ways to write it. */
    only = disk_path(wwid);
    if (!only)
        return -ENOMEM;
    map = strcmp(only, path) == 0 ? maps_find_wwid(host, wwid) : NULL;
    if (!map || !map_is_visible(map))
        return 0;
    *ret = map;
    return 1;
}
