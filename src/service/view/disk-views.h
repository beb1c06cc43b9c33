/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a disk's policy looks like from outside. */

#include "service/model/model.h"

/* As the model has it, which follows events; nothing is read from the kernel. */
void disk_views_read(const struct host_map *map, struct disk_view *ret);

/* Likewise, for a client, who will hear of what has changed by then, be it back to what was told.
 */
void disk_views_show(struct host_map *map, struct disk_view *ret);

/* The first observer: tells the others what of a disk differs from what clients know. */
void disk_views_follow(struct host *host);
