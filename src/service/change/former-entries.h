/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The entries that maps had before a change, for one that fails. No look could make them again: a
 * map in transit has none, nor has one that cannot be read.
 */

#include <stddef.h>

#include "service/model/model.h"

struct former_entry;

/* All zeros: none. */
struct former_entries {
    struct former_entry *entries;
    size_t n;
};

/* Keeps the map's, if any, should it not have been kept already. -ENOMEM. */
int former_entries_keep(struct former_entries *former, const struct host_map *map);

/* Each map that is still known has it again. */
void former_entries_take_back(struct former_entries *former, struct host *host);

void former_entries_done(struct former_entries *former);
