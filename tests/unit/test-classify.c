/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "basic/macros.h"
#include "plan/classify.h"
#include "plan/plan.h"
#include "prng.h"
#include "scene.h"

/*
 * A live table, the access state of the session's paths 8:0, 8:1, ... ('o' optimized, 'n' not,
 * 'x' other, '-' not the session's), and what is to be found: the policy and for each of the
 * session's paths its weight ('0', ...) with 5, else whether it is a primary ('p', '.').
 */
struct sample {
    const char *live;
    const char *access;
    enum lb_policy policy;
    const char *roles;
};

#define RR "round-robin 0 "
#define QL "queue-length 0 "
#define ST "service-time 0 "

static const struct sample samples[] = {
    /* one path */
    {"0 0 1 1 " RR "1 1 8:0 1", "o", LB_ROUND_ROBIN, "p"},
    {"0 0 1 1 " RR "1 1 8:0 1", "x", LB_ROUND_ROBIN, "p"},
    {"0 0 1 1 " QL "1 1 8:0 1", "o", LB_DYN_LEAST_QUEUE_DEPTH, "p"},
    {"0 0 1 1 " ST "1 1 8:0 1", "o", LB_VENDOR_SPECIFIC, "."},
    /* each path alone */
    {"0 0 2 1 " RR "1 1 8:1 1 " RR "1 1 8:0 1", "oo", LB_FAILOVER, ".p"},
    {"0 0 3 3 " ST "1 1 8:2 1 " QL "1 1 8:0 1 " RR "1 1 8:1 1", "ooo", LB_FAILOVER, "..p"},
    {"0 0 2 1 " QL "1 1 8:0 1 " QL "1 1 8:1 1", "on", LB_FAILOVER, "p."},
    {"0 0 2 1 " RR "1 1 8:0 1 " RR "1 1 8:1 1", "no", LB_FAILOVER, "p."},
    /* multipathd's own group_by_prio and multibus, with several selectors */
    {"0 1 alua 1 1 " ST "2 2 8:0 1 1 8:1 1 1", "oo", LB_VENDOR_SPECIFIC, ".."},
    {"0 1 alua 1 1 " RR "2 1 8:0 1 8:1 1", "oo", LB_ROUND_ROBIN, "pp"},
    {"0 1 alua 1 1 " QL "2 1 8:0 1 8:1 1", "oo", LB_DYN_LEAST_QUEUE_DEPTH, "pp"},
    {"0 0 2 1 " RR "2 1 8:0 1 8:1 1 " RR "2 1 8:2 1 8:3 1", "oonn", LB_ROUND_ROBIN, "pppp"},
    {"0 0 2 1 " QL "2 1 8:0 1 8:1 1 " QL "2 1 8:2 1 8:3 1", "oonn", LB_DYN_LEAST_QUEUE_DEPTH,
     "pppp"},
    {"0 0 2 1 " QL "2 1 8:0 1 8:1 1 " QL "2 1 8:2 1 8:3 1", "oooo", LB_VENDOR_SPECIFIC, "...."},
    {"0 0 2 1 " QL "2 1 8:0 1 8:1 1 " RR "2 1 8:2 1 8:3 1", "oonn", LB_VENDOR_SPECIFIC, "...."},
    {"0 0 1 1 round-robin 1 x 2 1 8:0 1 8:1 1", "oo", LB_VENDOR_SPECIFIC, ".."},
    {"0 0 1 1 historical-service-time 2 972 0 2 1 8:0 0 8:1 0", "oo", LB_VENDOR_SPECIFIC, ".."},
    /* subsets */
    {"0 0 2 1 " RR "2 1 8:3 1 8:1 1 " RR "2 1 8:2 1 8:0 1", "oooo", LB_ROUND_ROBIN_WITH_SUBSET,
     ".p.p"},
    {"0 0 2 1 " RR "1 1 8:3 1 " RR "3 1 8:2 1 8:0 1 8:1 1", "oooo", LB_ROUND_ROBIN_WITH_SUBSET,
     "...p"},
    {"0 0 4 1 " RR "2 1 8:0 1 8:1 1 " RR "1 1 8:2 1 " RR "1 1 8:3 1 " RR "1 1 8:4 1", "ooonn",
     LB_ROUND_ROBIN_WITH_SUBSET, "pp.p."},
    {"0 0 3 1 " RR "2 1 8:0 1 8:1 1 " RR "1 1 8:2 1 " RR "1 1 8:3 1", "ooon",
     LB_ROUND_ROBIN_WITH_SUBSET, "pp.p"},
    /* weights */
    {"0 0 3 1 " RR "1 1 8:3 1 " RR "2 1 8:2 1 8:0 1 " RR "1 1 8:1 1", "oooo", LB_WEIGHTED_PATHS,
     "1210"},
    {"0 0 4 1 " RR "1 1 8:0 1 " RR "1 1 8:1 1 " RR "1 1 8:2 1 " RR "2 1 8:3 1 8:4 1", "ooonn",
     LB_WEIGHTED_PATHS, "01200"},
    /* a group that mixes access states counts in each of them */
    {"0 0 1 1 " RR "2 1 8:0 1 8:1 1", "on", LB_ROUND_ROBIN, "pp"},
    {"0 0 2 1 " RR "2 1 8:0 1 8:1 1 " RR "1 1 8:2 1", "ono", LB_ROUND_ROBIN_WITH_SUBSET, "pp."},
    /* groups and selectors of others do not count, their paths in a group of ours neither */
    {"0 0 3 1 " ST "1 1 8:2 1 " RR "2 1 8:0 1 8:1 1 " QL "1 1 8:3 1", "oo--", LB_ROUND_ROBIN, "pp"},
    {"0 0 2 1 " RR "2 1 8:0 1 8:2 1 " RR "2 1 8:1 1 8:3 1", "oo--", LB_FAILOVER, "p."},
    {"0 0 2 1 " RR "2 1 8:2 1 8:0 1 " ST "1 1 8:1 1", "o--", LB_ROUND_ROBIN, "p"},
    /* nothing of ours there */
    {"0 0 1 1 " RR "1 1 8:0 1", "-", LB_VENDOR_SPECIFIC, ""},
    {"0 0 0 0", "", LB_VENDOR_SPECIFIC, ""},
    {"0 0 0 0", "oo", LB_VENDOR_SPECIFIC, ".."},
};

static enum access_state access_of(char letter)
{
    switch (letter) {
    case 'o':
        return ACCESS_OPTIMIZED;
    case 'n':
        return ACCESS_NON_OPTIMIZED;
    default:
        return ACCESS_OTHER;
    }
}

static void assert_role(const struct classify_role *role, enum lb_policy policy, char expected)
{
    if (policy == LB_WEIGHTED_PATHS) {
        assert_true(role->primary);
        assert_int_equal(role->weight, expected - '0');
    } else {
        assert_int_equal(role->primary, expected == 'p');
        assert_int_equal(role->weight, 0);
    }
}

static void test_samples(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(samples); i++) {
        const struct sample *sample = &samples[i];
        _cleanup_(mp_table_freep) struct mp_table *live = NULL;
        struct classify_path paths[8];
        struct classify_role roles[8];
        size_t n_paths = 0;

        assert_int_equal(mp_table_parse(sample->live, &live), 0);
        for (unsigned j = 0; sample->access[j]; j++)
            if (sample->access[j] != '-')
                paths[n_paths++] = (struct classify_path){
                    .dev = makedev(8, j),
                    .connection_id = 100 + j,
                    .access = access_of(sample->access[j]),
                };

        assert_int_equal(classify_map(live, paths, n_paths, roles), sample->policy);
        assert_int_equal(strlen(sample->roles), n_paths);
        for (size_t j = 0; j < n_paths; j++) {
            assert_int_equal(roles[j].connection_id, paths[j].connection_id);
            assert_role(&roles[j], sample->policy, sample->roles[j]);
        }
    }
}

/* The session's own paths in the order of the table. */
static size_t own_paths(const struct scene *scene, const struct mp_table *table,
                        struct classify_path *paths)
{
    size_t n = 0;

    for (size_t i = 0; i < table->n_groups; i++) {
        for (size_t j = 0; j < table->groups[i].n_paths; j++) {
            const struct plan_path *path = scene_find(scene, table->groups[i].paths[j]);

            if (path->policy == 0)
                paths[n++] = (struct classify_path){path->dev, path->connection_id, path->access};
        }
    }
    return n;
}

/* How many tiers the request itself makes, and how large they are. */
struct tiers {
    size_t n_paths;
    size_t n_all;
    size_t n_most; /* in one access state */
};

static bool shares_tier(const struct scene *scene, const struct plan_path *a,
                        const struct plan_path *b)
{
    return !scene_alone(scene, a) && scene_order(scene, a, b) == 0;
}

static struct tiers count_tiers(const struct scene *scene)
{
    size_t in_state[ACCESS_OTHER + 1] = {0};
    struct tiers tiers = {0};

    for (size_t i = 0; i < scene->n_paths; i++) {
        const struct plan_path *path = &scene->paths[i];
        bool first = path->policy == 0;

        tiers.n_paths += path->policy == 0;
        for (size_t j = 0; j < i && first; j++)
            if (scene->paths[j].policy == 0 && shares_tier(scene, path, &scene->paths[j]))
                first = false;
        if (!first)
            continue;
        tiers.n_all++;
        if (++in_state[path->access] > tiers.n_most)
            tiers.n_most = in_state[path->access];
    }
    return tiers;
}

/*
 * What must be found in the table of a policy. It is the policy itself, but for those tables that
 * are another policy's too, by nature:
 *   one path in the map: 2, or 4 where that was asked;
 *   each path alone in its tier (5 with distinct weights, 3 with one primary of two paths, any
 *   policy where each path has an access state of its own): 1;
 *   all paths of an access state in one tier (3 with all primaries, 5 with equal weights): 2;
 *   two tiers in an access state at the most (2 with paths that are no primaries, 5 with two
 *   weights): 3.
 */
static enum lb_policy natural_policy(const struct scene *scene)
{
    enum lb_policy policy = scene->policies[0].policy;
    struct tiers tiers = count_tiers(scene);

    if (tiers.n_all == tiers.n_paths && tiers.n_paths >= 2)
        return LB_FAILOVER;
    if (policy == LB_DYN_LEAST_QUEUE_DEPTH)
        return policy;
    if (tiers.n_most == 1)
        return LB_ROUND_ROBIN;
    if (tiers.n_most == 2)
        return LB_ROUND_ROBIN_WITH_SUBSET;
    return LB_WEIGHTED_PATHS;
}

/* Plans anew from what was found in a table. The roles are in table order. */
static struct mp_table *replan(const struct scene *scene, const struct mp_table *table,
                               enum lb_policy policy, const struct classify_role *roles, size_t n)
{
    struct plan_member members[SCENE_PATHS];
    struct plan_policy found = {.policy = policy, .members = members, .n_members = n};
    struct mp_table *again = NULL;

    for (size_t i = 0; i < n; i++)
        members[i] = (struct plan_member){
            .connection_id = roles[i].connection_id,
            .weight = roles[i].weight,
            .primary = roles[i].primary,
        };
    assert_int_equal(plan_map(table, &found, 1, scene->paths, scene->n_paths, &again), 0);
    return again;
}

/* With one path in each group a selector has nothing to select: there 1 stands for 4 as well. */
static void forget_selectors(struct mp_table *table)
{
    for (size_t i = 0; i < table->n_groups; i++)
        strcpy(table->groups[i].selector, "-");
}

/* Plans the scene's one policy, classifies the table, and plans what was found. */
static bool check_scene(const struct scene *scene, enum lb_policy expected)
{
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    _cleanup_(mp_table_freep) struct mp_table *again = NULL;
    struct classify_path paths[SCENE_PATHS];
    struct classify_role roles[SCENE_PATHS];
    enum lb_policy policy;
    size_t n;

    if (plan_check_access(scene->live, scene->policies, 1, scene->paths, scene->n_paths, 0) < 0)
        return false;
    assert_int_equal(
        plan_map(scene->live, scene->policies, 1, scene->paths, scene->n_paths, &table), 0);
    n = own_paths(scene, table, paths);
    policy = classify_map(table, paths, n, roles);
    assert_int_equal(policy, expected);

    again = replan(scene, table, policy, roles, n);
    if (policy == LB_FAILOVER && scene->policies[0].policy == LB_DYN_LEAST_QUEUE_DEPTH) {
        forget_selectors(table);
        forget_selectors(again);
    }
    assert_true(mp_table_same_meaning(table, again, NULL));
    return true;
}

static void test_round_trips(void **state)
{
    struct prng prng = {21};

    for (size_t n_paths = 1; n_paths <= SCENE_PATHS; n_paths++) {
        for (unsigned policy = LB_FAILOVER; policy <= LB_WEIGHTED_PATHS; policy++) {
            for (unsigned i = 0; i < 64; i++) {
                const struct scene_kind kind = {
                    .n_paths = n_paths,
                    .n_policies = 1,
                    .policy = (enum lb_policy)policy,
                    .alua = i & 1,
                    .late = i & 2,
                    .foreign = i & 4,
                    .absent = i & 8,
                };
                struct scene scene;

                scene_init(&scene, &kind, &prng);
                if (!check_scene(&scene, natural_policy(&scene)))
                    assert_true(kind.alua);
                scene_done(&scene);
            }
        }
    }
}

/* What MPIO knows one policy more for. */
static void test_disks(void **state)
{
    static const struct {
        const char *live;
        enum lb_policy policy;
        bool primary;
    } disks[] = {
        {"0 0 1 1 " ST "4 1 8:0 1 8:1 1 8:2 1 8:3 1", LB_LEAST_BLOCKS, true},
        {"0 0 2 1 " ST "2 1 8:0 1 8:1 1 " ST "2 1 8:2 1 8:3 1", LB_VENDOR_SPECIFIC, false},
        {"0 0 2 1 " ST "2 1 8:0 1 8:1 1 " RR "2 1 8:2 1 8:3 1", LB_VENDOR_SPECIFIC, false},
        {"0 0 1 1 " QL "4 1 8:0 1 8:1 1 8:2 1 8:3 1", LB_DYN_LEAST_QUEUE_DEPTH, true},
        {"0 0 1 1 " RR "4 1 8:0 1 8:1 1 8:2 1 8:3 1", LB_ROUND_ROBIN, true},
    };
    struct classify_path paths[4];
    struct classify_role roles[4];

    for (unsigned i = 0; i < 4; i++)
        paths[i] = (struct classify_path){.dev = makedev(8, i), .connection_id = 100 + i};
    for (size_t i = 0; i < ELEMENTSOF(disks); i++) {
        _cleanup_(mp_table_freep) struct mp_table *live = NULL;

        assert_int_equal(mp_table_parse(disks[i].live, &live), 0);
        assert_int_equal(classify_disk(live, paths, 4, roles), disks[i].policy);
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(roles[k].primary, disks[i].primary);

        /* A session has no number for Least Blocks. */
        bool is_new = disks[i].policy == LB_LEAST_BLOCKS;
        assert_int_equal(classify_map(live, paths, 4, roles),
                         is_new ? LB_VENDOR_SPECIFIC : disks[i].policy);
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(roles[k].primary, disks[i].primary && !is_new);
    }
}

/* Sets the roles of a symmetric session's members by their place in the request. */
static void set_roles(struct scene *scene, enum lb_policy policy, size_t n_primaries,
                      uint32_t n_weights)
{
    scene->policies[0].policy = policy;
    for (size_t i = 0; i < scene->policies[0].n_members; i++) {
        scene->members[0][i].primary = i < n_primaries;
        scene->members[0][i].weight = (uint32_t)i % n_weights;
    }
}

/* Requests whose tables no other policy has: what was asked for is what is found. */
static void test_policies_found_again(void **state)
{
    struct prng prng = {22};

    for (size_t n = 1; n <= SCENE_PATHS; n++) {
        const struct scene_kind kind = {.n_paths = n, .n_policies = 1, .policy = LB_ROUND_ROBIN};
        struct scene scene;

        scene_init(&scene, &kind, &prng);
        set_roles(&scene, LB_FAILOVER, 1, 1);
        assert_true(check_scene(&scene, n == 1 ? LB_ROUND_ROBIN : LB_FAILOVER));
        set_roles(&scene, LB_ROUND_ROBIN, n, 1);
        assert_true(check_scene(&scene, LB_ROUND_ROBIN));
        set_roles(&scene, LB_DYN_LEAST_QUEUE_DEPTH, 0, 1);
        assert_true(check_scene(&scene, LB_DYN_LEAST_QUEUE_DEPTH));
        for (size_t n_primaries = 1; n_primaries < n && n > 2; n_primaries++) {
            set_roles(&scene, LB_ROUND_ROBIN_WITH_SUBSET, n_primaries, 1);
            assert_true(check_scene(&scene, LB_ROUND_ROBIN_WITH_SUBSET));
        }
        for (uint32_t n_weights = 3; n_weights < n; n_weights++) {
            set_roles(&scene, LB_WEIGHTED_PATHS, 0, n_weights);
            assert_true(check_scene(&scene, LB_WEIGHTED_PATHS));
        }
        scene_done(&scene);
    }
}

/* The coincidences by nature, one by one. */
static void test_coincidences(void **state)
{
    struct prng prng = {23};

    for (size_t n = 2; n <= SCENE_PATHS; n++) {
        const struct scene_kind kind = {.n_paths = n, .n_policies = 1, .policy = LB_ROUND_ROBIN};
        struct scene scene;

        scene_init(&scene, &kind, &prng);
        set_roles(&scene, LB_ROUND_ROBIN_WITH_SUBSET, n, 1); /* all primaries */
        assert_true(check_scene(&scene, LB_ROUND_ROBIN));
        set_roles(&scene, LB_ROUND_ROBIN, 1, 1); /* not all of them */
        assert_true(check_scene(&scene, n == 2 ? LB_FAILOVER : LB_ROUND_ROBIN_WITH_SUBSET));
        set_roles(&scene, LB_WEIGHTED_PATHS, 0, (uint32_t)n); /* distinct weights */
        assert_true(check_scene(&scene, LB_FAILOVER));
        set_roles(&scene, LB_WEIGHTED_PATHS, 0, 1); /* equal weights */
        assert_true(check_scene(&scene, LB_ROUND_ROBIN));
        set_roles(&scene, LB_WEIGHTED_PATHS, 0, 2);
        assert_true(check_scene(&scene, n == 2 ? LB_FAILOVER : LB_ROUND_ROBIN_WITH_SUBSET));
        scene_done(&scene);
    }
}

/* A table of one selector that nobody planned, its groups by access state, none mixing them. */
static struct mp_table *random_table(struct scene *scene, const char *selector, struct prng *prng)
{
    struct mp_table *table = mp_table_new_like(scene->live);

    assert_non_null(table);
    for (unsigned access = ACCESS_OPTIMIZED; access <= ACCESS_OTHER; access++) {
        struct mp_group *group = NULL;

        for (size_t i = 0; i < scene->n_paths; i++) {
            if ((unsigned)scene->paths[i].access != access)
                continue;
            if (!group || prng_below(prng, 3) == 0)
                assert_int_equal(mp_table_add_group(table, selector, &group), 0);
            assert_int_equal(mp_group_add_path(group, scene->paths[i].dev), 0);
        }
    }
    return table;
}

/* Whatever is found in a table that has a policy's form, planning it gives that table again. */
static void test_tables_of_others(void **state)
{
    struct prng prng = {24};
    size_t n_found = 0;

    for (unsigned i = 0; i < 4000; i++) {
        const bool queue = i % 4 == 0;
        const struct scene_kind kind = {
            .n_paths = 1 + i % SCENE_PATHS,
            .n_policies = 1,
            .policy = LB_ROUND_ROBIN,
            .alua = i & 16,
        };
        _cleanup_(mp_table_freep) struct mp_table *table = NULL;
        struct classify_path paths[SCENE_PATHS];
        struct classify_role roles[SCENE_PATHS];
        enum lb_policy policy;
        struct scene scene;
        size_t n;

        scene_init(&scene, &kind, &prng);
        table = random_table(&scene, queue ? "queue-length 0" : "round-robin 0", &prng);
        n = own_paths(&scene, table, paths);
        policy = classify_map(table, paths, n, roles);
        if (policy != LB_VENDOR_SPECIFIC) {
            _cleanup_(mp_table_freep) struct mp_table *again =
                replan(&scene, table, policy, roles, n);

            if (queue && policy == LB_FAILOVER) {
                forget_selectors(table);
                forget_selectors(again);
            }
            assert_true(mp_table_same_meaning(table, again, NULL));
            n_found++;
        } else {
            assert_true(queue);
        }
        scene_done(&scene);
    }
    assert_true(n_found > 3000);
}

/* Each of two sessions whose policies do not join finds its own again. */
static void test_two_sessions(void **state)
{
    static const struct plan_member first[] = {{0, 0, true}, {1, 0, true}, {2, 0, false}};
    static const struct plan_member second[] = {{3, 0, false}, {4, 0, false}, {5, 0, false}};
    static const struct plan_policy policies[] = {
        {LB_DYN_LEAST_QUEUE_DEPTH, false, second, 3},
        {LB_ROUND_ROBIN_WITH_SUBSET, false, first, 3},
    };
    _cleanup_(mp_table_freep) struct mp_table *live = NULL;
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    struct plan_path paths[6];
    struct classify_path own[2][3];
    struct classify_role roles[3];

    for (unsigned i = 0; i < 6; i++) {
        paths[i] = (struct plan_path){.dev = makedev(8, i), .policy = i < 3, .connection_id = i};
        own[i / 3][i % 3] = (struct classify_path){.dev = makedev(8, i), .connection_id = i};
    }
    assert_int_equal(mp_table_parse("0 0 1 1 x 0 6 0 8:0 8:1 8:2 8:3 8:4 8:5", &live), 0);
    assert_int_equal(plan_map(live, policies, 2, paths, 6, &table), 0);
    assert_int_equal(classify_map(table, own[0], 3, roles), LB_ROUND_ROBIN_WITH_SUBSET);
    assert_true(roles[0].primary && roles[1].primary && !roles[2].primary);
    assert_int_equal(classify_map(table, own[1], 3, roles), LB_DYN_LEAST_QUEUE_DEPTH);
    assert_true(roles[0].primary && roles[1].primary && roles[2].primary);
}

/* A LUN that one connection shows twice: one role for the connection, so that maps can agree. */
static void test_connection_with_two_paths(void **state)
{
    static const char text[] = "0 0 3 1 " RR "1 1 8:0 1 " RR "1 1 8:1 1 " RR "1 1 8:2 1";
    const struct classify_path paths[] = {
        {makedev(8, 0), 7, ACCESS_OPTIMIZED},
        {makedev(8, 1), 7, ACCESS_OPTIMIZED},
        {makedev(8, 2), 8, ACCESS_OPTIMIZED},
    };
    _cleanup_(mp_table_freep) struct mp_table *live = NULL;
    struct classify_role roles[3];
    struct classify_role merged[3];
    size_t n_merged = 0;

    assert_int_equal(mp_table_parse(text, &live), 0);
    assert_int_equal(classify_map(live, paths, 3, roles), LB_FAILOVER);
    assert_true(roles[0].primary && roles[1].primary && !roles[2].primary);
    assert_int_equal(classify_merge(0, merged, &n_merged, LB_FAILOVER, roles, 3), LB_FAILOVER);
    assert_int_equal(n_merged, 2);
}

static void assert_no_roles(const struct classify_role *roles, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_false(roles[i].primary);
        assert_int_equal(roles[i].weight, 0);
    }
}

static void test_merge(void **state)
{
    const struct classify_role first[] = {{1, 0, true}, {2, 0, false}};
    const struct classify_role more[] = {{3, 0, false}, {2, 0, false}, {1, 0, true}};
    const struct classify_role other[] = {{4, 0, true}, {2, 0, true}};
    struct classify_role roles[4];
    size_t n = 0;
    enum lb_policy policy;

    policy = classify_merge(0, roles, &n, LB_ROUND_ROBIN_WITH_SUBSET, first, 2);
    assert_int_equal(policy, LB_ROUND_ROBIN_WITH_SUBSET);
    assert_int_equal(n, 2);
    policy = classify_merge(policy, roles, &n, LB_ROUND_ROBIN_WITH_SUBSET, more, 3);
    assert_int_equal(policy, LB_ROUND_ROBIN_WITH_SUBSET);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(roles[i].connection_id, i + 1);
        assert_int_equal(roles[i].primary, i == 0);
    }

    /* 2 is a primary here and none there */
    policy = classify_merge(policy, roles, &n, LB_ROUND_ROBIN_WITH_SUBSET, other, 2);
    assert_int_equal(policy, LB_VENDOR_SPECIFIC);
    assert_int_equal(n, 4);
    assert_no_roles(roles, n);
    policy = classify_merge(policy, roles, &n, LB_ROUND_ROBIN_WITH_SUBSET, first, 2);
    assert_int_equal(policy, LB_VENDOR_SPECIFIC);
    assert_int_equal(n, 4);
    assert_no_roles(roles, n);
}

static void test_merge_of_different_maps(void **state)
{
    const struct classify_role equal[] = {{1, 0, true}, {2, 0, true}};
    const struct classify_role weighted[] = {{1, 0, true}, {2, 1, true}};
    struct classify_role roles[2];
    size_t n = 0;

    assert_int_equal(classify_merge(0, roles, &n, LB_ROUND_ROBIN, equal, 2), LB_ROUND_ROBIN);
    assert_int_equal(classify_merge(LB_ROUND_ROBIN, roles, &n, LB_DYN_LEAST_QUEUE_DEPTH, equal, 2),
                     LB_VENDOR_SPECIFIC);
    assert_no_roles(roles, n);

    n = 0;
    assert_int_equal(classify_merge(0, roles, &n, LB_WEIGHTED_PATHS, weighted, 2),
                     LB_WEIGHTED_PATHS);
    assert_int_equal(classify_merge(LB_WEIGHTED_PATHS, roles, &n, LB_WEIGHTED_PATHS, weighted, 2),
                     LB_WEIGHTED_PATHS);
    assert_int_equal(roles[1].weight, 1);
    assert_int_equal(classify_merge(LB_WEIGHTED_PATHS, roles, &n, LB_WEIGHTED_PATHS, equal, 2),
                     LB_VENDOR_SPECIFIC);
    assert_no_roles(roles, n);

    n = 0;
    assert_int_equal(classify_merge(0, roles, &n, LB_VENDOR_SPECIFIC, NULL, 0), LB_VENDOR_SPECIFIC);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),      cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_disks),        cmocka_unit_test(test_policies_found_again),
        cmocka_unit_test(test_coincidences), cmocka_unit_test(test_tables_of_others),
        cmocka_unit_test(test_two_sessions), cmocka_unit_test(test_connection_with_two_paths),
        cmocka_unit_test(test_merge),        cmocka_unit_test(test_merge_of_different_maps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
