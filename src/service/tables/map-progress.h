/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How far a map of a transaction has come, and what comes after it. Pure. */

#include <stdbool.h>

#include "multipath/swap.h"

enum map_progress {
    MAP_TO_DO,      /* to be swapped in this round */
    MAP_SENT,       /* with a child */
    MAP_CHANGED,    /* carries the new table */
    MAP_AS_BEFORE,  /* was not touched, or was put back; or others have given it a table since */
    MAP_GONE,       /* has no table to carry */
    MAP_STALE,      /* has other paths than the new table by now; not touched */
    MAP_STALE_LATE, /* likewise, but it was touched before it got them */
    MAP_UNKNOWN,    /* was touched, and does not carry the new table */
    MAP_LOST,       /* could not be put back */
};

/* After an attempt at the new table. */
enum map_progress map_progress_after_swap(struct swap_result result);

/* After an attempt at putting the old table back. */
enum map_progress map_progress_after_putting_back(struct swap_result result);

/* After a child that died, maybe in the middle of the map. */
enum map_progress map_progress_after_death(bool putting_back);

/* When all that was done is to be undone. */
enum map_progress map_progress_to_undo(enum map_progress progress);

/* Whether a new plan can have the map carry its policy. */
bool map_progress_is_stale(enum map_progress progress);

/* Whether the map, at the end of a round, does not carry what it should: one that is gone need not.
 */
bool map_progress_is_failure(enum map_progress progress);
