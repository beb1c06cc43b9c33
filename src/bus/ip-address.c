/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/ip-address.h"

#include "iscsi/address.h"

int append_ip_address(sd_bus_message *reply, const struct ip_address *address)
{
    int r = sd_bus_message_open_container(reply, 'r', "uuayuus");
    if (r >= 0)
        r = sd_bus_message_append(reply, "uu", (uint32_t)address->type, address->v4);
    if (r >= 0)
        r = sd_bus_message_append_array(reply, 'y', address->v6, sizeof(address->v6));
    if (r >= 0)
        r = sd_bus_message_append(reply, "uus", 0U, address->scope, address->text);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}
