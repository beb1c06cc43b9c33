/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Intents, of maps whose first policy is not finished: `unfinished`. */

#include "store/internal.h"
#include "store/sqlite.h"
#include "store/store.h"

int store_load_intents(struct store *store, store_wwid_func_t func, void *userdata)
{
    return db_each_text(store->db, "SELECT wwid FROM unfinished ORDER BY wwid", func, userdata);
}

static int change_each(struct store *store, const char *sql, const char *const *wwids, size_t n)
{
    int r = db_begin(store->db);
    if (r < 0)
        return r;
    return db_end(store->db, db_run_for_each(store->db, sql, wwids, n));
}

int store_add_intents(struct store *store, const char *const *wwids, size_t n)
{
    return change_each(store, "INSERT OR IGNORE INTO unfinished VALUES (?1)", wwids, n);
}

int store_remove_intents(struct store *store, const char *const *wwids, size_t n)
{
    return change_each(store, "DELETE FROM unfinished WHERE wwid = ?1", wwids, n);
}

int store_remove_all_intents(struct store *store)
{
    return db_execute(store->db, "DELETE FROM unfinished");
}
