/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a disk's policy looks like from outside, and telling clients when that changes. */

#include "service/maps.h"

/* As the model has it, which follows events; nothing is read from the kernel. */
void disk_views_read(const struct host_map *map, struct disk_view *ret);

/* Clients can see the disk already: what it looks like now is what they know. */
void disk_views_begin(struct host_map *map);

/*
 * The observer is to hear of a disk that has come or gone, or of what differs from what clients
 * were told last, and of `changes` besides (bits of enum disk_change): once, when what has come
 * together is dealt with.
 */
void disk_views_announce(struct host_map *map, unsigned changes);

/* The same for all disks. */
void disk_views_announce_all(struct host *host);

/* The disk leaves the model: clients are told at once. */
void disk_views_end(struct host_map *map);
