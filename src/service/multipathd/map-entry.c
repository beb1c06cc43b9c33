/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "iscsi/target-port.h"
#include "plan/entry.h"
#include "service/multipathd/map-entry.h"

static bool map_entry_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static int map_entry_entry_paths(const struct map_snapshot *snapshot, struct entry_path **ret,
                                 size_t *ret_n)
{
    struct entry_path *paths = calloc(snapshot->n_paths + 1, sizeof(*paths));
    if (!paths)
        return -ENOMEM;
    *ret_n = 0;
    for (size_t i = 0; i < snapshot->n_paths; i++) {
        const struct scsi_disk *disk = &snapshot->paths[i].disk;
        if (disk->has_address)
            paths[(*ret_n)++] = (struct entry_path){snapshot->paths[i].dev, disk->host,
                                                    disk->channel, disk->target, disk->lun};
    }
    *ret = paths;
    return 0;
}

/* Whether what multipathd detects a prio by is known, as it is now. */
static bool map_entry_knows_disk(const struct host_map *map, const struct map_snapshot *snapshot)
{
    const struct map_path *path = snapshot->n_paths > 0 ? &snapshot->paths[0] : NULL;

    if (!map->disk_is_read || !path || map->disk.has_access != path->disk.has_access)
        return false;
    return !map->disk.vendor || map->disk.is_followed == (target_port_is_followed(path->dev) > 0);
}

/*
 * Whether an entry of an earlier table will do, should it fit. Not where failback is manual: a path
 * that logs in again, at its old address, must not lead as it did then.
 */
static bool map_entry_may_keep_entry(const struct host_map *map,
                                     const struct map_snapshot *snapshot, bool manual_failback)
{
    return map->entry && !manual_failback && map_entry_knows_disk(map, snapshot);
}

/* Reads it of the first path that is there. 1: it is another one than was known, if one was. */
static int map_entry_set_disk(struct host_map *map, const struct map_snapshot *snapshot)
{
    struct detection_disk disk;
    int r = -ENOENT;

    for (size_t i = 0; i < snapshot->n_paths && r < 0; i++)
        r = scsi_disk_detection(snapshot->paths[i].dev, snapshot->paths[i].disk.has_access, &disk);
    if (r < 0)
        return r == -ENOMEM ? r : 0;
    int changed = !map->disk_is_read || !map_entry_same_text(disk.vendor, map->disk.vendor) ||
                  !map_entry_same_text(disk.product, map->disk.product) ||
                  disk.alua != map->disk.alua || disk.has_access != map->disk.has_access ||
                  disk.is_followed != map->disk.is_followed;
    free(map->disk.vendor);
    free(map->disk.product);
    map->disk = disk;
    map->disk_is_read = true;
    return changed;
}

int map_entry_set(struct host_map *map, const struct map_snapshot *snapshot,
                  const struct mp_table *planned, bool manual_failback)
{
    _cleanup_free_ struct entry_path *paths = NULL;
    _cleanup_free_ char *entry = NULL;
    const char *reason = NULL;
    int changed = 0;
    size_t n;

    if (planned) {
        int r = map_entry_entry_paths(snapshot, &paths, &n);
        if (r >= 0 && map_entry_may_keep_entry(map, snapshot, manual_failback) &&
            entry_fits(map->entry, planned, true, paths, n))
            return 0;
        if (r >= 0)
            r = entry_multipath(map->wwid, planned, !manual_failback, paths, n, &entry, &reason);
        if (r < 0 && r != -EOPNOTSUPP)
            return r;
        changed = entry ? map_entry_set_disk(map, snapshot) : 0;
        if (changed < 0)
            return changed;
    }
    map->inexpressible = reason;
    if (!entry)
        map_state_set_entry(&map->state, false, planned);
    bool same = map_entry_same_text(entry, map->entry), is_read = same && map->state.is_read;
    if (same && !changed)
        return 0;

    free(map->entry);
    free(TAKE_PTR(map->override));
    map->entry = TAKE_PTR(entry);
    map_state_set_entry(&map->state, map->entry, planned);
    if (is_read) /* only the disk is another one, or was not known */
        map_state_begin_reading(&map->state);
    return 1;
}

int map_entry_restore(struct host_map *map, const char *entry)
{
    if (map->entry)
        return 0;
    map->entry = strdup(entry);
    if (!map->entry)
        return -ENOMEM;
    map_state_set_entry(&map->state, true, true);
    map_state_begin_reading(&map->state);
    return 0;
}

void map_entry_take_back(struct host_map *map, char *entry, const char *inexpressible)
{
    bool same = map_entry_same_text(entry, map->entry);

    map->inexpressible = inexpressible;
    if (same) {
        free(entry);
    } else {
        free(map->entry);
        free(TAKE_PTR(map->override));
        map->entry = entry;
    }
    if (!same || !map->entry)
        map_state_set_entry(&map->state, map->entry, map->entry || inexpressible);
}

bool map_entry_drop(struct host_map *map)
{
    if (!map->entry)
        return false;
    free(TAKE_PTR(map->entry));
    map_state_set_entry(&map->state, false, false);
    return true;
}
