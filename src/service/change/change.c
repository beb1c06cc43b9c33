/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/fileio.h"
#include "basic/log.h"
#include "basic/macros.h"
#include "service/change/change.h"
#include "service/model/freshness.h"
#include "service/model/host.h"
#include "service/model/maps.h"
#include "service/multipathd/map-entry.h"
#include "service/multipathd/mpathd-sync.h"
#include "service/reconcile/gone.h"
#include "service/reconcile/reconcile.h"
#include "service/tables/intents.h"
#include "service/tables/map-change.h"
#include "wmi/status.h"

/* "mpatha, mpathb and 30 more" */
static void change_describe_maps(const struct map_change *maps, size_t n, char *text, size_t size)
{
    size_t length = 0;

    snprintf(text, size, "none");
    for (size_t i = 0; i < n; i++) {
        const char *name = maps[i].before->name;
        if (length + strlen(name) + 32 > size) {
            snprintf(text + length, size - length, " and %zu more", n - i);
            return;
        }
        length += (size_t)snprintf(text + length, size - length, "%s%s", i ? ", " : "", name);
    }
}

void change_log(const struct change_request *request, const struct map_change *maps, size_t n_maps,
                uint32_t status)
{
    char names[512];

    change_describe_maps(maps, n_maps, names, sizeof(names));
    log_line(status == STATUS_SUCCESS ? LOG_NOTICE : LOG_WARNING,
             "Policy %" PRIu32 " (%s) for %s, asked by %s (uid %u, pid %d); maps: %s; result: %s",
             request->policy, request->policy_name ?: "unknown", request->subject,
             request->who.name, (unsigned)request->who.uid, (int)request->who.pid, names,
             status_symbol(status));
}

uint32_t change_status(const struct change_statuses *statuses, int r)
{
    if (r >= 0)
        return STATUS_SUCCESS;
    return r == -EOPNOTSUPP ? statuses->unsupported
           : is_shortage(r) ? statuses->no_resources
           : r == -EBUSY    ? statuses->busy
                            : statuses->failed;
}

static uint32_t change_status_of_result(const struct change_statuses *statuses,
                                        enum transaction_result result)
{
    switch (result) {
    case TRANSACTION_DONE:
        return STATUS_SUCCESS;
    case TRANSACTION_NO_RESOURCES:
        return statuses->no_resources;
    case TRANSACTION_BUSY:
        return statuses->busy;
    case TRANSACTION_TORN:
        return statuses->torn;
    default:
        return statuses->failed;
    }
}

/* --- Turns ---------------------------------------------------------------------------------- */

static bool change_concerns(const struct change *change, const struct host_map *map)
{
    return change->session ? map_has_session(map, change->session->id) : change->map == map;
}

static bool change_shares_map(const struct change *change, const struct change *other)
{
    if (change->map)
        return change_concerns(other, change->map);
    for (size_t i = 0; i < change->session->n_maps; i++)
        if (change_concerns(other, change->session->maps[i]))
            return true;
    return false;
}

/* Behind those that came before it over a map of its own, whose tables it is to know of. */
static bool change_has_to_wait(const struct change *change)
{
    if (change->behind)
        return true;
    for (const struct change *other = change->host->changes; other != change; other = other->next)
        if (change_shares_map(change, other))
            return true;
    return false;
}

static bool change_is_over(const struct change *change, const struct map_snapshot *snapshot)
{
    if (change->map)
        return strcmp(change->map->wwid, dm_map_wwid(snapshot->map)) == 0;
    for (size_t i = 0; i < snapshot->n_paths; i++)
        if (snapshot->paths[i].connection &&
            snapshot->paths[i].connection->session == change->session)
            return true;
    return false;
}

static bool change_is_over_one(const struct change *change, const struct session_maps *found)
{
    for (size_t i = 0; i < found->n; i++)
        if (change_is_over(change, &found->snapshots[i]))
            return true;
    return false;
}

/*
 * One that changes these maps, or came before to do so: the model may not know yet that a session
 * has a path in one of them. NULL: there is none.
 */
static struct change *change_find_other(const struct change *change,
                                        const struct session_maps *found)
{
    bool is_earlier = true;

    for (struct change *other = change->host->changes; other; other = other->next) {
        if (other == change)
            is_earlier = false;
        else if ((is_earlier || other->is_under_way) && change_is_over_one(other, found))
            return other;
    }
    return NULL;
}

static struct change *change_find_due(const struct host *host)
{
    for (struct change *change = host->changes; change; change = change->next)
        if (!change->has_begun && !change_has_to_wait(change))
            return change;
    return NULL;
}

static void change_begin_due(struct host *host);

/* --- Who changes what, in the model --------------------------------------------------------- */

static void change_enlist(struct change *change)
{
    struct change **last = &change->host->changes;

    while (*last)
        last = &(*last)->next;
    *last = change;
    if (change->session)
        change->session->hold = SESSION_CHANGE;
    else
        map_state_begin_change(&change->map->state);
}

static void change_clear_policy(const struct change *change)
{
    if (change->session)
        change->session->hold = SESSION_CLEAR;
    else
        map_state_clear_policy(&change->map->state);
    freshness_model_changed(change->host);
}

/* It counts again. */
static void change_keep_policy(const struct change *change)
{
    if (change->session)
        change->session->hold = SESSION_CHANGE;
    else
        map_state_keep_policy(&change->map->state);
    freshness_model_changed(change->host);
}

static void change_delist(const struct change *change)
{
    struct change **link = &change->host->changes;

    while (*link != change)
        link = &(*link)->next;
    *link = change->next;
    for (struct change *other = change->host->changes; other; other = other->next)
        if (other->behind == change)
            other->behind = NULL;
    if (change->session)
        change->session->hold = SESSION_FREE;
    else
        map_state_end_change(&change->map->state);
    freshness_model_changed(change->host);
}

/* --- From the end of repairs to the answer --------------------------------------------------- */

static void change_free(struct change *change)
{
    if (!change)
        return;
    timer_done(&change->suspended);
    former_entries_done(&change->former);
    map_changes_free(change->maps, change->n_maps);
    if (change->choice)
        change->calls->free_choice(change->choice);
    free(change);
}

/* From here on a map's entry follows the model again. One that has gone meanwhile has no look. */
static void change_end_ahead(const struct change *change, const struct map_change *maps,
                             size_t n_maps)
{
    for (size_t i = 0; i < n_maps; i++) {
        struct host_map *map = maps_find_wwid(change->host, dm_map_wwid(maps[i].before));
        if (!map)
            continue;
        bool refused = map->state.ahead && change->is_ahead && !change->is_in_force;
        map->state.ahead = false;
        if (refused && map->dev)
            reconcile_device(change->host, map->dev); /* it may have left the session meanwhile */
        if (map->dev || map == change->map)
            continue;
        reconcile_map_entry(map);
        maps_drop_if_idle(change->host, map);
    }
}

/* The answer, and then what follows from it. */
static void change_finish(struct change *change, uint32_t status)
{
    struct host *host = change->host;

    change_delist(change);
    change->done(status, change->userdata);
    change->calls->reconcile(change);
    change_free(change);
    change_begin_due(host);
}

static void change_on_taken_back(int r, void *userdata)
{
    struct change *change = userdata;
    change_finish(change, change->status);
}

/*
 * The maps carry what they carry. Where the change has failed, its entries go back first: all maps
 * are as before when it is answered, those too that multipathd has built by them meanwhile.
 */
static void change_conclude(struct change *change, const struct map_change *maps, size_t n_maps,
                            uint32_t status)
{
    change_log(&change->request, maps, n_maps, status);
    if (!change->is_in_force) {
        change_keep_policy(change);
        former_entries_take_back(&change->former, change->host);
    }
    change_end_ahead(change, maps, n_maps);
    if ((change->is_ahead || change->has_withdrawn) && !change->is_in_force) {
        change->status = status;
        change->calls->take_back(change);
        if (mpathd_sync_behind(change->host, change->asked_usec, change_on_taken_back, change) >= 0)
            return;
    }
    change_finish(change, status);
}

/* The end of one that has not come to a transaction. */
static void change_fail(struct change *change, int r)
{
    change_conclude(change, change->maps, change->n_maps,
                    change_status(&change->calls->statuses, r));
}

static void change_on_transaction_done(enum transaction_result result,
                                       const struct map_change *maps, size_t n_maps, void *userdata)
{
    struct change *change = userdata;
    uint32_t status = change_status_of_result(&change->calls->statuses, result);

    if (result == TRANSACTION_DONE)
        status = change->calls->save(change, maps, n_maps);
    else
        map_changes_log(maps, n_maps);
    intents_end(change->host, result, maps, n_maps);
    change_conclude(change, maps, n_maps, status);
}

static bool change_finds_suspended(const struct session_maps *found)
{
    for (size_t i = 0; i < found->n; i++)
        if (found->snapshots[i].map->suspended)
            return true;
    return false;
}

/* One of these maps that is being repaired, without what the change plans. NULL: there is none. */
static struct host_map *change_find_repaired(const struct change *change,
                                             const struct session_maps *found)
{
    for (size_t i = 0; i < found->n; i++) {
        struct host_map *map = maps_find_wwid(change->host, dm_map_wwid(found->snapshots[i].map));
        if (map && map_state_is_repaired(&map->state))
            return map;
    }
    return NULL;
}

static void change_on_idle(void *userdata);

/*
 * The maps that it is about. -EALREADY: another one changes one of them; -EINPROGRESS: one is being
 * repaired, at the end of which it looks again; -EBUSY: one is suspended; multipathd would end that
 * as well.
 */
static int change_read(struct change *change, struct session_maps *ret)
{
    int r = change->calls->read_maps(change, ret);
    if (r < 0)
        return r;
    if (!change->is_under_way)
        change->behind = change_find_other(change, ret);
    if (change->behind)
        return -EALREADY;
    struct host_map *repaired = change_find_repaired(change, ret);
    if (repaired)
        return reconcile_when_map_idle(repaired, change_on_idle, change) ?: -EINPROGRESS;
    if (change_finds_suspended(ret))
        return -EBUSY;
    change->is_under_way = true;
    for (size_t i = 0; i < ret->n; i++)
        reconcile_found(change->host, ret->snapshots[i].map);
    return 0;
}

/*
 * Later: at the end of another change, or of a repair, or, of a map that is suspended, soon.
 * Whoever takes a table into use has it so for a moment; others, for longer.
 */
static bool change_looks_again(struct change *change, int r)
{
    if (r == -EALREADY) {
        change->has_begun = false;
        return true;
    }
    if (r == -EINPROGRESS)
        return true;
    return r == -EBUSY && change->n_looks++ < SWAP_SUSPENDED_LOOKS &&
           timer_set_in(&change->suspended, SWAP_SUSPENDED_USEC) >= 0;
}

/* Takes the snapshot's map over. */
static int change_plan(const struct change *change, struct map_snapshot *snapshot,
                       struct map_change *ret, bool *ret_manual_failback)
{
    struct mp_table *after = NULL;

    int r = change->calls->plan(change, snapshot, &after, ret_manual_failback);
    if (r < 0 && r != -ENODATA)
        return r;
    map_change_init(change->host, ret, TAKE_PTR(snapshot->map), after);
    return 0;
}

static int change_on_stale_map(struct map_change *map, void *userdata)
{
    const struct change *change = userdata;
    _cleanup_(map_snapshot_done) struct map_snapshot snapshot = {0};
    bool manual_failback;

    int r = change->calls->read_map(change, map->before->dev, &snapshot);
    if (r < 0)
        return is_no_map(r) ? -ENXIO : r;
    if (strcmp(dm_map_wwid(snapshot.map), dm_map_wwid(map->before)) != 0)
        return -ENXIO; /* its number is another one's by now */
    return change_plan(change, &snapshot, map, &manual_failback);
}

/*
 * What multipathd is to make of a map, before the map carries it. One that could not be taken into
 * the model comes with its next inspection.
 */
static int change_lead_entry(struct change *change, const struct map_snapshot *snapshot,
                             const struct map_change *planned, bool manual_failback)
{
    struct host_map *map = maps_find_wwid(change->host, dm_map_wwid(planned->before));

    if (!map || !planned->after)
        return 0;
    int r = former_entries_keep(&change->former, map);
    if (r >= 0)
        r = map_entry_set(map, snapshot, planned->after, manual_failback);
    if (r < 0)
        return r;
    map->state.ahead = true;
    change->is_ahead = change->is_ahead || r > 0;
    change->is_unread =
        change->is_unread || (map_awaits_mpathd(map) && map_state_is_unread(&map->state));
    return 0;
}

/* All are planned before anything is touched. */
static int change_plan_all(struct change *change)
{
    _cleanup_(session_maps_done) struct session_maps found = {0};

    int r = change_read(change, &found);
    if (r < 0)
        return r;
    _cleanup_free_ bool *manual = calloc(found.n + 1, sizeof(*manual));
    change->maps = calloc(found.n + 1, sizeof(*change->maps));
    if (!manual || !change->maps)
        return -ENOMEM;
    for (; r >= 0 && change->n_maps < found.n; change->n_maps += r >= 0)
        r = change_plan(change, &found.snapshots[change->n_maps], &change->maps[change->n_maps],
                        &manual[change->n_maps]);
    for (size_t i = 0; r >= 0 && i < found.n; i++)
        r = change_lead_entry(change, &found.snapshots[i], &change->maps[i], manual[i]);
    return r;
}

static const struct transaction_calls change_transaction_calls = {
    .replan = change_on_stale_map,
    .done = change_on_transaction_done,
};

static void change_swap(struct change *change)
{
    struct map_change *maps = TAKE_PTR(change->maps);
    size_t n_maps = change->n_maps;

    change->n_maps = 0; /* they are the transaction's, which may end at once */
    int r = transaction_start(change->host->transactions, maps, n_maps, &change_transaction_calls,
                              change);
    if (r >= 0)
        return;
    change->maps = maps;
    change->n_maps = n_maps;
    intents_end(change->host, TRANSACTION_NO_RESOURCES, maps, n_maps);
    change_fail(change, r);
}

/*
 * Should it have failed, the policy comes first, and multipathd is told later. Not for want of
 * resources: a multipathd that is well would build the maps by the old entries.
 */
static void change_on_begun(int r, void *userdata)
{
    struct change *change = userdata;

    if (r != -ENOMEM) {
        change_swap(change);
        return;
    }
    intents_end(change->host, TRANSACTION_NO_RESOURCES, change->maps, change->n_maps);
    change_fail(change, r);
}

/*
 * Nobody else changes the maps now, and multipathd holds no entry that would be in the way: from
 * here on to the end. A multipathd that reads the new entries first leaves alone what it finds
 * swapped; until it has begun, it would build maps by the old ones at a path's next check.
 */
static void change_maps(struct change *change)
{
    int r = change_plan_all(change);

    if (change_looks_again(change, r))
        return;
    if (r < 0) {
        change_fail(change, r);
        return;
    }
    if (change->choice)
        intents_record(change->host, change->maps, change->n_maps);
    if (!change->is_ahead && !change->is_unread) {
        change_swap(change);
        return;
    }
    r = (change->is_ahead ? mpathd_sync_ahead : mpathd_sync_begun)(change->host, change->asked_usec,
                                                                   change_on_begun, change);
    if (r < 0)
        change_on_begun(r, change);
}

bool change_has_live_map(const struct change *change)
{
    const struct session *session = change->session;

    for (size_t i = 0; session && i < session->n_maps; i++)
        if (session->maps[i]->dev)
            return true;
    return change->map && change->map->dev;
}

/* What is away is built by a multipathd that has read the file when it starts. */
static void change_on_synced(int r, void *userdata)
{
    struct change *change = userdata;

    if (r >= 0 || (r == -ENOTCONN && !change_has_live_map(change))) {
        change_maps(change);
        return;
    }
    log_warning("The maps of %s cannot be given back: %s", change->request.subject,
                host_mpathd_error(change->host) ?: strerror(-r));
    change_fail(change, r == -ENOMEM ? r : -EIO);
}

struct change_keeping {
    struct former_entries *former;
    int r;
};

static void change_keep_entry(struct host_map *map, void *userdata)
{
    struct change_keeping *keeping = userdata;

    if (keeping->r >= 0)
        keeping->r = former_entries_keep(keeping->former, map);
}

/* Those that the policy takes along, of maps that are in transit or gone, too. */
static int change_keep_entries(struct change *change)
{
    struct change_keeping keeping = {.former = &change->former};
    const struct session *session = change->session;

    if (change->map)
        change_keep_entry(change->map, &keeping);
    for (size_t i = 0; session && i < session->n_maps; i++)
        change_keep_entry(session->maps[i], &keeping);
    if (session)
        gone_each_entry(session, change_keep_entry, &keeping);
    return keeping.r;
}

/*
 * Maps that go back to multipathd's own configuration do so by its hand, which must not hold our
 * entries for them any more.
 */
static void change_give_back(struct change *change)
{
    _cleanup_(session_maps_done) struct session_maps found = {0};

    int r = change_read(change, &found);
    if (change_looks_again(change, r))
        return;
    if (r >= 0)
        r = change_keep_entries(change);
    if (r < 0) {
        change_fail(change, r);
        return;
    }
    change_clear_policy(change);
    bool withdraws = change->calls->withdraw(change); /* after another look there may be no map */
    change->has_withdrawn = change->has_withdrawn || withdraws;
    if (!withdraws) {
        change_maps(change);
        return;
    }
    r = mpathd_sync_and_wait(change->host, change_on_synced, change);
    if (r < 0)
        change_on_synced(r, change);
}

static void change_on_idle(void *userdata)
{
    struct change *change = userdata;

    if (change->choice)
        change_maps(change);
    else
        change_give_back(change);
}

static int change_on_suspended(sd_event_source *source, uint64_t usec, void *userdata)
{
    change_on_idle(userdata);
    return 0;
}

/* From here on it answers. */
static void change_begin(struct change *change)
{
    change->has_begun = true;
    if (change->calls->begin)
        change->calls->begin(change);
    int r = change->session
                ? reconcile_when_idle(change->host, change->session->id, change_on_idle, change)
                : reconcile_when_map_idle(change->map, change_on_idle, change);
    if (r < 0)
        change_fail(change, r);
}

/* What begins may end at once, and others begin with that. */
static void change_begin_due(struct host *host)
{
    for (struct change *due; (due = change_find_due(host));)
        change_begin(due);
}

int change_start(const struct change *change)
{
    struct change *copy = malloc(sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    *copy = *change;
    copy->asked_usec = loop_usec(change->host->event);
    timer_init(&copy->suspended, change->host->event, 1000, change_on_suspended, copy);
    change_enlist(copy);
    change_begin_due(copy->host);
    return 0;
}
