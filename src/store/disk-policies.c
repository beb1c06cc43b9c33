/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The policies of disks: `disk_policy`, `disk_policy_path`. */

#include <errno.h>
#include <stdlib.h>

#include "store/internal.h"
#include "store/sqlite.h"
#include "store/store.h"

DEFINE_CLEANUP(struct store_disk_policy *, store_disk_policy_free);

void store_disk_policy_free(struct store_disk_policy *policy)
{
    if (!policy)
        return;
    free(policy->paths);
    free(policy->wwid);
    free(policy);
}

static int load_disk_path(struct store_disk_policy *policy, sqlite3_stmt *statement)
{
    struct store_disk_path *more = reallocarray(policy->paths, policy->n_paths + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    policy->paths = more;
    more[policy->n_paths++] = (struct store_disk_path){
        .id = db_id(statement, 0),
        .weight = (uint32_t)sqlite3_column_int64(statement, 1),
        .primary = sqlite3_column_int(statement, 2),
        .preferred = sqlite3_column_int(statement, 3),
    };
    return 0;
}

static int load_disk_paths(struct store *store, struct store_disk_policy *policy)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(store->db, &statement,
                       "SELECT path, weight, is_primary, is_preferred"
                       " FROM disk_policy_path WHERE wwid = ?1 ORDER BY position",
                       "s", policy->wwid);
    if (r < 0)
        return r;
    while ((r = db_next(statement)) > 0) {
        r = load_disk_path(policy, statement);
        if (r < 0)
            return r;
    }
    return r;
}

static int load_disk_policy(struct store *store, sqlite3_stmt *statement,
                            struct store_disk_policy **ret)
{
    _cleanup_(store_disk_policy_freep) struct store_disk_policy *policy =
        calloc(1, sizeof(*policy));
    if (!policy)
        return -ENOMEM;
    policy->wwid = db_text(statement, 0);
    policy->policy = (enum dsm_policy)sqlite3_column_int(statement, 1);
    policy->by_default = sqlite3_column_int(statement, 2);
    if (!policy->wwid)
        return -ENOMEM;
    if (policy->policy < DSM_FAILOVER || policy->policy > DSM_LEAST_BLOCKS)
        return -EUCLEAN; /* the file has a schema without our checks */

    int r = load_disk_paths(store, policy);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(policy);
    return 0;
}

static void free_disk_policies(struct store_disk_policy **policies, size_t n)
{
    for (size_t i = 0; i < n; i++)
        store_disk_policy_free(policies[i]);
    free(policies);
}

int store_load_disk_policies(struct store *store, struct store_disk_policy ***ret, size_t *ret_n)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    struct store_disk_policy **policies = NULL;
    size_t n = 0;

    int r = db_prepare(store->db, &statement,
                       "SELECT wwid, policy, by_default FROM disk_policy ORDER BY wwid", "");
    if (r < 0)
        return r;
    while ((r = db_next(statement)) > 0) {
        struct store_disk_policy **more = reallocarray(policies, n + 1, sizeof(*policies));
        if (!more) {
            r = -ENOMEM;
            break;
        }
        policies = more;
        r = load_disk_policy(store, statement, &policies[n]);
        if (r < 0)
            break;
        n++;
    }
    if (r < 0) {
        free_disk_policies(policies, n);
        return r;
    }
    *ret = policies;
    *ret_n = n;
    return 0;
}

int store_remove_disk_policy(struct store *store, const char *wwid)
{
    return db_change(store->db, "DELETE FROM disk_policy WHERE wwid = ?1", "s", wwid);
}

static int insert_disk_policy(struct store *store, const struct store_disk_policy *policy)
{
    return db_change(store->db, "INSERT INTO disk_policy VALUES (?1, ?2, ?3)", "sii", policy->wwid,
                     (int64_t)policy->policy, (int64_t)policy->by_default);
}

static int insert_disk_paths(struct store *store, const struct store_disk_policy *policy)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(store->db, &statement,
                       "INSERT INTO disk_policy_path VALUES (?1, ?2, ?3, ?4, ?5, ?6)", "");

    for (size_t i = 0; i < policy->n_paths && r >= 0; i++) {
        const struct store_disk_path *path = &policy->paths[i];
        r = db_bind(statement, "sixiii", policy->wwid, (int64_t)i, path->id, (int64_t)path->weight,
                    (int64_t)path->primary, (int64_t)path->preferred);
        if (r >= 0)
            r = db_run(statement);
    }
    return r;
}

int disk_policy_replace(struct store *store, const struct store_disk_policy *policy)
{
    int r = store_remove_disk_policy(store, policy->wwid);
    if (r >= 0)
        r = insert_disk_policy(store, policy);
    return r < 0 ? r : insert_disk_paths(store, policy);
}

int store_put_disk_policy(struct store *store, const struct store_disk_policy *policy)
{
    int r = db_begin(store->db);
    if (r < 0)
        return r;
    return db_end(store->db, disk_policy_replace(store, policy));
}

int store_remove_default_policies(struct store *store, const char *const *wwids, size_t n)
{
    int r = db_begin(store->db);
    if (r < 0)
        return r;
    return db_end(store->db,
                  db_run_for_each(store->db,
                                  "DELETE FROM disk_policy WHERE wwid = ?1 AND by_default", wwids,
                                  n));
}
