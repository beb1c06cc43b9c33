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
    bool busy;       /* another change to it still runs, or waits for its turn */
    bool any_up;     /* at least one connection is up */
    bool has_map;    /* at least one multipath map lies over its disks */
    bool has_policy; /* a policy is stored for it: 6 then takes it back even with no path or map */
};

/*
 * What a request is answered, in Windows' order: the first row that applies wins. Nothing has
 * changed then, but for rows 15 and 16.
 *  1. iSCSI_PathCount is larger than the array that came: BUFFER_TOO_SMALL. Entries past it are
 *     ignored;
 *  2. the policy is not 1 to 6: INVALID_LOAD_BALANCE_POLICY;
 *  3. a UniqueConnectionId comes twice: DUPLICATE_PATH_SPECIFIED;
 *  4. the adapter has no such session: INVALID_SESSION_ID;
 *  5. iSCSI_PathCount is not the number of the session's connections: PATH_COUNT_MISMATCH;
 *  6. a connection is not the session's: INVALID_PATH_ID;
 *  7. policy 1 with two primaries or more: MULTIPLE_PRIMARY_PATHS_SPECIFIED;
 *  8. policy 1, 2 or 3 without a primary: NO_PRIMARY_PATH_SPECIFIED;
 *  9. another change to the session still runs, or waits for its turn, or somebody has suspended a
 *     map (which shows after 12): SESSION_BUSY;
 * 10. no connection is up: NO_CONNECTION_AVAILABLE;
 * 11. no multipath map lies over its disks: DEVICE_NOT_FOUND;
 * 12. kernel or array cannot do it, there being no such selector, or no primary in the best access
 *     state: LB_POLICY_NOT_SUPPORTED;
 * 13. memory, or a bound of the service, does not suffice: OUT_OF_RESOURCES. So that a flood costs
 *     nothing, a request that is past a bound by itself gets this before all else, and one for a
 *     session that is past one before the host is looked at, which is for rows 10 to 12;
 * 14. the kernel refused a table, and all maps were put back: INITIATOR_ERROR;
 * 15. as 14, and one could not be put back: OPERATION_NOT_ALL_SUCCESS;
 * 16. it is live, and could not be saved: FAILURE_TO_PERSIST_LB_POLICY.
 * Policy 6 uses no paths: rows 3 and 5 to 8 are not for it, nor 10 and 11 where has_policy.
 *
 * Checks rows 1 to 11. Returns STATUS_SUCCESS, the status of the row, or ISDSC_OUT_OF_RESOURCES.
 */
uint32_t lb_check(const struct lb_request *request, const struct lb_session *session);

/* Windows' name of a policy ("FAILOVER", ...), NULL for a number that is none. */
const char *lb_policy_name(uint32_t policy);

/* A policy from its number or its name, in any case, '-' and '_' alike. -EINVAL: neither. */
int lb_policy_parse(const char *text, uint32_t *ret_policy);

/* Whether a text is a policy's number, of one digit, or its name as above. */
bool policy_is_named(const char *text, uint32_t policy, const char *name);
