/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/base/timer.h"
#include "service/model/maps.h"
#include "service/model/wwids.h"
#include "service/tables/intents.h"

#define FORGET_USEC 1000000U /* until the store is told: of others, too */

struct intents {
    struct host *host;
    struct timer timer;
    struct wwids over; /* which the store still has */
};

/* What cannot be deleted is found by the next start. */
static void intents_save(struct intents *intents)
{
    if (intents->over.n == 0)
        return;
    timer_stop(&intents->timer);
    int r = store_remove_intents(intents->host->store, (const char *const *)intents->over.list,
                                 intents->over.n);
    if (r < 0)
        log_warning("That %zu maps are past their first policy cannot be saved: %s.",
                    intents->over.n, strerror(-r));
    wwids_clear(&intents->over);
}

static int intents_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    intents_save(userdata);
    return 0;
}

static int intents_mark(const char *wwid, void *userdata)
{
    return maps_mark_half_way(userdata, wwid);
}

int intents_new(struct host *host)
{
    struct intents *intents = calloc(1, sizeof(*intents));
    if (!intents)
        return -ENOMEM;
    intents->host = host;
    timer_init(&intents->timer, host->event, 0, intents_on_timer, intents);
    host->intents = intents;
    return host->same_boot ? store_load_intents(host->store, intents_mark, host) : 0;
}

void intents_free(struct host *host)
{
    struct intents *intents = TAKE_PTR(host->intents);
    if (!intents)
        return;
    intents_save(intents);
    wwids_clear(&intents->over);
    timer_done(&intents->timer);
    free(intents);
}

void intents_forget_others(struct host *host)
{
    int r = host->same_boot ? 0 : store_remove_all_intents(host->store);
    if (r < 0)
        log_warning("The notes of first policies that an earlier boot has not finished cannot be "
                    "deleted: %s.",
                    strerror(-r));
}

static bool intents_needed(struct host *host, const struct map_change *change)
{
    const struct host_map *map = maps_find_wwid(host, dm_map_wwid(change->before));
    return !map || !(map->state.has_intent || map_has_any_policy(map));
}

void intents_record(struct host *host, struct map_change *maps, size_t n)
{
    _cleanup_free_ const char **wwids = calloc(n + 1, sizeof(*wwids));
    size_t n_wwids = 0;

    intents_save(host->intents); /* of these maps, it can be */
    for (size_t i = 0; i < n && wwids; i++) {
        maps[i].has_intent = intents_needed(host, &maps[i]);
        if (maps[i].has_intent)
            wwids[n_wwids++] = dm_map_wwid(maps[i].before);
    }
    int r = !wwids ? -ENOMEM : n_wwids > 0 ? store_add_intents(host->store, wwids, n_wwids) : 0;
    if (r < 0)
        log_warning("That maps get their first policy cannot be saved: %s. Should the service be "
                    "killed before they have it, 'multipathd reconfigure' puts them back.",
                    strerror(-r));
}

void intents_end(struct host *host, enum transaction_result result, const struct map_change *maps,
                 size_t n)
{
    _cleanup_free_ const char **wwids = calloc(n + 1, sizeof(*wwids));
    size_t n_wwids = 0;
    int r = wwids ? 0 : -ENOMEM;

    for (size_t i = 0; i < n && r >= 0; i++) {
        const char *wwid = dm_map_wwid(maps[i].before);
        struct host_map *map = maps_find_wwid(host, wwid);
        if (!maps[i].has_intent && !(result == TRANSACTION_DONE && map && map->state.has_intent))
            continue;
        if (maps[i].progress == MAP_LOST || (map && !map_policies_are_saved(map))) {
            r = maps_mark_half_way(host, wwid);
            continue;
        }
        if (map)
            map_state_set_intent(&map->state, false);
        wwids[n_wwids++] = wwid;
    }
    if (r >= 0 && n_wwids > 0)
        r = store_remove_intents(host->store, wwids, n_wwids);
    if (r < 0)
        log_warning("That the first policy of maps is no longer on its way cannot be saved: %s.",
                    strerror(-r));
}

void intents_forget(struct host_map *map)
{
    struct intents *intents = map->host->intents;

    if (!map->state.has_intent)
        return;
    map_state_set_intent(&map->state, false);
    if (wwids_add(&intents->over, map->wwid) < 0)
        return;
    if (!timer_is_set(&intents->timer))
        (void)timer_set_in(&intents->timer, FORGET_USEC);
}
