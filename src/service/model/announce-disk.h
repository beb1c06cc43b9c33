/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The same as service/model/announce.h, for disks. */

struct host;
struct host_map;

/*
 * The observers are to hear of a disk that has come or gone, or of what differs from what clients
 * were told last, and of `changes` besides (bits of enum disk_change): once, when what has come
 * together is dealt with.
 */
void announce_disk(struct host_map *map, unsigned changes);

/* The same for all disks. */
void announce_all_disks(struct host *host);

/* The disk leaves the model: clients are told at once. */
void announce_disk_end(struct host_map *map);
