/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What in an administrator's multipath configuration wins over our drop-in file. multipathd takes
 * multipaths > overrides > devices > defaults, and of each the value that it reads last; a prio
 * that it detects beats them all (plan/detection.h). Pure.
 */

#include <stdbool.h>

#include "plan/detection.h"
#include "plan/mpath-conf.h"

/* A keyword of a configuration that wins over ours. It lives with the configuration. */
struct override {
    const char *file;
    unsigned line;
    const char *keyword; /* static */
};

/* A map, and what we have multipathd read for it. */
struct override_map {
    const char *wwid;
    const char *entry;                 /* its entry_multipath() */
    const char *ours;                  /* the file that has it, as it was read */
    const struct detection *detection; /* for its disks; NULL: no prio is detected */
};

/*
 * Looks for what wins over a map's entry, in all files, of which ours has the entry: a keyword of
 * ours with another value in a multipath section that counts more, or one that keeps multipathd
 * detecting a prio. 1: *ret is the first one. 0: there is none. -ENOMEM.
 */
int override_find(const struct mpath_conf *files, const struct override_map *map,
                  struct override *ret);

/* The same for an entry that multipathd has in force: what only the detection leaves to win. */
bool override_in_detection(const struct override_map *map, struct override *ret);

/*
 * Whether multipathd moves paths that it takes for marginal to a group of their own, whatever an
 * entry says; and what has it do so.
 */
bool override_marginal(const struct mpath_conf *files, struct override *ret);

/*
 * Whether all of an entry_multipath() stands in what multipathd has in force (mpath_conf_shown()),
 * but for keywords that this release does not have. 1, 0 or -ENOMEM.
 */
int override_entry_in_force(const struct mpath_conf *shown, const char *wwid, const char *entry);
