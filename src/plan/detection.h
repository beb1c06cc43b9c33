/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The prio that multipathd detects for a disk, which beats what any section says. A device section
 * of ours switches that off for a whole product; what a disk goes by is taken from overrides, then
 * from the last device section that matches, then from the defaults (libmultipath/propsel.c). Pure.
 */

#include <stdbool.h>

#include "plan/mpath-conf.h"
#include "wmi/dsm.h"

/* Of a disk, what multipathd decides by. */
struct detection_disk {
    char *vendor, *product; /* as in sysfs */
    enum dsm_alua alua;
    bool has_access;  /* the kernel shows an access state, ... */
    bool is_followed; /* ... and the service goes by it */
};

struct detection {
    const char *prio; /* what multipathd detects, static; NULL: nothing, or it is not to */

    /* What counts over a section of ours; NULL: nothing. They live with the configuration. */
    const struct mpath_value *insists; /* on the detection */
    const struct mpath_value *other;   /* a prio: without detection the product would go by it */

    const struct mpath_value *by_target; /* of detected prios it makes a group for each target port
                                            group; NULL: for each prio */
    bool is_unseen;                      /* it goes by access states that the service does not */
};

/*
 * What is found for a disk. `files` are all files but for device sections of ours, which belong
 * into the one that was read as `ours`; `shown` is multipathd's own answer, for what is built in;
 * NULL: there is none. -ENOMEM.
 */
int detection_find(const struct mpath_conf *files, const struct mpath_conf *shown, const char *ours,
                   const struct detection_disk *disk, struct detection *ret);

/*
 * Whether an entry counts only where no prio is detected: one of `several` groups needs a prio of
 * its own; one group is what multipathd makes of the others, as long as their access states are
 * those that the service sees.
 */
bool detection_matters(const struct detection *detection, bool several);

/*
 * Whether our file is to have a section for the product: it matters, and nothing changes by it for
 * the product's other disks.
 */
bool detection_needs_section(const struct detection *detection, bool several);

/* What keeps the entry from counting, and which keyword that is; NULL: nothing. */
const struct mpath_value *detection_override(const struct detection *detection, bool several,
                                             enum mpath_keyword *ret_keyword);
