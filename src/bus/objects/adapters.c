/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/macros.h"
#include "bus/interfaces/interfaces.h"
#include "bus/names.h"
#include "bus/objects/kind.h"
#include "bus/objects/objects.h"
#include "bus/paths.h"
#include "service/model/model.h"

static int adapters_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                         void **ret_found, sd_bus_error *error)
{
    *ret_found = adapter_of_path(userdata, path);
    return *ret_found != NULL;
}

static int adapters_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                              sd_bus_error *error)
{
    const struct host *host = userdata;
    struct object_paths paths = {0};
    char path[OBJECT_PATH_MAX];

    for (size_t i = 0; i < host->n_adapters; i++) {
        adapter_path(host->adapters[i]->id, path);
        object_paths_add(&paths, path);
    }
    return object_paths_take(&paths, ret_nodes);
}

static const struct object_interface interfaces[] = {
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

static const struct object_kind adapters = {
    .prefix = ADAPTER_PREFIX,
    .interfaces = interfaces,
    .n_interfaces = ELEMENTSOF(interfaces),
    .find = adapters_find,
    .enumerate = adapters_enumerate,
};

static void adapters_on_added(struct adapter *adapter, void *userdata)
{
    char path[OBJECT_PATH_MAX];

    adapter_path(adapter->id, path);
    (void)sd_bus_emit_object_added(userdata, path);
}

static void adapters_on_changed(const struct adapter *adapter, unsigned changes, void *userdata)
{
    static const struct object_property properties[] = {
        {BUS_INTERFACE("MSiSCSI_HBAInformation"), "GenerationalGuid", ADAPTER_GUID},
        {BUS_INTERFACE("MSiSCSI_HBAInformation"), "CacheValid", ADAPTER_CACHE_VALID},
    };
    char path[OBJECT_PATH_MAX];

    adapter_path(adapter->id, path);
    object_emit_changed(userdata, path, properties, ELEMENTSOF(properties), changes);
}

static void adapters_on_removed(uint64_t id, void *userdata)
{
    char path[OBJECT_PATH_MAX];

    adapter_path(id, path);
    object_kind_emit_removed(&adapters, userdata, path);
}

int adapters_register(sd_bus *bus, struct host *host, struct host_observer *observer)
{
    observer->adapter_added = adapters_on_added;
    observer->adapter_changed = adapters_on_changed;
    observer->adapter_removed = adapters_on_removed;
    return object_kind_register(&adapters, bus, host);
}
