/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <search.h>
#include <stdlib.h>

#include "service/model/find.h"

/* Adapters, sessions and connections all begin with their ID, and stand in ascending order. */
struct with_id {
    uint64_t id;
};

/* In this file, so that the search of each lookup has it inline. */
static int find_compare_ids(const void *a, const void *b)
{
    const struct with_id *x = *(struct with_id *const *)a, *y = *(struct with_id *const *)b;
    return (x->id > y->id) - (x->id < y->id);
}

int model_compare_ids(const void *a, const void *b)
{
    return find_compare_ids(a, b);
}

static void *find_id(void *array, size_t n, uint64_t id)
{
    struct with_id key = {.id = id}, *pointer = &key;
    struct with_id **found =
        n ? bsearch(&pointer, array, n, sizeof(void *), find_compare_ids) : NULL;
    return found ? *found : NULL;
}

struct adapter *host_adapter(struct host *host, uint64_t id)
{
    return find_id(host->adapters, host->n_adapters, id);
}

struct session *host_session(struct host *host, uint64_t id)
{
    return find_id(host->sessions, host->n_sessions, id);
}

struct connection *session_connection(const struct session *session, uint64_t id)
{
    return find_id(session->connections, session->n_connections, id);
}

struct connection *session_named_connection(const struct session *session, uint64_t id)
{
    struct connection *other = NULL;

    for (size_t i = 0; i < session->n_connections; i++) {
        struct connection *connection = session->connections[i];
        if (connection->id == id)
            return connection;
        if (connection->other_id == id)
            other = connection;
    }
    return other;
}

struct connection *host_connection(struct host *host, uint64_t id)
{
    struct connection *found = NULL;
    for (size_t i = 0; i < host->n_sessions && !found; i++)
        found = session_connection(host->sessions[i], id);
    return found;
}

int model_compare_sids(const void *a, const void *b)
{
    const struct connection *x = a, *y = b;
    return (x->kernel->sid > y->kernel->sid) - (x->kernel->sid < y->kernel->sid);
}

struct connection *host_find_sid(const struct host *host, uint32_t sid)
{
    struct kernel_session kernel;
    struct connection key;

    kernel.sid = sid; /* all that is compared */
    key.kernel = &kernel;
    struct connection **found = tfind(&key, &host->connections_by_sid, model_compare_sids);
    return found ? *found : NULL;
}

struct each {
    void (*func)(struct host_map *map, void *userdata);
    void *userdata;
};

static void on_each(const void *node, VISIT which, void *closure)
{
    const struct each *each = closure;
    if (which == postorder || which == leaf)
        each->func(*(struct host_map *const *)node, each->userdata);
}

void maps_each(const struct host *host, void (*func)(struct host_map *map, void *userdata),
               void *userdata)
{
    struct each each = {func, userdata};
    twalk_r(host->maps_by_wwid, on_each, &each);
}
