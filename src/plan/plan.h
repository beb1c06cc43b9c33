/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * From policies and the paths of one map to the map's table. Pure: no call leaves this folder.
 *
 * A policy puts its paths into tiers, best first, each of which is a group of the table:
 *   1                 the primary; then each other path alone, in the order of the request
 *   2, 3              the primaries; then the rest
 *   4, Least Blocks   all
 *   5                 a tier for each weight, the lowest first, or the highest (highest_first)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan/access.h"
#include "plan/table.h"
#include "wmi/policy.h"

/* A connection that a policy names. */
struct plan_member {
    uint64_t connection_id;
    uint32_t weight;
    bool primary;
};

/* A session's or a disk's policy, its members in the order of the request. */
struct plan_policy {
    enum lb_policy policy;
    bool highest_first; /* policy 5: the highest weight is the best tier, not the lowest */
    const struct plan_member *members;
    size_t n_members;
};

#define PLAN_NO_POLICY SIZE_MAX

/* One path of the map. */
struct plan_path {
    dev_t dev;
    size_t policy;          /* index of its session's policy, PLAN_NO_POLICY: no session with one */
    uint64_t connection_id; /* looked at only where it has a policy */
    enum access_state access;
};

/*
 * What the path on a connection is under a policy: the member that names it, or, where none does (a
 * late path: it joined the session after the call), one that puts it where late paths go. That is
 * the first tier under 2, 4 and Least Blocks, as a primary; the last under 1 and 3, as none, and
 * under 5, with the worst weight named. Where a policy names nobody, all are primaries.
 */
struct plan_member plan_member(const struct plan_policy *policy, uint64_t connection_id);

/* The selector that a policy's groups get, as table text: "round-robin 0". NULL: no policy of ours.
 */
const char *plan_selector(enum lb_policy policy);

/*
 * Plans the table of one map. `policies` are those of the sessions that have paths in it, the one
 * set last first; `paths` has every path of `live`, in any order (a path of `live` that is
 * missing there counts as one without a policy, ACCESS_OPTIMIZED).
 *
 * The result has every path of `live` once. Its groups are ordered by access state, then by the
 * policies' tiers, then comes one last tier of the paths without a policy, in their old order and
 * with the selector of the first policy; no group mixes access states, so that the last tier is
 * split by them like any other. Inside a tier, paths stand in the order of the request, late ones
 * behind, by connection. With several policies, tiers of equal rank join where all have the same
 * selector and none is 1 or 5; otherwise the tiers of an earlier entry of `policies` come first.
 * Features and hardware handler are those of `live`; `current` is 1, or 0 where there is no path.
 *
 * A late path has the tier of what plan_member() says it is; under 1 it is alone, behind the
 * others.
 *
 * -EINVAL: no policy, or one that plan_selector() does not know, or a path with an index past them.
 * -ENOMEM.
 */
int plan_map(const struct mp_table *live, const struct plan_policy *policies, size_t n_policies,
             const struct plan_path *paths, size_t n_paths, struct mp_table **ret);

/*
 * Whether another hardware handler than ALUA's (rdac, emc, hp_sw) moves the LUN from controller to
 * controller: no state that it notes says which paths can stand in one group.
 */
bool plan_handler_moves_lun(const struct mp_table *live);

/*
 * Whether access states let policies[policy] be chosen for the map. -EOPNOTSUPP: it is one of 1 to
 * 3, has a primary in this map, and none of them is in the best access state that its own paths
 * have here (another session's better paths do not count: where each controller is a target of
 * its own, no policy of the second one's session could ever be set). This is for the choice alone:
 * a policy that was chosen stays when the array changes its mind, with access state ranking first.
 * Nor can any but 1 be chosen where plan_handler_moves_lun(). -EINVAL, -ENOMEM as above.
 */
int plan_check_access(const struct mp_table *live, const struct plan_policy *policies,
                      size_t n_policies, const struct plan_path *paths, size_t n_paths,
                      size_t policy);
