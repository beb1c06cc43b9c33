/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/model/maps.h"
#include "service/tables/lb-plan.h"
#include "service/tables/map-change.h"

void map_change_init(struct host *host, struct map_change *change, struct dm_map *before,
                     struct mp_table *after)
{
    const struct host_map *map = maps_find_wwid(host, dm_map_wwid(before));

    dm_map_free(change->before);
    mp_table_free(change->after);
    change->before = before;
    change->after = after;
    change->kpartx = map && map->dev == before->dev ? map->kpartx : KPARTX_UNKNOWN;
}

int map_change_plan_again(struct host *host, struct map_change *change)
{
    _cleanup_(map_snapshot_done) struct map_snapshot snapshot = {0};
    struct mp_table *after = NULL;

    int r =
        map_snapshot_read_wwid(host, change->before->dev, dm_map_wwid(change->before), &snapshot);
    if (r >= 0)
        r = lb_plan(&snapshot, &after);
    if (r < 0)
        return r;
    map_change_init(host, change, TAKE_PTR(snapshot.map), after);
    return 0;
}

void map_changes_log(const struct map_change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool lost = changes[i].progress == MAP_LOST;
        struct swap_result result = lost ? changes[i].put_back : changes[i].result;
        if (result.error < 0)
            log_warning("Map %s: %s failed: %s%s", changes[i].before->name,
                        swap_stage_text(result.stage), strerror(-result.error),
                        lost ? "; it could not be put back" : "");
    }
}
