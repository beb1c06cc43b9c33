/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The table that a map must have under the policies in force (plan/plan.h on the host's model). */

#include <stdbool.h>

#include "plan/plan.h"
#include "service/model/map-snapshot.h"
#include "service/model/model.h"

/*
 * The disk's own policy in MPIO's numbers, as it counts: round robin over asymmetric access is
 * round robin with subset, as on Windows (MSDSM, intrface.c, on a default policy).
 */
uint32_t lb_disk_policy(const struct host_map *map);

/*
 * A stored policy as plan/ takes it, its members in the order of the request; those that are there
 * with the IDs that they have now.
 */
int lb_plan_policy(const struct session *session, const struct store_policy *policy,
                   struct plan_policy *ret);
int lb_plan_disk_policy(const struct map_snapshot *snapshot, const struct store_disk_policy *policy,
                        struct plan_policy *ret);
void lb_plan_policy_done(struct plan_policy *policy);

/* Whether the disk has a policy of its own that counts. */
bool lb_has_disk_policy(const struct map_snapshot *snapshot);

/* Whether the map's paths differ in access state. */
bool lb_is_asymmetric(const struct map_snapshot *snapshot);

/* DsmPathId of the path that a disk's policy prefers, 0: none. */
uint64_t lb_preferred_path(const struct map_snapshot *snapshot,
                           const struct store_disk_policy *policy);

/*
 * The active path of a failover with manual failback, `last` being the one until now, and `in_sync`
 * whether multipathd knows the groups (plan/failover.h). None where the table does not tell.
 */
struct active_path lb_active_path(const struct map_snapshot *snapshot,
                                  const struct active_path *last, bool in_sync);

/* Whether the disk's own policy is failover without a preferred path, which does not fail back. */
bool lb_failback_is_manual(const struct host_map *map);

/*
 * Plans the table of a map under all policies in force; a disk's own stands for all of its paths.
 * -ENODATA: none concerns the map, it is the host's own.
 */
int lb_plan(const struct map_snapshot *snapshot, struct mp_table **ret);

/*
 * The same with `policy`, not in force yet, standing in for the one of `session`;
 * ret_manual_failback: lb_failback_is_manual() of then. -EOPNOTSUPP: the array's access states
 * forbid to choose it. (A map with a policy of its own keeps that.)
 */
int lb_plan_choice(const struct map_snapshot *snapshot, const struct session *session,
                   const struct store_policy *policy, struct mp_table **ret,
                   bool *ret_manual_failback);

/* The same with `policy` as the disk's own, chosen just now: its primary leads. */
int lb_plan_disk_choice(const struct map_snapshot *snapshot, const struct store_disk_policy *policy,
                        struct mp_table **ret, bool *ret_manual_failback);

/* Whether the live table means the policies in force. */
bool lb_agrees(const struct map_snapshot *snapshot);
