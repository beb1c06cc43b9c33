/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/macros.h"
#include "bus/interfaces/interfaces.h"
#include "bus/names.h"
#include "bus/objects/kind.h"
#include "bus/objects/objects.h"
#include "bus/paths.h"
#include "service/model/model.h"

static int connections_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                            void **ret_found, sd_bus_error *error)
{
    *ret_found = connection_of_path(userdata, path);
    return *ret_found != NULL;
}

static int connections_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                                 sd_bus_error *error)
{
    const struct host *host = userdata;
    struct object_paths paths = {0};
    char path[OBJECT_PATH_MAX];

    for (size_t i = 0; i < host->n_sessions; i++)
        for (size_t k = 0; k < host->sessions[i]->n_connections; k++) {
            connection_path(host->sessions[i]->connections[k]->id, path);
            object_paths_add(&paths, path);
        }
    return object_paths_take(&paths, ret_nodes);
}

static const struct object_interface interfaces[] = {
    {BUS_INTERFACE("MSiSCSI_ConnectionStatistics"), connection_statistics_vtable},
};

static const struct object_kind connections = {
    .prefix = CONNECTION_PREFIX,
    .interfaces = interfaces,
    .n_interfaces = ELEMENTSOF(interfaces),
    .find = connections_find,
    .enumerate = connections_enumerate,
};

static void connections_on_added(uint64_t id, void *userdata)
{
    char path[OBJECT_PATH_MAX];

    connection_path(id, path);
    (void)sd_bus_emit_object_added(userdata, path);
}

static void connections_on_removed(uint64_t id, void *userdata)
{
    char path[OBJECT_PATH_MAX];

    connection_path(id, path);
    object_kind_emit_removed(&connections, userdata, path);
}

int connections_register(sd_bus *bus, struct host *host, struct host_observer *observer)
{
    observer->connection_added = connections_on_added;
    observer->connection_removed = connections_on_removed;
    int r = sd_bus_add_filter(bus, NULL, connection_statistics_filter, host);
    return r < 0 ? r : object_kind_register(&connections, bus, host);
}
