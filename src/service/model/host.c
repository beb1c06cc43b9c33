/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "iscsi/identity.h"
#include "iscsi/initiator-name.h"
#include "iscsi/openiscsi.h"
#include "service/model/announce.h"
#include "service/model/find.h"
#include "service/model/freshness.h"
#include "service/model/host.h"
#include "service/model/observer.h"
#include "service/model/states.h"

DEFINE_CLEANUP(struct kernel_session *, kernel_session_free);

/* Appends to one of the arrays and puts it in order. -ENOMEM leaves the array as it was. */
static int insert_sorted(void ***array, size_t *n, void *item)
{
    void **more = reallocarray(*array, *n + 1, sizeof(void *));
    if (!more)
        return -ENOMEM;
    *array = more;
    more[(*n)++] = item;
    qsort(more, *n, sizeof(void *), model_compare_ids);
    return 0;
}

static void remove_item(void **array, size_t *n, const void *item)
{
    for (size_t i = 0; i < *n; i++)
        if (array[i] == item) {
            memmove(array + i, array + i + 1, (*n - i - 1) * sizeof(void *));
            (*n)--;
            return;
        }
}

static void connection_free(struct connection *connection)
{
    if (!connection)
        return;
    states_close(connection);
    kernel_session_ends_done(&connection->ends);
    strings_free(connection->disks);
    kernel_session_free(connection->kernel);
    free(connection);
}

void lb_answer_free(struct lb_answer *answer)
{
    if (!answer)
        return;
    free(answer->paths);
    free(answer);
}

static void session_free(struct session *session)
{
    if (!session)
        return;
    for (size_t i = 0; i < session->n_connections; i++)
        connection_free(session->connections[i]);
    free(session->connections);
    store_policy_free(session->policy);
    lb_answer_free(session->answer);
    free(session->maps);
    free(session->devices);
    free(session->initiator);
    free(session->target);
    free(session);
}

static void adapter_free(struct adapter *adapter)
{
    if (!adapter)
        return;
    digest_set_free(adapter->baseline);
    record_changes_clear(&adapter->changes);
    free(adapter->changed_ids);
    free(adapter->initiator);
    free(adapter);
}

DEFINE_CLEANUP(struct session *, session_free);
DEFINE_CLEANUP(struct adapter *, adapter_free);
DEFINE_CLEANUP(struct connection *, connection_free);

bool host_has_session_policy(const struct host *host)
{
    for (size_t i = 0; i < host->n_sessions; i++)
        if (session_has_policy(host->sessions[i]))
            return true;
    return false;
}

bool host_awaits_login(const struct host *host)
{
    for (size_t i = 0; i < host->n_sessions; i++)
        if (session_has_policy(host->sessions[i]) && host->sessions[i]->n_connections == 0)
            return true;
    return false;
}

const char *host_initiator(const struct host *host, const char *name)
{
    return name && name[0] ? name : host->initiator;
}

/* The tag of its record, an adapter's GUID; none where it has none, or the store cannot tell. */
static void read_tag(struct host *host, struct connection *connection)
{
    const struct adapter *adapter = host_adapter(host, connection->session->adapter_id);
    const struct store_record record = {
        .target = connection->session->target,
        .address = connection->kernel->address,
        .port = connection->kernel->port,
        .iface = connection->kernel->iface,
    };
    connection->has_tag =
        adapter && adapter->has_guid &&
        store_get_tag(host->store, connection->session->initiator, &record, connection->tag) >= 0;
}

int host_reload_guid(struct host *host, struct adapter *adapter)
{
    int r = store_get_guid(host->store, adapter->initiator, adapter->guid);
    if (r < 0 && r != -ENODATA)
        return r;
    adapter->has_guid = r >= 0;

    for (size_t i = 0; i < host->n_sessions; i++) {
        struct session *session = host->sessions[i];
        if (session->adapter_id != adapter->id)
            continue;
        for (size_t k = 0; k < session->n_connections; k++)
            read_tag(host, session->connections[k]);
    }
    return 0;
}

static int host_add_adapter(struct host *host, const char *initiator, struct adapter **ret)
{
    uint64_t id = adapter_id(initiator);
    struct adapter *known = host_adapter(host, id);
    if (known) {
        *ret = known;
        return 0;
    }

    _cleanup_(adapter_freep) struct adapter *adapter = calloc(1, sizeof(*adapter));
    if (!adapter)
        return -ENOMEM;
    adapter->id = id;
    adapter->host = host;
    adapter->initiator = strdup(initiator);
    if (!adapter->initiator)
        return -ENOMEM;
    int r = host_reload_guid(host, adapter);
    if (r < 0)
        return r;
    r = insert_sorted((void ***)&host->adapters, &host->n_adapters, adapter);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(adapter);
    observe_adapter_added(*ret);
    return 0;
}

static bool host_has_session(const struct host *host, const struct adapter *adapter)
{
    for (size_t i = 0; i < host->n_sessions; i++)
        if (host->sessions[i]->adapter_id == adapter->id)
            return true;
    return false;
}

/* One that is no port's, no session's, and not the host's own; a GUID keeps it, too. */
static void drop_adapter_if_idle(struct host *host, struct adapter *adapter)
{
    if (!adapter || adapter->n_ifaces > 0 || adapter->has_guid || adapter->guid_busy ||
        strcmp(adapter->initiator, host->initiator) == 0 || host_has_session(host, adapter))
        return;
    uint64_t id = adapter->id;
    remove_item((void **)host->adapters, &host->n_adapters, adapter);
    adapter_free(adapter);
    observe_adapter_removed(host, id);
}

int host_set_initiator(struct host *host, const char *name)
{
    uint64_t before = adapter_id(host->initiator);
    struct adapter *own;

    if (strcmp(name, host->initiator) == 0)
        return 0;
    _cleanup_free_ char *copy = strdup(name);
    int r = copy ? host_add_adapter(host, name, &own) : -ENOMEM;
    if (r < 0)
        return r;
    free(host->initiator);
    host->initiator = TAKE_PTR(copy);
    freshness_model_changed(host);
    drop_adapter_if_idle(host, host_adapter(host, before));
    return 1;
}

int host_take_records(struct host *host, const struct iscsi_records *records)
{
    for (size_t i = 0; i < host->n_adapters; i++)
        host->adapters[i]->n_ifaces = 0;
    for (size_t i = 0; i < records->n_ifaces; i++) {
        struct adapter *adapter;
        int r =
            host_add_adapter(host, host_initiator(host, records->ifaces[i].initiator), &adapter);
        if (r < 0)
            return r;
        adapter->n_ifaces++;
    }
    for (size_t i = host->n_adapters; i > 0; i--)
        drop_adapter_if_idle(host, host->adapters[i - 1]);
    return 0;
}

static int host_add_session(struct host *host, const char *initiator, const char *target,
                            struct session **ret)
{
    struct adapter *adapter;
    int r = host_add_adapter(host, initiator, &adapter);
    if (r < 0)
        return r;

    uint64_t id = session_id(initiator, target);
    struct session *known = host_session(host, id);
    if (known) {
        *ret = known;
        return 0;
    }

    _cleanup_(session_freep) struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;
    session->id = id;
    session->host = host;
    session->adapter_id = adapter->id;
    session->initiator = strdup(initiator);
    session->target = strdup(target);
    if (!session->initiator || !session->target)
        return -ENOMEM;
    r = insert_sorted((void ***)&host->sessions, &host->n_sessions, session);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(session);
    return 0;
}

static bool same_nexus(const struct session *session, const struct kernel_session *kernel)
{
    return strcmp(session->initiator, kernel->initiator) == 0 &&
           strcmp(session->target, kernel->target) == 0;
}

static bool host_same_portal(const struct kernel_session *a, const struct kernel_session *b)
{
    return strcmp(a->iface, b->iface) == 0 && strcmp(a->address, b->address) == 0 &&
           a->port == b->port;
}

static uint64_t id_by_rank(const struct connection *connection, unsigned rank)
{
    const struct session *session = connection->session;
    const struct kernel_session *kernel = connection->kernel;

    return connection_id(session->initiator, session->target, kernel->iface, kernel->address,
                         kernel->port, rank);
}

static void set_rank(struct connection *connection, unsigned rank)
{
    connection->rank = rank;
    connection->id = id_by_rank(connection, rank);
    connection->other_id = rank > 1 ? 0 : id_by_rank(connection, 1 - rank);
}

/* Connections that share iface and portal are told apart by their rank; one alone has none. */
static void number_connections(struct session *session)
{
    for (size_t i = 0; i < session->n_connections; i++) {
        struct connection *connection = session->connections[i];
        unsigned alike = 0, before = 0;
        for (size_t k = 0; k < session->n_connections; k++) {
            const struct connection *other = session->connections[k];
            if (!host_same_portal(connection->kernel, other->kernel))
                continue;
            alike++;
            before += other->kernel->sid < connection->kernel->sid;
        }
        unsigned rank = alike > 1 ? before + 1 : 0;
        if (connection->id == 0 || connection->rank != rank)
            set_rank(connection, rank);
    }
    qsort(session->connections, session->n_connections, sizeof(void *), model_compare_ids);
}

/* Tells of connections that are new, or that one like them has given another number. */
static void announce_connections(const struct session *session)
{
    for (size_t i = 0; i < session->n_connections; i++) {
        const struct connection *connection = session->connections[i];
        if (connection->announced_id && connection->announced_id != connection->id)
            observe_connection_removed(session->host, connection->announced_id);
    }
    for (size_t i = 0; i < session->n_connections; i++) {
        struct connection *connection = session->connections[i];
        if (connection->announced_id == connection->id)
            continue;
        connection->announced_id = connection->id;
        observe_connection_added(session->host, connection->id);
    }
}

void host_drop_if_empty(struct host *host, struct session *session)
{
    if (session->n_connections > 0 || session->policy || session->hold != SESSION_FREE)
        return;
    uint64_t id = session->id, adapter_id = session->adapter_id;
    remove_item((void **)host->sessions, &host->n_sessions, session);
    session_free(session);
    observe_session_removed(host, id, adapter_id);
    drop_adapter_if_idle(host, host_adapter(host, adapter_id));
}

/* What of its session changes when a connection comes or goes. */
static unsigned changes_with(const struct connection *connection)
{
    return CHANGED_CONNECTIONS | (connection->record_changed ? CHANGED_RECORDS : 0U);
}

static void remove_connection(struct host *host, struct connection *connection)
{
    struct session *session = connection->session;
    uint64_t id = connection->announced_id;
    unsigned changes = changes_with(connection);

    freshness_model_changed(host);
    tdelete(connection, &host->connections_by_sid, model_compare_sids);
    remove_item((void **)session->connections, &session->n_connections, connection);
    session->devices_mark = (struct freshness_mark){0}; /* the devices over its disks are others */
    connection_free(connection);
    observe_connection_removed(host, id);
    number_connections(session);
    announce_connections(session);
    announce_session(session, changes);
    host_drop_if_empty(host, session);
}

static void set_unidentified(struct host *host, uint32_t sid, bool is)
{
    for (size_t i = 0; i < host->n_unidentified; i++)
        if (host->unidentified[i] == sid) {
            if (!is)
                host->unidentified[i] = host->unidentified[--host->n_unidentified];
            return;
        }
    if (!is)
        return;

    uint32_t *more = reallocarray(host->unidentified, host->n_unidentified + 1, sizeof(*more));
    if (!more)
        return; /* its next uevent brings it back */
    host->unidentified = more;
    more[host->n_unidentified++] = sid;
}

/* Takes the kernel session over where it returns 0. */
static int host_add_connection(struct host *host, struct kernel_session *kernel)
{
    struct session *session;
    size_t n_sessions = host->n_sessions, n_adapters = host->n_adapters;
    int r = host_add_session(host, kernel->initiator, kernel->target, &session);
    if (r < 0)
        return r;
    bool is_new = host->n_sessions > n_sessions;

    _cleanup_(connection_freep) struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return -ENOMEM;
    connection->session = session;
    connection->kernel = kernel;
    connection->state_fd = -1;
    kernel_session_state(kernel->sid, &connection->state);
    if (!tsearch(connection, &host->connections_by_sid, model_compare_sids)) {
        connection->kernel = NULL;
        return -ENOMEM;
    }
    r = insert_sorted((void ***)&session->connections, &session->n_connections, connection);
    if (r < 0) {
        tdelete(connection, &host->connections_by_sid, model_compare_sids);
        connection->kernel = NULL; /* the caller's */
        return r;
    }
    struct connection *added = TAKE_PTR(connection);
    session->devices_mark = (struct freshness_mark){0}; /* the devices over its disks are others */
    freshness_model_changed(host);
    number_connections(session);
    read_tag(host, added);

    observe_login(added, host->n_adapters > n_adapters);
    if (is_new)
        observe_session_added(session);
    else
        announce_session(session, changes_with(added));
    announce_connections(session);
    return 0;
}

static int host_read_sid(struct host *host, uint32_t sid)
{
    _cleanup_(kernel_session_freep) struct kernel_session *kernel = NULL;
    struct connection *known = host_find_sid(host, sid);

    int r = kernel_session_read(host->iscsi, sid, &kernel);
    if (r == -ENOENT) {
        if (known)
            remove_connection(host, known);
        return 0;
    }
    if (r < 0)
        return r;

    if (known) {
        if (same_nexus(known->session, kernel) && host_same_portal(known->kernel, kernel))
            return 0;
        remove_connection(host, known); /* the number was used again */
    }
    r = host_add_connection(host, kernel);
    if (r >= 0)
        (void)TAKE_PTR(kernel);
    return r;
}

int host_refresh_sid(struct host *host, uint32_t sid)
{
    int r = host_read_sid(host, sid);

    set_unidentified(host, sid, r < 0);
    return r == -EAGAIN ? 0 : r;
}

void host_refresh_unidentified(struct host *host)
{
    for (size_t i = host->n_unidentified; i > 0; i--)
        if (i <= host->n_unidentified && !host_find_sid(host, host->unidentified[i - 1]))
            (void)host_refresh_sid(host, host->unidentified[i - 1]);
}

int host_load_policies(struct host *host)
{
    struct store_policy **policies = NULL;
    struct adapter *own;
    size_t n = 0;

    int r = host_add_adapter(host, host->initiator, &own);
    if (r >= 0)
        r = store_load_policies(host->store, &policies, &n);
    for (size_t i = 0; i < n; i++) {
        struct session *session = NULL;
        if (r >= 0)
            r = host_add_session(host, policies[i]->initiator, policies[i]->target, &session);
        if (r >= 0)
            session->policy = policies[i];
        else
            store_policy_free(policies[i]);
    }
    free(policies);
    return r;
}

int host_load_sessions(struct host *host)
{
    _cleanup_free_ uint32_t *sids = NULL;
    size_t n = 0;

    int r = kernel_session_list(&sids, &n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        r = host_refresh_sid(host, sids[i]);
        if (r == -ENOMEM)
            return r;
        if (r < 0)
            log_warning("iSCSI session %u cannot be read: %s. It is tried again.", sids[i],
                        strerror(-r));
    }
    return 0;
}

/* The tree does not own what it finds. */
static void host_keep(void *connection)
{
}

struct host *host_free(struct host *host)
{
    if (!host)
        return NULL;
    for (size_t i = 0; i < host->n_sessions; i++)
        session_free(host->sessions[i]);
    for (size_t i = 0; i < host->n_adapters; i++)
        adapter_free(host->adapters[i]);
    free(host->sessions);
    free(host->adapters);
    free(host->unidentified);
    free(host->to_announce);
    announcer_done(&host->announcer);
    announcer_done(&host->disk_announcer);
    timer_done(&host->states_closer);
    tdestroy(host->connections_by_sid, host_keep);
    freshness_end(host);
    free(host->initiator);
    if (host->iscsi)
        iscsi_context_free(host->iscsi);
    sd_event_unref(host->event);
    free(host);
    return NULL;
}

static void host_freep(struct host **host)
{
    host_free(*host);
}

int host_new(sd_event *event, struct store *store, struct host **ret)
{
    _cleanup_(host_freep) struct host *host = calloc(1, sizeof(*host));
    if (!host)
        return -ENOMEM;
    host->event = sd_event_ref(event);
    freshness_begin(host);
    host->store = store;
    host->iscsi = iscsi_context_new();
    if (!host->iscsi)
        return -ENOMEM;
    iscsi_context_log_func_set(host->iscsi, NULL);

    if (initiator_name_read(&host->initiator) < 0)
        host->initiator = strdup("");
    if (!host->initiator)
        return -ENOMEM;
    *ret = TAKE_PTR(host);
    return 0;
}
