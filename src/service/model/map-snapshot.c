/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-device.h>

#include "basic/macros.h"
#include "iscsi/identity.h"
#include "service/model/find.h"
#include "service/model/map-snapshot.h"

void map_snapshot_done(struct map_snapshot *snapshot)
{
    dm_map_free(snapshot->map);
    free(snapshot->paths);
    *snapshot = (struct map_snapshot){0};
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

static int read_path(struct host *host, dev_t dev, struct map_path *ret)
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

int map_snapshot_read(struct host *host, dev_t dev, struct map_snapshot *ret)
{
    _cleanup_(map_snapshot_done) struct map_snapshot snapshot = {.host = host};

    int r = dm_map_read(dev, &snapshot.map);
    if (r < 0)
        return r;
    const struct mp_table *table = snapshot.map->table;
    snapshot.paths = calloc(mp_table_n_paths(table) + 1, sizeof(*snapshot.paths));
    if (!snapshot.paths)
        return -ENOMEM;
    for (size_t g = 0; g < table->n_groups; g++)
        for (size_t p = 0; p < table->groups[g].n_paths; p++) {
            r = read_path(host, table->groups[g].paths[p], &snapshot.paths[snapshot.n_paths++]);
            if (r < 0)
                return r;
        }

    *ret = snapshot;
    snapshot = (struct map_snapshot){0};
    return 0;
}

int map_snapshot_read_wwid(struct host *host, dev_t dev, const char *wwid, struct map_snapshot *ret)
{
    _cleanup_(map_snapshot_done) struct map_snapshot snapshot = {0};
    int r = dev ? map_snapshot_read(host, dev, &snapshot) : -ENXIO;

    if (r < 0)
        return r;
    if (strcmp(dm_map_wwid(snapshot.map), wwid) != 0)
        return -ENXIO;
    *ret = snapshot;
    snapshot = (struct map_snapshot){0};
    return 0;
}

const struct map_path *map_snapshot_path(const struct map_snapshot *snapshot, dev_t dev)
{
    for (size_t i = 0; i < snapshot->n_paths; i++)
        if (snapshot->paths[i].dev == dev)
            return &snapshot->paths[i];
    return NULL;
}

const struct map_path *map_snapshot_named_path(const struct map_snapshot *snapshot, uint64_t id)
{
    const struct map_path *other = NULL;

    for (size_t i = 0; i < snapshot->n_paths && id != 0; i++) {
        const struct map_path *path = &snapshot->paths[i];
        if (path->id == id)
            return path;
        if (path->connection && path->connection->other_id == id)
            other = path;
    }
    return other;
}

bool map_snapshot_has_iscsi_path(const struct map_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->n_paths; i++)
        if (snapshot->paths[i].connection)
            return true;
    return false;
}

static bool is_of_another_transport(const struct map_path *path)
{
    return path->disk.has_address && path->disk.sid == NO_SID;
}

bool map_snapshot_is_leaving(const struct map_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->n_paths; i++)
        if (is_of_another_transport(&snapshot->paths[i]))
            return false;
    return true;
}

size_t map_snapshot_n_in_transit(const struct map_snapshot *snapshot)
{
    size_t n = 0;

    for (size_t i = 0; i < snapshot->n_paths; i++) {
        const struct map_path *path = &snapshot->paths[i];
        n += !path->connection && !is_of_another_transport(path);
    }
    return n;
}
