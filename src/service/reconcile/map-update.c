/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "service/model/maps.h"
#include "service/multipathd/map-entry.h"
#include "service/reconcile/map-update.h"
#include "service/tables/lb-plan.h"

/* The text by which a client could tell two snapshots of the map apart. */
static char *map_update_appearance(const struct dm_map *map)
{
    _cleanup_free_ char *table = NULL;
    char *text = NULL;
    size_t size;

    if (mp_table_format(map->table, &table) < 0)
        return NULL;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, "%s %s %.*s ", map->name, table, (int)map->status->n_groups,
            map->status->group_states ?: "");
    for (size_t i = 0; i < map->status->n_paths; i++)
        fputc(map->status->paths[i].failed ? 'F' : 'A', out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* Whether the primary path is in the map, or none was named. */
static bool map_update_has_primary(const struct host_map *map, const struct map_snapshot *snapshot)
{
    bool named = false;

    for (size_t i = 0; i < map->policy->n_paths; i++) {
        if (!map->policy->paths[i].primary)
            continue;
        named = true;
        if (map_snapshot_named_path(snapshot, map->policy->paths[i].id))
            return true;
    }
    return !named;
}

/*
 * Which path has the I/O, where failback is manual. The primary has it first when the
 * map appears, or the policy is chosen, whatever path was there before it; and a path that takes
 * over is nobody's contest.
 */
static void map_update_take_active_path(struct host_map *map, const struct map_snapshot *snapshot)
{
    bool manual = lb_failback_is_manual(map), was_known = map->active_path.id != 0;
    struct active_path active = {0};

    if (manual)
        active = lb_active_path(snapshot, &map->active_path, was_known && !map_awaits_mpathd(map));
    if (!manual)
        map->active_path.id = 0;
    else if (!was_known && map_state_agrees(&map->state) && map_update_has_primary(map, snapshot))
        map->active_path = active;
    else if (was_known && active.id != 0 &&
             (active.id != map->active_path.id || active.sid != map->active_path.sid)) {
        map->active_path = active;
        map_state_forget_rounds(&map->state);
    }
}

void map_expect_access(struct host_map *map)
{
    map->watch.inspections_left = ACCESS_INSPECTIONS;
    map->watch.next_inspection_usec = 0;
}

static enum map_seen map_update_compare(const struct map_snapshot *snapshot,
                                        const struct mp_table *planned)
{
    if (!planned)
        return SEEN_NO_POLICY;
    return mp_table_same_meaning(snapshot->map->table, planned, snapshot->map->status) ? SEEN_SAME
                                                                                       : SEEN_OTHER;
}

int map_update(struct host_map *map, const struct map_snapshot *snapshot,
               const struct mp_table *planned)
{
    char *seen = map_update_appearance(snapshot->map);
    if (!seen)
        return -ENOMEM;
    bool same = map->appearance && strcmp(map->appearance, seen) == 0;
    int changes = same ? 0 : MAP_TABLE_CHANGED;
    free(map->appearance);
    map->appearance = seen;

    int r = maps_set_paths(map, snapshot);
    if (r < 0)
        return r;
    if (r > 0) {
        map_state_forget_rounds(&map->state);
        map_expect_access(map);
    }
    map->asymmetric = lb_is_asymmetric(snapshot);
    map_state_see(&map->state, map_update_compare(snapshot, planned));
    map_update_take_active_path(map, snapshot);
    /* That of a change stays as it is until the change has ended. */
    r = map->state.ahead ? 0 : map_entry_set(map, snapshot, planned, lb_failback_is_manual(map));
    if (r < 0)
        return r;
    return r > 0 ? changes | MAP_ENTRY_CHANGED : changes;
}
