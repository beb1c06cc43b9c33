/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the store share: each has the functions of store.h for a subject of its own. */

#include <sqlite3.h>

struct store {
    sqlite3 *db;
};
