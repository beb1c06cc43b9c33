/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the service says of a host, sorted, and each thing with what belongs to it. All of it points
 * into what the library has given out, in which control characters are replaced: a target chooses
 * its own name, and a terminal obeys.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/macros.h"
#include "iscsi-wmi/iscsi-wmi.h"

struct report_connection {
    uint64_t id;
    const char *iface;
    const char *address; /* persistent: that of the node record */
    uint16_t port;
    const char *current_address; /* empty: not connected */
    uint16_t current_port;
    const struct iscsiwmi_session_connection *info;
    bool in_policy;            /* whether path says anything */
    struct iscsiwmi_path path; /* its part in the policy in force */
};

struct report_connections {
    struct report_connection *items; /* of a session: by ascending ID */
    size_t n;
};

struct report_session {
    uint64_t id;
    uint64_t adapter_id;
    const char *initiator;
    const char *target;
    struct report_connections connections;
    const struct iscsiwmi_session *info;
    uint32_t policy; /* in force; 0: the adapter reports none */
};

struct report_disk {
    const char *wwid;
    const char *key;  /* the same without a replaced character: what calls name it by */
    const char *name; /* of its map, or of the last one; empty: it has had none */
    bool active;      /* it has a map now */
    const struct iscsiwmi_disk *info;
    const struct iscsiwmi_dsm_lb_policy_v2 *policy;                   /* in force; or NULL */
    const struct iscsiwmi_dsm_query_supported_lb_policies *supported; /* or NULL */
    /* One for each path of the policy, in its order. One that is no iSCSI path has its ID alone,
     * and empty texts. */
    struct report_connections connections;
};

struct report_adapter {
    uint64_t id;
    const char *name; /* the initiator name */
    const struct iscsiwmi_hba_information *info;
    const struct iscsiwmi_query_lb_policy *policies;             /* or NULL */
    const struct iscsiwmi_initiator_session_info *session_infos; /* or NULL */
};

struct report {
    struct report_adapter *adapters; /* by name */
    size_t n_adapters;
    struct report_session *sessions; /* by target, then initiator */
    size_t n_sessions;
    struct report_disk *disks; /* by name, then WWID */
    size_t n_disks;
    struct iscsiwmi_host *objects;
};

/* Takes the objects over, also where it fails. NULL: out of memory. */
struct report *report_new(struct iscsiwmi_host *objects);
struct report *report_free(struct report *report);
DEFINE_CLEANUP(struct report *, report_free);
#define _cleanup_report_ _cleanup_(report_freep)

/* The connection of a session with an ID, NULL: it has none. */
struct report_connection *report_session_connection(const struct report_session *session,
                                                    uint64_t id);

/* The adapter of a session, NULL: it is gone. */
const struct report_adapter *report_find_adapter(const struct report *report,
                                                 const struct report_session *session);

/* The disk with a WWID, NULL: there is none. */
const struct report_disk *report_find_disk(const struct report *report, const char *wwid);

/* The counters of connections, which are asked for one by one. */
struct statistics {
    struct counters {
        uint64_t connection_id;
        struct iscsiwmi_connection_statistics *counters;
    } *items;
    size_t n;
};

/* Frees what is in it. */
void statistics_clear(struct statistics *statistics);
#define _cleanup_statistics_ _cleanup_(statistics_clear)

/* NULL: there are none for this connection. */
const struct iscsiwmi_connection_statistics *statistics_find(const struct statistics *statistics,
                                                             uint64_t connection_id);
