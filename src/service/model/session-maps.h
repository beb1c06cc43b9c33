/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The multipath maps over a session's disks. */

#include "service/model/map-snapshot.h"

/* A snapshot of each, by name. */
struct session_maps {
    struct map_snapshot *snapshots;
    size_t n;
};

/* Maps that vanish meanwhile are left out. */
int session_maps_read(struct session *session, struct session_maps *ret);
/* The same, for who only shows them: one that cannot be read does not hide the others. */
int session_maps_read_some(struct session *session, struct session_maps *ret);
void session_maps_done(struct session_maps *maps);

/* One of them. -ENXIO: it is not over the session's disks any more; else as map_snapshot_read(). */
int session_map_read(const struct session *session, dev_t dev, struct map_snapshot *ret);

/* Whether there is any. */
int session_has_map(struct session *session, bool *ret);

/*
 * The device numbers of the dm devices over a session's disks; some may be no multipath maps, and
 * some may have been over its disks until lately. They are the session's, good until it is asked
 * again.
 */
int session_map_devices(struct session *session, const dev_t **ret, size_t *ret_n);
