/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The tables of the store, by the version that each came with. */

#include <sqlite3.h>
#include <stdint.h>

/* The version that this program makes, and the newest that it knows. */
int schema_version(void);

/*
 * Whether a file that was there already is a store of ours, sound, and of a version that is known:
 * -EUCLEAN, -EPROTONOSUPPORT. *ret_version is set where it could be read, then too.
 */
int schema_inspect(sqlite3 *db, int64_t *ret_version);

/* From a version, 0 for an empty file, to another that is known, in one transaction. */
int schema_upgrade(sqlite3 *db, int64_t from, int to);
