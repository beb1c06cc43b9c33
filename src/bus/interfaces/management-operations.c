/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include "bus/arguments.h"
#include "bus/getters.h"
#include "bus/interfaces/interfaces.h"
#include "bus/requests.h"
#include "service/jobs/ping.h"
#include "service/model/model.h"

static void management_operations_reply_ping(uint32_t status, uint32_t n_received, void *userdata)
{
    struct request *call = userdata;
    (void)sd_bus_reply_method_return(request_message(call), "uu", status, n_received);
    request_end(call);
}

/* Nobody is there to be answered any more. */
static void management_operations_cancel_ping(struct request *call, void *userdata)
{
    ping_cancel(userdata, call);
}

static int method_ping_ip_address(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct adapter *adapter = userdata;
    struct ping_request request;
    struct request *call;

    int r = ping_request_read(message, &request);
    if (r >= 0)
        r = request_begin(adapter->host->requests, message, REQUEST_PING, &call);
    if (r != 0)
        return r;
    request_set_cancel(call, management_operations_cancel_ping, adapter->host);
    ping_start(adapter->host, &request, management_operations_reply_ping, call);
    return 1;
}

const sd_bus_vtable management_operations_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES("PingIPAddress", "uuu(uuayuus)",
                             SD_BUS_PARAM(RequestCount) SD_BUS_PARAM(RequestSize)
                                 SD_BUS_PARAM(Timeout) SD_BUS_PARAM(Address),
                             "uu", SD_BUS_PARAM(Status) SD_BUS_PARAM(ResponsesReceived),
                             method_ping_ip_address, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("InstanceName", "s", NULL, offsetof(struct adapter, initiator),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_true, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};
