/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The multipath maps of a session, and the table that each must have. */

#include <stddef.h>

#include "multipath/dm.h"
#include "service/host.h"

struct session_maps {
    struct dm_map **maps;
    size_t n;
};

/* Reads every map over the session's disks, live. Maps that vanish meanwhile are left out. */
int session_maps_read(const struct session *session, struct session_maps *ret);
void session_maps_done(struct session_maps *maps);

/*
 * Plans the table of a map under all policies in force, with `policy` (NULL: none) standing in
 * for the one of `session`. -ENODATA: no policy concerns the map, it is the host's own.
 * -EOPNOTSUPP: the array's access states forbid it.
 */
int lb_plan_map(struct host *host, const struct dm_map *map, const struct session *session,
                const struct store_policy *policy, struct mp_table **ret);

/* Whether the live table means the policies in force, the session's own one included. */
bool lb_map_agrees(struct host *host, const struct dm_map *map, const struct session *session);
