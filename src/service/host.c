/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "iscsi/identity.h"
#include "iscsi/openiscsi.h"
#include "service/connection-look.h"
#include "service/drift.h"
#include "service/guid-change.h"
#include "service/host.h"
#include "service/maps.h"
#include "service/news.h"
#include "service/publish.h"
#include "service/read-records.h"
#include "service/reconcile.h"
#include "service/settings.h"
#include "service/states.h"
#include "service/statistics.h"
#include "service/unfinished.h"
#include "service/views.h"

DEFINE_CLEANUP(struct kernel_session *, kernel_session_free);

/* Adapters, sessions and connections all begin with their ID, and stand in ascending order. */
struct with_id {
    uint64_t id;
};

static int compare_ids(const void *a, const void *b)
{
    const struct with_id *x = *(struct with_id *const *)a, *y = *(struct with_id *const *)b;
    return (x->id > y->id) - (x->id < y->id);
}

static void *find_id(void *array, size_t n, uint64_t id)
{
    struct with_id key = {.id = id}, *pointer = &key;
    struct with_id **found = n ? bsearch(&pointer, array, n, sizeof(void *), compare_ids) : NULL;
    return found ? *found : NULL;
}

/* Appends to one of the arrays and puts it in order. -ENOMEM leaves the array as it was. */
static int insert_sorted(void ***array, size_t *n, void *item)
{
    void **more = reallocarray(*array, *n + 1, sizeof(void *));
    if (!more)
        return -ENOMEM;
    *array = more;
    more[(*n)++] = item;
    qsort(more, *n, sizeof(void *), compare_ids);
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
    connection_look_done(connection);
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

struct connection *host_connection(struct host *host, uint64_t id)
{
    struct connection *found = NULL;
    for (size_t i = 0; i < host->n_sessions && !found; i++)
        found = session_connection(host->sessions[i], id);
    return found;
}

const char *host_initiator(const struct host *host, const char *name)
{
    return name && name[0] ? name : host->initiator;
}

const char *host_mpathd_error(const struct host *host)
{
    return host->told.error[0] ? host->told.error : NULL;
}

const char *host_mpathd_alone(const struct host *host)
{
    return host->told.left_alone
               ? "this release reloads every map when it reconfigures, and will read the policy "
                 "when it starts."
               : NULL;
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

static int add_adapter(struct host *host, const char *initiator, struct adapter **ret)
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
    drift_begin(*ret);
    if (host->observer.adapter_added)
        host->observer.adapter_added(*ret, host->observer.userdata);
    return 0;
}

static bool has_session(const struct host *host, const struct adapter *adapter)
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
        strcmp(adapter->initiator, host->initiator) == 0 || has_session(host, adapter))
        return;
    uint64_t id = adapter->id;
    remove_item((void **)host->adapters, &host->n_adapters, adapter);
    adapter_free(adapter);
    if (host->observer.adapter_removed)
        host->observer.adapter_removed(id, host->observer.userdata);
}

int host_take_records(struct host *host, const struct iscsi_records *records)
{
    for (size_t i = 0; i < host->n_adapters; i++)
        host->adapters[i]->n_ifaces = 0;
    for (size_t i = 0; i < records->n_ifaces; i++) {
        struct adapter *adapter;
        int r = add_adapter(host, host_initiator(host, records->ifaces[i].initiator), &adapter);
        if (r < 0)
            return r;
        adapter->n_ifaces++;
    }
    for (size_t i = host->n_adapters; i > 0; i--)
        drop_adapter_if_idle(host, host->adapters[i - 1]);
    return 0;
}

static int add_session(struct host *host, const char *initiator, const char *target,
                       struct session **ret)
{
    struct adapter *adapter;
    int r = add_adapter(host, initiator, &adapter);
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

static bool same_portal(const struct kernel_session *a, const struct kernel_session *b)
{
    return strcmp(a->iface, b->iface) == 0 && strcmp(a->address, b->address) == 0 &&
           a->port == b->port;
}

/* Connections that share iface and portal are told apart by their rank; one alone has none. */
static void number_connections(struct session *session)
{
    for (size_t i = 0; i < session->n_connections; i++) {
        struct connection *connection = session->connections[i];
        unsigned alike = 0, before = 0;
        for (size_t k = 0; k < session->n_connections; k++) {
            const struct connection *other = session->connections[k];
            if (!same_portal(connection->kernel, other->kernel))
                continue;
            alike++;
            before += other->kernel->sid < connection->kernel->sid;
        }
        connection->id =
            connection_id(session->initiator, session->target, connection->kernel->iface,
                          connection->kernel->address, connection->kernel->port,
                          alike > 1 ? before + 1 : 0);
    }
    qsort(session->connections, session->n_connections, sizeof(void *), compare_ids);
}

/* Tells of connections that are new, or that one like them has given another number. */
static void announce_connections(const struct session *session)
{
    const struct host_observer *observer = &session->host->observer;

    for (size_t i = 0; i < session->n_connections; i++) {
        const struct connection *connection = session->connections[i];
        if (connection->announced_id && connection->announced_id != connection->id &&
            observer->connection_removed)
            observer->connection_removed(connection->announced_id, observer->userdata);
    }
    for (size_t i = 0; i < session->n_connections; i++) {
        struct connection *connection = session->connections[i];
        if (connection->announced_id == connection->id)
            continue;
        connection->announced_id = connection->id;
        if (observer->connection_added)
            observer->connection_added(connection->id, observer->userdata);
    }
}

static int compare_sids(const void *a, const void *b)
{
    const struct connection *x = a, *y = b;
    return (x->kernel->sid > y->kernel->sid) - (x->kernel->sid < y->kernel->sid);
}

struct connection *host_find_sid(struct host *host, uint32_t sid)
{
    struct kernel_session kernel = {.sid = sid};
    const struct connection key = {.kernel = &kernel};
    struct connection **found = tfind(&key, &host->connections_by_sid, compare_sids);
    return found ? *found : NULL;
}

void host_drop_if_empty(struct host *host, struct session *session)
{
    if (session->n_connections > 0 || session->policy || session->busy)
        return;
    uint64_t id = session->id, adapter_id = session->adapter_id;
    remove_item((void **)host->sessions, &host->n_sessions, session);
    session_free(session);
    if (host->observer.session_removed)
        host->observer.session_removed(id, adapter_id, host->observer.userdata);
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

    news_of_model(host);
    tdelete(connection, &host->connections_by_sid, compare_sids);
    remove_item((void **)session->connections, &session->n_connections, connection);
    session->devices_mark = (struct news_mark){0}; /* the devices over its disks are others */
    connection_free(connection);
    if (host->observer.connection_removed)
        host->observer.connection_removed(id, host->observer.userdata);
    number_connections(session);
    announce_connections(session);
    views_announce(session, changes);
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

/*
 * What a connection that is new brings about, whoever found it: the tag of its record, a look at the
 * maps that it is in, and at the ports, should its adapter be new, too. (At start all are looked at.)
 */
static void follow_connection(struct host *host, const struct connection *connection,
                              bool new_adapter)
{
    if (!host->reconciler)
        return;
    guid_tag_connection(connection);
    reconcile_session(host, connection->session);
    if (new_adapter)
        (void)read_records(host, NULL, NULL);
}

/* Takes the kernel session over where it returns 0. */
static int add_connection(struct host *host, struct kernel_session *kernel)
{
    struct session *session;
    size_t n_sessions = host->n_sessions, n_adapters = host->n_adapters;
    int r = add_session(host, kernel->initiator, kernel->target, &session);
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
    if (!tsearch(connection, &host->connections_by_sid, compare_sids)) {
        connection->kernel = NULL;
        return -ENOMEM;
    }
    r = insert_sorted((void ***)&session->connections, &session->n_connections, connection);
    if (r < 0) {
        tdelete(connection, &host->connections_by_sid, compare_sids);
        connection->kernel = NULL; /* the caller's */
        return r;
    }
    struct connection *added = TAKE_PTR(connection);
    session->devices_mark = (struct news_mark){0}; /* the devices over its disks are others */
    news_of_model(host);
    drift_begin_connection(added);
    number_connections(session);

    read_tag(host, added);
    if (!is_new)
        views_announce(session, changes_with(added));
    else {
        views_begin(session);
        if (host->observer.session_added)
            host->observer.session_added(session, host->observer.userdata);
    }
    announce_connections(session);
    follow_connection(host, added, host->n_adapters > n_adapters);
    return 0;
}

int host_refresh_sid(struct host *host, uint32_t sid)
{
    _cleanup_(kernel_session_freep) struct kernel_session *kernel = NULL;
    struct connection *known = host_find_sid(host, sid);

    int r = kernel_session_read(host->iscsi, sid, &kernel);
    set_unidentified(host, sid, r == -EAGAIN);
    if (r == -ENOENT) {
        if (known)
            remove_connection(host, known);
        return 0;
    }
    if (r == -EAGAIN)
        return 0;
    if (r < 0)
        return r;

    if (known) {
        if (same_nexus(known->session, kernel) && same_portal(known->kernel, kernel))
            return 0;
        remove_connection(host, known); /* the number was used again */
    }
    r = add_connection(host, kernel);
    if (r >= 0)
        (void)TAKE_PTR(kernel);
    return r;
}

void host_refresh_unidentified(struct host *host)
{
    for (size_t i = host->n_unidentified; i > 0; i--)
        if (i <= host->n_unidentified && !host_find_sid(host, host->unidentified[i - 1]))
            (void)host_refresh_sid(host, host->unidentified[i - 1]);
}

static int load_policies(struct host *host)
{
    struct store_policy **policies = NULL;
    size_t n = 0;

    int r = store_load_policies(host->store, &policies, &n);
    for (size_t i = 0; i < n; i++) {
        struct session *session = NULL;
        if (r >= 0)
            r = add_session(host, policies[i]->initiator, policies[i]->target, &session);
        if (r >= 0)
            session->policy = policies[i];
        else
            store_policy_free(policies[i]);
    }
    free(policies);
    return r;
}

static int load_sessions(struct host *host)
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
            log_warning("iSCSI session %u cannot be read: %s. It is left out.", sids[i],
                        strerror(-r));
    }
    return 0;
}

/* The tree does not own what it finds. */
static void keep(void *connection)
{
}

struct host *host_free(struct host *host)
{
    if (!host)
        return NULL;
    drift_free(host);
    publisher_free(host);
    reconciler_free(host);
    statistics_free(host);
    for (size_t i = 0; i < host->n_sessions; i++)
        session_free(host->sessions[i]);
    for (size_t i = 0; i < host->n_adapters; i++)
        adapter_free(host->adapters[i]);
    free(host->sessions);
    free(host->adapters);
    free(host->unidentified);
    free(host->to_announce);
    views_defer_done(&host->announcer);
    views_defer_done(&host->disk_announcer);
    sd_event_source_disable_unref(host->states_closer);
    tdestroy(host->connections_by_sid, keep);
    maps_free_all(host);
    news_end(host);
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

/* All that the store has, and the sessions that there are. */
static int load(struct host *host)
{
    struct adapter *own;

    int r = settings_load(host);
    if (r >= 0)
        r = add_adapter(host, host->initiator, &own);
    if (r >= 0)
        r = load_policies(host);
    if (r >= 0)
        r = maps_load_policies(host);
    if (r >= 0)
        r = unfinished_load(host);
    return r < 0 ? r : load_sessions(host);
}

int host_new(sd_event *event, struct store *store, struct host **ret)
{
    _cleanup_(host_freep) struct host *host = calloc(1, sizeof(*host));
    if (!host)
        return -ENOMEM;
    host->event = sd_event_ref(event);
    news_begin(host);
    host->store = store;
    host->iscsi = iscsi_context_new();
    if (!host->iscsi)
        return -ENOMEM;
    iscsi_context_log_func_set(host->iscsi, NULL);

    if (initiator_name_read(&host->initiator) < 0)
        host->initiator = strdup("");
    if (!host->initiator)
        return -ENOMEM;

    int r = store_begin_reading(store);
    if (r >= 0)
        r = store_end_reading(store, load(host));
    if (r < 0)
        return r;
    unfinished_forget_others(host);
    settings_note_boot(host);
    *ret = TAKE_PTR(host);
    return 0;
}
