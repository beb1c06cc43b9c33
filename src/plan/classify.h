/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * From live tables back to the Windows policy that they amount to, for a session whose tables
 * nobody set through this service, or somebody has changed since.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan/access.h"
#include "plan/table.h"
#include "wmi/policy.h"

/* A path of the session in one map. */
struct classify_path {
    dev_t dev;
    uint64_t connection_id;
    enum access_state access;
};

/* What a connection is under the policy found. Tiers are counted in each access state. */
struct classify_role {
    uint64_t connection_id;
    uint32_t weight; /* policy 5: the tier, 0 the best; else 0 */
    bool primary;    /* 1: in the first group; 2, 3: in the best tier; 6: never; else always */
};

/*
 * Classifies one table by the session's own paths; groups that hold none of them do not count.
 * Per access state (a policy's tiers are split by it):
 *   two groups or more in all, each of one path, whatever their selectors: 1
 *   round-robin, one group in each access state: 2
 *   round-robin, two groups at the most in each: 3
 *   queue-length, one group in each: 4
 *   round-robin, more groups than that: 5
 *   anything else (other or mixed selectors; no path of the session): 6
 * A session with one path in the map is 2 or 4 by its selector.
 * `ret_roles` has room for n_paths entries and is filled in the order of `paths`; a caller that
 * wants the failover order of 1 back gives `paths` in table order.
 */
enum lb_policy classify_map(const struct mp_table *live, const struct classify_path *paths,
                            size_t n_paths, struct classify_role *ret_roles);

/*
 * The same for a disk, with all of the map's paths; MPIO has one policy more:
 *   service-time, one group in each access state: LB_LEAST_BLOCKS, all primaries
 */
enum lb_policy classify_disk(const struct mp_table *live, const struct classify_path *paths,
                             size_t n_paths, struct classify_role *ret_roles);

/*
 * Adds one map's finding to a session's: `policy` is 0 before the first map. Maps that disagree
 * in policy or in a connection's role make it 6, which no later map changes. Roles are matched
 * by connection; a connection that is new in `more` is appended (`roles` has room for it).
 */
enum lb_policy classify_merge(enum lb_policy policy, struct classify_role *roles, size_t *n_roles,
                              enum lb_policy map_policy, const struct classify_role *more,
                              size_t n_more);
