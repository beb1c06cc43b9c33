/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The model's multipath maps over iSCSI disks: as last seen, and what is owed to each. */

#include "service/model/map-snapshot.h"
#include "service/model/model.h"

/*
 * Whether the disk has a policy of its own that counts. One that was chosen ranks above those of
 * the map's sessions, one by default below.
 */
bool map_has_policy(const struct host_map *map);

/* Whether it has paths of that session. */
bool map_has_session(const struct host_map *map, uint64_t id);

/* Whether one of the map's sessions has a policy that counts. */
bool map_has_session_policy(const struct host_map *map);

/* Whether any policy counts for it. */
static inline bool map_has_any_policy(const struct host_map *map)
{
    return map_has_session_policy(map) || map_has_policy(map);
}

/* Whether multipathd is to read the map's entry, and has not yet said that it has, or what wins. */
bool map_awaits_mpathd(const struct host_map *map);

/* Whether it has been there since the service began. */
static inline bool map_was_seen(const struct host_map *map)
{
    return map->name;
}

/* Whether there is an object for it: a map, or a policy that waits for one. */
static inline bool map_is_visible(const struct host_map *map)
{
    return map->dev || map->policy || map_state_is_requested(&map->state);
}

/* Whether the store has all policies that count for it. */
bool map_policies_are_saved(const struct host_map *map);

/* NULL: not known. */
struct host_map *maps_find(struct host *host, dev_t dev);
struct host_map *maps_find_wwid(struct host *host, const char *wwid);

/*
 * The map of that snapshot, made where it is new, with its device number, name and sessions brought
 * up to date. -ENOMEM.
 */
int maps_upsert(struct host *host, const struct map_snapshot *snapshot, struct host_map **ret);

/* A snapshot of the map, if it is there: else -ENXIO, also for a number that is another's by now.
 */
int maps_snapshot(const struct host_map *map, struct map_snapshot *ret);

/* The policies of disks, from the store. */
int maps_load_policies(struct host *host);

/* The map of that WWID, made where it was not seen yet. -ENOMEM. */
int maps_expect(struct host *host, const char *wwid, struct host_map **ret);

/* The map, seen already or not, is one that a first policy has left half way. -ENOMEM. */
int maps_mark_half_way(struct host *host, const char *wwid);

/* The default policy was offered to the map, which may never have been seen. -ENOMEM. */
int maps_mark_offered(struct host *host, const char *wwid);

/* Takes over which paths the map has. 1: they are others than before, 0: the same. -ENOMEM. */
int maps_set_paths(struct host_map *map, const struct map_snapshot *snapshot);

/* The device is gone: the map is kept, without one, while anything waits for its return. */
void maps_mark_gone(struct host *host, dev_t dev);

/* Drops a map that is gone, where nothing waits for its return. */
void maps_drop_if_idle(struct host *host, struct host_map *map);

void maps_free_all(struct host *host);

/* Whether the map or one of its sessions is in the middle of a change. */
bool maps_is_busy(struct host *host, const struct host_map *map);
