/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "bus/bus.h"
#include "service/ping.h"

static void reply_ping(uint32_t status, uint32_t n_received, void *userdata)
{
    sd_bus_message *message = userdata;
    (void)sd_bus_reply_method_return(message, "uu", status, n_received);
    sd_bus_message_unref(message);
}

/* ISCSI_IP_Address; bytes and text stay the message's. */
static int read_address(sd_bus_message *message, struct ip_address *ret)
{
    const void *bytes;

    int r = sd_bus_message_enter_container(message, 'r', "uuayuus");
    if (r >= 0)
        r = sd_bus_message_read(message, "uu", &ret->type, &ret->ipv4);
    if (r >= 0)
        r = sd_bus_message_read_array(message, 'y', &bytes, &ret->ipv6_size);
    if (r < 0)
        return r;
    ret->ipv6 = bytes;
    r = sd_bus_message_read(message, "uus", &ret->ipv6_flow_info, &ret->ipv6_scope_id, &ret->text);
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int method_ping_ip_address(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct adapter *adapter = userdata;
    struct ping_request request;

    int r =
        sd_bus_message_read(message, "uuu", &request.count, &request.size, &request.timeout_msec);
    if (r >= 0)
        r = read_address(message, &request.address);
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
