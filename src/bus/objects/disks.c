/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The objects of disks: where they are, and what clients are told of them. */

#include <errno.h>
#include <stdlib.h>

#include "basic/macros.h"
#include "bus/interfaces/interfaces.h"
#include "bus/names.h"
#include "bus/objects/disks.h"
#include "bus/paths.h"
#include "service/model/find.h"
#include "service/model/maps.h"

#define PROPERTIES_MAX 9U /* of on_disk_changed(), with the NULL */

static const struct {
    const char *name;
    const sd_bus_vtable *vtable;
} interfaces[] = {
    {BUS_INTERFACE("DSM_LB_Operations"), dsm_lb_operations_vtable},
    {BUS_INTERFACE("DSM_QueryLBPolicy_V2"), dsm_query_lb_policy_vtable},
    {BUS_INTERFACE("DSM_QuerySupportedLBPolicies_V2"), dsm_query_supported_lb_policies_vtable},
    {BUS_INTERFACE("Disk"), disk_vtable},
};

static int find_disk(sd_bus *bus, const char *path, const char *interface, void *userdata,
                     void **ret_found, sd_bus_error *error)
{
    struct host_map *map;

    int r = disk_of_path(userdata, path, &map);
    if (r > 0)
        *ret_found = map;
    return r;
}

/* The paths of all disks so far. */
struct nodes {
    char **paths;
    size_t n;
    bool failed;
};

static void add_node(struct host_map *map, void *userdata)
{
    struct nodes *nodes = userdata;

    if (nodes->failed || !map_is_visible(map))
        return;
    char **more = reallocarray(nodes->paths, nodes->n + 2, sizeof(*more));
    nodes->failed = !more;
    if (!more)
        return;
    nodes->paths = more;
    more[nodes->n] = disk_path(map->wwid);
    nodes->failed = !more[nodes->n];
    nodes->n += !nodes->failed;
    more[nodes->n] = NULL;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                     sd_bus_error *error)
{
    struct nodes nodes = {.paths = calloc(1, sizeof(*nodes.paths))};

    if (!nodes.paths)
        return -ENOMEM;
    maps_each(userdata, add_node, &nodes);
    if (!nodes.failed) {
        *ret_nodes = nodes.paths;
        return 0;
    }
    for (size_t i = 0; i < nodes.n; i++)
        free(nodes.paths[i]);
    free(nodes.paths);
    return -ENOMEM;
}

static void on_disk_added(struct host_map *map, void *userdata)
{
    _cleanup_free_ char *path = disk_path(map->wwid);

    if (path)
        (void)sd_bus_emit_object_added(userdata, path);
}

/* By name, for the object that could be asked for its interfaces is gone. */
static void on_disk_removed(const char *wwid, void *userdata)
{
    _cleanup_free_ char *path = disk_path(wwid);
    char *names[ELEMENTSOF(interfaces) + 1] = {NULL};

    for (size_t i = 0; i < ELEMENTSOF(interfaces); i++)
        names[i] = (char *)interfaces[i].name;
    if (path)
        (void)sd_bus_emit_interfaces_removed_strv(userdata, path, names);
}

/* The names that go with the changes, NULL-terminated, into `ret`, which has room for all. */
static void disk_properties(unsigned changes, char **ret)
{
    static const struct {
        unsigned change;
        const char *name;
    } properties[] = {
        {DISK_NAME, "Name"},
        {DISK_SIZE, "SizeBytes"},
        {DISK_POLICY, "LoadBalancePolicy"},
        {DISK_PROVENANCE, "Provenance"},
        {DISK_AGREEMENT, "Agreement"},
        {DISK_MPATHD, "MultipathdAgreement"},
        {DISK_REASON, "Reason"},
        {DISK_REAPPLIED, "Reapplications"},
    };

    for (size_t i = 0; i < ELEMENTSOF(properties); i++)
        if (changes & properties[i].change)
            *ret++ = (char *)properties[i].name;
    *ret = NULL;
}

static void emit_wmi_disk(sd_bus *bus, const char *path, unsigned changes)
{
    const char *active = changes & DISK_PRESENT ? "Active" : NULL;

    if (active) {
        (void)sd_bus_emit_properties_changed(bus, path, BUS_INTERFACE("DSM_LB_Operations"), active,
                                             NULL);
        (void)sd_bus_emit_properties_changed(
            bus, path, BUS_INTERFACE("DSM_QuerySupportedLBPolicies_V2"), active, NULL);
    }
    if (changes & (DISK_PRESENT | DISK_POLICY | DISK_PROVENANCE | DISK_TABLE))
        (void)sd_bus_emit_properties_changed(bus, path, BUS_INTERFACE("DSM_QueryLBPolicy_V2"),
                                             "LoadBalancePolicy", active, NULL);
}

static void on_disk_changed(const struct host_map *map, unsigned changes, void *userdata)
{
    _cleanup_free_ char *path = disk_path(map->wwid);
    char *names[PROPERTIES_MAX];

    if (!path)
        return;
    disk_properties(changes, names);
    if (names[0])
        (void)sd_bus_emit_properties_changed_strv(userdata, path, BUS_INTERFACE("Disk"), names);
    emit_wmi_disk(userdata, path, changes);
}

void disks_observe(struct host_observer *observer)
{
    observer->disk_added = on_disk_added;
    observer->disk_changed = on_disk_changed;
    observer->disk_removed = on_disk_removed;
}

int disks_register(sd_bus *bus, struct host *host)
{
    int r = sd_bus_add_node_enumerator(bus, NULL, DISK_PREFIX, enumerate, host);
    for (size_t i = 0; i < ELEMENTSOF(interfaces) && r >= 0; i++)
        r = sd_bus_add_fallback_vtable(bus, NULL, DISK_PREFIX, interfaces[i].name,
                                       interfaces[i].vtable, find_disk, host);
    return r;
}
