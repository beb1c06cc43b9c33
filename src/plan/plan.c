/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"

/* A path of the live table and where it goes: the members down to `old` are its sort key. */
struct slot {
    enum access_state access;
    size_t block;           /* policies that join share one, those behind it rank lower */
    uint64_t tier;          /* inside the block, 0 the best */
    size_t policy;          /* PLAN_NO_POLICY: none */
    size_t position;        /* in the request; SIZE_MAX: late */
    uint64_t connection_id; /* gives late paths the same order in every map */
    size_t old;             /* place in the live table */
    dev_t dev;
    bool primary;
};

const char *plan_selector(enum lb_policy policy)
{
    switch (policy) {
    case LB_FAILOVER:
    case LB_ROUND_ROBIN:
    case LB_ROUND_ROBIN_WITH_SUBSET:
    case LB_WEIGHTED_PATHS:
        return "round-robin 0";
    case LB_DYN_LEAST_QUEUE_DEPTH:
        return "queue-length 0";
    case LB_LEAST_BLOCKS:
        return "service-time 0"; /* fewest bytes in flight, for paths of equal throughput */
    default:
        return NULL;
    }
}

static int plan_check_arguments(const struct plan_policy *policies, size_t n_policies,
                                const struct plan_path *paths, size_t n_paths)
{
    if (n_policies == 0)
        return -EINVAL;
    for (size_t i = 0; i < n_policies; i++)
        if (!plan_selector(policies[i].policy))
            return -EINVAL;
    for (size_t i = 0; i < n_paths; i++)
        if (paths[i].policy != PLAN_NO_POLICY && paths[i].policy >= n_policies)
            return -EINVAL;
    return 0;
}

/* Whether tiers of equal rank join: one selector for all, and none fails over by rank alone. */
static bool policies_join(const struct plan_policy *policies, size_t n_policies)
{
    for (size_t i = 0; i < n_policies; i++) {
        enum lb_policy policy = policies[i].policy;

        if (policy == LB_FAILOVER || policy == LB_WEIGHTED_PATHS)
            return false;
        if (strcmp(plan_selector(policy), plan_selector(policies[0].policy)) != 0)
            return false;
    }
    return true;
}

static size_t find_member(const struct plan_policy *policy, uint64_t connection_id)
{
    for (size_t i = 0; i < policy->n_members; i++)
        if (policy->members[i].connection_id == connection_id)
            return i;
    return SIZE_MAX;
}

static uint64_t weight_tier(const struct plan_policy *policy, uint32_t weight)
{
    return policy->highest_first ? UINT32_MAX - weight : weight;
}

static uint32_t worst_weight(const struct plan_policy *policy)
{
    uint32_t worst = policy->n_members > 0 ? policy->members[0].weight : 0;

    for (size_t i = 1; i < policy->n_members; i++)
        if (weight_tier(policy, policy->members[i].weight) > weight_tier(policy, worst))
            worst = policy->members[i].weight;
    return worst;
}

static struct plan_member late_member(const struct plan_policy *policy, uint64_t connection_id)
{
    bool comes_last = policy->policy == LB_FAILOVER || policy->policy == LB_ROUND_ROBIN_WITH_SUBSET;

    return (struct plan_member){
        .connection_id = connection_id,
        .weight = policy->policy == LB_WEIGHTED_PATHS ? worst_weight(policy) : 0,
        .primary = !comes_last || policy->n_members == 0,
    };
}

static struct plan_member member_at(const struct plan_policy *policy, size_t position,
                                    uint64_t connection_id)
{
    return position != SIZE_MAX ? policy->members[position] : late_member(policy, connection_id);
}

struct plan_member plan_member(const struct plan_policy *policy, uint64_t connection_id)
{
    return member_at(policy, find_member(policy, connection_id), connection_id);
}

static uint64_t member_tier(const struct plan_policy *policy, const struct plan_member *member)
{
    switch (policy->policy) {
    case LB_FAILOVER: /* whose paths are alone in a group each, in this order */
    case LB_ROUND_ROBIN:
    case LB_ROUND_ROBIN_WITH_SUBSET:
        return member->primary ? 0 : 1;
    case LB_WEIGHTED_PATHS:
        return weight_tier(policy, member->weight);
    default:
        return 0;
    }
}

static void place_path(struct slot *slot, const struct plan_path *path,
                       const struct plan_policy *policies, bool join)
{
    slot->access = path->access;
    if (path->policy == PLAN_NO_POLICY)
        return;

    const struct plan_policy *policy = &policies[path->policy];
    size_t position = find_member(policy, path->connection_id);
    struct plan_member member = member_at(policy, position, path->connection_id);

    slot->block = join ? 0 : path->policy;
    slot->policy = path->policy;
    slot->position = position;
    slot->connection_id = path->connection_id;
    slot->tier = member_tier(policy, &member);
    slot->primary = position != SIZE_MAX && member.primary;
}

static const struct plan_path *find_path(const struct plan_path *paths, size_t n_paths, dev_t dev)
{
    for (size_t i = 0; i < n_paths; i++)
        if (paths[i].dev == dev)
            return &paths[i];
    return NULL;
}

static bool has_slot(const struct slot *slots, size_t n_slots, dev_t dev)
{
    for (size_t i = 0; i < n_slots; i++)
        if (slots[i].dev == dev)
            return true;
    return false;
}

/* Fills one slot for each path of the live table. Returns their number. */
static size_t fill_slots(struct slot *slots, const struct mp_table *live,
                         const struct plan_policy *policies, size_t n_policies,
                         const struct plan_path *paths, size_t n_paths)
{
    bool join = policies_join(policies, n_policies);
    size_t n_slots = 0;

    for (size_t i = 0; i < live->n_groups; i++) {
        for (size_t j = 0; j < live->groups[i].n_paths; j++) {
            dev_t dev = live->groups[i].paths[j];
            const struct plan_path *path = find_path(paths, n_paths, dev);

            if (has_slot(slots, n_slots, dev))
                continue;
            slots[n_slots] = (struct slot){
                .access = ACCESS_OPTIMIZED,
                .block = n_policies, /* behind every policy */
                .policy = PLAN_NO_POLICY,
                .old = n_slots,
                .dev = dev,
            };
            if (path)
                place_path(&slots[n_slots], path, policies, join);
            n_slots++;
        }
    }
    return n_slots;
}

/* Whether access states leave the policy's primaries in front of its other paths. */
static bool access_allows(const struct slot *slots, size_t n_slots, size_t policy)
{
    enum access_state best = ACCESS_OTHER;
    enum access_state best_primary = ACCESS_OTHER;
    bool has_primary = false;

    for (size_t i = 0; i < n_slots; i++) {
        if (slots[i].policy != policy)
            continue;
        if (slots[i].access < best)
            best = slots[i].access;
        if (!slots[i].primary)
            continue;
        has_primary = true;
        if (slots[i].access < best_primary)
            best_primary = slots[i].access;
    }
    return !has_primary || best_primary == best;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_groups(const struct slot *a, const struct slot *b)
{
    int r;

    r = compare_numbers(a->access, b->access);
    if (r != 0)
        return r;
    r = compare_numbers(a->block, b->block);
    if (r != 0)
        return r;
    return compare_numbers(a->tier, b->tier);
}

static int compare_slots(const void *x, const void *y)
{
    const struct slot *a = x;
    const struct slot *b = y;
    int r;

    r = compare_groups(a, b);
    if (r != 0)
        return r;
    r = compare_numbers(a->policy, b->policy);
    if (r != 0)
        return r;
    r = compare_numbers(a->position, b->position);
    if (r != 0)
        return r;
    r = compare_numbers(a->connection_id, b->connection_id);
    if (r != 0)
        return r;
    return compare_numbers(a->old, b->old);
}

static const struct plan_policy *policy_of(const struct slot *slot,
                                           const struct plan_policy *policies)
{
    return slot->policy == PLAN_NO_POLICY ? NULL : &policies[slot->policy];
}

/* Whether a path that sorts behind another one stands in the same group. */
static bool shares_group(const struct slot *before, const struct slot *slot,
                         const struct plan_policy *policies)
{
    const struct plan_policy *policy = policy_of(slot, policies);

    if (compare_groups(before, slot) != 0)
        return false;
    return !policy || policy->policy != LB_FAILOVER; /* which has each path alone */
}

static int add_slots(struct mp_table *table, const struct slot *slots, size_t n_slots,
                     const struct plan_policy *policies)
{
    struct mp_group *group = NULL;

    for (size_t i = 0; i < n_slots; i++) {
        int r;

        if (!group || !shares_group(&slots[i - 1], &slots[i], policies)) {
            const struct plan_policy *policy = policy_of(&slots[i], policies);

            if (!policy)
                policy = &policies[0];
            r = mp_table_add_group(table, plan_selector(policy->policy), &group);
            if (r < 0)
                return r;
        }
        r = mp_group_add_path(group, slots[i].dev);
        if (r < 0)
            return r;
    }
    return 0;
}

/*
 * Else the array's controllers can be told apart by access states, or need not be. Other handlers
 * than ALUA's note states when they attach or activate a path, and dm-mpath activates each path of
 * a group (__pg_init_all_paths()): two controllers in one take the LUN from each other.
 */
bool plan_handler_moves_lun(const struct mp_table *live)
{
    return strcmp(live->hwhandler, "0") != 0 && strcmp(live->hwhandler, "1 alua") != 0;
}

int plan_check_access(const struct mp_table *live, const struct plan_policy *policies,
                      size_t n_policies, const struct plan_path *paths, size_t n_paths,
                      size_t policy)
{
    _cleanup_free_ struct slot *slots = NULL;
    size_t n_slots;
    int r;

    r = plan_check_arguments(policies, n_policies, paths, n_paths);
    if (r < 0)
        return r;
    if (policy >= n_policies)
        return -EINVAL;
    if (policies[policy].policy != LB_FAILOVER && plan_handler_moves_lun(live))
        return -EOPNOTSUPP;
    if (policies[policy].policy > LB_ROUND_ROBIN_WITH_SUBSET)
        return 0;

    slots = calloc(mp_table_n_paths(live) + 1, sizeof(*slots)); /* never of 0, which may be NULL */
    if (!slots)
        return -ENOMEM;
    n_slots = fill_slots(slots, live, policies, n_policies, paths, n_paths);
    return access_allows(slots, n_slots, policy) ? 0 : -EOPNOTSUPP;
}

int plan_map(const struct mp_table *live, const struct plan_policy *policies, size_t n_policies,
             const struct plan_path *paths, size_t n_paths, struct mp_table **ret)
{
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    _cleanup_free_ struct slot *slots = NULL;
    size_t n_slots = mp_table_n_paths(live);
    int r;

    r = plan_check_arguments(policies, n_policies, paths, n_paths);
    if (r < 0)
        return r;
    table = mp_table_new_like(live);
    slots = calloc(n_slots + 1, sizeof(*slots)); /* never of 0, which may be NULL */
    if (!table || !slots)
        return -ENOMEM;

    n_slots = fill_slots(slots, live, policies, n_policies, paths, n_paths);
    qsort(slots, n_slots, sizeof(*slots), compare_slots);
    r = add_slots(table, slots, n_slots, policies);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(table);
    return 0;
}
