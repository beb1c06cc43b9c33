/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ISCSI_WMI_CLIENT_H
#define ISCSI_WMI_CLIENT_H

/*
 * The service iscsi-wmid of this host or of another. One function for each class and each method.
 *
 * A client is for one thread at a time. What a call gives out through a `ret_` argument belongs to
 * the caller, who frees it with iscsiwmi_free(); where a call fails, nothing is given out.
 *
 * Every function that returns int returns 0, or a negative errno, after which
 * iscsiwmi_client_error() has one line for a person:
 *
 *   -ENOTCONN   the bus cannot be reached, or has closed the connection
 *   -ENXIO      the service does not run, and cannot be started
 *   -EACCES     not permitted: neither root, nor allowed by polkit
 *   -EBUSY      too many calls of this user's wait for polkit or for counters, or too many answers
 *               were not read
 *   -ENOENT     there is no such adapter, session, connection or disk
 *   -ETIMEDOUT  no answer came in time
 *   -EINVAL     a value that the service refuses
 *   -EBADMSG    an answer of another form than this version of the library knows
 *   -ENOMEM     out of memory
 *   -EIO, ...   trouble of the service's own, which the line tells
 *
 * A Status that is not 0 is no failure of the call: see status.h.
 */

#include <stdint.h>

#include <iscsi-wmi/classes.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- client ---- */

struct iscsiwmi_client;

/* A client that is not connected yet; to be freed with iscsiwmi_client_free(). Only -ENOMEM. */
int iscsiwmi_client_new(struct iscsiwmi_client **ret_client);

/*
 * Ends the connection and frees the client; NULL is allowed. What calls have given out stays. Not
 * from within a callback.
 */
void iscsiwmi_client_free(struct iscsiwmi_client *client);

/*
 * Connects to the system bus, and waits for it. `host` is NULL for this host, or "HOST",
 * "USER@HOST", "USER@HOST:PORT", which is reached by ssh; ssh may ask for a password on the
 * terminal, and writes its own messages to standard error. Once for each client: -EISCONN after
 * that. That the service is there shows in the first call.
 */
int iscsiwmi_client_connect(struct iscsiwmi_client *client, const char *host);

/*
 * Why the last call that failed did so: one line without control characters, never NULL; empty
 * where none has failed. It stays until the next failure.
 */
const char *iscsiwmi_client_error(const struct iscsiwmi_client *client);

/* Frees what a call has given out, with all that it points to; NULL is allowed. */
void iscsiwmi_free(void *result);

/* ---- classes ---- */

/* All adapters, sessions and disks with their classes, and the connections, in one call. */
int iscsiwmi_get_host(struct iscsiwmi_client *client, struct iscsiwmi_host **ret_host);

/* The classes of one adapter, which its UniqueAdapterId names. */
int iscsiwmi_get_hba_information(struct iscsiwmi_client *client, uint64_t adapter_id,
                                 struct iscsiwmi_hba_information **ret_information);
int iscsiwmi_get_hba_session_config(struct iscsiwmi_client *client, uint64_t adapter_id,
                                    struct iscsiwmi_hba_session_config **ret_config);
int iscsiwmi_get_initiator_session_info(struct iscsiwmi_client *client, uint64_t adapter_id,
                                        struct iscsiwmi_initiator_session_info **ret_info);
int iscsiwmi_get_portal_info_class(struct iscsiwmi_client *client, uint64_t adapter_id,
                                   struct iscsiwmi_portal_info_class **ret_portals);
int iscsiwmi_get_query_lb_policy(struct iscsiwmi_client *client, uint64_t adapter_id,
                                 struct iscsiwmi_query_lb_policy **ret_policies);

/* The counters of one connection, which its UniqueConnectionId names. Can take some seconds. */
int iscsiwmi_get_connection_statistics(struct iscsiwmi_client *client, uint64_t connection_id,
                                       struct iscsiwmi_connection_statistics **ret_statistics);

/* One session, which its UniqueSessionId names; one with a policy also while it is logged out. */
int iscsiwmi_get_session(struct iscsiwmi_client *client, uint64_t session_id,
                         struct iscsiwmi_session **ret_session);

/*
 * The classes of one disk, which its WWID names: a multipath map that has an iSCSI path, or one
 * that has a policy of its own, be there a map or not. A program that sets a policy queries it,
 * edits the answer, and sends all of it.
 */
int iscsiwmi_get_disk(struct iscsiwmi_client *client, const char *wwid,
                      struct iscsiwmi_disk **ret_disk);
int iscsiwmi_get_dsm_query_lb_policy(struct iscsiwmi_client *client, const char *wwid,
                                     struct iscsiwmi_dsm_query_lb_policy **ret_policy);
int iscsiwmi_get_dsm_query_supported_lb_policies(
    struct iscsiwmi_client *client, const char *wwid,
    struct iscsiwmi_dsm_query_supported_lb_policies **ret_policies);

/* The service itself. */
int iscsiwmi_get_manager(struct iscsiwmi_client *client, struct iscsiwmi_manager **ret_manager);

/*
 * ---- methods ----
 *
 * All but the first ask polkit, unless root calls, and let it ask the user.
 */

/* Manager.DescribeStatus. status.h has the same without a service. */
int iscsiwmi_describe_status(struct iscsiwmi_client *client, uint32_t status,
                             struct iscsiwmi_status_description **ret_description);

/*
 * Adapter.ListChangedRecords: which of open-iscsi's records are not as they were when the adapter's
 * GenerationalGuid was set, and in which fields; never what they say. There can be a Reason without
 * a record, where the records could not be compared.
 */
int iscsiwmi_list_changed_records(struct iscsiwmi_client *client, uint64_t adapter_id,
                                  struct iscsiwmi_changed_records **ret_records);

/* Sets Manager.PathWeightOrder: "lowest-first" or "highest-first", else -EINVAL. */
int iscsiwmi_set_path_weight_order(struct iscsiwmi_client *client, const char *order);

/*
 * Sets Manager.DefaultLoadBalancePolicy, the policy of maps that appear and have none otherwise:
 * of enum iscsiwmi_dsm_policy 0 (none), 1, 2, 4 or 6, else -EINVAL.
 */
int iscsiwmi_set_default_load_balance_policy(struct iscsiwmi_client *client, uint32_t policy);

/*
 * MSiSCSI_LB_Operations.SetLoadBalancePolicy. Waits up to 10 minutes, for a dead path can hold a
 * change for several SCSI timeouts.
 */
int iscsiwmi_set_load_balance_policy(struct iscsiwmi_client *client, uint64_t adapter_id,
                                     const struct iscsiwmi_lb_policies *policies,
                                     uint32_t *ret_status);

/*
 * DSM_LB_Operations.DsmSetLoadBalancePolicy and .DsmSetLoadBalancePolicyALUA, of one disk. Policy 0
 * clears the disk's own. The Status is an NTSTATUS. They wait as long.
 */
int iscsiwmi_dsm_set_load_balance_policy(struct iscsiwmi_client *client, const char *wwid,
                                         const struct iscsiwmi_dsm_lb_policy *policy,
                                         uint32_t *ret_status);
int iscsiwmi_dsm_set_load_balance_policy_alua(struct iscsiwmi_client *client, const char *wwid,
                                              const struct iscsiwmi_dsm_lb_policy_v2 *policy,
                                              uint32_t *ret_status);

/* MSiSCSI_SecurityConfigOperations.SetGenerationalGuid and .ClearCache. */
int iscsiwmi_set_generational_guid(struct iscsiwmi_client *client, uint64_t adapter_id,
                                   const uint8_t guid[16], uint32_t *ret_status);
int iscsiwmi_clear_cache(struct iscsiwmi_client *client, uint64_t adapter_id, uint32_t *ret_status);

/*
 * MSiSCSI_ManagementOperations.PingIPAddress: `count` requests (1 to 64) of `size` bytes of data (0
 * to 65500), each of which waits `timeout_msec` (1 to 60000) for its answer.
 */
int iscsiwmi_ping_ip_address(struct iscsiwmi_client *client, uint64_t adapter_id, uint32_t count,
                             uint32_t size, uint32_t timeout_msec,
                             const struct iscsiwmi_ip_address *address, uint32_t *ret_status,
                             uint32_t *ret_responses);

/* ---- events ---- */

/* What happened. More can come in later versions: pass over what is not known. */
enum iscsiwmi_event_type {
    ISCSIWMI_EVENT_ADDED = 1,   /* an object */
    ISCSIWMI_EVENT_REMOVED = 2, /* an object */
    ISCSIWMI_EVENT_CHANGED = 3, /* properties of an object */
    ISCSIWMI_EVENT_STARTED = 4, /* the service: all that was read before may be wrong */
    ISCSIWMI_EVENT_STOPPED = 5  /* the service */
};

/* What it happened to. */
enum iscsiwmi_object_type {
    ISCSIWMI_OBJECT_OTHER = 0, /* one of a later version: Path tells */
    ISCSIWMI_OBJECT_SERVICE = 1,
    ISCSIWMI_OBJECT_ADAPTER = 2,
    ISCSIWMI_OBJECT_SESSION = 3,
    ISCSIWMI_OBJECT_CONNECTION = 4,
    ISCSIWMI_OBJECT_DISK = 5
};

struct iscsiwmi_change {
    const char *Property;
    const char *Value; /* a number, truth ("true", "false"), text or GUID; NULL: to be read anew */
};

struct iscsiwmi_event {
    uint32_t Type;     /* enum iscsiwmi_event_type */
    uint32_t Object;   /* enum iscsiwmi_object_type */
    uint64_t Id;       /* of the adapter, session or connection; else 0 */
    const char *Path;  /* of the D-Bus object */
    const char *Class; /* CHANGED: "Session", "MSiSCSI_QueryLBPolicy", ...; else NULL */
    uint32_t ChangeCount;
    const struct iscsiwmi_change *const *Changes; /* CHANGED */
    const char *WWID;                             /* of the disk; else NULL */
};

/*
 * The event is gone when the callback returns. Within it, calls on the same client are allowed, but
 * for iscsiwmi_client_dispatch() and iscsiwmi_client_free().
 */
typedef void iscsiwmi_event_fn(const struct iscsiwmi_event *event, void *userdata);

/*
 * Has on_event called, from iscsiwmi_client_dispatch(), for all that happens from now on; NULL ends
 * that. Needs a connection, and no service: that it starts and stops are events as well. Signals
 * that somebody sends to this connection alone, as any user may, are none: see Signals in
 * com.open_iscsi.WMI1(5).
 */
int iscsiwmi_client_watch(struct iscsiwmi_client *client, iscsiwmi_event_fn *on_event,
                          void *userdata);

/*
 * For any main loop: wait until the file descriptor has one of the events of poll(2), or the
 * timeout has passed; then dispatch. Ask for events and timeout anew before each wait, for a call
 * may have read ahead. The timeout is as poll's: milliseconds from now, -1: none.
 */
int iscsiwmi_client_get_fd(struct iscsiwmi_client *client, int *ret_fd);
int iscsiwmi_client_get_events(struct iscsiwmi_client *client, short *ret_events);
int iscsiwmi_client_get_timeout(struct iscsiwmi_client *client, int *ret_msec);

/* Takes what has come, without waiting. -ENOTCONN: the bus has closed the connection. */
int iscsiwmi_client_dispatch(struct iscsiwmi_client *client);

#ifdef __cplusplus
}
#endif

#endif
