/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/macros.h"
#include "bus/interfaces/interfaces.h"
#include "bus/names.h"
#include "bus/objects/kind.h"
#include "bus/objects/objects.h"
#include "bus/paths.h"
#include "service/model/find.h"
#include "service/model/maps.h"

static int disks_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                      void **ret_found, sd_bus_error *error)
{
    struct host_map *map;

    int r = disk_of_path(userdata, path, &map);
    if (r > 0)
        *ret_found = map;
    return r;
}

static void disks_add_path(struct host_map *map, void *userdata)
{
    struct object_paths *paths = userdata;
    _cleanup_free_ char *path = NULL;

    if (!map_is_visible(map))
        return;
    path = disk_path(map->wwid);
    object_paths_add(paths, path);
}

static int disks_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                           sd_bus_error *error)
{
    struct object_paths paths = {0};

    maps_each(userdata, disks_add_path, &paths);
    return object_paths_take(&paths, ret_nodes);
}

static const struct object_interface interfaces[] = {
    {BUS_INTERFACE("DSM_LB_Operations"), dsm_lb_operations_vtable},
    {BUS_INTERFACE("DSM_QueryLBPolicy_V2"), dsm_query_lb_policy_vtable},
    {BUS_INTERFACE("DSM_QuerySupportedLBPolicies_V2"), dsm_query_supported_lb_policies_vtable},
    {BUS_INTERFACE("Disk"), disk_vtable},
};

static const struct object_kind disks = {
    .prefix = DISK_PREFIX,
    .interfaces = interfaces,
    .n_interfaces = ELEMENTSOF(interfaces),
    .find = disks_find,
    .enumerate = disks_enumerate,
};

static void disks_on_added(struct host_map *map, void *userdata)
{
    _cleanup_free_ char *path = disk_path(map->wwid);

    if (path)
        (void)sd_bus_emit_object_added(userdata, path);
}

static void disks_on_removed(const char *wwid, void *userdata)
{
    _cleanup_free_ char *path = disk_path(wwid);

    if (path)
        object_kind_emit_removed(&disks, userdata, path);
}

static void disks_on_changed(const struct host_map *map, unsigned changes, void *userdata)
{
    static const struct object_property properties[] = {
        {BUS_INTERFACE("Disk"), "Name", DISK_NAME},
        {BUS_INTERFACE("Disk"), "SizeBytes", DISK_SIZE},
        {BUS_INTERFACE("Disk"), "LoadBalancePolicy", DISK_POLICY},
        {BUS_INTERFACE("Disk"), "Provenance", DISK_PROVENANCE},
        {BUS_INTERFACE("Disk"), "Agreement", DISK_AGREEMENT},
        {BUS_INTERFACE("Disk"), "MultipathdAgreement", DISK_MPATHD},
        {BUS_INTERFACE("Disk"), "Reason", DISK_REASON},
        {BUS_INTERFACE("Disk"), "Reapplications", DISK_REAPPLIED},
        {BUS_INTERFACE("DSM_LB_Operations"), "Active", DISK_PRESENT},
        {BUS_INTERFACE("DSM_QuerySupportedLBPolicies_V2"), "Active", DISK_PRESENT},
        {BUS_INTERFACE("DSM_QueryLBPolicy_V2"), "LoadBalancePolicy",
         DISK_PRESENT | DISK_POLICY | DISK_PROVENANCE | DISK_TABLE},
        {BUS_INTERFACE("DSM_QueryLBPolicy_V2"), "Active", DISK_PRESENT},
    };
    _cleanup_free_ char *path = disk_path(map->wwid);

    if (path)
        object_emit_changed(userdata, path, properties, ELEMENTSOF(properties), changes);
}

int disks_register(sd_bus *bus, struct host *host, struct host_observer *observer)
{
    observer->disk_added = disks_on_added;
    observer->disk_changed = disks_on_changed;
    observer->disk_removed = disks_on_removed;
    return object_kind_register(&disks, bus, host);
}
