/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Changing one map's table under I/O. For child processes: a hung path can hold a swap for a
 * SCSI timeout.
 */

#include <stdint.h>
#include <systemd/sd-device.h>

#include "multipath/dm.h"
#include "plan/table.h"

/*
 * Whoever takes a table into use has the map suspended for a moment: one that is found so is looked
 * at so often, so far apart, before it is taken for held by somebody.
 */
#define SWAP_SUSPENDED_LOOKS 60U
#define SWAP_SUSPENDED_USEC 50000U

/* How far a swap came before it failed. */
enum swap_stage {
    SWAP_READ,      /* the live table could not be read; nothing was touched */
    SWAP_SUSPENDED, /* somebody has suspended the map, and it is left so; likewise */
    SWAP_LOAD,      /* the kernel refused the new table; the live one is the old */
    SWAP_RESUME,    /* the new table was not taken; the live one is the old */
    SWAP_READ_BACK, /* somebody else's table is live */
    SWAP_GIVE_BACK, /* multipathd did not rebuild the map */
};

struct swap_result {
    int error; /* 0, or a negative errno */
    enum swap_stage stage;
};

/* Whether a map's partitions are mapped, as udev's database knows it. */
enum kpartx {
    KPARTX_UNKNOWN, /* not looked up yet */
    KPARTX_RUNS,
    KPARTX_SKIPPED, /* property DM_SUBSYSTEM_UDEV_FLAG1 */
};

enum kpartx kpartx_of_device(sd_device *device);

/* Text for a log message: what `stage` could not do. */
const char *swap_stage_text(enum swap_stage stage);

/*
 * Makes `table` the live one of the map that it was planned for: RELOAD, one RESUME with no-flush
 * and skip-lockfs (never a suspended map in between, so that dying here leaves the map running),
 * paths that had failed failed again, read back and compared; once more where somebody else's load
 * came in between, up to five times. Does nothing where the live table means the same already.
 * -ESTALE, at SWAP_READ or, after an attempt, at SWAP_READ_BACK: the map has other paths than the
 * table by now, plan again. -EBUSY, at SWAP_SUSPENDED: somebody holds the map suspended, for a
 * snapshot or a resize, whose I/O a RESUME would let go on. -ENXIO: the map is gone; another one
 * that has its number by now, which its UUID tells, is left alone. Whether partitions are mapped
 * stays as it is: where that is unknown, it is looked up.
 */
struct swap_result swap_table(const struct dm_map *planned, const struct mp_table *table,
                              enum kpartx kpartx);

/*
 * Has multipathd rebuild the map after its own configuration. -EBUSY and -ENXIO as above:
 * multipathd would resume it as well, and knows it by its number, so the UUID is looked at before
 * and after.
 */
struct swap_result swap_give_back(const struct dm_map *planned);
