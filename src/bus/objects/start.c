/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/log.h"
#include "basic/macros.h"
#include "bus/asker.h"
#include "bus/authorize.h"
#include "bus/interfaces/interfaces.h"
#include "bus/names.h"
#include "bus/objects/disks.h"
#include "bus/objects/start.h"
#include "bus/paths.h"
#include "bus/unread.h"
#include "service/model/find.h"
#include "service/model/news.h"

#define SESSION_PROPERTIES_MAX 10U /* of on_session_changed(), with the NULL */
#define QUEUED_USEC 200U           /* so long may events wait for calls that are queued */

/* What the object of an adapter has. */
static const struct {
    const char *name;
    const sd_bus_vtable *vtable;
} adapter_interfaces[] = {
    {BUS_INTERFACE("Adapter"), adapter_vtable},
    {BUS_INTERFACE("MSiSCSI_HBAInformation"), hba_information_vtable},
    {BUS_INTERFACE("MSiSCSI_HBASessionConfig"), hba_session_config_vtable},
    {BUS_INTERFACE("MSiSCSI_InitiatorSessionInfo"), initiator_session_info_vtable},
    {BUS_INTERFACE("MSiSCSI_LB_Operations"), lb_operations_vtable},
    {BUS_INTERFACE("MSiSCSI_ManagementOperations"), management_operations_vtable},
    {BUS_INTERFACE("MSiSCSI_PortalInfoClass"), portal_info_class_vtable},
    {BUS_INTERFACE("MSiSCSI_QueryLBPolicy"), query_lb_policy_vtable},
    {BUS_INTERFACE("MSiSCSI_SecurityConfigOperations"), security_config_operations_vtable},
};

static void strv_freep(char ***strv)
{
    for (char **s = *strv; s && *s; s++)
        free(*s);
    free(*strv);
}

static int find_adapter(sd_bus *bus, const char *path, const char *interface, void *userdata,
                        void **ret_found, sd_bus_error *error)
{
    *ret_found = adapter_of_path(userdata, path);
    return *ret_found != NULL;
}

static int find_session(sd_bus *bus, const char *path, const char *interface, void *userdata,
                        void **ret_found, sd_bus_error *error)
{
    *ret_found = session_of_path(userdata, path);
    return *ret_found != NULL;
}

static int find_connection(sd_bus *bus, const char *path, const char *interface, void *userdata,
                           void **ret_found, sd_bus_error *error)
{
    *ret_found = connection_of_path(userdata, path);
    return *ret_found != NULL;
}

static int enumerate_adapters(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                              sd_bus_error *error)
{
    struct host *host = userdata;
    char path[OBJECT_PATH_MAX];

    _cleanup_(strv_freep) char **nodes = calloc(host->n_adapters + 1, sizeof(*nodes));
    if (!nodes)
        return -ENOMEM;
    for (size_t i = 0; i < host->n_adapters; i++) {
        adapter_path(host->adapters[i]->id, path);
        nodes[i] = strdup(path);
        if (!nodes[i])
            return -ENOMEM;
    }
    *ret_nodes = TAKE_PTR(nodes);
    return 0;
}

static int enumerate_sessions(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                              sd_bus_error *error)
{
    struct host *host = userdata;
    char path[OBJECT_PATH_MAX];

    _cleanup_(strv_freep) char **nodes = calloc(host->n_sessions + 1, sizeof(*nodes));
    if (!nodes)
        return -ENOMEM;
    for (size_t i = 0; i < host->n_sessions; i++) {
        session_path(host->sessions[i]->id, path);
        nodes[i] = strdup(path);
        if (!nodes[i])
            return -ENOMEM;
    }
    *ret_nodes = TAKE_PTR(nodes);
    return 0;
}

static int enumerate_connections(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                                 sd_bus_error *error)
{
    struct host *host = userdata;
    char path[OBJECT_PATH_MAX];
    size_t n = 0;

    for (size_t i = 0; i < host->n_sessions; i++)
        n += host->sessions[i]->n_connections;
    _cleanup_(strv_freep) char **nodes = calloc(n + 1, sizeof(*nodes));
    if (!nodes)
        return -ENOMEM;
    n = 0;
    for (size_t i = 0; i < host->n_sessions; i++)
        for (size_t k = 0; k < host->sessions[i]->n_connections; k++) {
            connection_path(host->sessions[i]->connections[k]->id, path);
            nodes[n] = strdup(path);
            if (!nodes[n++])
                return -ENOMEM;
        }
    *ret_nodes = TAKE_PTR(nodes);
    return 0;
}

static void on_adapter_added(struct adapter *adapter, void *userdata)
{
    char path[OBJECT_PATH_MAX];
    adapter_path(adapter->id, path);
    (void)sd_bus_emit_object_added(userdata, path);
}

static void on_adapter_changed(const struct adapter *adapter, unsigned changes, void *userdata)
{
    char path[OBJECT_PATH_MAX];
    const char *guid = changes & ADAPTER_GUID ? "GenerationalGuid" : NULL;
    const char *valid = changes & ADAPTER_CACHE_VALID ? "CacheValid" : NULL;

    adapter_path(adapter->id, path);
    (void)sd_bus_emit_properties_changed(userdata, path, BUS_INTERFACE("MSiSCSI_HBAInformation"),
                                         guid ?: valid, guid ? valid : NULL, NULL);
}

static void on_adapter_removed(uint64_t id, void *userdata)
{
    char path[OBJECT_PATH_MAX], *names[ELEMENTSOF(adapter_interfaces) + 1] = {NULL};

    adapter_path(id, path);
    for (size_t i = 0; i < ELEMENTSOF(adapter_interfaces); i++)
        names[i] = (char *)adapter_interfaces[i].name;
    (void)sd_bus_emit_interfaces_removed_strv(userdata, path, names);
}

/* What WMI shows of a session is on its adapter, whose lists have those that are logged in. */
static void emit_wmi_session(sd_bus *bus, uint64_t adapter, unsigned changes)
{
    char path[OBJECT_PATH_MAX];
    const char *count = changes & CHANGED_LOGGED_IN ? "SessionCount" : NULL;

    adapter_path(adapter, path);
    if (changes & (CHANGED_POLICY | CHANGED_CONNECTIONS | CHANGED_MAPS | CHANGED_LOGGED_IN))
        (void)sd_bus_emit_properties_changed(bus, path, BUS_INTERFACE("MSiSCSI_QueryLBPolicy"),
                                             "LoadBalancePolicies", count, NULL);
    if (changes & (CHANGED_CONNECTIONS | CHANGED_LOGGED_IN)) {
        (void)sd_bus_emit_properties_changed(
            bus, path, BUS_INTERFACE("MSiSCSI_InitiatorSessionInfo"), "SessionsList", count, NULL);
        (void)sd_bus_emit_properties_changed(bus, path, BUS_INTERFACE("MSiSCSI_PortalInfoClass"),
                                             "PortalInfoCount", "PortalInformation", NULL);
    }
}

static void on_session_added(struct session *session, void *userdata)
{
    char path[OBJECT_PATH_MAX];
    session_path(session->id, path);
    (void)sd_bus_emit_object_added(userdata, path);
    emit_wmi_session(userdata, session->adapter_id, CHANGED_LOGGED_IN);
}

/* The names that go with the changes, NULL-terminated, into `ret`, which has room for all. */
static void session_properties(unsigned changes, char **ret)
{
    static const struct {
        unsigned change;
        const char *name;
    } properties[] = {
        {CHANGED_CONNECTIONS, "Connections"},
        {CHANGED_MAPS, "Maps"},
        {CHANGED_POLICY, "LoadBalancePolicy"},
        {CHANGED_POLICY, "Provenance"},
        {CHANGED_AGREEMENT, "Agreement"},
        {CHANGED_MPATHD, "MultipathdAgreement"},
        {CHANGED_REASON, "Reason"},
        {CHANGED_REAPPLIED, "Reapplications"},
        {CHANGED_RECORDS, "ChangedRecords"},
    };

    for (size_t i = 0; i < ELEMENTSOF(properties); i++)
        if (changes & properties[i].change)
            *ret++ = (char *)properties[i].name;
    *ret = NULL;
}

static void on_session_changed(const struct session *session, unsigned changes, void *userdata)
{
    char path[OBJECT_PATH_MAX], *names[SESSION_PROPERTIES_MAX];

    session_path(session->id, path);
    session_properties(changes, names);
    (void)sd_bus_emit_properties_changed_strv(userdata, path, BUS_INTERFACE("Session"), names);
    emit_wmi_session(userdata, session->adapter_id, changes);
}

static void on_session_removed(uint64_t id, uint64_t adapter, void *userdata)
{
    char path[OBJECT_PATH_MAX];
    session_path(id, path);
    /* By name, for the object that could be asked for its interfaces is gone. */
    (void)sd_bus_emit_interfaces_removed(userdata, path, BUS_INTERFACE("Session"), NULL);
    emit_wmi_session(userdata, adapter, CHANGED_LOGGED_IN);
}

static void on_connection_added(uint64_t id, void *userdata)
{
    char path[OBJECT_PATH_MAX];
    connection_path(id, path);
    (void)sd_bus_emit_object_added(userdata, path);
}

static void on_connection_removed(uint64_t id, void *userdata)
{
    char path[OBJECT_PATH_MAX];
    connection_path(id, path);
    (void)sd_bus_emit_interfaces_removed(userdata, path,
                                         BUS_INTERFACE("MSiSCSI_ConnectionStatistics"), NULL);
}

static int register_adapters(sd_bus *bus, struct host *host)
{
    int r = sd_bus_add_node_enumerator(bus, NULL, ADAPTER_PREFIX, enumerate_adapters, host);
    for (size_t i = 0; i < ELEMENTSOF(adapter_interfaces) && r >= 0; i++)
        r = sd_bus_add_fallback_vtable(bus, NULL, ADAPTER_PREFIX, adapter_interfaces[i].name,
                                       adapter_interfaces[i].vtable, find_adapter, host);
    return r;
}

static int register_connections(sd_bus *bus, struct host *host)
{
    int r = sd_bus_add_node_enumerator(bus, NULL, CONNECTION_PREFIX, enumerate_connections, host);
    if (r >= 0)
        r = sd_bus_add_filter(bus, NULL, connection_statistics_filter, host);
    if (r >= 0)
        r = sd_bus_add_fallback_vtable(bus, NULL, CONNECTION_PREFIX,
                                       BUS_INTERFACE("MSiSCSI_ConnectionStatistics"),
                                       connection_statistics_vtable, find_connection, host);
    return r;
}

static int register_objects(sd_bus *bus, struct host *host)
{
    int r = sd_bus_add_object_manager(bus, NULL, BUS_PATH);
    if (r >= 0)
        r = sd_bus_add_object_vtable(bus, NULL, BUS_PATH, BUS_INTERFACE("Manager"), manager_vtable,
                                     host);
    if (r >= 0)
        r = register_adapters(bus, host);
    if (r >= 0)
        r = sd_bus_add_node_enumerator(bus, NULL, SESSION_PREFIX, enumerate_sessions, host);
    if (r >= 0)
        r = sd_bus_add_fallback_vtable(bus, NULL, SESSION_PREFIX, BUS_INTERFACE("Session"),
                                       session_vtable, find_session, host);
    if (r >= 0)
        r = register_connections(bus, host);
    return r < 0 ? r : disks_register(bus, host);
}

int bus_start(sd_bus *bus, sd_bus *asker, struct host *host, struct authorizer **ret,
              struct unread **ret_unread)
{
    _cleanup_(authorizer_freep) struct authorizer *authorizer = NULL;
    _cleanup_(unread_freep) struct unread *unread = NULL;

    bus_set_asker(asker);
    int r = authorizer_new(bus, host, &authorizer);
    if (r >= 0)
        r = register_objects(bus, host);
    if (r >= 0)
        r = unread_new(bus, host->requests, &unread); /* sees each call first */
    if (r < 0)
        return r;

    struct host_observer observer = {
        .adapter_added = on_adapter_added,
        .adapter_changed = on_adapter_changed,
        .adapter_removed = on_adapter_removed,
        .session_added = on_session_added,
        .session_changed = on_session_changed,
        .session_removed = on_session_removed,
        .connection_added = on_connection_added,
        .connection_removed = on_connection_removed,
        .userdata = bus,
    };
    disks_observe(&observer);
    host_observe(host, &observer);
    r = sd_bus_request_name(bus, BUS_NAME, 0);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(authorizer);
    *ret_unread = TAKE_PTR(unread);
    return 0;
}

void bus_answer_queued(sd_bus *bus, struct host *host)
{
    uint64_t until = monotonic_usec() + QUEUED_USEC;

    while (host->n_changes == 0 && monotonic_usec() < until) {
        news_move_on(host);
        if (sd_bus_process(bus, NULL) <= 0)
            return;
    }
}
