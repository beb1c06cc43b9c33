/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The model of a map, brought up to date with a snapshot of it. */

#include "service/model/map-snapshot.h"

/* So many inspections follow new paths, and an array's word that it has moved access states. */
#define ACCESS_INSPECTIONS 5U

/* What a snapshot shows other than the model had it, as bits. */
enum map_difference {
    MAP_TABLE_CHANGED = 1 << 0, /* table, path or group states: what a client could tell apart */
    MAP_ENTRY_CHANGED = 1 << 1, /* what multipathd is to be told */
};

/* Access states may change from now on: that many inspections, further and further apart. */
void map_expect_access(struct host_map *map);

/*
 * Takes over what the map looks like, its paths, whether it means `planned` (NULL: it has no
 * policy), the active path where failback is manual, and the map's entry in the drop-in.
 * Bits of enum map_difference, or a negative errno: -ENOMEM, or what entry_multipath() fails with.
 */
int map_update(struct host_map *map, const struct map_snapshot *snapshot,
               const struct mp_table *planned);
