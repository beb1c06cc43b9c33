/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A table as the kernel prints it: what is parsed prints as the same; the policy that it amounts to
 * makes a table of the same policy again.
 */

#include <sys/sysmacros.h>

#include "fuzz.h"
#include "plan/classify.h"
#include "plan/plan.h"
#include "service/base/bounds.h"

/* The paths of a table; a connection is named after its device. */
struct paths {
    struct classify_path items[PATHS_MAX];
    size_t n;
    bool unique; /* no path is in the table twice */
};

static void check_same(const struct mp_table *a, const struct mp_table *b)
{
    CHECK(strcmp(a->features, b->features) == 0);
    CHECK(strcmp(a->hwhandler, b->hwhandler) == 0);
    CHECK(a->current == b->current);
    CHECK(a->n_groups == b->n_groups);
    for (size_t i = 0; i < a->n_groups; i++) {
        const struct mp_group *x = &a->groups[i], *y = &b->groups[i];

        CHECK(strcmp(x->selector, y->selector) == 0);
        CHECK(x->n_paths == y->n_paths);
        CHECK(memcmp(x->paths, y->paths, x->n_paths * sizeof(*x->paths)) == 0);
    }
    CHECK(mp_table_same_meaning(a, b, NULL));
    CHECK(mp_table_same_paths(a, b));
}

static void check_printed(const struct mp_table *table)
{
    _cleanup_(mp_table_freep) struct mp_table *again = NULL;
    _cleanup_free_ char *text = NULL, *text_again = NULL;

    CHECK(mp_table_format(table, &text) == 0);
    CHECK(mp_table_parse(text, &again) == 0);
    check_same(table, again);
    CHECK(mp_table_format(again, &text_again) == 0);
    CHECK(strcmp(text, text_again) == 0);
}

static bool has_path(const struct paths *paths, dev_t dev)
{
    for (size_t i = 0; i < paths->n; i++)
        if (paths->items[i].dev == dev)
            return true;
    return false;
}

/* Each once, in the order of the table. false: there are too many. */
static bool take_paths(const struct mp_table *table, bool alua, struct paths *ret)
{
    *ret = (struct paths){.unique = true};
    for (size_t i = 0; i < table->n_groups; i++)
        for (size_t k = 0; k < table->groups[i].n_paths; k++) {
            dev_t dev = table->groups[i].paths[k];

            if (has_path(ret, dev)) {
                ret->unique = false;
                continue;
            }
            if (ret->n == PATHS_MAX)
                return false;
            ret->items[ret->n++] = (struct classify_path){
                .dev = dev,
                .connection_id = dev,
                .access = alua ? (enum access_state)(minor(dev) % 3) : ACCESS_OPTIMIZED,
            };
        }
    return true;
}

static void check_roles(enum lb_policy policy, size_t n_groups, const struct paths *paths,
                        const struct classify_role *roles)
{
    size_t n_primaries = 0;

    for (size_t i = 0; i < paths->n; i++) {
        CHECK(roles[i].connection_id == paths->items[i].connection_id);
        CHECK(policy == LB_WEIGHTED_PATHS || roles[i].weight == 0);
        CHECK(roles[i].weight < n_groups);
        n_primaries += roles[i].primary;
    }
    if (policy == LB_VENDOR_SPECIFIC)
        CHECK(n_primaries == 0);
    else
        CHECK(n_primaries > 0);
    if (policy == LB_FAILOVER)
        CHECK(n_primaries == 1);
}

/* A table that is planned by what was found is found to be the same. */
static void check_planned(const struct mp_table *live, const struct paths *paths,
                          enum lb_policy policy, const struct classify_role *roles)
{
    _cleanup_(mp_table_freep) struct mp_table *planned = NULL;
    struct plan_member members[PATHS_MAX];
    struct plan_path plan_paths[PATHS_MAX];
    struct classify_role again[PATHS_MAX];
    const struct plan_policy as_found = {policy, false, members, paths->n};

    for (size_t i = 0; i < paths->n; i++) {
        const struct classify_path *path = &paths->items[i];

        members[i] = (struct plan_member){path->connection_id, roles[i].weight, roles[i].primary};
        plan_paths[i] = (struct plan_path){path->dev, 0, path->connection_id, path->access};
    }
    CHECK(plan_map(live, &as_found, 1, plan_paths, paths->n, &planned) == 0);
    check_printed(planned);
    CHECK(mp_table_same_paths(live, planned));
    CHECK(mp_table_n_paths(live) == mp_table_n_paths(planned));
    CHECK(classify_disk(planned, paths->items, paths->n, again) == policy);
    for (size_t i = 0; i < paths->n; i++)
        CHECK(again[i].primary == roles[i].primary && again[i].weight == roles[i].weight);
    if (policy != LB_FAILOVER) /* which may have had other selectors */
        CHECK(mp_table_same_meaning(live, planned, NULL));
}

static void check_policy(const struct mp_table *table, bool alua)
{
    struct classify_role roles[PATHS_MAX], of_session[PATHS_MAX];
    struct paths paths;
    enum lb_policy policy;

    if (!take_paths(table, alua, &paths))
        return;
    policy = classify_disk(table, paths.items, paths.n, roles);
    CHECK(lb_policy_name(policy) || policy == LB_LEAST_BLOCKS);
    check_roles(policy, table->n_groups, &paths, roles);
    if (policy == LB_LEAST_BLOCKS)
        CHECK(classify_map(table, paths.items, paths.n, of_session) == LB_VENDOR_SPECIFIC);
    else
        CHECK(classify_map(table, paths.items, paths.n, of_session) == policy);
    /* With access states, a policy ranks them before its own tiers, which a live table need not. */
    if (policy != LB_VENDOR_SPECIFIC && paths.unique && !alua)
        check_planned(table, &paths, policy, roles);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    _cleanup_free_ char *text = fuzz_text(data, size);

    if (mp_table_parse(text, &table) < 0)
        return 0;
    check_printed(table);
    check_policy(table, false);
    check_policy(table, true);
    return 0;
}
