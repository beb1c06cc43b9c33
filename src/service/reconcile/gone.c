/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/reconcile/gone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/base/timer.h"
#include "service/model/announce-disk.h"
#include "service/model/find.h"
#include "service/model/freshness.h"
#include "service/model/host.h"
#include "service/multipathd/map-entry.h"
#include "service/multipathd/mpathd-sync.h"

/* One map, which may have returned, or be no more. */
struct gone_map {
    char *wwid;
    uint64_t usec; /* when it went, CLOCK_MONOTONIC */
};

struct gone {
    struct host *host;
    struct timer timer, begin_timer;
    struct gone_map maps[GONE_MAX]; /* the one that went first is the first */
    size_t n;
};

static void gone_drop_default(struct host_map *map)
{
    if (!map->policy || !map->policy->by_default)
        return;
    int r = store_remove_disk_policy(map->host->store, map->wwid);
    if (r < 0)
        log_warning("The default policy of disk %s, which is gone, cannot be deleted: %s.",
                    map->wwid, strerror(-r));
    store_disk_policy_free(TAKE_PTR(map->policy));
    freshness_model_changed(map->host);
}

/* It may have no object any more after this. */
static void gone_forget(struct host *host, struct host_map *map)
{
    bool is_chosen = map->policy && !map->policy->by_default;

    if (map->dev || is_chosen || map->state.hold != HOLD_FREE || map->state.ahead)
        return;
    gone_drop_default(map);
    if (map_entry_drop(map))
        mpathd_sync_request(host);
    maps_drop_if_idle(host, map);
}

static void gone_remove(struct gone *gone, size_t i)
{
    free(gone->maps[i].wwid);
    memmove(gone->maps + i, gone->maps + i + 1, (--gone->n - i) * sizeof(*gone->maps));
}

static size_t gone_find(const struct gone *gone, const char *wwid)
{
    size_t i = 0;

    while (i < gone->n && strcmp(gone->maps[i].wwid, wwid) != 0)
        i++;
    return i;
}

static void gone_forget_first(struct gone *gone)
{
    struct host_map *map = maps_find_wwid(gone->host, gone->maps[0].wwid);

    gone_remove(gone, 0);
    if (map)
        gone_forget(gone->host, map);
}

static void gone_arm(struct gone *gone)
{
    if (gone->n > 0)
        (void)timer_set_at(&gone->timer, gone->maps[0].usec + GONE_USEC);
}

static int gone_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct gone *gone = userdata;

    while (gone->n > 0 && gone->maps[0].usec + GONE_USEC <= usec)
        gone_forget_first(gone);
    gone_arm(gone);
    return 0;
}

void gone_add(struct host_map *map)
{
    struct gone *gone = map->host->gone;
    char *wwid = gone ? strdup(map->wwid) : NULL;

    if (!wwid)
        return;
    size_t before = gone_find(gone, wwid);
    if (before < gone->n)
        gone_remove(gone, before);
    else if (gone->n == GONE_MAX)
        gone_forget_first(gone);
    gone->maps[gone->n++] = (struct gone_map){wwid, loop_usec(map->host->event)};
    gone_arm(gone);
}

struct gone_absent {
    struct host_map **maps;
    size_t n;
};

/* Those of an earlier run that have not come since. */
static void gone_collect_absent(struct host_map *map, void *userdata)
{
    struct gone_absent *absent = userdata;

    if (map_was_seen(map) || (!map->policy && !map->entry))
        return;
    struct host_map **more = reallocarray(absent->maps, absent->n + 1, sizeof(*more));
    if (!more)
        return;
    absent->maps = more;
    more[absent->n++] = map;
}

static void gone_forget_absent(struct host *host, bool (*is_wanted)(const struct host_map *map))
{
    struct gone_absent absent = {0};

    maps_each(host, gone_collect_absent, &absent);
    for (size_t i = 0; i < absent.n; i++)
        if (!is_wanted(absent.maps[i]))
            gone_forget(host, absent.maps[i]);
    free(absent.maps);
}

static bool gone_wants_none(const struct host_map *map)
{
    return false;
}

static bool gone_has_policy(const struct host_map *map)
{
    return map->policy;
}

static int gone_on_begin_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct gone *gone = userdata;

    if (host_awaits_login(gone->host))
        return timer_set_in(&gone->begin_timer, GONE_USEC);
    gone_forget_absent(gone->host, gone_wants_none);
    return 0;
}

void gone_reconsider(struct host *host)
{
    if (!host_has_session_policy(host))
        gone_forget_absent(host, gone_has_policy);
}

int gone_new(struct host *host)
{
    struct gone *gone = calloc(1, sizeof(*gone));
    if (!gone)
        return -ENOMEM;
    gone->host = host;
    timer_init(&gone->timer, host->event, 0, gone_on_timer, gone);
    timer_init(&gone->begin_timer, host->event, 0, gone_on_begin_timer, gone);
    host->gone = gone;
    (void)timer_set_in(&gone->begin_timer, GONE_USEC);
    return 0;
}

void gone_free(struct host *host)
{
    struct gone *gone = TAKE_PTR(host->gone);
    if (!gone)
        return;
    timer_done(&gone->timer);
    timer_done(&gone->begin_timer);
    for (size_t i = 0; i < gone->n; i++)
        free(gone->maps[i].wwid);
    free(gone);
}
