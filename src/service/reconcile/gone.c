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
#include "service/model/offers.h"
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
    unsigned n_terms;               /* how often the latter has expired */
    struct gone_map maps[GONE_MAX]; /* the one that went first is the first */
    size_t n;
};

/* Maps that are not there. */
struct gone_absent {
    struct host_map **maps;
    size_t n;
};

static bool gone_has_default(const struct host_map *map)
{
    return map->policy && map->policy->by_default;
}

static int gone_delete_defaults(struct host *host, const struct gone_absent *absent)
{
    _cleanup_free_ const char **wwids = calloc(absent->n + 1, sizeof(*wwids));
    size_t n = 0;

    for (size_t i = 0; i < absent->n && wwids; i++)
        if (gone_has_default(absent->maps[i]))
            wwids[n++] = absent->maps[i]->wwid;
    if (!wwids)
        return -ENOMEM;
    return n > 0 ? store_remove_default_policies(host->store, wwids, n) : 0;
}

/* It may have no object any more after this. */
static void gone_forget_one(struct host *host, struct host_map *map)
{
    if (gone_has_default(map))
        store_disk_policy_free(TAKE_PTR(map->policy));
    if (map_entry_drop(map))
        mpathd_sync_request(host);
    offers_withdraw(map);
    maps_drop_if_idle(host, map);
}

static void gone_forget(struct host *host, const struct gone_absent *absent)
{
    int r = gone_delete_defaults(host, absent);
    if (r < 0)
        log_warning("Default policies of disks that are gone cannot be deleted: %s.", strerror(-r));
    for (size_t i = 0; i < absent->n; i++)
        gone_forget_one(host, absent->maps[i]);
    freshness_model_changed(host);
}

static bool gone_has_chosen_policy(const struct host_map *map)
{
    return map->policy && !map->policy->by_default;
}

/* Not one that has returned, that a request is about, or for whose disk a policy was chosen. */
static bool gone_may_forget(const struct host_map *map)
{
    return !map->dev && !gone_has_chosen_policy(map) && map->state.hold == HOLD_FREE &&
           !map->state.ahead;
}

static void gone_remove(struct gone *gone, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++)
        free(gone->maps[i].wwid);
    gone->n -= n;
    memmove(gone->maps + first, gone->maps + first + n, (gone->n - first) * sizeof(*gone->maps));
}

static size_t gone_find(const struct gone *gone, const char *wwid)
{
    size_t i = 0;

    while (i < gone->n && strcmp(gone->maps[i].wwid, wwid) != 0)
        i++;
    return i;
}

/* All that was given to them by default is one change of the store. */
static void gone_forget_first(struct gone *gone, size_t n)
{
    struct host_map *maps[GONE_MAX];
    struct gone_absent absent = {maps, 0};

    for (size_t i = 0; i < n; i++) {
        struct host_map *map = maps_find_wwid(gone->host, gone->maps[i].wwid);
        if (map && gone_may_forget(map))
            maps[absent.n++] = map;
    }
    gone_remove(gone, 0, n);
    gone_forget(gone->host, &absent);
}

static void gone_arm(struct gone *gone)
{
    if (gone->n > 0)
        (void)timer_set_at(&gone->timer, gone->maps[0].usec + GONE_USEC);
}

static int gone_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct gone *gone = userdata;

    size_t n = 0;

    while (n < gone->n && gone->maps[n].usec + GONE_USEC <= usec)
        n++;
    gone_forget_first(gone, n);
    gone_arm(gone);
    return 0;
}

/* One that has returned takes the place of none that is away. */
static void gone_remove_returned(struct gone *gone)
{
    for (size_t i = gone->n; i > 0; i--) {
        const struct host_map *map = maps_find_wwid(gone->host, gone->maps[i - 1].wwid);
        if (!map || map->dev)
            gone_remove(gone, i - 1, 1);
    }
}

void gone_add(struct host_map *map)
{
    struct gone *gone = map->host->gone;
    char *wwid = gone && !gone_has_chosen_policy(map) ? strdup(map->wwid) : NULL;

    if (!wwid)
        return;
    size_t before = gone_find(gone, wwid);
    if (before < gone->n)
        gone_remove(gone, before, 1);
    if (gone->n == GONE_MAX)
        gone_remove_returned(gone);
    if (gone->n == GONE_MAX)
        gone_forget_first(gone, GONE_AT_A_TIME);
    gone->maps[gone->n++] = (struct gone_map){wwid, loop_usec(map->host->event)};
    gone_arm(gone);
}

struct gone_search {
    bool (*filter)(const struct host_map *map, const struct session *session);
    const struct session *session;
    struct gone_absent found;
};

static void gone_collect(struct host_map *map, void *userdata)
{
    struct gone_search *search = userdata;
    struct gone_absent *found = &search->found;

    if (!search->filter(map, search->session))
        return;
    struct host_map **more = reallocarray(found->maps, found->n + 1, sizeof(*more));
    if (!more)
        return;
    found->maps = more;
    more[found->n++] = map;
}

/* Of those of an earlier run that have not come since. */
static bool gone_is_overdue(const struct host_map *map, const struct session *session)
{
    return !map_was_seen(map) && gone_may_forget(map) &&
           (map->policy || map->entry || map->offered);
}

/* Which maps it has that were not seen yet is not known. */
static bool gone_may_be_of(const struct host_map *map, const struct session *session)
{
    return !map_was_seen(map) || map_has_session(map, session->id);
}

static bool gone_is_of(const struct host_map *map, const struct session *session)
{
    return !map->dev && !gone_has_chosen_policy(map) && !map->state.ahead &&
           gone_may_be_of(map, session);
}

static bool gone_has_entry_of(const struct host_map *map, const struct session *session)
{
    return map->entry && gone_is_of(map, session);
}

static void gone_forget_overdue(struct host *host, size_t kept)
{
    struct gone_search search = {.filter = gone_is_overdue};

    maps_each(host, gone_collect, &search);
    search.found.n -= kept < search.found.n ? kept : search.found.n;
    gone_forget(host, &search.found);
    free(search.found.maps);
}

static int gone_on_begin_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct gone *gone = userdata;
    bool waits = ++gone->n_terms < GONE_LOGIN_TERMS && host_awaits_login(gone->host);

    gone_forget_overdue(gone->host, waits ? GONE_MAX : 0);
    return waits ? timer_set_in(&gone->begin_timer, GONE_USEC) : 0;
}

static void gone_search_each(struct gone_search *search,
                             void (*func)(struct host_map *map, void *userdata), void *userdata)
{
    maps_each(search->session->host, gone_collect, search);
    for (size_t i = 0; i < search->found.n; i++)
        func(search->found.maps[i], userdata);
    free(search->found.maps);
}

void gone_each_entry(const struct session *session,
                     void (*func)(struct host_map *map, void *userdata), void *userdata)
{
    struct gone_search search = {.filter = gone_has_entry_of, .session = session};

    gone_search_each(&search, func, userdata);
}

static void gone_forget_entry(struct host_map *map, void *userdata)
{
    if (map_entry_drop(map))
        mpathd_sync_request(map->host);
    maps_drop_if_idle(map->host, map);
}

void gone_session_changed(const struct session *session)
{
    struct gone_search search = {.filter = gone_is_of, .session = session};

    gone_search_each(&search, gone_forget_entry, NULL);
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
    gone_remove(gone, 0, gone->n);
    free(gone);
}
