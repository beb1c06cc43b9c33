/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "basic/clock.h"
#include "basic/log.h"
#include "basic/macros.h"
#include "service/base/timer.h"
#include "service/model/announce-disk.h"
#include "service/model/announce.h"
#include "service/model/find.h"
#include "service/model/freshness.h"
#include "service/model/host.h"
#include "service/model/maps.h"
#include "service/model/offers.h"
#include "service/model/session-maps.h"
#include "service/model/states.h"
#include "service/multipathd/map-entry.h"
#include "service/multipathd/mpathd-sync.h"
#include "service/reconcile/gone.h"
#include "service/reconcile/inspection-queue.h"
#include "service/reconcile/map-update.h"
#include "service/reconcile/reconcile.h"
#include "service/tables/intents.h"
#include "service/tables/lb-plan.h"
#include "service/tables/map-change.h"
#include "service/tables/transaction.h"

#define SETTLE_USEC 50000U   /* multipathd's reloads come in bursts */
#define STATES_USEC 1000000U /* until the next look at connections that are down, doubled ... */
#define STATES_MAX_USEC 16000000U /* ... up to this */
#define ACCESS_USEC 1000000U      /* until the first; until the next, twice as long, ... */
#define SLICE_USEC 50000U    /* of inspections, after which events and calls have their turn; ... */
#define BEGIN_USEC 10000000U /* ... and of the first, for calls are to meet all maps */
#define REPAIRS_MAX 8U       /* at a time, a child each: as many as a change has */
#define TRANSIT_USEC                                                                               \
    500000U /* from one inspection to the next of a map with a path on its way ... */
#define TRANSIT_MAX_USEC 10000000U /* ... until it is taken for somebody else's */

struct reconcile_waiter {
    char *wwid; /* of a map, which may go meanwhile; NULL: all of the session's */
    uint64_t session_id;
    void (*func)(void *userdata);
    void *userdata;
};

struct reconciler {
    struct host *host;
    struct timer timer, states_timer;
    uint64_t states_usec;
    struct inspection_queue queue;
    struct reconcile_waiter *waiters;
    size_t n_waiters;
    unsigned n_running;
    bool begun; /* else the queue waits: what was there before the service is not known yet */
    dev_t *old; /* devices that were there before the service, in this boot */
    size_t n_old;
    struct map_state unknown; /* of devices whose first inspection fails, as one */
};

/* A table on its way to a map, which may go and come back meanwhile. */
struct repair {
    struct host *host;
    char *wwid;
    struct map_change *change; /* until the transaction has it */
};

static void reconcile_inspect(struct host *host, dev_t dev);
static void reconcile_forget_old(struct reconciler *r, dev_t dev);

/* --- The queue ------------------------------------------------------------------------------ */

static void reconcile_arm(struct reconciler *r)
{
    uint64_t next = inspection_queue_next(&r->queue);

    if (next < UINT64_MAX && r->begun)
        (void)timer_set_at(&r->timer, next);
}

static void reconcile_on_enqueued(struct reconciler *r, int result)
{
    if (result < 0)
        log_error("Out of memory: a map is not looked at until its next event.");
    else
        reconcile_arm(r);
}

/* Asks for an inspection at that time, should an earlier one not be due. */
static void reconcile_enqueue_at(struct host *host, dev_t dev, uint64_t usec)
{
    struct reconciler *r = host->reconciler;

    if (r)
        reconcile_on_enqueued(r, inspection_queue_add(&r->queue, dev, usec));
}

static void reconcile_enqueue(struct host *host, dev_t dev, uint64_t delay)
{
    reconcile_enqueue_at(host, dev, loop_usec(host->event) + delay);
}

/* Of the maps that wait for the end of a repair, as many are inspected as there are places. */
static void reconcile_wake(struct reconciler *r)
{
    if (r->n_running < REPAIRS_MAX)
        inspection_queue_give_places(&r->queue, REPAIRS_MAX - r->n_running,
                                     loop_usec(r->host->event));
    reconcile_arm(r);
}

static void reconcile_end_repair(struct reconciler *r)
{
    r->n_running--;
    reconcile_wake(r);
}

/* Inspects what is due, and leaves what does not fit into that time for the next round. */
static void reconcile_inspect_due(struct reconciler *r, uint64_t usec)
{
    uint64_t due = loop_usec(r->host->event), end = monotonic_usec() + usec;
    dev_t dev;

    /* No more than there are now: an inspection may ask for the next one. */
    for (size_t n = r->queue.n;
         n > 0 && monotonic_usec() < end && inspection_queue_take(&r->queue, due, &dev); n--)
        reconcile_inspect(r->host, dev);
    reconcile_wake(r); /* one that was woken may have had nothing to repair */
}

static int reconcile_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    reconcile_inspect_due(userdata, SLICE_USEC);
    return 0;
}

/* --- States of connections ------------------------------------------------------------------ */

/* The kernel says when a path fails, but not when its session is back. */
static void reconcile_watch_states(struct reconciler *r, uint64_t usec)
{
    r->states_usec = usec < STATES_MAX_USEC ? usec : STATES_MAX_USEC;
    (void)timer_set_in(&r->states_timer, r->states_usec);
}

static bool reconcile_has_connection_down(const struct session *session)
{
    for (size_t i = 0; i < session->n_connections; i++)
        if (session->connections[i]->state.status != LB_CONNECTED)
            return true;
    return false;
}

static int reconcile_on_states_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct reconciler *r = userdata;
    bool down = false;

    for (size_t i = 0; i < r->host->n_sessions; i++)
        if (reconcile_has_connection_down(r->host->sessions[i]))
            down = session_read_states(r->host->sessions[i]) || down;
    if (down)
        reconcile_watch_states(r, 2 * r->states_usec);
    return 0;
}

static void reconcile_read_states(struct host *host, struct session *session)
{
    if (session_read_states(session))
        reconcile_watch_states(host->reconciler, STATES_USEC);
}

/* --- Repairs -------------------------------------------------------------------------------- */

static bool reconcile_must_wait(struct host *host, const struct reconcile_waiter *waiter)
{
    const struct session *session = host_session(host, waiter->session_id);
    const struct host_map *map = waiter->wwid ? maps_find_wwid(host, waiter->wwid) : NULL;

    if (waiter->wwid)
        return map && map_state_is_repaired(&map->state);
    for (size_t i = 0; session && i < session->n_maps; i++)
        if (map_state_is_repaired(&session->maps[i]->state))
            return true;
    return false;
}

static void reconcile_run_waiters(struct reconciler *r)
{
    for (size_t i = r->n_waiters; i > 0; i--) {
        if (i > r->n_waiters)
            continue;
        struct reconcile_waiter waiter = r->waiters[i - 1];
        if (reconcile_must_wait(r->host, &waiter))
            continue;
        r->waiters[i - 1] = r->waiters[--r->n_waiters];
        free(waiter.wwid);
        waiter.func(waiter.userdata);
    }
}

static void reconcile_count_reapplied(struct host *host, struct host_map *map)
{
    map->n_reapplied++;
    for (size_t i = 0; i < map->n_sessions; i++) {
        struct session *session = host_session(host, map->session_ids[i]);
        if (session && session_has_policy(session))
            session->n_reapplied++;
    }
}

static void reconcile_announce_map(struct host *host, struct host_map *map)
{
    bool changed = map->watch.is_changed;

    map->watch.is_changed = false;
    for (size_t i = 0; i < map->n_sessions; i++) {
        struct session *session = host_session(host, map->session_ids[i]);
        if (!session)
            continue;
        reconcile_read_states(host, session);
        announce_session(session, changed ? CHANGED_MAPS : 0);
    }
    announce_disk(map, changed ? DISK_TABLE : 0);
}

/* Tries again, further and further apart; clients are told how it is meanwhile. */
static void reconcile_inspect_after_failure(struct host *host, struct host_map *map)
{
    if (!map->dev) {
        maps_drop_if_idle(host, map);
        return;
    }
    reconcile_enqueue_at(host, map->dev, map_state_fail(&map->state, loop_usec(host->event)));
    reconcile_announce_map(host, map);
}

static void reconcile_inspect_or_drop(struct host *host, struct host_map *map)
{
    if (map->dev)
        reconcile_inspect(host, map->dev);
    else
        maps_drop_if_idle(host, map);
}

static void repair_free(struct repair *repair)
{
    if (repair->change)
        map_changes_free(repair->change, 1);
    free(repair->wwid);
    free(repair);
}

DEFINE_CLEANUP(struct repair *, repair_free);

static int reconcile_on_stale(struct map_change *change, void *userdata)
{
    const struct repair *repair = userdata;
    return map_change_plan_again(repair->host, change);
}

static void reconcile_tell_repaired(struct host *host, struct host_map *map,
                                    const struct mp_table *after)
{
    if (!after) {
        log_notice("Map %s was left half way to its first policy: multipathd has built it again.",
                   map->name);
        return;
    }
    reconcile_count_reapplied(host, map);
    log_notice("Map %s did not mean its policy any more: it was given its path groups again.",
               map->name);
}

static void reconcile_on_repaired(enum transaction_result result, const struct map_change *change,
                                  size_t n, void *userdata)
{
    _cleanup_(repair_freep) struct repair *repair = userdata;
    struct host *host = repair->host;
    struct host_map *map = maps_find_wwid(host, repair->wwid);

    /* A map that runs is not dropped. */
    map_state_end_repair(&map->state);
    reconcile_end_repair(host->reconciler);
    if (result == TRANSACTION_DONE) {
        map_state_succeed(&map->state);
        if (change->progress == MAP_CHANGED) /* else it is gone */
            reconcile_tell_repaired(host, map, change->after);
        if (map_policies_are_saved(map))
            intents_forget(map);
        reconcile_inspect_or_drop(host, map);
    } else {
        if (change->result.stage != SWAP_READ_BACK)
            map_state_void_round(&map->state);
        map->state.makes_events = change->result.stage == SWAP_RESUME;
        if (!map_state_fails_on(&map->state))
            map_changes_log(change, n);
        reconcile_inspect_after_failure(host, map);
    }
    reconcile_run_waiters(host->reconciler);
}

static const struct transaction_calls calls = {
    .replan = reconcile_on_stale,
    .done = reconcile_on_repaired,
};

/* What a first policy has left is nothing to return to, should multipathd not answer. */
static const struct transaction_calls calls_to_give_back = {
    .done = reconcile_on_repaired,
    .one_way = true,
};

static int reconcile_start_repair(struct repair *repair)
{
    const struct transaction_calls *how = repair->change->after ? &calls : &calls_to_give_back;
    struct map_change *change = TAKE_PTR(repair->change);

    int r = transaction_start(repair->host->transactions, change, 1, how, repair);
    if (r < 0)
        repair->change = change;
    return r;
}

static void reconcile_abandon_repair(struct repair *repair, struct host_map *map)
{
    map_state_end_repair(&map->state);
    reconcile_end_repair(repair->host->reconciler);
    repair_free(repair);
}

/* A multipathd that has not read that there is no entry any more would build the map by it. */
static void reconcile_on_entry_gone(int r, void *userdata)
{
    struct repair *repair = userdata;
    struct host *host = repair->host;
    struct host_map *map = maps_find_wwid(host, repair->wwid); /* one that runs is not dropped */

    if (r >= 0)
        r = reconcile_start_repair(repair);
    if (r >= 0)
        return;
    if (!map_state_fails_on(&map->state))
        log_warning("Map %s is left half way to its first policy: %s", map->name,
                    host_mpathd_error(host) ?: strerror(-r));
    reconcile_abandon_repair(repair, map);
    reconcile_inspect_after_failure(host, map);
    reconcile_run_waiters(host->reconciler);
}

/* Gives the map its table, or, where none is planned, back; takes the snapshot's map over. */
static int reconcile_repair(struct host *host, struct host_map *map, struct map_snapshot *snapshot,
                            struct mp_table *planned)
{
    struct repair *repair = calloc(1, sizeof(*repair));
    if (repair)
        *repair = (struct repair){host, strdup(map->wwid), calloc(1, sizeof(*repair->change))};
    if (!repair || !repair->wwid || !repair->change) {
        mp_table_free(planned);
        if (repair)
            repair_free(repair);
        return -ENOMEM;
    }
    map_change_init(host, repair->change, TAKE_PTR(snapshot->map), planned);

    map_state_begin_repair(&map->state);
    host->reconciler->n_running++;
    int r = planned ? reconcile_start_repair(repair)
                    : mpathd_sync_and_wait(host, reconcile_on_entry_gone, repair);
    if (r < 0)
        reconcile_abandon_repair(repair, map);
    return r;
}

/* Should multipathd have made the other groups in spite of its entry, what wins has a name. */
static void reconcile_ask_what_wins(struct host *host, struct host_map *map)
{
    if (!map_state_is_worth_asking(&map->state))
        return;
    map_state_recheck(&map->state);
    mpathd_sync_check(host);
}

/* Whether to give the map its table once more, now. */
static bool reconcile_is_worth_a_round(struct host *host, struct host_map *map)
{
    if (map->state.table == TABLE_CONTESTED)
        return false;
    reconcile_ask_what_wins(host, map);
    switch (map_state_lose(&map->state, host_mpathd_deferred(host), loop_usec(host->event))) {
    case ANSWER_REPAIR:
        return true;
    case ANSWER_LATER:
        reconcile_enqueue(host, map->dev, CONTEST_REST_USEC);
        return false;
    case ANSWER_LEAVE:
        break;
    }
    log_warning("Map %s is given other path groups again and again%s%s: it is left so until "
                "multipath's configuration or the policy changes.",
                map->name, map->override ? ", by " : "", map->override ?: "");
    return false;
}

static bool reconcile_is_due(struct host *host, struct host_map *map)
{
    if (map_state_is_due(&map->state, loop_usec(host->event)))
        return true;
    reconcile_enqueue_at(host, map->dev, map->state.retry);
    return false;
}

/*
 * Whether it is to be repaired now; else it is later, or never. An event is reason enough, but for
 * one that is to go back to multipathd, and where the repair itself has brought it about.
 */
static bool reconcile_may_repair(struct host *host, struct host_map *map, bool has_policy)
{
    if ((!has_policy || map->state.makes_events) && !reconcile_is_due(host, map))
        return false;
    return !has_policy || reconcile_is_worth_a_round(host, map);
}

/* --- Inspections ---------------------------------------------------------------------------- */

static void reconcile_announce_sessions(struct host *host, const uint64_t *session_ids, size_t n,
                                        unsigned changes)
{
    for (size_t i = 0; i < n; i++) {
        struct session *session = host_session(host, session_ids[i]);
        if (session)
            announce_session(session, changes);
    }
}

/* It goes where no policy is left for it. */
static void reconcile_drop_entry(struct host_map *map)
{
    if (map->state.ahead || map_has_any_policy(map))
        return;
    if (map_entry_drop(map))
        mpathd_sync_request(map->host);
}

/* Its entry waits for its return a while, if there is a policy that it is made of. */
static void reconcile_map_gone(struct host *host, dev_t dev)
{
    struct host_map *map = maps_find(host, dev);
    reconcile_forget_old(host->reconciler, dev);
    if (!map)
        return;

    size_t n = map->n_sessions;
    _cleanup_free_ uint64_t *ids = calloc(n + 1, sizeof(*ids));
    if (ids)
        memcpy(ids, map->session_ids, n * sizeof(*ids));
    if (!maps_is_busy(host, map)) { /* else it depends on what comes of the change */
        if (map_policies_are_saved(map))
            intents_forget(map); /* it will be built anew */
        reconcile_drop_entry(map);
    }
    if (map->entry || (map->policy && map->policy->by_default))
        gone_add(map);
    offers_withdraw(map);
    maps_mark_gone(host, dev);
    if (ids)
        reconcile_announce_sessions(host, ids, n, CHANGED_MAPS);
}

/* Brings the model up to date. */
static int reconcile_update_map(struct host *host, struct host_map *map,
                                const struct map_snapshot *snapshot, const struct mp_table *planned)
{
    int found = map_update(map, snapshot, planned);

    if (found < 0)
        return found;
    if (found & MAP_ENTRY_CHANGED)
        mpathd_sync_request(host);
    if (found & MAP_TABLE_CHANGED)
        map->watch.is_changed = true;
    return 0;
}

/* Whether an array that moves access states about can change what the map must be. */
static void reconcile_inspect_again_for_access(struct host *host, struct host_map *map,
                                               const struct map_snapshot *snapshot)
{
    uint64_t time = loop_usec(host->event);

    if (!map_has_any_policy(map) || snapshot->n_paths == 0 || !snapshot->paths[0].disk.has_access)
        return;
    if (time >= map->watch.next_inspection_usec && map->watch.inspections_left > 0) {
        map->watch.next_inspection_usec =
            time + ((uint64_t)ACCESS_USEC << (ACCESS_INSPECTIONS - map->watch.inspections_left));
        map->watch.inspections_left--;
    }
    if (time < map->watch.next_inspection_usec)
        reconcile_enqueue(host, map->dev, map->watch.next_inspection_usec - time);
}

/*
 * Compares a map with what was asked, and gives it its table where they part; one that a first
 * policy has left half way goes back to multipathd.
 */
static int reconcile_inspect_map(struct host *host, struct host_map *map,
                                 struct map_snapshot *snapshot)
{
    _cleanup_(mp_table_freep) struct mp_table *planned = NULL;

    int r = lb_plan(snapshot, &planned);
    if (r < 0 && r != -ENODATA)
        return r;
    r = reconcile_update_map(host, map, snapshot, planned);
    if (r < 0)
        return r;
    reconcile_inspect_again_for_access(host, map, snapshot);
    if (map_state_agrees(&map->state))
        map_state_succeed(&map->state);

    bool repaired = map_state_is_repaired(&map->state);
    /* The kernel tells when whoever has suspended it has it run again. */
    bool idle = !repaired && !snapshot->map->suspended && !maps_is_busy(host, map);
    if (idle && planned && map_state_agrees(&map->state) && map_policies_are_saved(map))
        intents_forget(map);
    bool to_repair = idle && !map_state_agrees(&map->state) && !host->is_ending;
    if (to_repair && host->reconciler->n_running >= REPAIRS_MAX)
        reconcile_on_enqueued(host->reconciler,
                              inspection_queue_await_place(&host->reconciler->queue, map->dev));
    else if (to_repair && reconcile_may_repair(host, map, planned)) {
        r = reconcile_repair(host, map, snapshot, TAKE_PTR(planned));
        if (r < 0)
            map_state_void_round(&map->state);
        return r;
    }
    if (!repaired) /* else clients are told at the end of it */
        reconcile_announce_map(host, map);
    return 0;
}

/* --- Maps that appear ----------------------------------------------------------------------- */

static bool reconcile_is_old(const struct reconciler *r, dev_t dev)
{
    for (size_t i = 0; i < r->n_old; i++)
        if (r->old[i] == dev)
            return true;
    return false;
}

static void reconcile_forget_old(struct reconciler *r, dev_t dev)
{
    for (size_t i = 0; i < r->n_old; i++)
        if (r->old[i] == dev) {
            r->old[i] = r->old[--r->n_old];
            return;
        }
}

static void reconcile_remember_old(struct host *host, dev_t dev)
{
    struct reconciler *r = host->reconciler;
    dev_t *more =
        reconcile_is_old(r, dev) ? NULL : reallocarray(r->old, r->n_old + 1, sizeof(*more));

    if (!more)
        return;
    r->old = more;
    more[r->n_old++] = dev;
}

/* What a map brings about that the model has not had. Of an old one, the groups tell which path is
 * active. */
static void reconcile_on_appearance(struct host_map *map, const struct map_snapshot *snapshot)
{
    bool old = reconcile_is_old(map->host->reconciler, map->dev);

    if (old && lb_failback_is_manual(map))
        map->active_path = lb_active_path(snapshot, &map->active_path, true);
    offers_make(map, old);
}

/* Those that the model does not know yet are tried again together. */
static void reconcile_inspect_unknown_after_failure(struct host *host, dev_t dev)
{
    struct map_state *state = &host->reconciler->unknown;
    uint64_t now = loop_usec(host->event);

    reconcile_enqueue_at(host, dev, now < state->retry ? state->retry : map_state_fail(state, now));
}

static void reconcile_on_failed_inspection(struct host *host, dev_t dev, int r)
{
    struct host_map *map = maps_find(host, dev);

    if (!map_state_fails_on(map ? &map->state : &host->reconciler->unknown))
        log_warning("Device %u:%u cannot be compared with its policy: %s.", major(dev), minor(dev),
                    strerror(-r));
    if (map)
        reconcile_inspect_after_failure(host, map);
    else
        reconcile_inspect_unknown_after_failure(host, dev);
}

/* Since when a thing is so, which is so now. */
static void reconcile_note_time(const struct host *host, uint64_t *since)
{
    if (!*since)
        *since = loop_usec(host->event);
}

/* Each is waited for once: there are sessions that never name themselves. */
static bool reconcile_awaits_path(struct host_map *map, const struct map_snapshot *snapshot)
{
    struct map_watch *watch = &map->watch;
    size_t n = map_snapshot_n_in_transit(snapshot);

    if (n > watch->n_strangers) {
        reconcile_note_time(map->host, &watch->transit_usec);
        if (loop_usec(map->host->event) < watch->transit_usec + TRANSIT_MAX_USEC)
            return true;
    }
    watch->n_strangers = n;
    watch->transit_usec = 0;
    return false;
}

static void reconcile_inspect(struct host *host, dev_t dev)
{
    _cleanup_(map_snapshot_done) struct map_snapshot snapshot = {0};
    struct host_map *map;

    freshness_model_changed(host);
    int r = map_snapshot_read(host, dev, &snapshot);
    if (is_no_map(r)) {
        reconcile_map_gone(host, dev);
        return;
    }
    map = maps_find(host, dev);
    if (r >= 0 && map && strcmp(map->wwid, dm_map_wwid(snapshot.map)) != 0) {
        reconcile_map_gone(host, dev);
        map = NULL;
    }
    if (r >= 0 && !map_snapshot_has_iscsi_path(&snapshot) &&
        (map_snapshot_is_leaving(&snapshot) || !map)) {
        if (map) {
            reconcile_note_time(host, &map->watch.leaving_usec);
            map->watch.transit_usec = 0;
        }
        return;
    }
    if (r >= 0 && map && reconcile_awaits_path(map, &snapshot)) {
        reconcile_enqueue(host, dev, TRANSIT_USEC);
        return;
    }
    bool appears = !map;
    if (r >= 0)
        r = maps_upsert(host, &snapshot, &map);
    if (r >= 0) {
        map->watch.leaving_usec = 0;
        if (appears) {
            host->reconciler->unknown = (struct map_state){0};
            reconcile_on_appearance(map, &snapshot);
        }
        r = reconcile_inspect_map(host, map, &snapshot);
    }
    if (r < 0)
        reconcile_on_failed_inspection(host, dev, r);
}

/* --- What others ask for -------------------------------------------------------------------- */

void reconcile_device(struct host *host, dev_t dev)
{
    reconcile_enqueue(host, dev, SETTLE_USEC);
}

void reconcile_found(struct host *host, const struct dm_map *found)
{
    const struct host_map *known = maps_find(host, found->dev);

    if (!known || strcmp(known->wwid, dm_map_wwid(found)) != 0)
        reconcile_inspect(host, found->dev);
}

/* The session's maps: those that the kernel has, and those that the model still knows. */
static void reconcile_for_each_device(struct host *host, struct session *session,
                                      void (*func)(struct host *host, dev_t dev))
{
    const dev_t *found;
    size_t n;

    int r = session_map_devices(session, &found, &n);
    _cleanup_free_ dev_t *devices =
        r < 0 ? NULL : calloc(n + session->n_maps + 1, sizeof(*devices));
    if (!devices) {
        log_warning("The maps of %s cannot be listed: %s.", session->target,
                    strerror(r < 0 ? -r : ENOMEM));
        return;
    }
    if (n > 0)
        memcpy(devices, found, n * sizeof(*devices));
    for (size_t i = 0; i < session->n_maps; i++) {
        size_t k = 0;
        while (k < n && devices[k] != session->maps[i]->dev)
            k++;
        if (k == n && session->maps[i]->dev)
            devices[n++] = session->maps[i]->dev;
    }
    for (size_t i = 0; i < n; i++)
        func(host, devices[i]);
}

void reconcile_session(struct host *host, struct session *session)
{
    reconcile_for_each_device(host, session, reconcile_device);
}

void reconcile_access(struct host *host, struct session *session)
{
    for (size_t i = 0; i < session->n_maps; i++)
        map_expect_access(session->maps[i]);
    reconcile_session(host, session);
}

/* What udev would have said of it is not known. */
static void reconcile_inspect_known(struct host_map *map, void *userdata)
{
    map->kpartx = KPARTX_UNKNOWN;
    if (map->dev)
        reconcile_device(map->host, map->dev);
}

void reconcile_everything(struct host *host)
{
    for (size_t i = 0; i < host->n_sessions; i++)
        reconcile_access(host, host->sessions[i]);
    maps_each(host, reconcile_inspect_known, NULL);
}

/* Of those that are there: an entry that goes from another one cannot be made again. */
static void reconcile_drop_entries(struct host *host, struct session *session)
{
    for (size_t i = session->n_maps; i > 0; i--) {
        struct host_map *map = session->maps[i - 1];
        if (map->dev)
            reconcile_drop_entry(map);
        maps_drop_if_idle(host, map);
    }
}

void reconcile_entries(struct host *host, struct session *session)
{
    reconcile_for_each_device(host, session, reconcile_inspect);
    reconcile_drop_entries(host, session);
}

void reconcile_changed(struct host *host, struct session *session)
{
    reconcile_entries(host, session);
    announce_session(session, 0);
}

void reconcile_map_entry(struct host_map *map)
{
    if (map->dev)
        reconcile_inspect(map->host, map->dev);
    reconcile_drop_entry(map);
}

void reconcile_map_changed(struct host_map *map)
{
    struct host *host = map->host;

    announce_disk(map, DISK_TABLE);
    reconcile_announce_sessions(host, map->session_ids, map->n_sessions, 0);
    reconcile_drop_entry(map);
    if (map->dev)
        reconcile_inspect(host, map->dev); /* after which it may be gone */
    else
        maps_drop_if_idle(host, map);
}

static void reconcile_forget_contest(struct host_map *map, void *userdata)
{
    struct host *host = userdata;

    if (!map->dev || map->state.rounds == 0)
        return;
    map_state_reset(&map->state);
    reconcile_enqueue(host, map->dev, SETTLE_USEC);
}

void reconcile_configuration(struct host *host)
{
    maps_each(host, reconcile_forget_contest, host);
    mpathd_sync_request(host);
}

static int reconcile_add_waiter(struct reconciler *r, struct reconcile_waiter waiter)
{
    struct reconcile_waiter *more = reallocarray(r->waiters, r->n_waiters + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    r->waiters = more;
    more[r->n_waiters++] = waiter;
    reconcile_run_waiters(r);
    return 0;
}

int reconcile_when_idle(struct host *host, uint64_t session_id, void (*func)(void *userdata),
                        void *userdata)
{
    return reconcile_add_waiter(host->reconciler,
                                (struct reconcile_waiter){NULL, session_id, func, userdata});
}

int reconcile_when_map_idle(struct host_map *map, void (*func)(void *userdata), void *userdata)
{
    char *wwid = strdup(map->wwid);
    int r = wwid ? reconcile_add_waiter(map->host->reconciler,
                                        (struct reconcile_waiter){wwid, 0, func, userdata})
                 : -ENOMEM;

    if (r < 0)
        free(wwid);
    return r;
}

bool reconcile_is_running(const struct host *host)
{
    return host->reconciler && host->reconciler->n_running > 0;
}

static void reconcile_begin_device(struct host *host, dev_t dev)
{
    if (host->same_boot)
        reconcile_remember_old(host, dev);
    reconcile_enqueue(host, dev, 0);
}

int reconciler_new(struct host *host)
{
    struct reconciler *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->host = host;
    timer_init(&r->timer, host->event, 1000, reconcile_on_timer, r);
    timer_init(&r->states_timer, host->event, 0, reconcile_on_states_timer, r);
    host->reconciler = r;
    return 0;
}

void reconcile_begin(struct host *host)
{
    for (size_t i = 0; i < host->n_sessions; i++) {
        reconcile_read_states(host, host->sessions[i]);
        reconcile_for_each_device(host, host->sessions[i], reconcile_begin_device);
    }
    host->reconciler->begun = true;
    reconcile_inspect_due(host->reconciler, BEGIN_USEC);
    /* By the entries that it has, another boot's maybe, multipathd would build them back. */
    if (reconcile_is_running(host))
        mpathd_sync_soon(host);
}

void reconciler_free(struct host *host)
{
    struct reconciler *r = TAKE_PTR(host->reconciler);
    if (!r)
        return;
    timer_done(&r->timer);
    timer_done(&r->states_timer);
    inspection_queue_done(&r->queue);
    for (size_t i = 0; i < r->n_waiters; i++)
        free(r->waiters[i].wwid);
    free(r->waiters);
    free(r->old);
    free(r);
}
