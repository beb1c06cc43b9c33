/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/host.h"

#include <string.h>

static void text_list_clear(struct text_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    free(list->items);
}

static void connection_clear(struct connection *connection)
{
    free(connection->iface);
    free(connection->address);
    free(connection->current_address);
    free(connection->kernel_state);
    free(connection->tag);
    text_list_clear(&connection->disks);
}

static void map_clear(struct map *map)
{
    for (size_t i = 0; i < map->n_groups; i++) {
        free(map->groups[i].selector);
        free(map->groups[i].state);
        free(map->groups[i].connections);
    }
    free(map->groups);
    free(map->name);
    free(map->wwid);
}

static void session_clear(struct session *session)
{
    for (size_t i = 0; i < session->connections.n; i++)
        connection_clear(&session->connections.items[i]);
    for (size_t i = 0; i < session->maps.n; i++)
        map_clear(&session->maps.items[i]);
    free(session->connections.items);
    free(session->maps.items);
    free(session->path);
    free(session->initiator);
    free(session->target);
    free(session->provenance);
    free(session->agreement);
    free(session->multipathd);
    free(session->reason);
}

static void adapter_clear(struct adapter *adapter)
{
    for (size_t i = 0; i < adapter->policies.n; i++)
        free(adapter->policies.items[i].paths);
    free(adapter->policies.items);
    free(adapter->path);
    free(adapter->name);
    free(adapter->driver);
    free(adapter->driver_version);
}

struct host *host_free(struct host *host)
{
    if (!host)
        return NULL;
    for (size_t i = 0; i < host->n_adapters; i++)
        adapter_clear(&host->adapters[i]);
    for (size_t i = 0; i < host->n_sessions; i++)
        session_clear(&host->sessions[i]);
    free(host->adapters);
    free(host->sessions);
    free(host);
    return NULL;
}

struct manager *manager_free(struct manager *manager)
{
    if (!manager)
        return NULL;
    text_list_clear(&manager->conditions);
    free(manager->version);
    free(manager->weight_order);
    free(manager);
    return NULL;
}

struct connection *session_find_connection(const struct session *session, uint64_t id)
{
    for (size_t i = 0; i < session->connections.n; i++)
        if (session->connections.items[i].id == id)
            return &session->connections.items[i];
    return NULL;
}

static int compare_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

static int compare_adapters(const void *a, const void *b)
{
    const struct adapter *left = a, *right = b;

    return compare_text(left->name, right->name);
}

static int compare_sessions(const void *a, const void *b)
{
    const struct session *left = a, *right = b;
    int order = compare_text(left->target, right->target);

    return order ? order : compare_text(left->initiator, right->initiator);
}

static int compare_connections(const void *a, const void *b)
{
    const struct connection *left = a, *right = b;

    return (left->id > right->id) - (left->id < right->id);
}

static void sort(void *items, size_t n, size_t size, int (*compare)(const void *, const void *))
{
    if (n > 1)
        qsort(items, n, size, compare);
}

static void session_take_policy(struct session *session, const struct live_policy *live)
{
    session->policy = live->policy;
    for (size_t i = 0; i < live->n_paths; i++) {
        struct connection *connection =
            session_find_connection(session, live->paths[i].connection_id);

        if (!connection)
            continue;
        connection->in_policy = true;
        connection->path = live->paths[i];
    }
}

static void session_link(struct session *session, const struct host *host)
{
    for (size_t i = 0; i < host->n_adapters; i++) {
        const struct adapter *adapter = &host->adapters[i];

        if (adapter->id != session->adapter_id)
            continue;
        for (size_t j = 0; j < adapter->policies.n; j++)
            if (adapter->policies.items[j].session_id == session->id)
                session_take_policy(session, &adapter->policies.items[j]);
    }
}

void host_link(struct host *host)
{
    sort(host->adapters, host->n_adapters, sizeof(*host->adapters), compare_adapters);
    sort(host->sessions, host->n_sessions, sizeof(*host->sessions), compare_sessions);
    for (size_t i = 0; i < host->n_sessions; i++) {
        struct connection_list *list = &host->sessions[i].connections;

        sort(list->items, list->n, sizeof(*list->items), compare_connections);
        session_link(&host->sessions[i], host);
    }
}
