/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stddef.h>

#include "basic/macros.h"
#include "bus/arguments.h"
#include "bus/caller.h"
#include "bus/getters.h"
#include "bus/interfaces/interfaces.h"
#include "bus/requests.h"
#include "service/change/disk-change.h"
#include "service/model/model.h"

typedef int (*read_request_t)(sd_bus_message *message, struct dsm_request *ret,
                              struct dsm_path **ret_paths);

static int dsm_lb_operations_set_policy(sd_bus_message *message, read_request_t read_request,
                                        struct host_map *map)
{
    struct dsm_request request;
    struct request *call;
    struct requester who;
    _cleanup_free_ struct dsm_path *paths = NULL;

    int r = read_request(message, &request, &paths);
    if (r == -E2BIG)
        return request_refuse(map->host->requests, message, TOO_MANY_PATHS);
    if (r >= 0)
        r = request_begin(map->host->requests, message, REQUEST_CHANGE, &call);
    if (r != 0)
        return r;
    bus_requester(message, &who);
    disk_change(map, &request, &who, request_reply_status, call);
    return 1;
}

static int method_set(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    return dsm_lb_operations_set_policy(message, dsm_request_read, userdata);
}

static int method_set_alua(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    return dsm_lb_operations_set_policy(message, dsm_request_read_alua, userdata);
}

const sd_bus_vtable dsm_lb_operations_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES("DsmSetLoadBalancePolicy", "(uuuua(ttuu))",
                             SD_BUS_PARAM(LoadBalancePolicy), "u", SD_BUS_PARAM(Status), method_set,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("DsmSetLoadBalancePolicyALUA", "(uuuua(ttuuuuuuuyyquut))",
                             SD_BUS_PARAM(LoadBalancePolicy), "u", SD_BUS_PARAM(Status),
                             method_set_alua, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("InstanceName", "s", NULL, offsetof(struct host_map, wwid),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_disk_active, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_VTABLE_END,
};
