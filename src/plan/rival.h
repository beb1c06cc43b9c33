/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What in an administrator's multipath configuration wins over our drop-in file. For values,
 * multipathd takes multipaths > overrides > devices > defaults, and of each the file that it reads
 * last; but a prio that it detects beats them all, unless detect_prio (overrides > devices >
 * defaults) is off (libmultipath/propsel.c).
 */

#include <stdbool.h>

/* A keyword of a configuration that wins over ours. */
struct rival {
    const char *section; /* static: "multipaths", "devices", "overrides" */
    const char *keyword; /* static */
    char *value;         /* without its quotes */
    unsigned line;       /* from 1 */
};

void rival_done(struct rival *rival);

/*
 * Looks for it in the text of one configuration file. `later`: multipathd reads that file after
 * ours. `entry` is our entry_multipath() for the map with that WWID, `detects` whether the map
 * needs an entry_device() too; vendor and product are those of its disk as in sysfs, NULL where
 * unknown: any regex matches them then.
 *
 * What wins:
 *   - a keyword of ours in a multipath section with that WWID, with another value, if `later`;
 *   - detect_prio yes or detect_pgpolicy yes in a device section whose vendor and product regexes
 *     both match (multipathd drops one that lacks either), if `later` and `detects`;
 *   - the same in overrides, if `detects`, in whatever file.
 * Of a keyword that comes several times, in one section or in several that match, the last counts.
 *
 * Lines and sections are read as multipathd reads them (libmpathutil/parser.c), mistakes included:
 * what follows the brace or the value in a line does not count, and a section that is never closed
 * ends with the text. One that it does not know is passed over with all that is in it.
 *
 * Returns 1 and fills *ret with the first one, to be given to rival_done(); 0: none. -ENOMEM.
 */
int rival_find(const char *text, bool later, const char *wwid, const char *entry, bool detects,
               const char *vendor, const char *product, struct rival *ret);

/*
 * Whether all of an entry_multipath() stands in the configuration as multipathd has merged it
 * ("show config"). 1, 0 or -ENOMEM.
 */
int rival_in_force(const char *config, const char *wwid, const char *entry);

/*
 * Whether multipathd would detect a prio for paths of that product, by a configuration as it has
 * merged it; `ours` is our own entry_device() for the product, which does not count. 1, 0 or
 * -ENOMEM.
 */
int rival_detection(const char *config, const char *vendor, const char *product, const char *ours);
