/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the service says of this host, in plain structs. client.c fills them; whatever prints or
 * resolves names reads them and knows nothing of the bus.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/macros.h"
#include "wmi/guid.h"
#include "wmi/policy.h"

struct text_list {
    char **items;
    size_t n;
};

struct connection {
    uint64_t id;
    uint32_t status; /* enum lb_connection_status */
    char *iface;
    char *address; /* persistent: that of the node record */
    uint16_t port;
    char *current_address; /* empty: not connected */
    uint16_t current_port;
    char *kernel_state;
    struct text_list disks;
    char *tag;           /* Windows' text form, empty: none */
    bool in_policy;      /* whether path says anything */
    struct lb_path path; /* its part in the policy in force */
};

struct connection_list {
    struct connection *items; /* by ascending ID */
    size_t n;
};

/* One priority group of a map. A connection of 0 is a path of something else than the session. */
struct group {
    char *selector;
    char *state; /* "active", "enabled", "disabled" */
    uint64_t *connections;
    size_t n_connections;
};

struct map {
    char *name;
    char *wwid;
    uint64_t size;
    struct group *groups; /* in table order */
    size_t n_groups;
};

struct map_list {
    struct map *items;
    size_t n;
};

struct session {
    char *path;
    uint64_t id;
    uint64_t adapter_id;
    char *initiator;
    char *target;
    struct connection_list connections;
    struct map_list maps;
    uint32_t chosen_policy; /* 0: none */
    uint32_t policy;        /* in force; 0: the adapter reports none */
    char *provenance;
    char *agreement;
    char *multipathd; /* its agreement */
    char *reason;
};

/* One entry of MSiSCSI_QueryLBPolicy.LoadBalancePolicies. */
struct live_policy {
    uint64_t session_id;
    uint32_t policy;
    uint32_t path_count;
    struct lb_path *paths;
    size_t n_paths;
};

struct live_policy_list {
    struct live_policy *items;
    size_t n;
};

struct adapter {
    char *path;
    uint64_t id;
    char *name; /* the initiator name */
    uint32_t ports;
    uint32_t status; /* 0 working, 1 degraded, 2 critical, 3 failed */
    char *driver;
    char *driver_version;
    uint8_t guid[GUID_SIZE];
    bool cache_valid;
    struct live_policy_list policies;
};

struct host {
    struct adapter *adapters; /* by name */
    size_t n_adapters;
    struct session *sessions; /* by target, then initiator */
    size_t n_sessions;
};

/* The service itself. */
struct manager {
    char *version;
    char *weight_order;
    struct text_list conditions;
};

struct host *host_free(struct host *host);
DEFINE_CLEANUP(struct host *, host_free);
#define _cleanup_host_ _cleanup_(host_freep)

struct manager *manager_free(struct manager *manager);
DEFINE_CLEANUP(struct manager *, manager_free);
#define _cleanup_manager_ _cleanup_(manager_freep)

/* Sorts what was read and gives each session and connection its part of the adapter's policies. */
void host_link(struct host *host);

/* The connection of a session with an ID, NULL: it has none. */
struct connection *session_find_connection(const struct session *session, uint64_t id);
