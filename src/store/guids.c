/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* GUIDs, what they tag, and digests of records: `guid`, `tag`, `digest`, `secret`. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "store/internal.h"
#include "store/sqlite.h"
#include "store/store.h"

/* One row with so many bytes, or -ENODATA. */
static int guids_read_bytes(sqlite3_stmt *statement, void *ret, size_t size)
{
    int r = db_first(statement);
    if (r < 0)
        return r;
    const void *blob = sqlite3_column_blob(statement, 0);
    if (!blob || sqlite3_column_bytes(statement, 0) != (int)size)
        return -EUCLEAN;
    memcpy(ret, blob, size);
    return 0;
}

int store_get_guid(struct store *store, const char *initiator, uint8_t ret_guid[GUID_SIZE])
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(store->db, &statement, "SELECT guid FROM guid WHERE initiator = ?1", "s",
                       initiator);
    return r < 0 ? r : guids_read_bytes(statement, ret_guid, GUID_SIZE);
}

int store_get_tag(struct store *store, const char *initiator, const struct store_record *record,
                  uint8_t ret_guid[GUID_SIZE])
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(store->db, &statement,
                       "SELECT guid FROM tag WHERE initiator = ?1 AND target = ?2"
                       " AND address = ?3 AND port = ?4 AND iface = ?5",
                       "sssis", initiator, record->target, record->address, (int64_t)record->port,
                       record->iface);
    return r < 0 ? r : guids_read_bytes(statement, ret_guid, GUID_SIZE);
}

static int replace_guid(struct store *store, const char *initiator, const uint8_t guid[GUID_SIZE],
                        bool has_digests)
{
    int r = db_change(store->db,
                      "INSERT OR REPLACE INTO guid (initiator, guid, has_digests)"
                      " VALUES (?1, ?2, ?3)",
                      "sbi", initiator, guid, (size_t)GUID_SIZE, (int64_t)has_digests);
    if (r >= 0)
        r = db_change(store->db, "DELETE FROM tag WHERE initiator = ?1", "s", initiator);
    if (r >= 0)
        r = db_change(store->db, "DELETE FROM digest WHERE initiator = ?1", "s", initiator);
    return r;
}

static int insert_tags(struct store *store, const char *initiator, const uint8_t guid[GUID_SIZE],
                       const struct store_record *records, size_t n)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(store->db, &statement,
                       "INSERT OR REPLACE INTO tag VALUES (?1, ?2, ?3, ?4, ?5, ?6)", "");

    for (size_t i = 0; i < n && r >= 0; i++) {
        r = db_bind(statement, "sssisb", initiator, records[i].target, records[i].address,
                    (int64_t)records[i].port, records[i].iface, guid, (size_t)GUID_SIZE);
        if (r >= 0)
            r = db_run(statement);
    }
    return r;
}

static int insert_digests(struct store *store, const char *initiator,
                          const struct store_digests *digests)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(store->db, &statement,
                       "INSERT INTO digest (initiator, path, kind, fields) VALUES (?1, ?2, ?3, ?4)",
                       "");

    for (size_t i = 0; i < digests->n && r >= 0; i++) {
        const struct store_digest *digest = &digests->items[i];
        r = db_bind(statement, "ssib", initiator, digest->path, (int64_t)digest->kind,
                    digest->fields, digest->size);
        if (r >= 0)
            r = db_run(statement);
    }
    return r;
}

int store_put_guid(struct store *store, const char *initiator, const uint8_t guid[GUID_SIZE],
                   const struct store_record *records, size_t n_records,
                   const struct store_digests *digests)
{
    int r = db_begin(store->db);
    if (r < 0)
        return r;
    r = replace_guid(store, initiator, guid, digests);
    if (r >= 0)
        r = insert_tags(store, initiator, guid, records, n_records);
    if (r >= 0 && digests)
        r = insert_digests(store, initiator, digests);
    return db_end(store->db, r);
}

/* Whether digests were kept for the adapter's GUID, or a negative errno. */
static int has_digests(struct store *store, const char *initiator)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(store->db, &statement, "SELECT has_digests FROM guid WHERE initiator = ?1",
                       "s", initiator);
    if (r >= 0)
        r = db_next(statement);
    return r > 0 ? sqlite3_column_int(statement, 0) != 0 : r;
}

int store_load_digests(struct store *store, const char *initiator, store_digest_func_t func,
                       void *userdata)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = has_digests(store, initiator);
    if (r <= 0)
        return r < 0 ? r : -ENODATA;
    r = db_prepare(store->db, &statement,
                   "SELECT path, kind, fields FROM digest WHERE initiator = ?1 ORDER BY path", "s",
                   initiator);
    if (r < 0)
        return r;

    while ((r = db_next(statement)) > 0) {
        const struct store_digest digest = {
            .path = (const char *)sqlite3_column_text(statement, 0),
            .kind = sqlite3_column_int(statement, 1),
            .fields = sqlite3_column_blob(statement, 2),
            .size = (size_t)sqlite3_column_bytes(statement, 2),
        };
        r = digest.path ? func(&digest, userdata) : -ENOMEM;
        if (r < 0)
            return r;
    }
    return r;
}

#define KEY_NAME "digest-key"

static int read_key(struct store *store, void *ret, size_t size)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(store->db, &statement,
                       "SELECT value FROM secret WHERE name = '" KEY_NAME "'", "");
    return r < 0 ? r : guids_read_bytes(statement, ret, size);
}

int store_get_key(struct store *store, void *ret, size_t size)
{
    int r = read_key(store, ret, size);
    if (r != -ENODATA)
        return r;

    _cleanup_free_ void *key = malloc(size);
    if (!key)
        return -ENOMEM;
    if (getrandom(key, size, 0) != (ssize_t)size)
        return -EIO;
    r = db_change(store->db, "INSERT INTO secret (name, value) VALUES ('" KEY_NAME "', ?1)", "b",
                  key, size);
    if (r >= 0)
        memcpy(ret, key, size);
    explicit_bzero(key, size);
    return r;
}
