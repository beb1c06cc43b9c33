/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/arguments.h"
#include "bus/bus.h"
#include "service/ping.h"

static void reply_ping(uint32_t status, uint32_t n_received, void *userdata)
{
    sd_bus_message *message = userdata;
    (void)sd_bus_reply_method_return(message, "uu", status, n_received);
    sd_bus_message_unref(message);
}

static int method_ping_ip_address(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct adapter *adapter = userdata;
    struct ping_request request;

    int r = ping_request_read(message, &request);
    if (r < 0)
        return r;
    ping_start(adapter->host, &request, reply_ping, sd_bus_message_ref(message));
    return 1;
}

const sd_bus_vtable management_operations_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES("PingIPAddress", "uuu(uuayuus)",
                             SD_BUS_PARAM(RequestCount) SD_BUS_PARAM(RequestSize)
                                 SD_BUS_PARAM(Timeout) SD_BUS_PARAM(Address),
                             "uu", SD_BUS_PARAM(Status) SD_BUS_PARAM(ResponsesReceived),
                             method_ping_ip_address, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("InstanceName", "s", get_instance_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_true, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};
