/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/classify.h"

#include <stdbool.h>
#include <string.h>

#include "basic/macros.h"
#include "plan/plan.h"

#define N_ACCESS_STATES (ACCESS_OTHER + 1U)

/* What the groups with paths of the session are like. */
struct shape {
    size_t n_groups;
    size_t n_tiers[N_ACCESS_STATES]; /* groups with a path in that access state */
    bool all_single;
    bool mixed_selectors;
    const char *selector;
    uint64_t first_connection; /* of the first path in the first group */
};

/* Index of the path, n_paths: not the session's. */
static size_t classify_find_path(const struct classify_path *paths, size_t n_paths, dev_t dev)
{
    size_t i = 0;

    while (i < n_paths && paths[i].dev != dev)
        i++;
    return i;
}

/*
 * Adds a group to the shape; the weight of its paths becomes its rank in their access state. Of a
 * path in several groups, which the kernel does not forbid, the first counts.
 */
static void add_group(struct shape *shape, const struct mp_group *group,
                      const struct classify_path *paths, size_t n_paths,
                      struct classify_role *roles)
{
    bool holds[N_ACCESS_STATES] = {false};
    size_t n_own = 0;

    for (size_t i = 0; i < group->n_paths; i++) {
        size_t own = classify_find_path(paths, n_paths, group->paths[i]);

        if (own == n_paths)
            continue;
        if (shape->n_groups == 0 && n_own == 0)
            shape->first_connection = paths[own].connection_id;
        n_own++;
        holds[paths[own].access] = true;
        if (roles[own].weight == UINT32_MAX)
            roles[own].weight = (uint32_t)shape->n_tiers[paths[own].access];
    }
    if (n_own == 0)
        return;

    for (size_t i = 0; i < N_ACCESS_STATES; i++)
        if (holds[i])
            shape->n_tiers[i]++;
    if (!shape->selector)
        shape->selector = group->selector;
    else if (strcmp(shape->selector, group->selector) != 0)
        shape->mixed_selectors = true;
    if (n_own > 1)
        shape->all_single = false;
    shape->n_groups++;
}

static bool has_selector_of(const struct shape *shape, enum lb_policy policy)
{
    return strcmp(shape->selector, plan_selector(policy)) == 0;
}

static enum lb_policy shape_policy(const struct shape *shape)
{
    size_t n_tiers = 0;

    if (shape->n_groups >= 2 && shape->all_single)
        return LB_FAILOVER;
    if (shape->n_groups == 0 || shape->mixed_selectors)
        return LB_VENDOR_SPECIFIC;

    for (size_t i = 0; i < N_ACCESS_STATES; i++)
        if (shape->n_tiers[i] > n_tiers)
            n_tiers = shape->n_tiers[i];

    if (has_selector_of(shape, LB_DYN_LEAST_QUEUE_DEPTH))
        return n_tiers == 1 ? LB_DYN_LEAST_QUEUE_DEPTH : LB_VENDOR_SPECIFIC;
    if (has_selector_of(shape, LB_LEAST_BLOCKS))
        return n_tiers == 1 ? LB_LEAST_BLOCKS : LB_VENDOR_SPECIFIC;
    if (!has_selector_of(shape, LB_ROUND_ROBIN))
        return LB_VENDOR_SPECIFIC;
    if (n_tiers == 1)
        return LB_ROUND_ROBIN;
    return n_tiers == 2 ? LB_ROUND_ROBIN_WITH_SUBSET : LB_WEIGHTED_PATHS;
}

/* Turns a role whose weight is a rank, UINT32_MAX for a path in no group, into the policy's. */
static void finish_role(struct classify_role *role, enum lb_policy policy,
                        const struct shape *shape)
{
    uint32_t rank = role->weight;

    role->weight = 0;
    switch (policy) {
    case LB_FAILOVER:
        role->primary = role->connection_id == shape->first_connection;
        break;
    case LB_ROUND_ROBIN:
    case LB_ROUND_ROBIN_WITH_SUBSET:
        role->primary = rank == 0;
        break;
    case LB_DYN_LEAST_QUEUE_DEPTH:
    case LB_LEAST_BLOCKS:
        role->primary = true;
        break;
    case LB_WEIGHTED_PATHS:
        role->primary = true;
        role->weight = rank;
        break;
    default:
        role->primary = false;
        break;
    }
}

static enum lb_policy classify(const struct mp_table *live, const struct classify_path *paths,
                               size_t n_paths, bool is_disk, struct classify_role *ret_roles)
{
    struct shape shape = {.all_single = true};
    enum lb_policy policy;

    for (size_t i = 0; i < n_paths; i++)
        ret_roles[i] = (struct classify_role){
            .connection_id = paths[i].connection_id,
            .weight = UINT32_MAX,
        };
    for (size_t i = 0; i < live->n_groups; i++)
        add_group(&shape, &live->groups[i], paths, n_paths, ret_roles);

    policy = shape_policy(&shape);
    if (policy == LB_LEAST_BLOCKS && !is_disk)
        policy = LB_VENDOR_SPECIFIC;
    for (size_t i = 0; i < n_paths; i++)
        finish_role(&ret_roles[i], policy, &shape);
    return policy;
}

enum lb_policy classify_map(const struct mp_table *live, const struct classify_path *paths,
                            size_t n_paths, struct classify_role *ret_roles)
{
    return classify(live, paths, n_paths, false, ret_roles);
}

enum lb_policy classify_disk(const struct mp_table *live, const struct classify_path *paths,
                             size_t n_paths, struct classify_role *ret_roles)
{
    return classify(live, paths, n_paths, true, ret_roles);
}

static struct classify_role *find_role(struct classify_role *roles, size_t n_roles,
                                       uint64_t connection_id)
{
    for (size_t i = 0; i < n_roles; i++)
        if (roles[i].connection_id == connection_id)
            return &roles[i];
    return NULL;
}

enum lb_policy classify_merge(enum lb_policy policy, struct classify_role *roles, size_t *n_roles,
                              enum lb_policy map_policy, const struct classify_role *more,
                              size_t n_more)
{
    bool agree = policy == 0 || policy == map_policy;

    for (size_t i = 0; i < n_more; i++) {
        const struct classify_role *role = find_role(roles, *n_roles, more[i].connection_id);

        if (!role)
            roles[(*n_roles)++] = more[i];
        else if (role->weight != more[i].weight || role->primary != more[i].primary)
            agree = false;
    }
    if (agree)
        return map_policy;

    for (size_t i = 0; i < *n_roles; i++) {
        roles[i].weight = 0;
        roles[i].primary = false;
    }
    return LB_VENDOR_SPECIFIC;
}
