/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "basic/macros.h"
#include "store/store.h"

#define APPLICATION_ID 0x69576d69 /* "iWmi" */

struct store {
    sqlite3 *db;
};

DEFINE_CLEANUP(sqlite3_stmt *, sqlite3_finalize);
DEFINE_CLEANUP(struct store_policy *, store_policy_free);
DEFINE_CLEANUP(struct store_disk_policy *, store_disk_policy_free);

static void store_closep(struct store **store)
{
    store_close(*store);
}

/* IDs are unsigned 64-bit numbers, which SQLite lacks: they are kept as 16 hex digits. */
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

/* Version n of the schema is what the first n of these make, one after the other. */
static const char *const schema_steps[] = {first_schema, record_digests, disk_policies,
                                           unfinished_policies};

#define SCHEMA_VERSION ((int)ELEMENTSOF(schema_steps))

static int errno_of_sqlite(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EUCLEAN;
    default:
        return -EIO;
    }
}

static int execute(struct store *store, const char *sql)
{
    return errno_of_sqlite(sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

static int prepare(struct store *store, const char *sql, sqlite3_stmt **ret)
{
    return errno_of_sqlite(sqlite3_prepare_v2(store->db, sql, -1, ret, NULL));
}

/* Binds arguments by a letter each: s text, i int64, g a GUID, b bytes and their number (size_t). */
static int bind(sqlite3_stmt *statement, const char *types, ...)
{
    va_list ap;
    int rc = SQLITE_OK;

    va_start(ap, types);
    for (int i = 0; types[i] && rc == SQLITE_OK; i++) {
        if (types[i] == 's')
            rc = sqlite3_bind_text(statement, i + 1, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
        else if (types[i] == 'i')
            rc = sqlite3_bind_int64(statement, i + 1, va_arg(ap, int64_t));
        else if (types[i] == 'b') {
            const void *bytes = va_arg(ap, const void *);
            rc = sqlite3_bind_blob64(statement, i + 1, bytes, va_arg(ap, size_t), SQLITE_TRANSIENT);
        } else
            rc = sqlite3_bind_blob(statement, i + 1, va_arg(ap, const uint8_t *), GUID_SIZE,
                                   SQLITE_TRANSIENT);
    }
    va_end(ap);
    return errno_of_sqlite(rc);
}

static int run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    int reset = sqlite3_reset(statement);
    return errno_of_sqlite(rc == SQLITE_DONE || rc == SQLITE_ROW ? reset : rc);
}

/* Ends a transaction: all of it for r >= 0, otherwise none. */
static int finish(struct store *store, int r)
{
    if (r >= 0)
        r = execute(store, "COMMIT");
    if (r < 0 && !sqlite3_get_autocommit(store->db))
        (void)execute(store, "ROLLBACK");
    return r;
}

static int read_number(struct store *store, const char *sql, int64_t *ret)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, sql, &statement);
    if (r < 0)
        return r;
    int rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? -ENODATA : errno_of_sqlite(rc);
    *ret = sqlite3_column_int64(statement, 0);
    return 0;
}

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
        return rc == SQLITE_CANTOPEN ? -EACCES : errno_of_sqlite(rc);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, 2000);
    *ret = TAKE_PTR(store);
    return 0;
}

/*
 * Whether sqlite's own check finds the whole file sound. Of "main" by name: otherwise the check makes
 * a database for temporary tables, to check that too, and keeps its memory.
 */
static int check_integrity(struct store *store)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, "PRAGMA main.quick_check(1)", &statement);
    if (r < 0)
        return r;
    int rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW)
        return errno_of_sqlite(rc);
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    return text && strcmp(text, "ok") == 0 ? 0 : -EUCLEAN;
}

/* SQLite takes a file of one byte for an empty one; it is somebody's, though. */
static bool is_empty(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size == 0;
}

/*
 * Whether there is nothing but tables: a view in the place of one would be a query of somebody else's.
 * The statements count, for it is them that sqlite runs; an index of ours has none.
 */
static int check_schema(struct store *store)
{
    int64_t n;
    int r = read_number(store,
                        "SELECT count(*) FROM sqlite_master"
                        " WHERE sql IS NOT NULL AND sql NOT LIKE 'CREATE TABLE %'",
                        &n);

    if (r < 0)
        return r;
    return n == 0 ? 0 : -EUCLEAN;
}

int store_begin_reading(struct store *store)
{
    return execute(store, "BEGIN");
}

int store_end_reading(struct store *store, int r)
{
    r = finish(store, r);
    (void)sqlite3_db_release_memory(store->db);
    return r;
}

/* Whether a file that was there already is a store of ours. *ret_version is for the message. */
static int inspect(struct store *store, int64_t *ret_version)
{
    int64_t id, version;

    int r = read_number(store, "PRAGMA application_id", &id);
    if (r < 0)
        return r;
    r = read_number(store, "PRAGMA user_version", &version);
    if (r < 0)
        return r;
    *ret_version = version;
    if (id != APPLICATION_ID || version < 1)
        return -EUCLEAN;
    if (version > SCHEMA_VERSION)
        return -EPROTONOSUPPORT;
    r = check_schema(store);
    return r < 0 ? r : check_integrity(store);
}

/* From a version, 0 for an empty file, to ours. */
static int upgrade_schema(struct store *store, int64_t version)
{
    char numbers[96];

    if (version == SCHEMA_VERSION)
        return 0;
    int r = execute(store, "BEGIN IMMEDIATE");
    if (r < 0)
        return r;
    for (size_t i = (size_t)version; i < ELEMENTSOF(schema_steps) && r >= 0; i++)
        r = execute(store, schema_steps[i]);
    snprintf(numbers, sizeof(numbers), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             APPLICATION_ID, SCHEMA_VERSION);
    if (r >= 0)
        r = execute(store, numbers);
    return finish(store, r);
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
                     path, version, SCHEMA_VERSION);
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
        r = read_number(store, "PRAGMA page_count", &n_pages);
    if (r >= 0)
        r = n_pages == 0 && is_empty(path) ? 0 : inspect(store, &version);
    if (r >= 0)
        r = finish(store, r);
    if (r >= 0)
        r = upgrade_schema(store, version);
    if (r >= 0)
        r = execute(store, "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;");
    if (r < 0)
        return explain(r, path, version, ret_message);

    *ret = TAKE_PTR(store);
    return 0;
}

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

static char *column_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return strdup(text ? text : "");
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
        .connection_id =
            strtoull((const char *)sqlite3_column_text(statement, 0) ?: "0", NULL, 16),
        .iface = column_text(statement, 1),
        .address = column_text(statement, 2),
        .port = (uint16_t)sqlite3_column_int(statement, 3),
        .weight = (uint32_t)sqlite3_column_int64(statement, 4),
        .primary = sqlite3_column_int(statement, 5),
    };
    return path->iface && path->address ? 0 : -ENOMEM;
}

static int load_paths(struct store *store, struct store_policy *policy)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store,
                    "SELECT connection, iface, address, port, weight, is_primary"
                    " FROM policy_path WHERE serial = ?1 ORDER BY position",
                    &statement);
    if (r >= 0)
        r = bind(statement, "i", (int64_t)policy->serial);
    if (r < 0)
        return r;

    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        r = load_path(policy, statement);
        if (r < 0)
            return r;
    }
    return errno_of_sqlite(rc);
}

static int load_policy(struct store *store, sqlite3_stmt *statement, struct store_policy **ret)
{
    _cleanup_(store_policy_freep) struct store_policy *policy = calloc(1, sizeof(*policy));
    if (!policy)
        return -ENOMEM;
    policy->serial = (uint64_t)sqlite3_column_int64(statement, 0);
    policy->initiator = column_text(statement, 1);
    policy->target = column_text(statement, 2);
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
    int rc;

    int r = prepare(store,
                    "SELECT serial, initiator, target, policy, highest_first"
                    " FROM policy ORDER BY serial DESC",
                    &statement);
    if (r < 0)
        return r;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
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
    if (r >= 0)
        r = errno_of_sqlite(rc);
    if (r < 0) {
        free_policies(policies, n);
        return r;
    }
    *ret = policies;
    *ret_n = n;
    return 0;
}

static int delete_policy(struct store *store, const char *initiator, const char *target)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, "DELETE FROM policy WHERE initiator = ?1 AND target = ?2", &statement);
    if (r >= 0)
        r = bind(statement, "ss", initiator, target);
    return r < 0 ? r : run(statement);
}

static int insert_policy(struct store *store, struct store_policy *policy)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store,
                    "INSERT INTO policy (initiator, target, policy, highest_first)"
                    " VALUES (?1, ?2, ?3, ?4)",
                    &statement);
    if (r >= 0)
        r = bind(statement, "ssii", policy->initiator, policy->target, (int64_t)policy->policy,
                 (int64_t)policy->highest_first);
    if (r >= 0)
        r = run(statement);
    if (r >= 0)
        policy->serial = (uint64_t)sqlite3_last_insert_rowid(store->db);
    return r;
}

static int insert_paths(struct store *store, const struct store_policy *policy)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, "INSERT INTO policy_path VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    &statement);

    for (size_t i = 0; i < policy->n_paths && r >= 0; i++) {
        const struct store_path *path = &policy->paths[i];
        char id[17];
        snprintf(id, sizeof(id), "%016" PRIx64, path->connection_id);
        r = bind(statement, "iisssiii", (int64_t)policy->serial, (int64_t)i, id, path->iface,
                 path->address, (int64_t)path->port, (int64_t)path->weight,
                 (int64_t)path->primary);
        if (r >= 0)
            r = run(statement);
    }
    return r;
}

int store_put_policy(struct store *store, struct store_policy *policy)
{
    int r = execute(store, "BEGIN IMMEDIATE");
    if (r < 0)
        return r;
    r = delete_policy(store, policy->initiator, policy->target);
    if (r >= 0)
        r = insert_policy(store, policy);
    if (r >= 0)
        r = insert_paths(store, policy);
    return finish(store, r);
}

int store_remove_policy(struct store *store, const char *initiator, const char *target)
{
    return delete_policy(store, initiator, target);
}

void store_disk_policy_free(struct store_disk_policy *policy)
{
    if (!policy)
        return;
    free(policy->paths);
    free(policy->wwid);
    free(policy);
}

static int load_disk_paths(struct store *store, struct store_disk_policy *policy)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int rc;

    int r = prepare(store,
                    "SELECT path, weight, is_primary, is_preferred"
                    " FROM disk_policy_path WHERE wwid = ?1 ORDER BY position",
                    &statement);
    if (r >= 0)
        r = bind(statement, "s", policy->wwid);
    if (r < 0)
        return r;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_disk_path *more =
            reallocarray(policy->paths, policy->n_paths + 1, sizeof(*more));
        if (!more)
            return -ENOMEM;
        policy->paths = more;
        more[policy->n_paths++] = (struct store_disk_path){
            .id = strtoull((const char *)sqlite3_column_text(statement, 0) ?: "0", NULL, 16),
            .weight = (uint32_t)sqlite3_column_int64(statement, 1),
            .primary = sqlite3_column_int(statement, 2),
            .preferred = sqlite3_column_int(statement, 3),
        };
    }
    return errno_of_sqlite(rc);
}

static int load_disk_policy(struct store *store, sqlite3_stmt *statement,
                            struct store_disk_policy **ret)
{
    _cleanup_(store_disk_policy_freep) struct store_disk_policy *policy =
        calloc(1, sizeof(*policy));
    if (!policy)
        return -ENOMEM;
    policy->wwid = column_text(statement, 0);
    policy->policy = (enum dsm_policy)sqlite3_column_int(statement, 1);
    policy->by_default = sqlite3_column_int(statement, 2);
    if (!policy->wwid)
        return -ENOMEM;
    if (policy->policy < DSM_FAILOVER || policy->policy > DSM_LEAST_BLOCKS)
        return -EUCLEAN;

    int r = load_disk_paths(store, policy);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(policy);
    return 0;
}

int store_load_disk_policies(struct store *store, struct store_disk_policy ***ret, size_t *ret_n)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    struct store_disk_policy **policies = NULL;
    size_t n = 0;
    int rc = SQLITE_DONE;

    int r = prepare(store, "SELECT wwid, policy, by_default FROM disk_policy ORDER BY wwid",
                    &statement);
    while (r >= 0 && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_disk_policy **more = reallocarray(policies, n + 1, sizeof(*policies));
        if (!more) {
            r = -ENOMEM;
            break;
        }
        policies = more;
        r = load_disk_policy(store, statement, &policies[n]);
        n += r >= 0;
    }
    if (r >= 0)
        r = errno_of_sqlite(rc);
    if (r < 0) {
        for (size_t i = 0; i < n; i++)
            store_disk_policy_free(policies[i]);
        free(policies);
        return r;
    }
    *ret = policies;
    *ret_n = n;
    return 0;
}

int store_remove_disk_policy(struct store *store, const char *wwid)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, "DELETE FROM disk_policy WHERE wwid = ?1", &statement);
    if (r >= 0)
        r = bind(statement, "s", wwid);
    return r < 0 ? r : run(statement);
}

static int insert_disk_policy(struct store *store, const struct store_disk_policy *policy)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, "INSERT INTO disk_policy VALUES (?1, ?2, ?3)", &statement);
    if (r >= 0)
        r = bind(statement, "sii", policy->wwid, (int64_t)policy->policy,
                 (int64_t)policy->by_default);
    return r < 0 ? r : run(statement);
}

static int insert_disk_paths(struct store *store, const struct store_disk_policy *policy)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, "INSERT INTO disk_policy_path VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    &statement);

    for (size_t i = 0; i < policy->n_paths && r >= 0; i++) {
        const struct store_disk_path *path = &policy->paths[i];
        char id[17];
        snprintf(id, sizeof(id), "%016" PRIx64, path->id);
        r = bind(statement, "sisiii", policy->wwid, (int64_t)i, id, (int64_t)path->weight,
                 (int64_t)path->primary, (int64_t)path->preferred);
        if (r >= 0)
            r = run(statement);
    }
    return r;
}

int store_put_disk_policy(struct store *store, const struct store_disk_policy *policy)
{
    int r = execute(store, "BEGIN IMMEDIATE");
    if (r < 0)
        return r;
    r = store_remove_disk_policy(store, policy->wwid);
    if (r >= 0)
        r = insert_disk_policy(store, policy);
    if (r >= 0)
        r = insert_disk_paths(store, policy);
    return finish(store, r);
}

int store_load_unfinished(struct store *store, store_wwid_func_t func, void *userdata)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int rc = SQLITE_DONE;

    int r = prepare(store, "SELECT wwid FROM unfinished ORDER BY wwid", &statement);
    while (r >= 0 && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *wwid = (const char *)sqlite3_column_text(statement, 0);
        r = wwid ? func(wwid, userdata) : -ENOMEM;
    }
    return r < 0 ? r : errno_of_sqlite(rc);
}

/* Runs a statement for each of these, all in one transaction. */
static int run_for_each(struct store *store, const char *sql, const char *const *wwids, size_t n)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = execute(store, "BEGIN IMMEDIATE");
    if (r < 0)
        return r;
    r = prepare(store, sql, &statement);
    for (size_t i = 0; i < n && r >= 0; i++) {
        r = bind(statement, "s", wwids[i]);
        if (r >= 0)
            r = run(statement);
    }
    return finish(store, r);
}

int store_note_unfinished(struct store *store, const char *const *wwids, size_t n)
{
    return run_for_each(store, "INSERT OR IGNORE INTO unfinished VALUES (?1)", wwids, n);
}

int store_forget_unfinished(struct store *store, const char *const *wwids, size_t n)
{
    return run_for_each(store, "DELETE FROM unfinished WHERE wwid = ?1", wwids, n);
}

int store_forget_all_unfinished(struct store *store)
{
    return execute(store, "DELETE FROM unfinished");
}

/* One row with one GUID, or -ENODATA. */
static int read_guid(sqlite3_stmt *statement, uint8_t ret_guid[GUID_SIZE])
{
    int rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? -ENODATA : errno_of_sqlite(rc);
    const void *blob = sqlite3_column_blob(statement, 0);
    if (!blob || sqlite3_column_bytes(statement, 0) != GUID_SIZE)
        return -EUCLEAN;
    memcpy(ret_guid, blob, GUID_SIZE);
    return 0;
}

int store_get_guid(struct store *store, const char *initiator, uint8_t ret_guid[GUID_SIZE])
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, "SELECT guid FROM guid WHERE initiator = ?1", &statement);
    if (r >= 0)
        r = bind(statement, "s", initiator);
    return r < 0 ? r : read_guid(statement, ret_guid);
}

static int delete_of(struct store *store, const char *sql, const char *initiator)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, sql, &statement);
    if (r >= 0)
        r = bind(statement, "s", initiator);
    return r < 0 ? r : run(statement);
}

static int replace_guid(struct store *store, const char *initiator, const uint8_t guid[GUID_SIZE],
                        bool has_digests)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *put = NULL;
    int r = prepare(store,
                    "INSERT OR REPLACE INTO guid (initiator, guid, has_digests)"
                    " VALUES (?1, ?2, ?3)",
                    &put);
    if (r >= 0)
        r = bind(put, "sgi", initiator, guid, (int64_t)has_digests);
    if (r >= 0)
        r = run(put);
    if (r >= 0)
        r = delete_of(store, "DELETE FROM tag WHERE initiator = ?1", initiator);
    if (r >= 0)
        r = delete_of(store, "DELETE FROM digest WHERE initiator = ?1", initiator);
    return r;
}

static int insert_tags(struct store *store, const char *initiator, const uint8_t guid[GUID_SIZE],
                       const struct store_record *records, size_t n)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, "INSERT OR REPLACE INTO tag VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    &statement);

    for (size_t i = 0; i < n && r >= 0; i++) {
        r = bind(statement, "sssisg", initiator, records[i].target, records[i].address,
                 (int64_t)records[i].port, records[i].iface, guid);
        if (r >= 0)
            r = run(statement);
    }
    return r;
}

static int insert_digests(struct store *store, const char *initiator,
                          const struct store_digests *digests)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, "INSERT INTO digest (initiator, path, kind, fields) VALUES (?1, ?2, ?3, ?4)",
                    &statement);

    for (size_t i = 0; i < digests->n && r >= 0; i++) {
        const struct store_digest *digest = &digests->items[i];
        r = bind(statement, "ssib", initiator, digest->path, (int64_t)digest->kind, digest->fields,
                 digest->size);
        if (r >= 0)
            r = run(statement);
    }
    return r;
}

int store_put_guid(struct store *store, const char *initiator, const uint8_t guid[GUID_SIZE],
                   const struct store_record *records, size_t n_records,
                   const struct store_digests *digests)
{
    int r = execute(store, "BEGIN IMMEDIATE");
    if (r < 0)
        return r;
    r = replace_guid(store, initiator, guid, digests);
    if (r >= 0)
        r = insert_tags(store, initiator, guid, records, n_records);
    if (r >= 0 && digests)
        r = insert_digests(store, initiator, digests);
    return finish(store, r);
}

/* Whether digests were kept for the adapter's GUID, or a negative errno. */
static int has_digests(struct store *store, const char *initiator)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, "SELECT has_digests FROM guid WHERE initiator = ?1", &statement);
    if (r >= 0)
        r = bind(statement, "s", initiator);
    if (r < 0)
        return r;
    int rc = sqlite3_step(statement);
    return rc == SQLITE_ROW ? sqlite3_column_int(statement, 0) != 0 : errno_of_sqlite(rc);
}

int store_load_digests(struct store *store, const char *initiator, store_digest_func_t func,
                       void *userdata)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = has_digests(store, initiator), rc;
    if (r <= 0)
        return r < 0 ? r : -ENODATA;
    r = prepare(store, "SELECT path, kind, fields FROM digest WHERE initiator = ?1 ORDER BY path",
                &statement);
    if (r >= 0)
        r = bind(statement, "s", initiator);
    if (r < 0)
        return r;

    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
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
    return errno_of_sqlite(rc);
}

#define KEY_NAME "digest-key"

static int read_key(struct store *store, void *ret, size_t size)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, "SELECT value FROM secret WHERE name = '" KEY_NAME "'", &statement);
    if (r < 0)
        return r;
    int rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? -ENODATA : errno_of_sqlite(rc);
    const void *blob = sqlite3_column_blob(statement, 0);
    if (!blob || sqlite3_column_bytes(statement, 0) != (int)size)
        return -EUCLEAN;
    memcpy(ret, blob, size);
    return 0;
}

int store_get_key(struct store *store, void *ret, size_t size)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    _cleanup_free_ void *key = NULL;
    int r = read_key(store, ret, size);
    if (r != -ENODATA)
        return r;

    key = malloc(size);
    if (!key)
        return -ENOMEM;
    if (getrandom(key, size, 0) != (ssize_t)size)
        return -EIO;
    r = prepare(store, "INSERT INTO secret (name, value) VALUES ('" KEY_NAME "', ?1)", &statement);
    if (r >= 0)
        r = bind(statement, "b", key, size);
    if (r >= 0)
        r = run(statement);
    if (r >= 0)
        memcpy(ret, key, size);
    return r;
}

int store_get_tag(struct store *store, const char *initiator, const struct store_record *record,
                  uint8_t ret_guid[GUID_SIZE])
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store,
                    "SELECT guid FROM tag WHERE initiator = ?1 AND target = ?2"
                    " AND address = ?3 AND port = ?4 AND iface = ?5",
                    &statement);
    if (r >= 0)
        r = bind(statement, "sssis", initiator, record->target, record->address,
                 (int64_t)record->port, record->iface);
    return r < 0 ? r : read_guid(statement, ret_guid);
}

int store_get_setting(struct store *store, const char *name, char **ret)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, "SELECT value FROM setting WHERE name = ?1", &statement);
    if (r >= 0)
        r = bind(statement, "s", name);
    if (r < 0)
        return r;
    int rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? -ENODATA : errno_of_sqlite(rc);
    char *value = column_text(statement, 0);
    if (!value)
        return -ENOMEM;
    *ret = value;
    return 0;
}

int store_put_setting(struct store *store, const char *name, const char *value)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = prepare(store, "INSERT OR REPLACE INTO setting VALUES (?1, ?2)", &statement);
    if (r >= 0)
        r = bind(statement, "ss", name, value);
    return r < 0 ? r : run(statement);
}
