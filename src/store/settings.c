/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Settings: `setting`. */

#include <errno.h>

#include "store/internal.h"
#include "store/sqlite.h"
#include "store/store.h"

int store_get_setting(struct store *store, const char *name, char **ret)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r =
        db_prepare(store->db, &statement, "SELECT value FROM setting WHERE name = ?1", "s", name);
    if (r >= 0)
        r = db_first(statement);
    if (r < 0)
        return r;
    char *value = db_text(statement, 0);
    if (!value)
        return -ENOMEM;
    *ret = value;
    return 0;
}

int store_put_setting(struct store *store, const char *name, const char *value)
{
    return db_change(store->db, "INSERT OR REPLACE INTO setting VALUES (?1, ?2)", "ss", name,
                     value);
}
