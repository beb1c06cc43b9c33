/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "basic/macros.h"
#include "store/schema.h"
#include "store/sqlite.h"

#define APPLICATION_ID 0x69576d69 /* "iWmi" */

static const char first_schema[] =
    "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE policy ("
    " serial INTEGER PRIMARY KEY AUTOINCREMENT,"
    " initiator TEXT NOT NULL, target TEXT NOT NULL,"
    " policy INTEGER NOT NULL CHECK (policy BETWEEN 1 AND 5),"
    " highest_first INTEGER NOT NULL,"
    " UNIQUE (initiator, target));"
    "CREATE TABLE policy_path ("
    " serial INTEGER NOT NULL REFERENCES policy (serial) ON DELETE CASCADE,"
    " position INTEGER NOT NULL, connection TEXT NOT NULL,"
    " iface TEXT NOT NULL, address TEXT NOT NULL, port INTEGER NOT NULL,"
    " weight INTEGER NOT NULL, is_primary INTEGER NOT NULL,"
    " PRIMARY KEY (serial, position)) WITHOUT ROWID;"
    "CREATE TABLE guid ("
    " initiator TEXT PRIMARY KEY, guid BLOB NOT NULL CHECK (length(guid) = 16)) WITHOUT ROWID;"
    "CREATE TABLE tag ("
    " initiator TEXT NOT NULL, target TEXT NOT NULL, address TEXT NOT NULL,"
    " port INTEGER NOT NULL, iface TEXT NOT NULL,"
    " guid BLOB NOT NULL CHECK (length(guid) = 16),"
    " PRIMARY KEY (initiator, target, address, port, iface)) WITHOUT ROWID;";

/*
 * Digests of the records as they were when a GUID was set, and the key that they were made with. A
 * GUID of version 1 has none.
 */
static const char record_digests[] =
    "ALTER TABLE guid ADD COLUMN has_digests INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE digest ("
    " initiator TEXT NOT NULL, path TEXT NOT NULL, kind INTEGER NOT NULL, fields BLOB NOT NULL,"
    " PRIMARY KEY (initiator, path)) WITHOUT ROWID;"
    "CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;";

static const char disk_policies[] =
    "CREATE TABLE disk_policy ("
    " wwid TEXT PRIMARY KEY, policy INTEGER NOT NULL CHECK (policy BETWEEN 1 AND 6),"
    " by_default INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE disk_policy_path ("
    " wwid TEXT NOT NULL REFERENCES disk_policy (wwid) ON DELETE CASCADE,"
    " position INTEGER NOT NULL, path TEXT NOT NULL, weight INTEGER NOT NULL,"
    " is_primary INTEGER NOT NULL, is_preferred INTEGER NOT NULL,"
    " PRIMARY KEY (wwid, position)) WITHOUT ROWID;";

static const char unfinished_policies[] =
    "CREATE TABLE unfinished (wwid TEXT PRIMARY KEY) WITHOUT ROWID;";

static const char offers[] = "CREATE TABLE offered (wwid TEXT PRIMARY KEY) WITHOUT ROWID;";

/*
 * Version n of the schema is what the first n of these make, one after the other. A step that was
 * released stays as it is; a new one is appended, and makes tables alone (check_tables()).
 */
static const char *const schema_steps[] = {first_schema, record_digests, disk_policies,
                                           unfinished_policies, offers};

#define SCHEMA_VERSION ((int)ELEMENTSOF(schema_steps))

int schema_version(void)
{
    return SCHEMA_VERSION;
}

/*
 * Whether sqlite's own check finds the whole file sound. Of "main" by name: otherwise the check
 * makes a database for temporary tables, to check that too, and keeps its memory.
 */
static int check_integrity(sqlite3 *db)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(db, &statement, "PRAGMA main.quick_check(1)", "");
    if (r >= 0)
        r = db_first(statement);
    if (r < 0)
        return r;
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    return text && strcmp(text, "ok") == 0 ? 0 : -EUCLEAN;
}

/*
 * Whether there is nothing but tables: a view in the place of one would be a query of somebody
 * else's. The statements count, for it is them that sqlite runs; the index of a key has none.
 */
static int check_tables(sqlite3 *db)
{
    int64_t n;
    int r = db_read_number(db,
                           "SELECT count(*) FROM sqlite_master"
                           " WHERE sql IS NOT NULL AND sql NOT LIKE 'CREATE TABLE %'",
                           &n);

    if (r < 0)
        return r;
    return n == 0 ? 0 : -EUCLEAN;
}

int schema_inspect(sqlite3 *db, int64_t *ret_version)
{
    int64_t id, version;

    int r = db_read_number(db, "PRAGMA application_id", &id);
    if (r < 0)
        return r;
    r = db_read_number(db, "PRAGMA user_version", &version);
    if (r < 0)
        return r;
    *ret_version = version;
    if (id != APPLICATION_ID || version < 1)
        return -EUCLEAN;
    if (version > SCHEMA_VERSION)
        return -EPROTONOSUPPORT;
    r = check_tables(db);
    return r < 0 ? r : check_integrity(db);
}

int schema_upgrade(sqlite3 *db, int64_t from, int to)
{
    char numbers[96];

    if (from == to)
        return 0;
    int r = db_begin(db);
    if (r < 0)
        return r;
    for (int64_t i = from; i < to && r >= 0; i++)
        r = db_execute(db, schema_steps[i]);
    snprintf(numbers, sizeof(numbers), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             APPLICATION_ID, to);
    if (r >= 0)
        r = db_execute(db, numbers);
    return db_end(db, r);
}
