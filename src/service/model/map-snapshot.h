/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A multipath map as it is at one moment: its live table and status, and whose its paths are. */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "iscsi/disk.h"
#include "multipath/dm.h"
#include "service/model/model.h"

/* A path of the map. The pointer lives as long as nobody changes the model of the host. */
struct map_path {
    dev_t dev;
    struct connection *connection; /* NULL: not of a session that is known here */
    uint64_t id;                   /* DsmPathId, 0: a session that has not named itself yet */
    struct scsi_disk disk;
};

struct map_snapshot {
    struct host *host;
    struct dm_map *map;
    struct map_path *paths; /* in table order */
    size_t n_paths;
};

/* Reads it; errors as dm_map_read() has them. */
int map_snapshot_read(struct host *host, dev_t dev, struct map_snapshot *ret);

/* The same, of the map with that WWID. -ENXIO: `dev` is 0, or by now another map's. */
int map_snapshot_read_wwid(struct host *host, dev_t dev, const char *wwid,
                           struct map_snapshot *ret);

void map_snapshot_done(struct map_snapshot *snapshot);

/* The path of that device, NULL: none. */
const struct map_path *map_snapshot_path(const struct map_snapshot *snapshot, dev_t dev);

/* The path that a policy names by that DsmPathId (session_named_connection()), NULL: none. */
const struct map_path *map_snapshot_named_path(const struct map_snapshot *snapshot, uint64_t id);

bool map_snapshot_has_iscsi_path(const struct map_snapshot *snapshot);

/* Whether all that the map still has are iSCSI paths that log out: it goes too, or they return. */
bool map_snapshot_is_leaving(const struct map_snapshot *snapshot);

/*
 * How many paths are on their way out, or in: their sessions are gone already, or have not named
 * themselves yet. They are nobody else's, and a snapshot of the map now would take them for that.
 */
size_t map_snapshot_n_in_transit(const struct map_snapshot *snapshot);

/* Gone by now, or a dm device that is no multipath map. Anything else is a map not to be missed. */
static inline bool is_no_map(int r)
{
    return r == -ENXIO || r == -ENOENT || r == -ENODEV || r == -EMEDIUMTYPE;
}
