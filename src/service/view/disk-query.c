/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "basic/macros.h"
#include "iscsi/target-port.h"
#include "plan/classify.h"
#include "plan/failover.h"
#include "plan/plan.h"
#include "service/base/timer.h"
#include "service/model/freshness.h"
#include "service/model/maps.h"
#include "service/tables/lb-plan.h"
#include "service/view/disk-query.h"

#define SELECTORS_USEC 1000000U /* how long an answer of the module index is good for */

void disk_answer_done(struct disk_answer *answer)
{
    free(answer->paths);
    *answer = (struct disk_answer){0};
}

int disk_facts(const struct map_snapshot *snapshot, struct dsm_fact **ret, bool *ret_is_explicit)
{
    struct dsm_fact *facts = calloc(snapshot->n_paths + 1, sizeof(*facts));
    bool is_explicit = false;

    if (!facts)
        return -ENOMEM;
    for (size_t i = 0; i < snapshot->n_paths; i++) {
        struct target_port port;
        target_port_read(snapshot->paths[i].dev, &port);
        facts[i] = (struct dsm_fact){
            .id = snapshot->paths[i].id,
            .failed = !mp_status_usable(snapshot->map->status, snapshot->paths[i].dev),
            .state = port.state,
        };
        is_explicit = is_explicit || port.alua & DSM_ALUA_EXPLICIT;
    }
    *ret = facts;
    *ret_is_explicit = is_explicit;
    return 0;
}

/* What is the path's own, whatever the policy. */
static struct dsm_path disk_query_describe_path(const struct map_snapshot *snapshot,
                                                const struct map_path *path)
{
    struct target_port port;

    target_port_read(path->dev, &port);
    return (struct dsm_path){
        .id = path->id,
        .failed = !mp_status_usable(snapshot->map->status, path->dev),
        .group_state = port.state,
        .alua_support = port.alua,
        .symmetric = !lb_is_asymmetric(snapshot),
        .group_preferred = port.preferred,
        .group_id = port.group,
        .port_id = port.port,
    };
}

/* The role of each path in table order, and the policy, by what the table amounts to. */
static int disk_query_classify(const struct map_snapshot *snapshot, struct classify_role *roles,
                               uint32_t *ret_policy)
{
    _cleanup_free_ struct classify_path *paths = calloc(snapshot->n_paths + 1, sizeof(*paths));
    if (!paths)
        return -ENOMEM;
    for (size_t i = 0; i < snapshot->n_paths; i++)
        paths[i] = (struct classify_path){snapshot->paths[i].dev, snapshot->paths[i].id,
                                          snapshot->paths[i].disk.access};

    uint32_t policy =
        dsm_of_lb(classify_disk(snapshot->map->table, paths, snapshot->n_paths, roles));
    if (policy == DSM_ROUND_ROBIN && lb_is_asymmetric(snapshot))
        policy = DSM_ROUND_ROBIN_WITH_SUBSET;
    *ret_policy = policy;
    return 0;
}

/* The roles as they were chosen; a path that joined later has those of the tier it came into. */
static int disk_query_recall(const struct host_map *map, const struct map_snapshot *snapshot,
                             struct classify_role *roles, struct disk_answer *answer)
{
    _cleanup_(lb_plan_policy_done) struct plan_policy chosen = {0};
    uint64_t preferred = lb_preferred_path(snapshot, map->policy);
    int r = lb_plan_disk_policy(snapshot, map->policy, &chosen);
    if (r < 0)
        return r;

    answer->policy = lb_disk_policy(map);
    for (size_t i = 0; i < answer->n_paths; i++) {
        struct dsm_path *path = &answer->paths[i];
        struct plan_member member = plan_member(&chosen, path->id);

        roles[i].weight = member.weight;
        roles[i].primary = member.primary;
        path->preferred = preferred != 0 && path->id == preferred;
    }
    return 0;
}

static bool disk_query_any_primary_usable(const struct classify_role *roles,
                                          const struct disk_answer *answer)
{
    for (size_t i = 0; i < answer->n_paths; i++)
        if (roles[i].primary && !answer->paths[i].failed)
            return true;
    return false;
}

/* Whether only the group that is in use gets I/O, be it by the policy or for want of better paths.
 */
static bool disk_query_is_led(const struct classify_role *roles, const struct disk_answer *answer)
{
    switch (answer->policy) {
    case DSM_FAILOVER:
    case DSM_VENDOR_SPECIFIC:
        return true;
    case DSM_ROUND_ROBIN_WITH_SUBSET:
        return !disk_query_any_primary_usable(roles, answer);
    default:
        return false;
    }
}

static bool disk_query_gets_io(const struct map_snapshot *snapshot, size_t i, bool led,
                               uint32_t policy, const struct classify_role *role)
{
    if (led)
        return failover_is_active(snapshot->map->table, snapshot->map->status,
                                  snapshot->paths[i].dev);
    return policy != DSM_ROUND_ROBIN_WITH_SUBSET || role->primary;
}

/* States and weights, from the roles of the paths. */
static void disk_query_take_roles(const struct map_snapshot *snapshot,
                                  const struct classify_role *roles, struct disk_answer *answer)
{
    bool led = disk_query_is_led(roles, answer);

    for (size_t i = 0; i < answer->n_paths; i++) {
        struct dsm_path *path = &answer->paths[i];
        bool optimized =
            path->group_state == DSM_ACTIVE_OPTIMIZED || path->group_state == DSM_STATE_NOT_USED;

        if (!optimized)
            dsm_set_state(path, (enum dsm_state)path->group_state);
        else if (disk_query_gets_io(snapshot, i, led, answer->policy, &roles[i]))
            dsm_set_state(path, DSM_ACTIVE_OPTIMIZED);
        else
            dsm_set_state(path, DSM_STANDBY);
        path->weight = answer->policy == DSM_WEIGHTED_PATHS ? roles[i].weight : 0;
    }
}

static int disk_query_describe(const struct host_map *map, const struct map_snapshot *snapshot,
                               struct disk_answer *answer)
{
    _cleanup_free_ struct classify_role *roles = calloc(snapshot->n_paths + 1, sizeof(*roles));
    int r = 0;

    answer->paths = calloc(snapshot->n_paths + 1, sizeof(*answer->paths));
    if (!answer->paths || !roles)
        return -ENOMEM;
    for (size_t i = 0; i < snapshot->n_paths; i++)
        answer->paths[answer->n_paths++] = disk_query_describe_path(snapshot, &snapshot->paths[i]);

    if (map_has_policy(map) && lb_agrees(snapshot))
        r = disk_query_recall(map, snapshot, roles, answer);
    else
        r = disk_query_classify(snapshot, roles, &answer->policy);
    if (r >= 0)
        disk_query_take_roles(snapshot, roles, answer);
    return r;
}

int disk_query(const struct host_map *map, struct disk_answer *ret)
{
    _cleanup_(map_snapshot_done) struct map_snapshot snapshot = {0};
    _cleanup_(disk_answer_done) struct disk_answer answer = {0};
    int r = maps_snapshot(map, &snapshot);

    if (is_no_map(r)) {
        answer.policy = map_has_policy(map) ? lb_disk_policy(map) : DSM_NONE;
        r = 0;
    } else if (r >= 0)
        r = disk_query_describe(map, &snapshot, &answer);
    if (r < 0)
        return r;
    *ret = answer;
    answer = (struct disk_answer){0};
    return 0;
}

/* The index of modules is big: who asks for all disks at once has it read once. */
static uint32_t disk_query_selectors(struct host *host)
{
    uint64_t now = loop_usec(host->event);

    if (host->selectors_usec && now < host->selectors_usec + SELECTORS_USEC)
        return host->selectors;
    host->selectors = 0;
    host->selectors_usec = now;
    for (uint32_t policy = DSM_FAILOVER; policy <= DSM_LEAST_BLOCKS; policy++)
        if (dm_selector_available(plan_selector(dsm_to_lb((enum dsm_policy)policy))))
            host->selectors |= 1U << policy;
    return host->selectors;
}

/* By the kernel's word of now: nobody follows the access states of a map without a policy. */
static bool disk_query_read_asymmetry(const struct host_map *map)
{
    struct scsi_disk first, disk;

    if (map->n_paths == 0 || scsi_disk_read(map->paths[0], &first) < 0)
        return map->asymmetric;
    for (size_t i = 1; i < map->n_paths; i++)
        if (scsi_disk_read(map->paths[i], &disk) >= 0 && disk.access != first.access)
            return true;
    return false;
}

static bool disk_query_is_asymmetric(struct host_map *map)
{
    uint64_t moment = freshness_moment(map->host);

    if (!moment || map->asymmetry_moment != moment) {
        map->asymmetric_now = disk_query_read_asymmetry(map);
        map->asymmetry_moment = moment;
    }
    return map->asymmetric_now;
}

size_t disk_supported(struct host_map *map, uint32_t ret[DSM_LEAST_BLOCKS])
{
    uint32_t available = disk_query_selectors(map->host);
    size_t n = 0;

    for (uint32_t policy = DSM_FAILOVER; policy <= DSM_LEAST_BLOCKS; policy++) {
        if (policy == DSM_ROUND_ROBIN && disk_query_is_asymmetric(map))
            continue;
        if (available & 1U << policy)
            ret[n++] = policy;
    }
    return n;
}
