/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "plan/plan.h"
#include "service/base/bounds.h"
#include "service/change/disk-change.h"
#include "service/model/find.h"
#include "service/model/freshness.h"
#include "service/model/maps.h"
#include "service/model/settings.h"
#include "service/multipathd/map-entry.h"
#include "service/multipathd/mpathd-sync.h"
#include "service/reconcile/reconcile.h"
#include "service/tables/lb-plan.h"
#include "service/view/disk-query.h"

DEFINE_CLEANUP(struct store_disk_policy *, store_disk_policy_free);

static int disk_change_read_map(const struct change *change, dev_t dev, struct map_snapshot *ret)
{
    return maps_snapshot(change->map, ret);
}

static int disk_change_read_maps(const struct change *change, struct session_maps *ret)
{
    struct session_maps maps = {.snapshots = calloc(1, sizeof(*maps.snapshots)), .n = 1};
    int r = maps.snapshots ? maps_snapshot(change->map, maps.snapshots) : -ENOMEM;

    if (r < 0) {
        free(TAKE_PTR(maps.snapshots));
        maps.n = 0;
    }
    if (r < 0 && !is_no_map(r))
        return r;
    *ret = maps;
    return 0;
}

/* The choice, else what policies of its sessions want. */
static int disk_change_plan(const struct change *change, const struct map_snapshot *snapshot,
                            struct mp_table **ret, bool *ret_manual_failback)
{
    return change->choice ? lb_plan_disk_choice(snapshot, change->choice, ret, ret_manual_failback)
                          : lb_plan(snapshot, ret);
}

static bool disk_change_withdraw(const struct change *change)
{
    if (map_has_session_policy(change->map))
        return false;
    bool had_entry = change->map->entry;
    reconcile_map_entry(change->map);
    return had_entry || change->map->dev;
}

/*
 * The table carries the policy already: a store that fails does not undo it. What is cleared is
 * cleared whether its map is still there or not.
 */
static uint32_t disk_change_save(struct change *change, const struct map_change *maps,
                                 size_t n_maps)
{
    struct host_map *map = change->map;
    struct store *store = change->host->store;
    bool gone = n_maps == 0 || maps->progress == MAP_GONE;

    if (gone && change->request.policy != DSM_NONE)
        return STATUS_NO_SUCH_DEVICE;
    if (gone && map_entry_drop(map)) /* it was made of the policy that goes */
        mpathd_sync_request(change->host);
    if (gone && change->choice) /* the default policy is for disks that are there */
        store_disk_policy_free(TAKE_PTR(change->choice));
    int r = change->choice ? store_put_disk_policy(store, change->choice)
                           : store_remove_disk_policy(store, map->wwid);
    if (r < 0) {
        log_error("The policy of disk %s is live but cannot be saved: %s.", map->wwid,
                  strerror(-r));
        if (change->choice)
            ((struct store_disk_policy *)change->choice)->unsaved = true;
    }
    store_disk_policy_free(map->policy);
    map->policy = TAKE_PTR(change->choice);
    change->is_in_force = true;
    freshness_model_changed(change->host);
    map_state_reset(&map->state);
    map->active_path.id = 0; /* its primary is to be */
    return STATUS_SUCCESS;
}

static void disk_change_take_back(const struct change *change)
{
    reconcile_map_entry(change->map);
}

static void disk_change_reconcile(const struct change *change)
{
    reconcile_map_changed(change->map);
}

static void disk_change_free_choice(void *choice)
{
    store_disk_policy_free(choice);
}

/*
 * What a disk gets in place of its own policy: the default one, where it is there and no session
 * has one.
 */
static struct store_disk_policy *disk_change_default(const struct host_map *map)
{
    if (!map->dev || map_has_session_policy(map))
        return NULL;
    return settings_default_for(map);
}

static void disk_change_begin(struct change *change)
{
    if (change->request.policy != DSM_NONE)
        return;
    store_disk_policy_free(change->choice);
    change->choice = disk_change_default(change->map);
}

static const struct change_calls disk_change_calls = {
    .statuses =
        {
            .unsupported = STATUS_NOT_SUPPORTED,
            .no_resources = STATUS_INSUFFICIENT_RESOURCES,
            .busy = STATUS_DEVICE_BUSY,
            .failed = STATUS_IO_DEVICE_ERROR,
            .torn = STATUS_IO_DEVICE_ERROR,
        },
    .begin = disk_change_begin,
    .read_maps = disk_change_read_maps,
    .read_map = disk_change_read_map,
    .plan = disk_change_plan,
    .withdraw = disk_change_withdraw,
    .save = disk_change_save,
    .take_back = disk_change_take_back,
    .reconcile = disk_change_reconcile,
    .free_choice = disk_change_free_choice,
};

static uint32_t disk_change_status(int r)
{
    return change_status(&disk_change_calls.statuses, r);
}

/* The policy as it is kept: only what the policy uses. */
static int disk_change_choose(const struct host_map *map, const struct dsm_request *request,
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

static uint32_t disk_change_check(const struct host_map *map, const struct dsm_request *request)
{
    _cleanup_(map_snapshot_done) struct map_snapshot snapshot = {0};
    _cleanup_free_ struct dsm_fact *facts = NULL;
    struct dsm_disk disk = {
        .has_policy = map->policy,
        .busy = map_state_is_requested(&map->state),
    };

    int r = maps_snapshot(map, &snapshot);
    if (r >= 0) {
        disk.present = true;
        disk.n_paths = snapshot.n_paths;
        r = disk_facts(&snapshot, &facts, &disk.is_explicit);
        disk.paths = facts;
    }
    if (r < 0 && !is_no_map(r))
        return disk_change_status(r);
    return dsm_check(request, &disk);
}

static bool disk_change_has_chosen_policy(const struct host_map *map)
{
    return map->policy && !map->policy->by_default;
}

static void disk_change_count_policy(struct host_map *map, void *userdata)
{
    size_t *n = userdata;
    *n += disk_change_has_chosen_policy(map);
}

static bool disk_change_is_within_bounds(const struct host_map *map)
{
    size_t n = 0;

    maps_each(map->host, disk_change_count_policy, &n);
    return bounds_allow_disk(map->n_paths, n - disk_change_has_chosen_policy(map));
}

/* All checks, and what the disk is to have. A status other than success ends the request. */
static uint32_t disk_change_prepare(const struct host_map *map, const struct dsm_request *request,
                                    struct store_disk_policy **ret_chosen)
{
    uint32_t status = disk_change_check(map, request);

    if (status != STATUS_SUCCESS)
        return status;
    if (request->policy == DSM_NONE) {
        *ret_chosen = disk_change_default(map);
        return STATUS_SUCCESS;
    }
    if (!dm_selector_available(plan_selector(dsm_to_lb((enum dsm_policy)request->policy))))
        return STATUS_NOT_SUPPORTED;
    if (!disk_change_is_within_bounds(map))
        return STATUS_INSUFFICIENT_RESOURCES;
    return disk_change_status(disk_change_choose(map, request, ret_chosen));
}

void disk_change(struct host_map *map, const struct dsm_request *request,
                 const struct requester *who, change_done_t done, void *userdata)
{
    _cleanup_(store_disk_policy_freep) struct store_disk_policy *chosen = NULL;
    struct change_request about = {
        .who = *who,
        .policy = request->policy,
        .policy_name = dsm_policy_name(request->policy),
    };

    snprintf(about.subject, sizeof(about.subject), "disk %s", map->wwid);
    uint32_t status = disk_change_prepare(map, request, &chosen);
    /* Nothing to clear, and nothing to have in its place: nothing to do. */
    if (status == STATUS_SUCCESS && (map->policy || chosen)) {
        const struct change change = {
            .calls = &disk_change_calls,
            .host = map->host,
            .map = map,
            .choice = chosen,
            .request = about,
            .done = done,
            .userdata = userdata,
        };
        int r = change_start(&change);
        if (r >= 0) {
            (void)TAKE_PTR(chosen);
            return;
        }
        status = disk_change_status(r);
    }
    change_log(&about, NULL, 0, status);
    done(status, userdata);
}
