/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "basic/macros.h"
#include "bus/bus.h"
#include "service/lb-change.h"

/* The paths of ISCSI_Supported_LB_Policies, as many as came. */
static int read_paths(sd_bus_message *message, struct lb_path **ret, size_t *ret_n)
{
    _cleanup_free_ struct lb_path *paths = NULL;
    size_t n = 0, allocated = 0;
    struct lb_path path;

    int r = sd_bus_message_enter_container(message, 'a', "(ttuuuu)");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_read(message, "(ttuuuu)", &path.connection_id, &path.link_speed,
                                    &path.weight, &path.primary, &path.status,
                                    &path.offload)) > 0) {
        if (n == allocated) {
            allocated = allocated ? 2 * allocated : 16;
            struct lb_path *more = reallocarray(paths, allocated, sizeof(*paths));
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

static int method_set_load_balance_policy(sd_bus_message *message, void *userdata,
                                          sd_bus_error *error)
{
    struct adapter *adapter = userdata;
    struct lb_request request;
    struct requester who;
    _cleanup_free_ struct lb_path *paths = NULL;

    int r = sd_bus_message_enter_container(message, 'r', "tuua(ttuuuu)");
    if (r < 0)
        return r;
    r = sd_bus_message_read(message, "tuu", &request.session_id, &request.policy,
                            &request.path_count);
    if (r >= 0)
        r = read_paths(message, &paths, &request.n_paths);
    if (r < 0)
        return r;

    request.paths = paths;
    bus_requester(message, &who);
    lb_change(adapter->host, adapter, &request, &who, bus_reply_status, sd_bus_message_ref(message));
    return 1;
}

const sd_bus_vtable lb_operations_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES("SetLoadBalancePolicy", "(tuua(ttuuuu))",
                             SD_BUS_PARAM(LoadBalancePolicies), "u", SD_BUS_PARAM(Status),
                             method_set_load_balance_policy, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("InstanceName", "s", get_instance_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_true, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};
