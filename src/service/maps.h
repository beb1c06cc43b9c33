/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The model of the multipath maps over iSCSI disks: as last seen, and what is owed to each. */

#include "plan/contest.h"
#include "service/host.h"
#include "service/map-look.h"

struct host_map {
    dev_t dev; /* 0: it is gone; its entry in the drop-in waits for its return */
    char *wwid;
    char *name;
    uint64_t *session_ids; /* those with paths in it */
    size_t n_sessions;
    dev_t *paths; /* ascending */
    size_t n_paths;
    char *appearance; /* table, path and group states, as last seen: another one is a change */
    bool agrees;      /* the live table means the policies in force */

    /* multipathd's part (service/drop-in.h) */
    char *entry;       /* its section in the drop-in, NULL: no policy, or it cannot be told */
    const char *alone; /* why it cannot be told */
    char *vendor;      /* of its disk, where the product needs a section too; else NULL */
    char *product;
    bool in_force; /* multipathd's configuration has the entry */
    bool doubted;  /* it looked otherwise since: multipathd is being asked */
    char *rival;   /* what wins over the entry, NULL: nothing */

    /* reapplying (service/reconcile.c) */
    bool running;
    unsigned failures;
    unsigned transit_looks;
    struct contest contest;
    unsigned looks_left; /* for access states that may change */
};

/* NULL: not known. */
struct host_map *maps_find(struct host *host, dev_t dev);
struct host_map *maps_find_wwid(struct host *host, const char *wwid);

/*
 * The map of that look, made where it is new, with its device number, name and sessions brought up
 * to date. -ENOMEM.
 */
int maps_take(struct host *host, const struct map_look *look, struct host_map **ret);

/* Takes over which paths the map has. 1: they are others than before, 0: the same. -ENOMEM. */
int maps_take_paths(struct host_map *map, const struct map_look *look);

/* The device is gone: the map is kept while it has an entry, without a device. */
void maps_lose(struct host *host, dev_t dev);

/* Drops a map that is gone and has no entry. */
void maps_drop_if_idle(struct host *host, struct host_map *map);

/* Calls func for each map, in the order of WWIDs. It must not add or drop any. */
void maps_each(struct host *host, void (*func)(struct host_map *map, void *userdata),
               void *userdata);

void maps_free_all(struct host *host);

/* Whether one of the map's sessions is in the middle of a change. */
bool maps_is_busy(struct host *host, const struct host_map *map);
