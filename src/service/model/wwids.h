/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* WWIDs of which the store is told together, and later; their maps may be gone by then. */

#include <stddef.h>

struct wwids {
    char **list;
    size_t n;
};

/* Adds a copy; -ENOMEM: none. */
int wwids_add(struct wwids *wwids, const char *wwid);

/* Forgets them all; more can be added. */
void wwids_clear(struct wwids *wwids);
