/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Opening, closing, and reading what belongs together. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/internal.h"
#include "store/schema.h"
#include "store/sqlite.h"
#include "store/store.h"

DEFINE_CLEANUP(struct store *, store_close);

struct store *store_close(struct store *store)
{
    if (store) {
        sqlite3_close(store->db);
        free(store);
    }
    return NULL;
}

static int open_file(const char *path, int flags, struct store **ret)
{
    _cleanup_(store_closep) struct store *store = calloc(1, sizeof(*store));
    if (!store)
        return -ENOMEM;

    /* Memory for one page at a time, not for 20 at once. Later calls are refused. */
    (void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
    int rc = sqlite3_open_v2(path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return rc == SQLITE_CANTOPEN ? -EACCES : db_errno(rc);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, 2000);
    *ret = TAKE_PTR(store);
    return 0;
}

/* SQLite takes a file of one byte for an empty one; it is somebody's, though. */
static bool is_empty(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size == 0;
}

static int explain(int r, const char *path, int64_t version, char **ret_message)
{
    char *text = NULL;
    int n;

    if (r == -EPROTONOSUPPORT)
        n = asprintf(&text,
                     "The state file %s has schema version %" PRId64
                     ", this program knows up to %d: install the newer iscsi-wmi again, or move "
                     "the file away to begin without state.",
                     path, version, schema_version());
    else if (r == -EUCLEAN)
        n = asprintf(&text,
                     "The state file %s is corrupt or not ours: put it back from a backup, or move "
                     "it away to begin without state. It was left as it is.",
                     path);
    else
        n = asprintf(&text, "The state file %s cannot be opened: %s.", path, strerror(-r));
    *ret_message = n < 0 ? NULL : text;
    return r;
}

int store_open(const char *path, struct store **ret, char **ret_message)
{
    _cleanup_(store_closep) struct store *store = NULL;
    int64_t n_pages, version = 0;

    /*
     * Not read-only even for the inspection: a journal left by a crash must be rolled back. Only
     * then is it known whether there is anything: a crash of the first start leaves nothing.
     */
    int r = open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &store);
    if (r >= 0)
        r = store_begin_reading(store);
    if (r >= 0)
        r = db_read_number(store->db, "PRAGMA page_count", &n_pages);
    if (r >= 0)
        r = n_pages == 0 && is_empty(path) ? 0 : schema_inspect(store->db, &version);
    if (r >= 0)
        r = db_end(store->db, r);
    if (r >= 0)
        r = schema_upgrade(store->db, version, schema_version());
    if (r >= 0)
        r = db_execute(store->db, "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;");
    if (r < 0)
        return explain(r, path, version, ret_message);

    *ret = TAKE_PTR(store);
    return 0;
}

int store_begin_reading(struct store *store)
{
    return db_execute(store->db, "BEGIN");
}

int store_end_reading(struct store *store, int r)
{
    r = db_end(store->db, r);
    (void)sqlite3_db_release_memory(store->db);
    return r;
}
