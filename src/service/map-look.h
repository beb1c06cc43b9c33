/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One look at a multipath map: its live table and status, and whose its paths are. */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "iscsi/disk.h"
#include "multipath/dm.h"
#include "service/host.h"

/* A path of the map. The pointer lives as long as nobody changes the model of the host. */
struct map_path {
    dev_t dev;
    struct connection *connection; /* NULL: not of a session that is known here */
    uint64_t id;                   /* DsmPathId, 0: a session that has not named itself yet */
    struct scsi_disk disk;
};

struct map_look {
    struct host *host;
    struct dm_map *map;
    struct map_path *paths; /* in table order */
    size_t n_paths;
};

/* Reads it; errors as dm_map_read() has them. */
int map_look_read(struct host *host, dev_t dev, struct map_look *ret);
void map_look_done(struct map_look *look);

/* The path of that device, NULL: none. */
const struct map_path *map_look_path(const struct map_look *look, dev_t dev);

/* Gone by now, or a dm device that is no multipath map. Anything else is a map not to be missed. */
static inline bool is_no_map(int r)
{
    return r == -ENXIO || r == -ENOENT || r == -ENODEV || r == -EMEDIUMTYPE;
}

/* The maps over a session's disks, each looked at, by name. */
struct session_maps {
    struct map_look *looks;
    size_t n;
};

/* Maps that vanish meanwhile are left out. */
int session_maps_read(const struct session *session, struct session_maps *ret);
void session_maps_done(struct session_maps *maps);

/* Whether there is any. */
int session_has_map(const struct session *session, bool *ret);

/* The device numbers of the dm devices over a session's disks; some may be no multipath maps. */
int session_map_devices(const struct session *session, dev_t **ret, size_t *ret_n);
