/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The text of our drop-in file for multipathd, which makes it build the groups of a planned table
 * by itself (multipath-tools, libmpathutil/parser.c and libmultipath/dict.c: how it reads it).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan/table.h"

/* The SCSI address, H:B:T:L, of a path. */
struct entry_path {
    dev_t dev;
    unsigned host;
    unsigned channel;
    unsigned target;
    uint64_t lun;
};

/*
 * The `multipath` section with which multipathd builds the groups of `table`: group_by_prio, with
 * a prio by weightedpath for each group, best first. `fails_back`: multipathd goes back to a better
 * group as soon as it has a usable path again; otherwise it leaves that to somebody else. Every
 * path of all groups but the last is listed by its address in `paths`, or, where that is too long,
 * together with those of its group that differ in the host alone; the last group gets whatever else
 * the map has, so that the text of a single group does not depend on host numbers, which change
 * with each login. -EOPNOTSUPP, and *ret_reason a static sentence: multipathd cannot be
 * told, because
 *   - there is no group, or one without a path;
 *   - the groups have different selectors: multipathd has one for a map;
 *   - the WWID or the selector is empty, or has a double quote or a control character;
 *   - a path of a group other than the last is not in `paths`;
 *   - prio_args has more than 254 bytes or a line more than 1023: multipathd cuts both.
 * -ENOMEM.
 */
int entry_multipath(const char *wwid, const struct mp_table *table, bool fails_back,
                    const struct entry_path *paths, size_t n_paths, char **ret,
                    const char **ret_reason);

/*
 * Whether an entry_multipath() that was made for an earlier table of the map makes these groups
 * too. A path that leaves needs no other entry, nor does one that comes back to its old address.
 */
bool entry_fits(const char *entry, const struct mp_table *table, bool fails_back,
                const struct entry_path *paths, size_t n_paths);

/* Whether an entry_multipath() has more than one group, each with a prio of its own. */
bool entry_has_several(const char *entry);

/*
 * The `device` section for a product whose paths multipathd would otherwise give a prio of its own
 * (detect_prio), so that the sections above count for them. It holds for all LUNs of the product:
 * `prio` is the one that their paths have now, so that nothing changes for the others. Vendor and
 * product are as in sysfs; trailing white space does not count. detect_pgpolicy (0.9.6 and later)
 * is left alone: it makes groups of prios of its own alone.
 * -EOPNOTSUPP: vendor or product is nothing for SINK_MULTIPATH_CONF or too long for a line, or prio
 * is not a plain word. -ENOMEM.
 */
int entry_device(const char *vendor, const char *product, const char *prio, char **ret);

/*
 * The whole file, from texts of the two functions above: devices in the order of their texts, of
 * equal ones one, and entries in the order given.
 * -ENODATA: no entry, devices or not: there should be no file. -ENOMEM.
 */
int entry_file(const char *const *devices, size_t n_devices, const char *const *entries,
               size_t n_entries, char **ret);

/*
 * Takes an entry_file() apart: calls func with each text that it was made of, and the WWID of an
 * entry, NULL for a device. What has not this form is passed over. A negative errno of func ends
 * that and comes out. -ENOMEM.
 */
typedef int (*entry_text_func_t)(const char *wwid, const char *text, void *userdata);
int entry_file_split(const char *file, entry_text_func_t func, void *userdata);

/* Whether an entry_device() is about that product. 1, 0 or -ENOMEM. */
int entry_device_is_of(const char *device, const char *vendor, const char *product);
