/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What policy a disk has, read from its live table (DSM_QueryLBPolicy_V2). */

#include "service/model/map-snapshot.h"

/* DSM_Load_Balance_Policy_V2: a path for each of the map's, in table order. */
struct disk_answer {
    uint32_t policy; /* enum dsm_policy */
    struct dsm_path *paths;
    size_t n_paths;
};

/*
 * The disk's own policy while the table means it, otherwise the one that the table amounts to; 7
 * where that is none. A disk without a map has its policy, or 0, and no path.
 *
 * A failed path keeps its DsmPathId, where Windows' has 0: what is asked for can so be set again,
 * edited, with every path named. Its FailedPath is 1, and its flags are the policy's.
 *
 * Of a path, PrimaryPath and OptimizedPath are its state now: under ALUA that of its target port
 * group, unless it is active/optimized; then, and without ALUA, active/optimized for one that gets
 * I/O under the policy, standby for the others. Where none of a subset's primaries is usable, the
 * paths that stand in for them are those that get I/O, as MSDSM promotes a path then.
 */
int disk_query(const struct host_map *map, struct disk_answer *ret);
void disk_answer_done(struct disk_answer *answer);

/* What dsm_check() needs to know of a map's paths; to be freed. */
int disk_facts(const struct map_snapshot *snapshot, struct dsm_fact **ret, bool *ret_is_explicit);

/*
 * The policies that the disk can be given, in ascending order: those whose selector this kernel
 * has, but round robin over asymmetric access (MSDSM, DsmpQuerySupportedLBPolicies). Returns how
 * many.
 */
size_t disk_supported(struct host_map *map, uint32_t ret[DSM_LEAST_BLOCKS]);
