/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Random maps with sessions and policies over them, for the tests of src/plan, and what the
 * design says of them, in a form of its own: which of two paths comes first.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "basic/macros.h"
#include "plan/plan.h"
#include "prng.h"

#define SCENE_POLICIES 3
#define SCENE_PATHS 16
#define SCENE_MEMBERS (SCENE_PATHS + 2)

struct scene {
    struct mp_table *live;
    struct plan_path paths[SCENE_PATHS];
    size_t n_paths;
    struct plan_member members[SCENE_POLICIES][SCENE_MEMBERS];
    struct plan_policy policies[SCENE_POLICIES];
    size_t n_policies;
};

/* What a scene may have besides the named paths of its policies. */
struct scene_kind {
    size_t n_paths;
    size_t n_policies;
    enum lb_policy policy; /* 0: a random one for each */
    bool alua;
    bool late;
    bool foreign;
    bool absent; /* members without a path in this map */
};

static inline void scene_done(struct scene *scene)
{
    mp_table_free(scene->live);
}

static inline void scene_shuffle_paths(struct scene *scene, struct prng *prng)
{
    for (size_t i = scene->n_paths - 1; i > 0; i--) {
        size_t j = prng_below(prng, i + 1);
        struct plan_path path = scene->paths[i];

        scene->paths[i] = scene->paths[j];
        scene->paths[j] = path;
    }
}

/* assert() goes with NDEBUG, and not all who include this have cmocka. */
static inline void scene_expect(bool right)
{
    if (!right)
        abort();
}

/* A live table of the paths in random groups. */
static inline void scene_make_live(struct scene *scene, struct prng *prng)
{
    static const char *const selectors[] = {"service-time 0", "round-robin 0", "queue-length 0"};
    struct mp_group *group = NULL;
    int r;

    r = mp_table_parse("1 queue_if_no_path 1 alua 0 0", &scene->live);
    scene_expect(r == 0);
    scene_shuffle_paths(scene, prng);
    for (size_t i = 0; i < scene->n_paths; i++) {
        if (!group || prng_below(prng, 3) == 0) {
            r = mp_table_add_group(scene->live, selectors[prng_below(prng, 3)], &group);
            scene_expect(r == 0);
        }
        r = mp_group_add_path(group, scene->paths[i].dev);
        scene_expect(r == 0);
    }
    scene->live->current = 1 + (unsigned)prng_below(prng, scene->live->n_groups);
    scene_shuffle_paths(scene, prng);
}

static inline void scene_add_member(struct scene *scene, size_t policy, uint64_t connection_id,
                                    struct prng *prng)
{
    struct plan_policy *to = &scene->policies[policy];
    size_t at = prng_below(prng, to->n_members + 1);

    for (size_t i = to->n_members++; i > at; i--)
        scene->members[policy][i] = scene->members[policy][i - 1];
    scene->members[policy][at] = (struct plan_member){
        .connection_id = connection_id,
        .weight = (uint32_t)prng_below(prng, 5) * (UINT32_MAX / 4),
        .primary = to->policy != LB_FAILOVER && prng_below(prng, 2),
    };
}

static inline enum lb_policy scene_random_policy(struct prng *prng)
{
    enum lb_policy policy = (enum lb_policy)(1 + prng_below(prng, 6));
    return policy == LB_VENDOR_SPECIFIC ? LB_LEAST_BLOCKS : policy;
}

static inline void scene_init(struct scene *scene, const struct scene_kind *kind, struct prng *prng)
{
    *scene = (struct scene){.n_paths = kind->n_paths, .n_policies = kind->n_policies};
    for (size_t i = 0; i < kind->n_policies; i++)
        scene->policies[i] = (struct plan_policy){
            .policy = kind->policy ? kind->policy : scene_random_policy(prng),
            .highest_first = prng_below(prng, 2),
            .members = scene->members[i],
        };

    for (size_t i = 0; i < kind->n_paths; i++) {
        struct plan_path *path = &scene->paths[i];

        path->dev = makedev(8, (unsigned)(16 * i));
        path->connection_id = prng_next(prng);
        path->policy = i < kind->n_policies ? i : prng_below(prng, kind->n_policies);
        if (kind->foreign && i >= kind->n_policies && prng_below(prng, 3) == 0)
            path->policy = PLAN_NO_POLICY;
        else if (!kind->late || prng_below(prng, 4) != 0)
            scene_add_member(scene, path->policy, path->connection_id, prng);
        if (kind->alua)
            path->access = (enum access_state)prng_below(prng, 3);
    }
    for (size_t i = 0; i < kind->n_policies; i++) {
        struct plan_policy *policy = &scene->policies[i];

        if (policy->n_members == 0 || kind->absent)
            scene_add_member(scene, i, prng_next(prng), prng);
        scene->members[i][prng_below(prng, policy->n_members)].primary = true;
    }
    scene_make_live(scene, prng);
}

static inline const struct plan_path *scene_find(const struct scene *scene, dev_t dev)
{
    for (size_t i = 0; i < scene->n_paths; i++)
        if (scene->paths[i].dev == dev)
            return &scene->paths[i];
    return NULL;
}

static inline const struct plan_policy *scene_policy(const struct scene *scene,
                                                     const struct plan_path *path)
{
    return path->policy == PLAN_NO_POLICY ? NULL : &scene->policies[path->policy];
}

/* Place in the request, -1: late. */
static inline int scene_position(const struct scene *scene, const struct plan_path *path)
{
    const struct plan_policy *policy = scene_policy(scene, path);

    for (size_t i = 0; i < policy->n_members; i++)
        if (policy->members[i].connection_id == path->connection_id)
            return (int)i;
    return -1;
}

/* The tier inside a policy: lower is better, only the order of the numbers counts. */
static inline int64_t scene_tier(const struct scene *scene, const struct plan_path *path)
{
    const struct plan_policy *policy = scene_policy(scene, path);
    int position = scene_position(scene, path);
    bool late = position < 0;
    bool primary = !late && policy->members[position].primary;
    int64_t worst = INT64_MIN;

    switch (policy->policy) {
    case LB_FAILOVER:
        return late ? 1000 : primary ? -1 : position;
    case LB_ROUND_ROBIN:
        return !late && !primary;
    case LB_ROUND_ROBIN_WITH_SUBSET:
        return !primary;
    case LB_WEIGHTED_PATHS:
        for (size_t i = 0; i < policy->n_members; i++) {
            int64_t weight = policy->members[i].weight;

            weight = policy->highest_first ? -weight : weight;
            if ((int)i == position)
                return weight;
            if (weight > worst)
                worst = weight;
        }
        return worst;
    default:
        return 0;
    }
}

static inline bool scene_joins(const struct scene *scene)
{
    size_t n_queue_length = 0;
    size_t n_least_blocks = 0;

    for (size_t i = 0; i < scene->n_policies; i++) {
        if (scene->policies[i].policy == LB_FAILOVER ||
            scene->policies[i].policy == LB_WEIGHTED_PATHS)
            return false;
        n_queue_length += scene->policies[i].policy == LB_DYN_LEAST_QUEUE_DEPTH;
        n_least_blocks += scene->policies[i].policy == LB_LEAST_BLOCKS;
    }
    return n_queue_length == scene->n_policies || n_least_blocks == scene->n_policies ||
           n_queue_length + n_least_blocks == 0;
}

/* Below 0: a's group stands before b's. 0: they share one, or the design does not say. */
static inline int scene_order(const struct scene *scene, const struct plan_path *a,
                              const struct plan_path *b)
{
    int64_t tier_a;
    int64_t tier_b;

    if (a->access != b->access)
        return (int)a->access - (int)b->access;
    if (a->policy == PLAN_NO_POLICY || b->policy == PLAN_NO_POLICY)
        return (a->policy == PLAN_NO_POLICY) - (b->policy == PLAN_NO_POLICY);
    if (a->policy != b->policy && !scene_joins(scene))
        return a->policy < b->policy ? -1 : 1;
    tier_a = scene_tier(scene, a);
    tier_b = scene_tier(scene, b);
    return (tier_a > tier_b) - (tier_a < tier_b);
}

static inline bool scene_alone(const struct scene *scene, const struct plan_path *path)
{
    const struct plan_policy *policy = scene_policy(scene, path);

    return policy && policy->policy == LB_FAILOVER;
}

/* Whether access states rule a policy's primaries out. */
static inline bool scene_refused(const struct scene *scene)
{
    for (size_t i = 0; i < scene->n_policies; i++) {
        bool has_primary = false;
        bool first = false;

        if (scene->policies[i].policy > LB_ROUND_ROBIN_WITH_SUBSET)
            continue;
        for (size_t j = 0; j < scene->n_paths; j++) {
            const struct plan_path *path = &scene->paths[j];
            int position = path->policy == i ? scene_position(scene, path) : -1;
            bool beaten = false;

            if (position < 0 || !scene->policies[i].members[position].primary)
                continue;
            has_primary = true;
            for (size_t k = 0; k < scene->n_paths; k++)
                if (scene->paths[k].policy == i && scene->paths[k].access < path->access)
                    beaten = true;
            if (!beaten)
                first = true;
        }
        if (has_primary && !first)
            return true;
    }
    return false;
}
