/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "basic/macros.h"
#include "plan/failover.h"
#include "plan/plan.h"
#include "service/model/find.h"
#include "service/model/host.h"
#include "service/model/maps.h"
#include "service/tables/lb-plan.h"

/* What plan_map() takes, for one map. */
struct plan_input {
    const struct session **sessions; /* those with a policy, in the order of `policies` */
    struct plan_policy *policies;
    size_t n_policies;
    struct plan_path *paths;
    size_t n_paths;
};

void lb_plan_policy_done(struct plan_policy *policy)
{
    free((void *)policy->members);
}

/* Whoever it names has the ID of now. */
static uint64_t lb_plan_session_id_now(const struct session *session, uint64_t id)
{
    const struct connection *connection = session_named_connection(session, id);
    return connection ? connection->id : id;
}

static uint64_t lb_plan_id_now(const struct map_snapshot *snapshot, uint64_t id)
{
    const struct map_path *path = map_snapshot_named_path(snapshot, id);
    return path ? path->id : id;
}

int lb_plan_policy(const struct session *session, const struct store_policy *policy,
                   struct plan_policy *ret)
{
    struct plan_member *members = calloc(policy->n_paths + 1, sizeof(*members));
    if (!members)
        return -ENOMEM;
    for (size_t i = 0; i < policy->n_paths; i++)
        members[i] = (struct plan_member){
            .connection_id = lb_plan_session_id_now(session, policy->paths[i].connection_id),
            .weight = policy->paths[i].weight,
            .primary = policy->paths[i].primary,
        };
    *ret = (struct plan_policy){
        .policy = policy->policy,
        .highest_first = policy->highest_first,
        .members = members,
        .n_members = policy->n_paths,
    };
    return 0;
}

int lb_plan_disk_policy(const struct map_snapshot *snapshot, const struct store_disk_policy *policy,
                        struct plan_policy *ret)
{
    struct plan_member *members = calloc(policy->n_paths + 1, sizeof(*members));
    if (!members)
        return -ENOMEM;
    for (size_t i = 0; i < policy->n_paths; i++)
        members[i] = (struct plan_member){
            .connection_id = lb_plan_id_now(snapshot, policy->paths[i].id),
            .weight = policy->paths[i].weight,
            .primary = policy->paths[i].primary,
        };
    *ret = (struct plan_policy){
        .policy = dsm_to_lb(policy->policy),
        .members = members,
        .n_members = policy->n_paths,
    };
    return 0;
}

static void plan_input_done(struct plan_input *input)
{
    for (size_t i = 0; i < input->n_policies; i++)
        lb_plan_policy_done(&input->policies[i]);
    free(input->policies);
    free(input->sessions);
    free(input->paths);
}

static int lb_plan_add_policy(struct plan_input *input, const struct session *session,
                              const struct store_policy *from)
{
    int r = lb_plan_policy(session, from, &input->policies[input->n_policies]);
    if (r < 0)
        return r;
    input->sessions[input->n_policies++] = session;
    return 0;
}

static const struct session *lb_plan_session_of(const struct map_path *path)
{
    return path->connection ? path->connection->session : NULL;
}

static bool lb_plan_is_first_of_session(const struct map_snapshot *snapshot, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (lb_plan_session_of(&snapshot->paths[k]) == lb_plan_session_of(&snapshot->paths[i]))
            return false;
    return lb_plan_session_of(&snapshot->paths[i]);
}

/* The session whose policy was chosen last before `below`; `chooser`, whose next one leads, apart.
 */
static const struct session *lb_plan_next_session(const struct map_snapshot *snapshot,
                                                  uint64_t below, const struct session *chooser)
{
    const struct session *next = NULL;

    for (size_t i = 0; i < snapshot->n_paths; i++) {
        const struct session *session = lb_plan_session_of(&snapshot->paths[i]);
        if (!lb_plan_is_first_of_session(snapshot, i) || session == chooser ||
            !session_has_policy(session) || session->policy->serial >= below)
            continue;
        if (!next || session->policy->serial > next->policy->serial)
            next = session;
    }
    return next;
}

/* The policies that concern the map, the one chosen last first. */
static int lb_plan_collect_policies(const struct map_snapshot *snapshot,
                                    const struct session *chooser,
                                    const struct store_policy *choice, struct plan_input *input)
{
    input->policies = calloc(snapshot->n_paths + 1, sizeof(*input->policies));
    input->sessions = calloc(snapshot->n_paths + 1, sizeof(*input->sessions));
    if (!input->policies || !input->sessions)
        return -ENOMEM;

    int r = choice ? lb_plan_add_policy(input, chooser, choice) : 0;
    for (uint64_t below = UINT64_MAX; r >= 0;) {
        const struct session *next = lb_plan_next_session(snapshot, below, chooser);
        if (!next)
            break;
        below = next->policy->serial;
        r = lb_plan_add_policy(input, next, next->policy);
    }
    return r;
}

static size_t lb_plan_policy_index(const struct plan_input *input, const struct session *session)
{
    for (size_t i = 0; i < input->n_policies; i++)
        if (input->sessions[i] == session)
            return i;
    return PLAN_NO_POLICY;
}

static int lb_plan_collect_paths(const struct map_snapshot *snapshot, struct plan_input *input)
{
    input->paths = calloc(snapshot->n_paths + 1, sizeof(*input->paths));
    if (!input->paths)
        return -ENOMEM;

    for (size_t i = 0; i < snapshot->n_paths; i++) {
        const struct map_path *path = &snapshot->paths[i];
        input->paths[input->n_paths++] = (struct plan_path){
            .dev = path->dev,
            .policy = lb_plan_policy_index(input, lb_plan_session_of(path)),
            .connection_id = path->connection ? path->connection->id : 0,
            .access = path->disk.access,
        };
    }
    return 0;
}

/* NULL `choice`: nothing is chosen, the policies in force alone count. */
static int lb_plan_sessions(const struct map_snapshot *snapshot, const struct session *chooser,
                            const struct store_policy *choice, struct mp_table **ret)
{
    _cleanup_(plan_input_done) struct plan_input input = {0};

    int r = lb_plan_collect_policies(snapshot, chooser, choice, &input);
    if (r >= 0)
        r = lb_plan_collect_paths(snapshot, &input);
    if (r < 0)
        return r;
    if (input.n_policies == 0)
        return -ENODATA;

    const struct mp_table *live = snapshot->map->table;
    if (choice) {
        r = plan_check_access(live, input.policies, input.n_policies, input.paths, input.n_paths,
                              0);
        if (r < 0)
            return r;
    }
    return plan_map(live, input.policies, input.n_policies, input.paths, input.n_paths, ret);
}

uint32_t lb_disk_policy(const struct host_map *map)
{
    enum dsm_policy policy = map->policy->policy;

    return policy == DSM_ROUND_ROBIN && map->asymmetric ? DSM_ROUND_ROBIN_WITH_SUBSET : policy;
}

bool lb_is_asymmetric(const struct map_snapshot *snapshot)
{
    for (size_t i = 1; i < snapshot->n_paths; i++)
        if (snapshot->paths[i].disk.access != snapshot->paths[0].disk.access)
            return true;
    return false;
}

/*
 * By its session. One that has logged in anew has the ID that it had; so has the twin that has
 * moved up to the rank of one that has logged out, and which had no I/O.
 */
static const struct map_path *lb_plan_last_path(const struct map_snapshot *snapshot,
                                                const struct active_path *last)
{
    const struct map_path *alike = NULL;

    for (size_t i = 0; i < snapshot->n_paths && last->id != 0; i++) {
        const struct map_path *path = &snapshot->paths[i];
        if (path->connection && path->disk.sid == last->sid)
            return path;
        if (path->id == last->id && !(path->connection && path->connection->rank > 0))
            alike = path;
    }
    return alike;
}

struct active_path lb_active_path(const struct map_snapshot *snapshot,
                                  const struct active_path *last, bool in_sync)
{
    const struct map_path *path = lb_plan_last_path(snapshot, last);
    dev_t dev = failover_active_path(snapshot->map->table, snapshot->map->status,
                                     path ? path->dev : 0, in_sync);
    path = dev ? map_snapshot_path(snapshot, dev) : NULL;
    return path ? (struct active_path){path->id, path->disk.sid} : (struct active_path){0};
}

static uint64_t lb_plan_preferred_path(const struct store_disk_policy *policy)
{
    for (size_t i = 0; i < policy->n_paths; i++)
        if (policy->paths[i].preferred)
            return policy->paths[i].id;
    return 0;
}

uint64_t lb_preferred_path(const struct map_snapshot *snapshot,
                           const struct store_disk_policy *policy)
{
    return lb_plan_id_now(snapshot, lb_plan_preferred_path(policy));
}

static bool lb_plan_failback_is_manual(const struct store_disk_policy *policy)
{
    return policy->policy == DSM_FAILOVER && !lb_plan_preferred_path(policy);
}

bool lb_failback_is_manual(const struct host_map *map)
{
    return map_has_policy(map) && lb_plan_failback_is_manual(map->policy);
}

/* The path that comes before the primary, 0: none. */
static uint64_t lb_plan_first_path(const struct map_snapshot *snapshot, const struct host_map *map)
{
    if (map->policy->policy != DSM_FAILOVER)
        return 0;
    if (!lb_failback_is_manual(map))
        return lb_preferred_path(snapshot, map->policy);
    if (map->active_path.id == 0)
        return 0;
    struct active_path active =
        lb_active_path(snapshot, &map->active_path, !map_awaits_mpathd(map));
    if (active.id)
        return active.id;
    const struct map_path *last = lb_plan_last_path(snapshot, &map->active_path);
    return last ? last->id : 0;
}

/* The disk's policy with the members of a failover in the order of their tiers. */
static int lb_plan_order_disk_policy(const struct map_snapshot *snapshot,
                                     const struct store_disk_policy *policy, uint64_t first,
                                     struct plan_policy *ret)
{
    _cleanup_(lb_plan_policy_done) struct plan_policy named = {0};

    if (policy->policy != DSM_FAILOVER)
        return lb_plan_disk_policy(snapshot, policy, ret);
    int r = lb_plan_disk_policy(snapshot, policy, &named);
    if (r < 0)
        return r;
    struct plan_member *members = calloc(named.n_members + 1, sizeof(*members));
    if (!members)
        return -ENOMEM;
    *ret = (struct plan_policy){
        .policy = named.policy,
        .members = members,
        .n_members = failover_order(named.members, named.n_members, first, members),
    };
    return 0;
}

static int lb_plan_disk(const struct map_snapshot *snapshot, const struct store_disk_policy *policy,
                        uint64_t first, bool is_choice, struct mp_table **ret)
{
    _cleanup_(lb_plan_policy_done) struct plan_policy as_planned = {0};
    _cleanup_free_ struct plan_path *paths = calloc(snapshot->n_paths + 1, sizeof(*paths));
    const struct mp_table *live = snapshot->map->table;

    int r = paths ? lb_plan_order_disk_policy(snapshot, policy, first, &as_planned) : -ENOMEM;
    if (r < 0)
        return r;
    for (size_t i = 0; i < snapshot->n_paths; i++)
        paths[i] = (struct plan_path){
            .dev = snapshot->paths[i].dev,
            .connection_id = snapshot->paths[i].id,
            .access = snapshot->paths[i].disk.access,
        };
    if (is_choice) {
        r = plan_check_access(live, &as_planned, 1, paths, snapshot->n_paths, 0);
        if (r < 0)
            return r;
    }
    return plan_map(live, &as_planned, 1, paths, snapshot->n_paths, ret);
}

int lb_plan_disk_choice(const struct map_snapshot *snapshot, const struct store_disk_policy *policy,
                        struct mp_table **ret, bool *ret_manual_failback)
{
    int r = lb_plan_disk(snapshot, policy, lb_preferred_path(snapshot, policy), true, ret);
    if (r >= 0)
        *ret_manual_failback = lb_plan_failback_is_manual(policy);
    return r;
}

/* The map as the model has it, where it has a policy of its own that counts; else NULL. */
static const struct host_map *lb_plan_map_with_policy(const struct map_snapshot *snapshot)
{
    const struct host_map *map = maps_find_wwid(snapshot->host, dm_map_wwid(snapshot->map));

    return map && map_has_policy(map) ? map : NULL;
}

bool lb_has_disk_policy(const struct map_snapshot *snapshot)
{
    return lb_plan_map_with_policy(snapshot);
}

int lb_plan(const struct map_snapshot *snapshot, struct mp_table **ret)
{
    const struct host_map *map = lb_plan_map_with_policy(snapshot);

    if (map)
        return lb_plan_disk(snapshot, map->policy, lb_plan_first_path(snapshot, map), false, ret);
    return lb_plan_sessions(snapshot, NULL, NULL, ret);
}

int lb_plan_choice(const struct map_snapshot *snapshot, const struct session *session,
                   const struct store_policy *policy, struct mp_table **ret,
                   bool *ret_manual_failback)
{
    const struct host_map *map = lb_plan_map_with_policy(snapshot);
    bool own = map && !map->policy->by_default;

    int r = own ? lb_plan(snapshot, ret) : lb_plan_sessions(snapshot, session, policy, ret);
    if (r >= 0)
        *ret_manual_failback = own && lb_failback_is_manual(map);
    return r;
}

bool lb_agrees(const struct map_snapshot *snapshot)
{
    _cleanup_(mp_table_freep) struct mp_table *planned = NULL;

    int r = lb_plan(snapshot, &planned);
    if (r < 0)
        return r == -ENODATA;
    return mp_table_same_meaning(snapshot->map->table, planned, snapshot->map->status);
}
