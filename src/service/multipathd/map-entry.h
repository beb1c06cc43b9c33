/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A map's part of the drop-in: what multipathd is to make of it. */

#include <stdbool.h>

#include "plan/table.h"
#include "service/model/map-snapshot.h"

/*
 * Makes it an entry for that table of the snapshot's paths, NULL: no policy counts for the map. 1:
 * it is another one than before, 0: the same. -ENOMEM, or what entry_multipath() fails with.
 */
int map_entry_set(struct host_map *map, const struct map_snapshot *snapshot,
                  const struct mp_table *planned, bool manual_failback);

/* Gives it the one that an earlier run had made and told of, should it have none yet. -ENOMEM. */
int map_entry_restore(struct host_map *map, const char *entry);

/* Gives it the one that it had, which is taken over; NULL: none, for that reason, if there was one.
 */
void map_entry_take_back(struct host_map *map, char *entry, const char *inexpressible);

/* Takes it away, for no policy counts for the map. Whether there was one. */
bool map_entry_drop(struct host_map *map);
