/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The model of the multipath maps over iSCSI disks: as last seen, and what is owed to each. */

#include "multipath/swap.h"
#include "plan/detection.h"
#include "plan/map-state.h"
#include "service/model/host.h"
#include "service/model/map-snapshot.h"

/* What a disk looks like from outside (service/view/disk-views.h). */
struct disk_view {
    bool present;
    char name[128];
    uint64_t sectors;
    uint32_t policy;        /* enum dsm_policy, the one in force */
    const char *provenance; /* "disk", "session", "default" or "host" */
    struct map_agreement agreement;
    uint32_t n_reapplied;
};

/* What the reconciler counts (service/reconcile/reconcile.c); times are CLOCK_MONOTONIC. */
struct map_watch {
    unsigned failures;             /* of repairs, one after another */
    unsigned transit_inspections;  /* at a map with a path on its way */
    uint64_t leaving_usec;         /* since when all of its paths log out; 0: they do not */
    unsigned inspections_left;     /* for access states that may change */
    uint64_t next_inspection_usec; /* the next of them, whatever inspections come before */
};

struct host_map {
    struct host *host;
    dev_t dev; /* 0: it is gone; its policy, or its entry in the drop-in, waits for its return */
    char *wwid;
    char *name; /* NULL: never seen, the store knows its policy */
    uint64_t sectors;
    uint64_t *session_ids; /* those with paths in it */
    size_t n_sessions;
    dev_t *paths; /* ascending */
    size_t n_paths;
    char *appearance; /* table, path and group states, as last seen: another one is a change */
    struct map_state state;
    enum kpartx kpartx; /* as udev has told last */
    bool asymmetric;    /* its paths differ in access state */
    bool
        asymmetric_now; /* likewise, as a client asked last (service/view/disk-query.c), and when */
    uint64_t asymmetry_moment;

    /* the disk's own policy (wmi/dsm.h), which ranks above those of sessions */
    struct store_disk_policy *policy; /* NULL: none */
    uint64_t active_path; /* the one with the I/O, where failback is manual; 0: not known yet */

    /* multipathd's part (multipath/drop-in.h) */
    char *entry; /* its section in the drop-in, NULL: no policy, or it cannot be told */
    const char *inexpressible;  /* why multipathd cannot be told of it */
    struct detection_disk disk; /* vendor NULL: multipathd detects no prio for it */
    char *override;             /* what wins over the entry: of one that is overridden */

    struct map_watch watch;
    uint32_t n_reapplied; /* how often it got its table again without a request */

    struct disk_view shown; /* as clients were last told */
    bool is_shown;          /* they were told that it is there */
    bool to_tell;           /* they will be told of a change */
    unsigned untold;        /* bits of enum disk_change that they were not told yet */
};

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

/* The map, seen already or not, is one that a first policy has left half way. -ENOMEM. */
int maps_mark_half_way(struct host *host, const char *wwid);

/* Takes over which paths the map has. 1: they are others than before, 0: the same. -ENOMEM. */
int maps_set_paths(struct host_map *map, const struct map_snapshot *snapshot);

/* The device is gone: the map is kept, without one, while anything waits for its return. */
void maps_mark_gone(struct host *host, dev_t dev);

/* Drops a map that is gone, where nothing waits for its return. */
void maps_drop_if_idle(struct host *host, struct host_map *map);

void maps_free_all(struct host *host);

/* Whether the map or one of its sessions is in the middle of a change. */
bool maps_is_busy(struct host *host, const struct host_map *map);
