/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One map of a transaction, from a snapshot of it. */

#include "service/model/model.h"
#include "service/tables/transaction.h"

/* Takes both over. `after` NULL: multipathd is to rebuild the map its own way. */
void map_change_init(struct host *host, struct map_change *change, struct dm_map *before,
                     struct mp_table *after);

/*
 * Plans a map anew under the policies in force, its paths being others by now. -ENXIO: it is gone;
 * else a negative errno.
 */
int map_change_plan_again(struct host *host, struct map_change *change);

/* A line for each map that failed, with what failed. */
void map_changes_log(const struct map_change *changes, size_t n);
