/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Windows' load-balance policies of an iSCSI session and the checks of a request to set one.
 * Sources: iscsimgt.h (numbers, members), wmisample.c in Windows-driver-samples (check order).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lb_policy {
    LB_FAILOVER = 1,
    LB_ROUND_ROBIN = 2,
    LB_ROUND_ROBIN_WITH_SUBSET = 3,
    LB_DYN_LEAST_QUEUE_DEPTH = 4,
    LB_WEIGHTED_PATHS = 5,
    LB_VENDOR_SPECIFIC = 6,

    /*
     * MPIO's Least Blocks, which a disk can have (wmi/dsm.h). The classes of iSCSI sessions have no
     * number for it, and no request of theirs gets so far with this one.
     */
    LB_LEAST_BLOCKS = 100,
};

/* ISCSI_Path.ConnectionStatus */
enum lb_connection_status {
    LB_CONNECTED = 1,
    LB_DISCONNECTED = 2,
    LB_RECONNECTING = 3,
};

/* ISCSI_Path, members in Windows' order and width. */
struct lb_path {
    uint64_t connection_id; /* UniqueConnectionId */
    uint64_t link_speed;    /* EstimatedLinkSpeed, Mbit/s, 0: unknown */
    uint32_t weight;        /* PathWeight, policy 5 only */
    uint32_t primary;       /* PrimaryPath: nonzero is a primary, policies 1 to 3 only */
    uint32_t status;        /* enum lb_connection_status */
    uint32_t offload;       /* TCPOffLoadAvailable */
};

/* ISCSI_Supported_LB_Policies as it came: nothing in it has been checked. */
struct lb_request {
    uint64_t session_id;
    uint32_t policy;
    uint32_t path_count; /* iSCSI_PathCount, may differ from n_paths */
    const struct lb_path *paths;
    size_t n_paths; /* entries that really came */
};

/* What the host knows of the session that a request names, all that the checks need. */
struct lb_session {
    bool known; /* the adapter has this session; where false the rest is not looked at */
    const uint64_t *connections;
    size_t n_connections;
    bool busy;       /* another change to it still runs */
    bool any_up;     /* at least one connection is up */
    bool has_map;    /* at least one multipath map lies over its disks */
    bool has_policy; /* a policy is stored for it: 6 then takes it back even with no path or map */
};

/*
 * Checks a request in Windows' order; the first check that fails wins (DESIGN section 3, rows 1
 * to 11). Entries past iSCSI_PathCount are ignored. For policy 6 the paths are not used, so only
 * rows 1, 2, 4 and 9 to 11 apply to it, and 10 and 11 not where has_policy.
 * Returns STATUS_SUCCESS, the status of the row that failed, or ISDSC_OUT_OF_RESOURCES.
 */
uint32_t lb_check(const struct lb_request *request, const struct lb_session *session);

/* Windows' name of a policy ("FAILOVER", ...), NULL for a number that is none. */
const char *lb_policy_name(uint32_t policy);

/* A policy from its number or its name, in any case, '-' and '_' alike. -EINVAL: neither. */
int lb_policy_parse(const char *text, uint32_t *ret_policy);

/* Whether a text is a policy's number, of one digit, or its name as above. */
bool policy_is_named(const char *text, uint32_t policy, const char *name);
