/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who wants to know what has come, changed or gone in the model. Observers are called in the order
 * in which they came (service/start.c has it), after the model has changed.
 */

#include <stdbool.h>
#include <stdint.h>

struct adapter;
struct connection;
struct host;
struct host_map;
struct session;

/* What of a session has changed, as bits. */
enum session_change {
    CHANGED_POLICY = 1 << 0,
    CHANGED_AGREEMENT = 1 << 1,
    CHANGED_MPATHD = 1 << 2,
    CHANGED_REASON = 1 << 3,
    CHANGED_REAPPLIED = 1 << 4,
    CHANGED_CONNECTIONS = 1 << 5,
    CHANGED_MAPS = 1 << 6,
    CHANGED_LOGGED_IN = 1 << 7, /* its first connection has come, or its last one gone */
    CHANGED_RECORDS = 1 << 8,   /* the records of its connections */
};

/* What of an adapter has changed, as bits. */
enum adapter_change {
    ADAPTER_GUID = 1 << 0,
    ADAPTER_CACHE_VALID = 1 << 1,
};

/* What of a disk has changed, as bits. */
enum disk_change {
    DISK_PRESENT = 1 << 0, /* its map has come or gone */
    DISK_NAME = 1 << 1,
    DISK_SIZE = 1 << 2,
    DISK_POLICY = 1 << 3,
    DISK_PROVENANCE = 1 << 4,
    DISK_AGREEMENT = 1 << 5,
    DISK_MPATHD = 1 << 6,
    DISK_REASON = 1 << 7,
    DISK_REAPPLIED = 1 << 8,
    DISK_TABLE = 1 << 9, /* what only the kernel knows: groups, paths and their states */
};

/* Each member may be NULL. */
struct host_observer {
    void (*adapter_added)(struct adapter *adapter, void *userdata);
    void (*adapter_changed)(const struct adapter *adapter, unsigned changes, void *userdata);
    void (*adapter_removed)(uint64_t id, void *userdata);
    /* A connection is in the model; its session is not announced yet. */
    void (*login)(struct connection *connection, bool new_adapter, void *userdata);
    void (*session_added)(struct session *session, void *userdata);
    void (*session_changed)(const struct session *session, unsigned changes, void *userdata);
    void (*session_removed)(uint64_t id, uint64_t adapter_id, void *userdata);
    void (*connection_added)(uint64_t id, void *userdata);
    void (*connection_removed)(uint64_t id, void *userdata);
    void (*disk_added)(struct host_map *map, void *userdata);
    void (*disk_changed)(const struct host_map *map, unsigned changes, void *userdata);
    void (*disk_removed)(const char *wwid, void *userdata);
    void *userdata;
};

/* There are no more than those that start.c and the bus name. */
#define OBSERVERS_MAX 6U

struct host_observers {
    struct host_observer list[OBSERVERS_MAX];
    unsigned n;
};

/* Comes after all that are there. */
void host_observe(struct host *host, const struct host_observer *observer);

/* Nobody is told anything any more. */
void host_observe_no_more(struct host *host);

void observe_adapter_added(struct adapter *adapter);
void observe_adapter_changed(const struct adapter *adapter, unsigned changes);
void observe_adapter_removed(const struct host *host, uint64_t id);
void observe_login(struct connection *connection, bool new_adapter);
void observe_session_added(struct session *session);
void observe_session_changed(const struct session *session, unsigned changes);
void observe_session_removed(const struct host *host, uint64_t id, uint64_t adapter_id);
void observe_connection_added(const struct host *host, uint64_t id);
void observe_connection_removed(const struct host *host, uint64_t id);
void observe_disk_added(struct host_map *map);
void observe_disk_changed(const struct host_map *map, unsigned changes);
void observe_disk_removed(const struct host *host, const char *wwid);
