/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/macros.h"
#include "bus/interfaces/interfaces.h"
#include "bus/names.h"
#include "bus/objects/kind.h"
#include "bus/objects/objects.h"
#include "bus/paths.h"
#include "service/model/model.h"

static int sessions_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                         void **ret_found, sd_bus_error *error)
{
    *ret_found = session_of_path(userdata, path);
    return *ret_found != NULL;
}

static int sessions_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                              sd_bus_error *error)
{
    const struct host *host = userdata;
    struct object_paths paths = {0};
    char path[OBJECT_PATH_MAX];

    for (size_t i = 0; i < host->n_sessions; i++) {
        session_path(host->sessions[i]->id, path);
        object_paths_add(&paths, path);
    }
    return object_paths_take(&paths, ret_nodes);
}

static const struct object_interface interfaces[] = {
    {BUS_INTERFACE("Session"), session_vtable},
};

static const struct object_kind sessions = {
    .prefix = SESSION_PREFIX,
    .interfaces = interfaces,
    .n_interfaces = ELEMENTSOF(interfaces),
    .find = sessions_find,
    .enumerate = sessions_enumerate,
};

/* What WMI shows of a session is on its adapter, whose lists have those that are logged in. */
static void sessions_emit_wmi(sd_bus *bus, uint64_t adapter, unsigned changes)
{
    static const struct object_property properties[] = {
        {BUS_INTERFACE("MSiSCSI_QueryLBPolicy"), "LoadBalancePolicies",
         CHANGED_POLICY | CHANGED_CONNECTIONS | CHANGED_MAPS | CHANGED_LOGGED_IN},
        {BUS_INTERFACE("MSiSCSI_QueryLBPolicy"), "SessionCount", CHANGED_LOGGED_IN},
        {BUS_INTERFACE("MSiSCSI_InitiatorSessionInfo"), "SessionsList",
         CHANGED_CONNECTIONS | CHANGED_LOGGED_IN},
        {BUS_INTERFACE("MSiSCSI_InitiatorSessionInfo"), "SessionCount", CHANGED_LOGGED_IN},
        {BUS_INTERFACE("MSiSCSI_PortalInfoClass"), "PortalInfoCount",
         CHANGED_CONNECTIONS | CHANGED_LOGGED_IN},
        {BUS_INTERFACE("MSiSCSI_PortalInfoClass"), "PortalInformation",
         CHANGED_CONNECTIONS | CHANGED_LOGGED_IN},
    };
    char path[OBJECT_PATH_MAX];

    adapter_path(adapter, path);
    object_emit_changed(bus, path, properties, ELEMENTSOF(properties), changes);
}

static void sessions_on_added(struct session *session, void *userdata)
{
    char path[OBJECT_PATH_MAX];

    session_path(session->id, path);
    (void)sd_bus_emit_object_added(userdata, path);
    sessions_emit_wmi(userdata, session->adapter_id, CHANGED_LOGGED_IN);
}

static void sessions_on_changed(const struct session *session, unsigned changes, void *userdata)
{
    static const struct object_property properties[] = {
        {BUS_INTERFACE("Session"), "Connections", CHANGED_CONNECTIONS},
        {BUS_INTERFACE("Session"), "Maps", CHANGED_MAPS},
        {BUS_INTERFACE("Session"), "LoadBalancePolicy", CHANGED_POLICY},
        {BUS_INTERFACE("Session"), "Provenance", CHANGED_POLICY},
        {BUS_INTERFACE("Session"), "Agreement", CHANGED_AGREEMENT},
        {BUS_INTERFACE("Session"), "MultipathdAgreement", CHANGED_MPATHD},
        {BUS_INTERFACE("Session"), "Reason", CHANGED_REASON},
        {BUS_INTERFACE("Session"), "Reapplications", CHANGED_REAPPLIED},
        {BUS_INTERFACE("Session"), "ChangedRecords", CHANGED_RECORDS},
    };
    char path[OBJECT_PATH_MAX];

    session_path(session->id, path);
    object_emit_changed(userdata, path, properties, ELEMENTSOF(properties), changes);
    sessions_emit_wmi(userdata, session->adapter_id, changes);
}

static void sessions_on_removed(uint64_t id, uint64_t adapter, void *userdata)
{
    char path[OBJECT_PATH_MAX];

    session_path(id, path);
    object_kind_emit_removed(&sessions, userdata, path);
    sessions_emit_wmi(userdata, adapter, CHANGED_LOGGED_IN);
}

int sessions_register(sd_bus *bus, struct host *host, struct host_observer *observer)
{
    observer->session_added = sessions_on_added;
    observer->session_changed = sessions_on_changed;
    observer->session_removed = sessions_on_removed;
    return object_kind_register(&sessions, bus, host);
}
