/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "plan/plan.h"
#include "service/base/bounds.h"
#include "service/change/disk-change.h"
#include "service/model/find.h"
#include "service/model/news.h"
#include "service/model/settings.h"
#include "service/multipathd/publish.h"
#include "service/reconcile/reconcile.h"
#include "service/tables/lb-plan.h"
#include "service/tables/map-change.h"
#include "service/tables/transaction.h"
#include "service/tables/unfinished.h"
#include "service/view/disk-query.h"

/* A request that has passed its checks, until it is answered. The map stays, being busy. */
struct change {
    struct host_map *map;
    uint32_t policy;                  /* as it was asked for, 0: to clear the disk's own */
    struct store_disk_policy *chosen; /* what the disk is to have; NULL: none of its own */
    struct requester who;
    disk_change_done_t done;
    void *userdata;
};

static void change_free(struct change *change)
{
    if (!change)
        return;
    store_disk_policy_free(change->chosen);
    free(change);
}

DEFINE_CLEANUP(struct change *, change_free);
DEFINE_CLEANUP(struct store_disk_policy *, store_disk_policy_free);

/* The one line of a request. */
static void log_result(const struct requester *who, const struct host_map *map, uint32_t policy,
                       uint32_t status)
{
    log_line(status == STATUS_SUCCESS ? LOG_NOTICE : LOG_WARNING,
             "Policy %" PRIu32 " (%s) for disk %s, asked by %s (uid %u, pid %d); map: %s; "
             "result: %s",
             policy, dsm_policy_name(policy) ?: "unknown", map->wwid, who->name, (unsigned)who->uid,
             (int)who->pid, map->name ?: "none", status_symbol(status));
}

/* The table carries the policy already: a store that fails does not undo it. */
static void save(struct change *change)
{
    struct host_map *map = change->map;
    struct store *store = map->host->store;
    int r = change->chosen ? store_put_disk_policy(store, change->chosen)
                           : store_remove_disk_policy(store, map->wwid);

    if (r < 0)
        log_error("The policy of disk %s is live but cannot be saved: %s.", map->wwid,
                  strerror(-r));
    store_disk_policy_free(map->policy);
    map->policy = TAKE_PTR(change->chosen);
    news_of_model(map->host);
    map->leader = 0; /* its primary leads */
}

static uint32_t status_of_errno(int r)
{
    if (r >= 0)
        return STATUS_SUCCESS;
    if (is_no_map(r))
        return STATUS_NO_SUCH_DEVICE;
    return r == -EOPNOTSUPP ? STATUS_NOT_SUPPORTED
           : r == -ENOMEM   ? STATUS_INSUFFICIENT_RESOURCES
                            : STATUS_IO_DEVICE_ERROR;
}

static uint32_t status_of_result(enum transaction_result result, const struct map_change *maps,
                                 size_t n_maps)
{
    switch (result) {
    case TRANSACTION_DONE:
        return status_of_errno(n_maps > 0 && maps->progress == MAP_GONE ? -ENXIO : 0);
    case TRANSACTION_NO_RESOURCES:
        return STATUS_INSUFFICIENT_RESOURCES;
    default:
        return STATUS_IO_DEVICE_ERROR;
    }
}

/*
 * Saves what was reached. What is cleared is cleared whether its map is still there or not.
 * Returns the status that this makes.
 */
static uint32_t settle(struct change *change, uint32_t status)
{
    if (change->policy == DSM_NONE && status == STATUS_NO_SUCH_DEVICE)
        status = STATUS_SUCCESS;
    if (status == STATUS_SUCCESS)
        save(change);
    return status;
}

/* The answer, and then what follows from it. */
static void answer(struct change *change, uint32_t status)
{
    struct host_map *map = change->map;

    log_result(&change->who, map, change->policy, status);
    map_state_end_change(&map->state);
    news_of_model(map->host);
    map->host->n_changes--;
    change->done(status, change->userdata);
    reconcile_map_changed(map);
}

/* The end of a request that has not come to a transaction. */
static void finish(struct change *change, int r)
{
    answer(change, settle(change, status_of_errno(r)));
    change_free(change);
}

static void on_transaction_done(enum transaction_result result, const struct map_change *maps,
                                size_t n_maps, void *userdata)
{
    _cleanup_(change_freep) struct change *change = userdata;
    uint32_t status = status_of_result(result, maps, n_maps);

    if (status != STATUS_SUCCESS)
        map_changes_log(maps, n_maps);
    status = settle(change, status);
    unfinished_end(change->map->host, result, maps, n_maps);
    answer(change, status);
}

/* What the map is to carry: the choice, else what policies of its sessions want, else its own. */
static int plan_one(const struct change *change, const struct map_look *look, struct mp_table **ret)
{
    int r = change->chosen ? lb_plan_disk_choice(look, change->chosen, ret) : lb_plan(look, ret);
    if (r != -ENODATA)
        return r;
    *ret = NULL;
    return 0;
}

/* Reads the map and plans it, for a transaction that is to begin or to be planned anew. */
static int look_and_plan(const struct change *change, struct map_change *ret)
{
    _cleanup_(map_look_done) struct map_look look = {0};
    struct mp_table *after = NULL;

    int r = maps_look(change->map, &look);
    if (r >= 0)
        r = plan_one(change, &look, &after);
    if (r < 0)
        return r;
    map_change_init(change->map->host, ret, TAKE_PTR(look.map), after);
    return 0;
}

static int on_stale_map(struct map_change *map, void *userdata)
{
    int r = look_and_plan(userdata, map);
    return is_no_map(r) ? -ENXIO : r;
}

static const struct transaction_calls calls = {
    .replan = on_stale_map,
    .done = on_transaction_done,
};

/* Nobody else changes the map now, and multipathd knows what it has to: from here on to the end. */
static void change_map(struct change *change)
{
    struct host *host = change->map->host;
    struct map_change *map = calloc(1, sizeof(*map));
    int r = map ? look_and_plan(change, map) : -ENOMEM;

    if (r >= 0) {
        if (change->chosen)
            unfinished_note(host, map, 1);
        r = transaction_start(host->event, map, 1, &calls, change);
        if (r >= 0)
            return;
        unfinished_end(host, TRANSACTION_NO_RESOURCES, map, 1);
        map_changes_free(map, 1);
    } else
        free(map);
    finish(change, r);
}

static void on_published(int r, void *userdata)
{
    struct change *change = userdata;

    if (r >= 0) {
        change_map(change);
        return;
    }
    log_warning("Map %s cannot be given back: %s", change->map->name,
                host_mpathd_error(change->map->host) ?: strerror(-r));
    finish(change, -EIO);
}

/*
 * A map that goes back to multipathd's own configuration does so by its hand, which must not hold
 * our entry for it any more.
 */
static void on_idle(void *userdata)
{
    struct change *change = userdata;
    struct host_map *map = change->map;

    if (!change->chosen)
        map_state_clear_policy(&map->state);
    news_of_model(map->host);
    if (change->chosen || !map->dev || map_has_session_policy(map)) {
        change_map(change);
        return;
    }
    reconcile_map_entry(map);
    int r = publish_and_wait(map->host, on_published, change);
    if (r < 0)
        on_published(r, change);
}

/* The policy as it is kept: only what the policy uses. */
static int choose(const struct host_map *map, const struct dsm_request *request,
                  struct store_disk_policy **ret)
{
    _cleanup_(store_disk_policy_freep) struct store_disk_policy *policy =
        calloc(1, sizeof(*policy));
    bool has_subset =
        request->policy == DSM_FAILOVER || request->policy == DSM_ROUND_ROBIN_WITH_SUBSET;

    if (!policy)
        return -ENOMEM;
    policy->wwid = strdup(map->wwid);
    policy->policy = (enum dsm_policy)request->policy;
    policy->paths = calloc(request->path_count, sizeof(*policy->paths));
    if (!policy->wwid || !policy->paths)
        return -ENOMEM;
    for (uint32_t i = 0; i < request->path_count; i++) {
        const struct dsm_path *path = &request->paths[i];
        if (path->id == 0)
            continue;
        policy->paths[policy->n_paths++] = (struct store_disk_path){
            .id = path->id,
            .weight = request->policy == DSM_WEIGHTED_PATHS ? path->weight : 0,
            .primary = !has_subset || dsm_wanted_state(path) == DSM_ACTIVE_OPTIMIZED,
            .preferred = request->policy == DSM_FAILOVER && path->preferred,
        };
    }
    *ret = TAKE_PTR(policy);
    return 0;
}

static uint32_t check(const struct host_map *map, const struct dsm_request *request)
{
    _cleanup_(map_look_done) struct map_look look = {0};
    _cleanup_free_ struct dsm_fact *facts = NULL;
    struct dsm_disk disk = {
        .has_policy = map->policy,
        .busy = maps_is_busy(map->host, map),
    };

    int r = maps_look(map, &look);
    if (r >= 0) {
        disk.present = true;
        disk.n_paths = look.n_paths;
        r = disk_facts(&look, &facts, &disk.is_explicit);
        disk.paths = facts;
    }
    if (r < 0 && !is_no_map(r))
        return status_of_errno(r);
    return dsm_check(request, &disk);
}

static bool has_chosen_policy(const struct host_map *map)
{
    return map->policy && !map->policy->by_default;
}

static void count_policy(struct host_map *map, void *userdata)
{
    size_t *n = userdata;
    *n += has_chosen_policy(map);
}

static bool is_within_bounds(const struct host_map *map)
{
    size_t n = 0;

    maps_each(map->host, count_policy, &n);
    return bounds_allow_disk(map->n_paths, n - has_chosen_policy(map));
}

/* All checks, and what the disk is to have. A status other than success ends the request. */
static uint32_t prepare(const struct host_map *map, const struct dsm_request *request,
                        struct store_disk_policy **ret_chosen)
{
    uint32_t status = check(map, request);

    if (status != STATUS_SUCCESS)
        return status;
    if (request->policy == DSM_NONE) {
        *ret_chosen =
            map_has_session_policy(map) ? NULL : settings_default_for(map->host, map->wwid);
        return STATUS_SUCCESS;
    }
    if (!dm_selector_available(plan_selector(dsm_to_lb((enum dsm_policy)request->policy))))
        return STATUS_NOT_SUPPORTED;
    if (!is_within_bounds(map))
        return STATUS_INSUFFICIENT_RESOURCES;
    return status_of_errno(choose(map, request, ret_chosen));
}

/* From here on the change answers. */
static int start(struct change *change)
{
    struct host_map *map = change->map;

    map_state_begin_change(&map->state);
    map->host->n_changes++;
    int r = reconcile_when_map_idle(map, on_idle, change);
    if (r < 0) {
        map_state_end_change(&map->state);
        map->host->n_changes--;
    }
    return r;
}

void disk_change(struct host_map *map, const struct dsm_request *request,
                 const struct requester *who, disk_change_done_t done, void *userdata)
{
    _cleanup_(store_disk_policy_freep) struct store_disk_policy *chosen = NULL;
    struct change *change = NULL;

    uint32_t status = prepare(map, request, &chosen);
    /* Nothing to clear, and nothing to have in its place: nothing to do. */
    if (status == STATUS_SUCCESS && (map->policy || chosen)) {
        change = calloc(1, sizeof(*change));
        status = change ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    }
    if (change) {
        *change = (struct change){
            .map = map,
            .policy = request->policy,
            .chosen = TAKE_PTR(chosen),
            .who = *who,
            .done = done,
            .userdata = userdata,
        };
        if (start(change) >= 0)
            return;
        change_free(change);
        status = STATUS_INSUFFICIENT_RESOURCES;
    }
    log_result(who, map, request->policy, status);
    done(status, userdata);
}
