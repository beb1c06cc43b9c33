/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Small helpers over SQLite, which know no table. They return 0 or a negative errno where nothing
 * else is said.
 */

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/macros.h"

DEFINE_CLEANUP(sqlite3_stmt *, sqlite3_finalize);

/* What SQLite returned, as a negative errno; 0 where it is no failure. */
int db_errno(int rc);

/* Runs statements that take no arguments and whose rows, if any, nobody wants. */
int db_execute(sqlite3 *db, const char *sql);

/* A transaction that writes. Its end keeps all of it for r >= 0, else nothing, and passes r on. */
int db_begin(sqlite3 *db);
int db_end(sqlite3 *db, int r);

/*
 * Arguments of a statement by a letter each: s text, i int64_t, x an ID (uint64_t), b bytes and
 * their number (size_t). IDs are unsigned 64-bit numbers, which SQLite lacks: they are kept as 16
 * hex digits.
 */
int db_prepare(sqlite3 *db, sqlite3_stmt **ret, const char *sql, const char *types, ...);
int db_bind(sqlite3_stmt *statement, const char *types, ...);

/* The next row: 1, or 0 after the last one. */
int db_next(sqlite3_stmt *statement);
/* The one row that is wanted; -ENODATA where there is none. */
int db_first(sqlite3_stmt *statement);

/* Runs a statement whose rows, if any, nobody wants, and makes it ready for other arguments. */
int db_run(sqlite3_stmt *statement);
/* Prepares, binds and runs one. */
int db_change(sqlite3 *db, const char *sql, const char *types, ...);

/* Runs one that takes a text for each of these, in the transaction that there is. */
int db_run_for_each(sqlite3 *db, const char *sql, const char *const *texts, size_t n);

/* Calls func with the text in each row's first column. What it returns below 0 ends that. -ENOMEM.
 */
int db_each_text(sqlite3 *db, const char *sql, int (*func)(const char *text, void *userdata),
                 void *userdata);

/* The first column of the first row. */
int db_read_number(sqlite3 *db, const char *sql, int64_t *ret);

/* A column of the row: text to be freed ("" for NULL), or NULL for want of memory; an ID. */
char *db_text(sqlite3_stmt *statement, int column);
uint64_t db_id(sqlite3_stmt *statement, int column);
