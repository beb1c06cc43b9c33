/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "basic/macros.h"
#include "bus/bus.h"
#include "service/disk-change.h"

/* Reads one path of an array; > 0: there was one. */
typedef int (*read_path_t)(sd_bus_message *message, struct dsm_path *ret);

/* MPIO_DSM_Path: a primary is active/optimized, another path standby. */
static int read_path_v1(sd_bus_message *message, struct dsm_path *ret)
{
    *ret = (struct dsm_path){.optimized = 1};
    return sd_bus_message_read(message, "(ttuu)", &ret->id, &ret->reserved, &ret->weight,
                               &ret->primary);
}

static int read_path_v2(sd_bus_message *message, struct dsm_path *ret)
{
    *ret = (struct dsm_path){0};
    return sd_bus_message_read(message, "(ttuuuuuuuyyquut)", &ret->id, &ret->reserved, &ret->weight,
                               &ret->primary, &ret->optimized, &ret->preferred, &ret->failed,
                               &ret->group_state, &ret->alua_support, &ret->symmetric,
                               &ret->group_preferred, &ret->group_id, &ret->port_id,
                               &ret->reserved32, &ret->reserved64);
}

/* The paths, as many as came. */
static int read_paths(sd_bus_message *message, const char *type, read_path_t read_path,
                      struct dsm_path **ret, size_t *ret_n)
{
    _cleanup_free_ struct dsm_path *paths = NULL;
    size_t n = 0, allocated = 0;
    struct dsm_path path;

    int r = sd_bus_message_enter_container(message, 'a', type);
    if (r < 0)
        return r;
    while ((r = read_path(message, &path)) > 0) {
        if (n == allocated) {
            allocated = allocated ? 2 * allocated : 16;
            struct dsm_path *more = reallocarray(paths, allocated, sizeof(*paths));
            if (!more)
                return -ENOMEM;
            paths = more;
        }
        paths[n++] = path;
    }
    if (r < 0)
        return r;
    *ret = TAKE_PTR(paths);
    *ret_n = n;
    return sd_bus_message_exit_container(message);
}

static int set_policy(sd_bus_message *message, const char *contents, const char *path_type,
                      read_path_t read_path, struct host_map *map)
{
    struct dsm_request request;
    struct requester who;
    _cleanup_free_ struct dsm_path *paths = NULL;
    uint32_t reserved;

    int r = sd_bus_message_enter_container(message, 'r', contents);
    if (r < 0)
        return r;
    r = sd_bus_message_read(message, "uuuu", &request.version, &request.policy, &request.path_count,
                            &reserved);
    if (r >= 0)
        r = read_paths(message, path_type, read_path, &paths, &request.n_paths);
    if (r < 0)
        return r;

    request.paths = paths;
    bus_requester(message, &who);
    disk_change(map, &request, &who, bus_reply_status, sd_bus_message_ref(message));
    return 1;
}

static int method_set(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    return set_policy(message, "uuuua(ttuu)", "(ttuu)", read_path_v1, userdata);
}

static int method_set_alua(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    return set_policy(message, "uuuua(ttuuuuuuuyyquut)", "(ttuuuuuuuyyquut)", read_path_v2,
                      userdata);
}

const sd_bus_vtable dsm_lb_operations_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES("DsmSetLoadBalancePolicy", "(uuuua(ttuu))",
                             SD_BUS_PARAM(LoadBalancePolicy), "u", SD_BUS_PARAM(Status), method_set,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("DsmSetLoadBalancePolicyALUA", "(uuuua(ttuuuuuuuyyquut))",
                             SD_BUS_PARAM(LoadBalancePolicy), "u", SD_BUS_PARAM(Status),
                             method_set_alua, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("InstanceName", "s", get_disk_wwid, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_disk_active, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_VTABLE_END,
};
