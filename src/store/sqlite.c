/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite.h"

int db_errno(int rc)
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

int db_execute(sqlite3 *db, const char *sql)
{
    return db_errno(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int db_begin(sqlite3 *db)
{
    return db_execute(db, "BEGIN IMMEDIATE");
}

int db_end(sqlite3 *db, int r)
{
    if (r >= 0)
        r = db_execute(db, "COMMIT");
    if (r < 0 && !sqlite3_get_autocommit(db))
        (void)db_execute(db, "ROLLBACK");
    return r;
}

static int bind_id(sqlite3_stmt *statement, int position, uint64_t id)
{
    char digits[17];
    snprintf(digits, sizeof(digits), "%016" PRIx64, id);
    return sqlite3_bind_text(statement, position, digits, -1, SQLITE_TRANSIENT);
}

static int bind_list(sqlite3_stmt *statement, const char *types, va_list ap)
{
    int rc = SQLITE_OK;

    for (int i = 0; types[i] && rc == SQLITE_OK; i++) {
        if (types[i] == 's')
            rc =
                sqlite3_bind_text(statement, i + 1, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
        else if (types[i] == 'i')
            rc = sqlite3_bind_int64(statement, i + 1, va_arg(ap, int64_t));
        else if (types[i] == 'x')
            rc = bind_id(statement, i + 1, va_arg(ap, uint64_t));
        else {
            const void *bytes = va_arg(ap, const void *);
            rc = sqlite3_bind_blob64(statement, i + 1, bytes, va_arg(ap, size_t), SQLITE_TRANSIENT);
        }
    }
    return db_errno(rc);
}

int db_bind(sqlite3_stmt *statement, const char *types, ...)
{
    va_list ap;

    va_start(ap, types);
    int r = bind_list(statement, types, ap);
    va_end(ap);
    return r;
}

static int prepare_list(sqlite3 *db, sqlite3_stmt **ret, const char *sql, const char *types,
                        va_list ap)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_errno(sqlite3_prepare_v2(db, sql, -1, &statement, NULL));
    if (r >= 0)
        r = bind_list(statement, types, ap);
    if (r >= 0)
        *ret = TAKE_PTR(statement);
    return r;
}

int db_prepare(sqlite3 *db, sqlite3_stmt **ret, const char *sql, const char *types, ...)
{
    va_list ap;

    va_start(ap, types);
    int r = prepare_list(db, ret, sql, types, ap);
    va_end(ap);
    return r;
}

int db_next(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    return rc == SQLITE_ROW ? 1 : db_errno(rc);
}

int db_first(sqlite3_stmt *statement)
{
    int r = db_next(statement);
    if (r < 0)
        return r;
    return r > 0 ? 0 : -ENODATA;
}

int db_run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    int reset = sqlite3_reset(statement);
    return db_errno(rc == SQLITE_DONE || rc == SQLITE_ROW ? reset : rc);
}

int db_change(sqlite3 *db, const char *sql, const char *types, ...)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    va_list ap;

    va_start(ap, types);
    int r = prepare_list(db, &statement, sql, types, ap);
    va_end(ap);
    return r < 0 ? r : db_run(statement);
}

int db_run_for_each(sqlite3 *db, const char *sql, const char *const *texts, size_t n)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(db, &statement, sql, "");

    for (size_t i = 0; i < n && r >= 0; i++) {
        r = db_bind(statement, "s", texts[i]);
        if (r >= 0)
            r = db_run(statement);
    }
    return r;
}

int db_each_text(sqlite3 *db, const char *sql, int (*func)(const char *text, void *userdata),
                 void *userdata)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(db, &statement, sql, "");
    if (r < 0)
        return r;
    while ((r = db_next(statement)) > 0) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        r = text ? func(text, userdata) : -ENOMEM;
        if (r < 0)
            return r;
    }
    return r;
}

int db_read_number(sqlite3 *db, const char *sql, int64_t *ret)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *statement = NULL;
    int r = db_prepare(db, &statement, sql, "");
    if (r >= 0)
        r = db_first(statement);
    if (r >= 0)
        *ret = sqlite3_column_int64(statement, 0);
    return r;
}

char *db_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return strdup(text ? text : "");
}

uint64_t db_id(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text ? strtoull(text, NULL, 16) : 0;
}
