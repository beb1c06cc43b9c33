/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-device.h>

#include "basic/macros.h"
#include "iscsi/identity.h"
#include "service/map-look.h"

void map_look_done(struct map_look *look)
{
    dm_map_free(look->map);
    free(look->paths);
    *look = (struct map_look){0};
}

/*
 * DsmPathId of a path of another transport. Where udev does not know what it goes through, its SCSI
 * target's number has to do, which is good until the host boots.
 */
static uint64_t foreign_path_id(const struct map_path *path)
{
    _cleanup_(sd_device_unrefp) sd_device *device = NULL;
    const char *id_path;
    char address[64];

    if (sd_device_new_from_devnum(&device, 'b', path->dev) >= 0 &&
        sd_device_get_property_value(device, "ID_PATH", &id_path) >= 0)
        return path_id(id_path);
    snprintf(address, sizeof(address), "%u:%u:%u", path->disk.host, path->disk.channel,
             path->disk.target);
    return path_id(address);
}

static int look_at_path(struct host *host, dev_t dev, struct map_path *ret)
{
    struct map_path path = {.dev = dev};

    int r = scsi_disk_read(dev, &path.disk);
    if (r < 0)
        return r;
    if (path.disk.sid != NO_SID)
        path.connection = host_find_sid(host, path.disk.sid);
    if (path.connection)
        path.id = path.connection->id;
    else if (path.disk.has_address && path.disk.sid == NO_SID)
        path.id = foreign_path_id(&path);
    *ret = path;
    return 0;
}

int map_look_read(struct host *host, dev_t dev, struct map_look *ret)
{
    _cleanup_(map_look_done) struct map_look look = {.host = host};

    int r = dm_map_read(dev, &look.map);
    if (r < 0)
        return r;
    const struct mp_table *table = look.map->table;
    look.paths = calloc(mp_table_n_paths(table) + 1, sizeof(*look.paths));
    if (!look.paths)
        return -ENOMEM;
    for (size_t g = 0; g < table->n_groups; g++)
        for (size_t p = 0; p < table->groups[g].n_paths; p++) {
            r = look_at_path(host, table->groups[g].paths[p], &look.paths[look.n_paths++]);
            if (r < 0)
                return r;
        }

    *ret = look;
    look = (struct map_look){0};
    return 0;
}

const struct map_path *map_look_path(const struct map_look *look, dev_t dev)
{
    for (size_t i = 0; i < look->n_paths; i++)
        if (look->paths[i].dev == dev)
            return &look->paths[i];
    return NULL;
}

void session_maps_done(struct session_maps *maps)
{
    for (size_t i = 0; i < maps->n; i++)
        map_look_done(&maps->looks[i]);
    free(maps->looks);
    *maps = (struct session_maps){0};
}

static bool has_device(const dev_t *devices, size_t n, dev_t dev)
{
    for (size_t i = 0; i < n; i++)
        if (devices[i] == dev)
            return true;
    return false;
}

static int add_devices(char *const *names, size_t n_names, dev_t **devices, size_t *n)
{
    dev_t *more = reallocarray(*devices, *n + n_names + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    *devices = more;

    for (size_t i = 0; i < n_names; i++) {
        dev_t dev;
        int r = dm_devno_of_name(names[i], &dev);
        if (r < 0 && !is_no_map(r))
            return r;
        if (r >= 0 && !has_device(more, *n, dev))
            more[(*n)++] = dev;
    }
    return 0;
}

int session_map_devices(const struct session *session, dev_t **ret, size_t *ret_n)
{
    _cleanup_free_ dev_t *devices = NULL;
    size_t n = 0;

    for (size_t i = 0; i < session->n_connections; i++) {
        char **names = NULL;
        size_t n_names;
        int r = kernel_session_dm_devices(session->connections[i]->kernel->sid, &names, &n_names);
        if (r < 0)
            return r;
        r = add_devices(names, n_names, &devices, &n);
        strings_free(names);
        if (r < 0)
            return r;
    }
    *ret = TAKE_PTR(devices);
    *ret_n = n;
    return 0;
}

int session_has_map(const struct session *session, bool *ret)
{
    _cleanup_free_ dev_t *devices = NULL;
    bool found = false;
    size_t n;

    int r = session_map_devices(session, &devices, &n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n && !found; i++) {
        struct dm_map *map = NULL;
        r = dm_map_read(devices[i], &map);
        if (r < 0 && !is_no_map(r))
            return r;
        found = r >= 0;
        dm_map_free(map);
    }
    *ret = found;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const struct map_look *x = a, *y = b;
    return strcmp(x->map->name, y->map->name);
}

int session_maps_read(const struct session *session, struct session_maps *ret)
{
    _cleanup_(session_maps_done) struct session_maps maps = {0};
    _cleanup_free_ dev_t *devices = NULL;
    size_t n;

    int r = session_map_devices(session, &devices, &n);
    if (r < 0)
        return r;
    maps.looks = calloc(n + 1, sizeof(*maps.looks));
    if (!maps.looks)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        r = map_look_read(session->host, devices[i], &maps.looks[maps.n]);
        if (r < 0 && !is_no_map(r))
            return r;
        maps.n += r >= 0;
    }

    if (maps.n > 1)
        qsort(maps.looks, maps.n, sizeof(*maps.looks), compare_names);
    *ret = maps;
    maps = (struct session_maps){0};
    return 0;
}
