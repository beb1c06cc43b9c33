/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One table an interface; userdata is the struct adapter, session, connection, host_map or host. */

#include <systemd/sd-bus.h>

extern const sd_bus_vtable manager_vtable[];
extern const sd_bus_vtable adapter_vtable[];
extern const sd_bus_vtable lb_operations_vtable[];
extern const sd_bus_vtable management_operations_vtable[];
extern const sd_bus_vtable query_lb_policy_vtable[];
extern const sd_bus_vtable hba_information_vtable[];
extern const sd_bus_vtable hba_session_config_vtable[];
extern const sd_bus_vtable initiator_session_info_vtable[];
extern const sd_bus_vtable portal_info_class_vtable[];
extern const sd_bus_vtable security_config_operations_vtable[];
extern const sd_bus_vtable session_vtable[];
extern const sd_bus_vtable connection_statistics_vtable[];
extern const sd_bus_vtable disk_vtable[];
extern const sd_bus_vtable dsm_lb_operations_vtable[];
extern const sd_bus_vtable dsm_query_lb_policy_vtable[];
extern const sd_bus_vtable dsm_query_supported_lb_policies_vtable[];

/* Sees all messages first; userdata is the struct host. */
int connection_statistics_filter(sd_bus_message *message, void *userdata, sd_bus_error *error);
