/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the store share: each has the functions of store.h for a subject of its own. */

#include <sqlite3.h>

struct store {
    sqlite3 *db;
};

struct store_disk_policy;

/* The disk's policy, in the transaction that there is, in the place of the one that it had. */
int disk_policy_replace(struct store *store, const struct store_disk_policy *policy);
