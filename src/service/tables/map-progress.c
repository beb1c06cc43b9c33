/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "service/tables/map-progress.h"

/* In the early stages the live table was not touched; later it is somebody else's. */
static bool map_progress_is_untouched(enum swap_stage stage)
{
    return stage == SWAP_READ || stage == SWAP_SUSPENDED || stage == SWAP_LOAD ||
           stage == SWAP_RESUME;
}

enum map_progress map_progress_after_swap(struct swap_result result)
{
    bool untouched = map_progress_is_untouched(result.stage);

    if (result.error >= 0)
        return MAP_CHANGED;
    if (result.error == -ENXIO)
        return MAP_GONE;
    if (result.error == -ESTALE)
        return untouched ? MAP_STALE : MAP_STALE_LATE;
    return untouched ? MAP_AS_BEFORE : MAP_UNKNOWN;
}

enum map_progress map_progress_after_putting_back(struct swap_result result)
{
    if (result.error >= 0)
        return MAP_AS_BEFORE;
    if (result.error == -ENXIO)
        return MAP_GONE;
    /* Whoever gave it other paths gave it a whole table, and it is looked at again after this. */
    return result.error == -ESTALE ? MAP_AS_BEFORE : MAP_LOST;
}

enum map_progress map_progress_after_death(bool putting_back)
{
    return putting_back ? MAP_LOST : MAP_UNKNOWN;
}

enum map_progress map_progress_to_undo(enum map_progress progress)
{
    switch (progress) {
    case MAP_CHANGED:
    case MAP_STALE_LATE:
    case MAP_UNKNOWN:
        return MAP_TO_DO;
    case MAP_GONE:
    case MAP_LOST:
        return progress;
    default:
        return MAP_AS_BEFORE;
    }
}

bool map_progress_is_stale(enum map_progress progress)
{
    return progress == MAP_STALE || progress == MAP_STALE_LATE;
}

bool map_progress_is_failure(enum map_progress progress)
{
    return progress != MAP_CHANGED && progress != MAP_GONE;
}
