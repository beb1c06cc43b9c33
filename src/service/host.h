/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The model of this host: adapters, sessions (I_T nexuses) and connections (kernel sessions), kept
 * current by uevents. What changes without one (states, tables) is read when it is asked for.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "iscsi/kernel-session.h"
#include "iscsi/records.h"
#include "store/store.h"

struct host;

struct connection {
    uint64_t id; /* UniqueConnectionId */
    struct kernel_session *kernel;
    bool has_tag; /* its node record has one */
    uint8_t tag[GUID_SIZE];
};

struct session {
    uint64_t id; /* UniqueSessionId */
    uint64_t adapter_id;
    char *initiator;
    char *target;
    struct connection **connections; /* ascending by ID */
    size_t n_connections;
    struct store_policy *policy; /* the one chosen, NULL: none */
    bool busy;                   /* a change to it runs */
    struct host *host;
};

struct adapter {
    uint64_t id; /* UniqueAdapterId */
    char *initiator; /* empty: a host that has no initiator name */
    unsigned n_ifaces;
    bool has_guid;
    uint8_t guid[GUID_SIZE];
    bool guid_busy; /* a SetGenerationalGuid runs */
    struct host *host;
};

/* Who wants to know that objects have come or gone; called after the model has changed. */
struct host_observer {
    void (*adapter_added)(const struct adapter *adapter, void *userdata);
    void (*session_added)(const struct session *session, void *userdata);
    void (*session_removed)(uint64_t id, void *userdata);
    void *userdata;
};

struct host {
    sd_event *event;
    struct store *store; /* borrowed */
    struct iscsi_context *iscsi;
    char *initiator; /* the host's own initiator name, empty: none */
    struct adapter **adapters; /* ascending by ID, never empty */
    size_t n_adapters;
    struct session **sessions; /* ascending by ID */
    size_t n_sessions;
    uint32_t *unidentified; /* sids whose login has not come far enough to say who they are */
    size_t n_unidentified;
    bool highest_first; /* Manager.PathWeightOrder */
    unsigned n_changes; /* SetLoadBalancePolicy calls that run */
    uint64_t n_unsaved; /* policies that the store did not take: chosen later than all of its own */
    struct guid_change *guid_changes; /* SetGenerationalGuid calls that run */
    struct host_observer observer;
};

/* Reads everything but open-iscsi's records. -EUCLEAN: the store cannot be read. */
int host_new(sd_event *event, struct store *store, struct host **ret);
struct host *host_free(struct host *host); /* NULL */

struct adapter *host_adapter(struct host *host, uint64_t id);
struct session *host_session(struct host *host, uint64_t id);
struct connection *session_connection(const struct session *session, uint64_t id);

/* The session and connection of a kernel session; false: not known. */
bool host_find_sid(struct host *host, uint32_t sid, struct session **ret_session,
                   struct connection **ret_connection);

/* A kernel session may have come, changed or gone: looks at that one. */
int host_refresh_sid(struct host *host, uint32_t sid);

/* Looks once more at those that could not say who they are. */
void host_refresh_unidentified(struct host *host);

/* Adapters and ports from iface records. */
int host_take_records(struct host *host, const struct iscsi_records *records);

/* Reads the GUID of an adapter and the tags of its connections from the store again. */
int host_reload_guid(struct host *host, struct adapter *adapter);

/* Drops a session that has neither a connection nor a policy. */
void host_drop_if_empty(struct host *host, struct session *session);

/* The initiator name that a record's empty name stands for, or the name itself. */
const char *host_initiator(const struct host *host, const char *name);
