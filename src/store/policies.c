/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The policies of sessions: `policy`, `policy_path`. */

#include <errno.h>
#include <stdlib.h>

#include "store/internal.h"
#include "store/sqlite.h"
#include "store/store.h"

DEFINE_CLEANUP(struct store_policy *, store_policy_free);

void store_policy_free(struct store_policy *policy)
{
    if (!policy)
        return;
    for (size_t i = 0; i < policy->n_paths; i++) {
        free(policy->paths[i].iface);
        free(policy->paths[i].address);
    }
    free(policy->paths);
    free(policy->initiator);
    free(policy->target);
    free(policy);
}

static int load_path(struct store_policy *policy, sqlite3_stmt *statement)
{
    struct store_path *more =
        reallocarray(policy->paths, policy->n_paths + 1, sizeof(*policy->paths));
    if (!more)
        return -ENOMEM;
    policy->paths = more;

    struct store_path *path = &policy->paths[policy->n_paths++];
    *path = (struct store_path){
        .connection_id = db_id(statement, 0),
        .iface = db_text(statement, 1),
        .address = db_text(statement, 2),
        .port = (uint16_t)sqlite3_column_int(statement, 3),
        .weight = (uint32_t)sqlite3_column_int64(statement, 4),
        .primary = sqlite3_column_int(statement, 5),
    };
    return path->iface && path->address ? 0 : -ENOMEM;
}

static int load_paths(struct store *store, struct store_policy *policy)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(store->db, &statement,
                       "SELECT connection, iface, address, port, weight, is_primary"
                       " FROM policy_path WHERE serial = ?1 ORDER BY position",
                       "i", (int64_t)policy->serial);
    if (r < 0)
        return r;
    while ((r = db_next(statement)) > 0) {
        r = load_path(policy, statement);
        if (r < 0)
            return r;
    }
    return r;
}

static int load_policy(struct store *store, sqlite3_stmt *statement, struct store_policy **ret)
{
    _cleanup_(store_policy_freep) struct store_policy *policy = calloc(1, sizeof(*policy));
    if (!policy)
        return -ENOMEM;
    policy->serial = (uint64_t)sqlite3_column_int64(statement, 0);
    policy->initiator = db_text(statement, 1);
    policy->target = db_text(statement, 2);
    policy->policy = (enum lb_policy)sqlite3_column_int(statement, 3);
    policy->highest_first = sqlite3_column_int(statement, 4);
    if (!policy->initiator || !policy->target)
        return -ENOMEM;
    if (policy->policy < LB_FAILOVER || policy->policy > LB_WEIGHTED_PATHS)
        return -EUCLEAN; /* the file has a schema without our checks */

    int r = load_paths(store, policy);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(policy);
    return 0;
}

static void free_policies(struct store_policy **policies, size_t n)
{
    for (size_t i = 0; i < n; i++)
        store_policy_free(policies[i]);
    free(policies);
}

int store_load_policies(struct store *store, struct store_policy ***ret, size_t *ret_n)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    struct store_policy **policies = NULL;
    size_t n = 0;

    int r = db_prepare(store->db, &statement,
                       "SELECT serial, initiator, target, policy, highest_first"
                       " FROM policy ORDER BY serial DESC",
                       "");
    if (r < 0)
        return r;
    while ((r = db_next(statement)) > 0) {
        struct store_policy **more = reallocarray(policies, n + 1, sizeof(*policies));
        if (!more) {
            r = -ENOMEM;
            break;
        }
        policies = more;
        r = load_policy(store, statement, &policies[n]);
        if (r < 0)
            break;
        n++;
    }
    if (r < 0) {
        free_policies(policies, n);
        return r;
    }
    *ret = policies;
    *ret_n = n;
    return 0;
}

int store_remove_policy(struct store *store, const char *initiator, const char *target)
{
    return db_change(store->db, "DELETE FROM policy WHERE initiator = ?1 AND target = ?2", "ss",
                     initiator, target);
}

static int insert_policy(struct store *store, struct store_policy *policy)
{
    int r = db_change(store->db,
                      "INSERT INTO policy (initiator, target, policy, highest_first)"
                      " VALUES (?1, ?2, ?3, ?4)",
                      "ssii", policy->initiator, policy->target, (int64_t)policy->policy,
                      (int64_t)policy->highest_first);
    if (r >= 0)
        policy->serial = (uint64_t)sqlite3_last_insert_rowid(store->db);
    return r;
}

static int insert_paths(struct store *store, const struct store_policy *policy)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(store->db, &statement,
                       "INSERT INTO policy_path VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", "");

    for (size_t i = 0; i < policy->n_paths && r >= 0; i++) {
        const struct store_path *path = &policy->paths[i];
        r = db_bind(statement, "iixssiii", (int64_t)policy->serial, (int64_t)i, path->connection_id,
                    path->iface, path->address, (int64_t)path->port, (int64_t)path->weight,
                    (int64_t)path->primary);
        if (r >= 0)
            r = db_run(statement);
    }
    return r;
}

int store_put_policy(struct store *store, struct store_policy *policy)
{
    int r = db_begin(store->db);
    if (r < 0)
        return r;
    r = store_remove_policy(store, policy->initiator, policy->target);
    if (r >= 0)
        r = insert_policy(store, policy);
    if (r >= 0)
        r = insert_paths(store, policy);
    return db_end(store->db, r);
}
