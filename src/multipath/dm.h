/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Multipath maps as the kernel's device-mapper has them. libdevmapper is not thread-safe: one
 * thread of a process uses it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan/table.h"

/* What multipath-tools puts before the WWID in a map's UUID. */
#define MPATH_UUID_PREFIX "mpath-"

struct dm_map {
    dev_t dev;
    char *name;
    char *uuid; /* "mpath-" and the WWID */
    uint64_t sectors;
    bool read_only;
    bool suspended;
    struct mp_table *table;
    struct mp_status *status;
};

/*
 * Sets libdevmapper up for this process: errors to our log at debug level, udev's part as
 * multipathd does it (no waiting on udev, no device node made by the library).
 */
void dm_setup(void);

/* The device number of "dm-3". Negative errno where there is no such device. */
int dm_devno_of_name(const char *kernel_name, dev_t *ret);

/*
 * Reads the live table and status of a map. -ENXIO: no such device. -EMEDIUMTYPE: it is no
 * multipath map of multipath-tools' (a UUID that begins with "mpath-" and one target "multipath").
 */
int dm_map_read(dev_t dev, struct dm_map **ret);
void dm_map_free(struct dm_map *map);

/* The WWID in the UUID. */
const char *dm_map_wwid(const struct dm_map *map);

/* Whether the kernel has dm-multipath loaded. */
bool dm_multipath_loaded(void);

/*
 * Whether this kernel has, or can load, a path selector ("queue-length 0": the name counts). The
 * answer comes from the module index, so it does not load anything.
 */
bool dm_selector_available(const char *selector);
