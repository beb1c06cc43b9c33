/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

struct ip_address;

/* Appends one ISCSI_IP_Address. */
int append_ip_address(sd_bus_message *reply, const struct ip_address *address);
