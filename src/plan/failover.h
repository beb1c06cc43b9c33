/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Failover as MPIO has it: without a preferred path there is no going back (MSDSM, dsmmain.c, on
 * DSM_LB_FAILOVER). The path that took over keeps the I/O when the primary returns, and so it has
 * to stand first in the table.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan/plan.h"
#include "plan/table.h"

/*
 * The path that is active now, by a table whose paths are alone in a group each; `last` is the one
 * that was until now, 0: none. `in_sync`: multipathd has read these groups. Until then it may have
 * the kernel switch to another one, by the priorities of earlier groups, and which is in use says
 * nothing of a failover: the first that has a usable path stands for it.
 *   - Where the kernel has passed over a group that has a usable path again, the path that it uses.
 *   - Else `last` stays, while it is in the map and usable: that another group is in use, or first,
 *     is somebody else's table then, such as multipathd's when a path logs in again.
 *   - Else the path of the group in use, or, where none is or it has no usable path, of the first
 *     group that has one.
 * 0: no path is usable, or that group has several, so that the table says nothing of one of them.
 */
dev_t failover_active_path(const struct mp_table *live, const struct mp_status *status, dev_t last,
                           bool in_sync);

/*
 * Whether the path is in the group in use, or, where none is or it has no usable path, in the first
 * one that has one.
 */
bool failover_is_active(const struct mp_table *live, const struct mp_status *status, dev_t dev);

/*
 * The members of a failover policy in the order of their tiers: `first`, if it is not 0, be it a
 * member or not; then the primary, then the others as they stand. `first` is a primary too.
 * `ret` has room for n + 1. Returns how many there are.
 */
size_t failover_order(const struct plan_member *members, size_t n, uint64_t first,
                      struct plan_member *ret);
