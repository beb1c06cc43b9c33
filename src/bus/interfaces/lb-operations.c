/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stddef.h>

#include "basic/macros.h"
#include "bus/arguments.h"
#include "bus/caller.h"
#include "bus/getters.h"
#include "bus/interfaces/interfaces.h"
#include "bus/requests.h"
#include "service/change/lb-change.h"
#include "service/model/model.h"

static int method_set_load_balance_policy(sd_bus_message *message, void *userdata,
                                          sd_bus_error *error)
{
    struct adapter *adapter = userdata;
    struct lb_request request;
    struct request *call;
    struct requester who;
    _cleanup_free_ struct lb_path *paths = NULL;

    int r = lb_request_read(message, &request, &paths);
    if (r == -E2BIG)
        return request_refuse(adapter->host->requests, message, TOO_MANY_PATHS);
    if (r >= 0)
        r = request_begin(adapter->host->requests, message, REQUEST_CHANGE, &call);
    if (r != 0)
        return r;
    bus_requester(message, &who);
    lb_change(adapter->host, adapter, &request, &who, request_reply_status, call);
    return 1;
}

const sd_bus_vtable lb_operations_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES("SetLoadBalancePolicy", "(tuua(ttuuuu))",
                             SD_BUS_PARAM(LoadBalancePolicies), "u", SD_BUS_PARAM(Status),
                             method_set_load_balance_policy, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("InstanceName", "s", NULL, offsetof(struct adapter, initiator),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_true, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};
