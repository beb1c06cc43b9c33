/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/model/maps.h"
#include "service/tables/unfinished.h"

static int mark(const char *wwid, void *userdata)
{
    return maps_mark_unfinished(userdata, wwid);
}

int unfinished_load(struct host *host)
{
    return host->same_boot ? store_load_unfinished(host->store, mark, host) : 0;
}

void unfinished_forget_others(struct host *host)
{
    int r = host->same_boot ? 0 : store_forget_all_unfinished(host->store);
    if (r < 0)
        log_warning("The notes of first policies that an earlier boot has not finished cannot be "
                    "deleted: %s.",
                    strerror(-r));
}

static bool is_to_note(struct host *host, const struct map_change *change)
{
    const struct host_map *map = maps_find_wwid(host, dm_map_wwid(change->before));
    return !map || !(map->state.half_way || map_has_any_policy(map));
}

void unfinished_note(struct host *host, struct map_change *maps, size_t n)
{
    _cleanup_free_ const char **wwids = calloc(n + 1, sizeof(*wwids));
    size_t n_wwids = 0;

    for (size_t i = 0; i < n && wwids; i++) {
        maps[i].noted = is_to_note(host, &maps[i]);
        if (maps[i].noted)
            wwids[n_wwids++] = dm_map_wwid(maps[i].before);
    }
    int r = !wwids ? -ENOMEM : n_wwids > 0 ? store_note_unfinished(host->store, wwids, n_wwids) : 0;
    if (r < 0)
        log_warning("That maps get their first policy cannot be saved: %s. Should the service be "
                    "killed before they have it, 'multipathd reconfigure' puts them back.",
                    strerror(-r));
}

void unfinished_end(struct host *host, enum transaction_result result,
                    const struct map_change *maps, size_t n)
{
    _cleanup_free_ const char **wwids = calloc(n + 1, sizeof(*wwids));
    size_t n_wwids = 0;
    int r = wwids ? 0 : -ENOMEM;

    for (size_t i = 0; i < n && r >= 0; i++) {
        const char *wwid = dm_map_wwid(maps[i].before);
        struct host_map *map = maps_find_wwid(host, wwid);
        if (!maps[i].noted && !(result == TRANSACTION_DONE && map && map->state.half_way))
            continue;
        if (maps[i].progress == MAP_LOST) {
            r = maps_mark_unfinished(host, wwid);
            continue;
        }
        if (map)
            map_state_note(&map->state, false);
        wwids[n_wwids++] = wwid;
    }
    if (r >= 0 && n_wwids > 0)
        r = store_forget_unfinished(host->store, wwids, n_wwids);
    if (r < 0)
        log_warning("That the first policy of maps is no longer on its way cannot be saved: %s.",
                    strerror(-r));
}

void unfinished_forget(struct host_map *map)
{
    const char *const wwids[] = {map->wwid};

    if (!map->state.half_way)
        return;
    map_state_note(&map->state, false);
    int r = store_forget_unfinished(map->host->store, wwids, 1);
    if (r < 0)
        log_warning("That map %s is past its first policy cannot be saved: %s.",
                    map->name ?: map->wwid, strerror(-r));
}
