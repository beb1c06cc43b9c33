/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * New tables for a set of maps: all of them, or none. Child processes swap, several maps at a
 * time; where one map fails, those that were changed get their old tables back. All transactions
 * share a bounded number of children: one that gets none waits for the end of another's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "multipath/dm.h"
#include "multipath/swap.h"
#include "service/tables/map-progress.h"

struct transactions; /* all that run */

/* One map of the set. The caller fills in the first four. */
struct map_change {
    struct dm_map *before;  /* as it was; owned by the transaction */
    struct mp_table *after; /* likewise; NULL: multipathd rebuilds the map its own way */
    enum kpartx kpartx;
    bool has_intent; /* it gets its first policy (service/tables/intents.h) */
    enum map_progress progress;
    struct swap_result result;   /* of the last attempt at the new table */
    struct swap_result put_back; /* of putting the old one back */
};

enum transaction_result {
    TRANSACTION_DONE,         /* every map carries its new table */
    TRANSACTION_UNDONE,       /* a map refused; every map carries what it had */
    TRANSACTION_NO_RESOURCES, /* the same, for want of memory or processes */
    TRANSACTION_BUSY,         /* the same, for somebody has suspended a map */
    TRANSACTION_TORN,         /* a map could not be put back */
};

struct transaction_calls {
    /*
     * The map's paths are others than those of `after` by now: reads it again into `before` and
     * makes a new `after`. -ENXIO: the map is gone. Otherwise negative: the transaction is undone.
     */
    int (*replan)(struct map_change *map, void *userdata);
    /* A map that fails stays as it is: nothing is put back, nor is anything planned again. */
    bool one_way;
    /* Called once at the end; the maps are freed when it returns. */
    void (*done)(enum transaction_result result, const struct map_change *maps, size_t n_maps,
                 void *userdata);
};

int transactions_new(sd_event *event, struct transactions **ret);
struct transactions *transactions_free(struct transactions *all); /* NULL; none runs any more */

/*
 * Starts one; `maps` is an allocated array that the transaction takes over. `done` may be called
 * before this returns. -ENOMEM: nothing was done or taken.
 */
int transaction_start(struct transactions *all, struct map_change *maps, size_t n_maps,
                      const struct transaction_calls *calls, void *userdata);

void map_changes_free(struct map_change *maps, size_t n_maps);
