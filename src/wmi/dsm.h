/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Windows' load-balance policies of an MPIO disk, and the checks of a request to set one.
 * Sources: mpiodisk.h of the Windows SDK (numbers, members), storage/msdsm/src in
 * Windows-driver-samples (wmi.c: DsmpSetLoadBalancePolicy, DsmpValidateSetLBPolicyInput).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wmi/policy.h"
#include "wmi/status.h"

/* DSM_LB_...: 1 to 5 are the policies of an iSCSI session of the same number. */
enum dsm_policy {
    DSM_NONE = 0, /* in a request: clear the disk's own */
    DSM_FAILOVER = 1,
    DSM_ROUND_ROBIN = 2,
    DSM_ROUND_ROBIN_WITH_SUBSET = 3,
    DSM_DYN_LEAST_QUEUE_DEPTH = 4,
    DSM_WEIGHTED_PATHS = 5,
    DSM_LEAST_BLOCKS = 6,
    DSM_VENDOR_SPECIFIC = 7, /* only ever answered */
};

/* Version of the classes whose names end in V2 (DSM_WMI_VERSION_2); those before have 1. */
#define DSM_VERSION_2 2U

/* TargetPortGroup_State, and the state that PrimaryPath and OptimizedPath ask for together. */
enum dsm_state {
    DSM_ACTIVE_OPTIMIZED = 0,   /* 1, 1 */
    DSM_ACTIVE_UNOPTIMIZED = 1, /* 1, 0 */
    DSM_STANDBY = 2,            /* 0, 1 */
    DSM_UNAVAILABLE = 3,        /* 0, 0 */
    DSM_STATE_NOT_USED = 16,    /* no asymmetric access */
};

/* ALUASupport: the TPGS field of the disk's INQUIRY data (SPC-4), as it is. */
enum dsm_alua {
    DSM_ALUA_NONE = 0,
    DSM_ALUA_IMPLICIT = 1,
    DSM_ALUA_EXPLICIT = 2,
    DSM_ALUA_BOTH = 3,
};

/* MPIO_DSM_Path_V2, members in Windows' order and width. */
struct dsm_path {
    uint64_t id; /* DsmPathId */
    uint64_t reserved;
    uint32_t weight;       /* PathWeight, policy 5 only: the lowest is the best, always */
    uint32_t primary;      /* PrimaryPath */
    uint32_t optimized;    /* OptimizedPath */
    uint32_t preferred;    /* PreferredPath, policy 1 only */
    uint32_t failed;       /* FailedPath; not looked at in a request */
    uint32_t group_state;  /* TargetPortGroup_State, from here on likewise */
    uint32_t alua_support; /* enum dsm_alua */
    uint8_t symmetric;     /* SymmetricLUA */
    uint8_t group_preferred;
    uint16_t group_id;
    uint32_t port_id;
    uint32_t reserved32;
    uint64_t reserved64;
};

/*
 * DSM_Load_Balance_Policy_V2 as it came: nothing in it has been checked. DSM_Load_Balance_Policy,
 * whose paths have no OptimizedPath and no PreferredPath, comes with 1 and 0 for them.
 */
struct dsm_request {
    uint32_t version;
    uint32_t policy;
    uint32_t path_count; /* DSMPathCount, may differ from n_paths */
    const struct dsm_path *paths;
    size_t n_paths; /* entries that really came */
};

/* What the host knows of one path of the disk. */
struct dsm_fact {
    uint64_t id;
    bool failed;
    enum dsm_state state; /* of its target port group; DSM_STATE_NOT_USED: no ALUA */
};

/* What the host knows of the disk, all that the checks need. */
struct dsm_disk {
    bool present; /* it has a map now */
    const struct dsm_fact *paths;
    size_t n_paths;
    bool is_explicit; /* the host may ask the array for other access states */
    bool has_policy;  /* one of its own is stored: 0 clears that even without a map or a path */
    bool busy;        /* another change to it still runs, or waits for its turn */
};

/* Whether the paths differ in access state, now: Windows has no round robin over such a disk. */
bool dsm_is_asymmetric(const struct dsm_disk *disk);

/* The state that a path's PrimaryPath and OptimizedPath ask for. */
enum dsm_state dsm_wanted_state(const struct dsm_path *path);

/* The other way round. */
void dsm_set_state(struct dsm_path *path, enum dsm_state state);

/*
 * Checks a request in MSDSM's order; the first check that fails wins.
 *  1. the disk has a map (ours; Windows has no instance without) and a path;
 *  2. policy 0 has passed then: nothing else of it is looked at. It passes check 1 also where it
 *     has a stored policy to clear;
 *  3. DSMPathCount paths have come: BUFFER_TOO_SMALL. Those past it are ignored;
 *  4. the version is known: NOT_SUPPORTED;
 *  5. the policy is 1 to 6;
 *  6. DSMPathCount is the number of the disk's paths;
 *  7. no DsmPathId but 0 comes twice;
 *  8. each path of the disk is named, and policy 2 is not for a disk with asymmetric access;
 *  9. path by path: one PreferredPath at the most under policy 1; and, where the path has not
 *     failed, the state that it is to have can be had under the policy;
 * 10. some path that has not failed is to be active/optimized, unless no path of the array is;
 * 11. nothing else changes the disk, and nobody has suspended its map (ours): DEVICE_BUSY.
 * What has no status above gets INVALID_PARAMETER, and a disk without a map NO_SUCH_DEVICE.
 * Returns STATUS_SUCCESS, the status of the check that failed, or STATUS_INSUFFICIENT_RESOURCES.
 */
uint32_t dsm_check(const struct dsm_request *request, const struct dsm_disk *disk);

/* Windows' name of a policy ("LEAST_BLOCKS"), NULL for a number that is none. 0 is "NONE". */
const char *dsm_policy_name(uint32_t policy);

/* A policy from its number or its name, in any case, '-' and '_' alike. -EINVAL: neither. */
int dsm_policy_parse(const char *text, uint32_t *ret_policy);

/* A policy, 1 to 6, as src/plan knows it, and the other way round (what it has not: 7). */
enum lb_policy dsm_to_lb(enum dsm_policy policy);
enum dsm_policy dsm_of_lb(enum lb_policy policy);

/*
 * Whether a policy can be the default of all maps: those that
 * Set-MSDSMGlobalDefaultLoadBalancePolicy takes, which are None, FOO, RR, LQD and LB.
 */
bool dsm_can_be_default(uint32_t policy);
