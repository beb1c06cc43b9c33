/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The maps that were offered the default policy, of one boot: `offered`. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"
#include "store/sqlite.h"
#include "store/store.h"

#define BOOT "offers" /* the setting that says which boot's they are */
#define INSERT "INSERT OR IGNORE INTO offered VALUES (?1)"

int store_load_offers(struct store *store, const char *boot, store_wwid_func_t func, void *userdata)
{
    _cleanup_free_ char *kept = NULL;

    int r = store_get_setting(store, BOOT, &kept);
    if (r < 0)
        return r;
    if (strcmp(kept, boot) != 0)
        return -ENODATA;
    return db_each_text(store->db, "SELECT wwid FROM offered ORDER BY wwid", func, userdata);
}

int store_begin_offers(struct store *store, const char *boot, const char *const *wwids, size_t n)
{
    int r = db_begin(store->db);
    if (r < 0)
        return r;
    r = db_execute(store->db, "DELETE FROM offered");
    if (r >= 0)
        r = db_run_for_each(store->db, INSERT, wwids, n);
    if (r >= 0)
        r = store_put_setting(store, BOOT, boot);
    return db_end(store->db, r);
}

int store_change_offers(struct store *store, const struct store_offers *offers)
{
    int r = db_begin(store->db);
    if (r < 0)
        return r;
    r = db_run_for_each(store->db, "DELETE FROM offered WHERE wwid = ?1", offers->withdrawn,
                        offers->n_withdrawn);
    if (r >= 0)
        r = db_run_for_each(store->db, INSERT, offers->made, offers->n_made);
    for (size_t i = 0; i < offers->n_taken && r >= 0; i++)
        r = disk_policy_replace(store, offers->taken[i]);
    return db_end(store->db, r);
}
