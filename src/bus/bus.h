/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The service on D-Bus: its tree of objects. */

#include <systemd/sd-bus.h>

#include "service/model/host.h"

/*
 * Registers all objects and has the model report what comes and goes. The name is requested. To be
 * ended before the bus is closed: by authorizer_free() and unread_free(). `asker` is a connection
 * of its own, which lives as long: see bus_asker().
 */
struct authorizer;
struct unread;
int bus_start(sd_bus *bus, sd_bus *asker, struct host *host, struct authorizer **ret,
              struct unread **ret_unread);

/*
 * Handles messages that wait already, for a moment: a round of the main loop for each is half of
 * what a query costs. Not while a policy changes: its child processes do not wait for queries.
 */
void bus_answer_queued(sd_bus *bus, struct host *host);

/* One table an interface; userdata is the struct adapter, session, connection, host_map or host. */
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

/* The disks' part of bus_start(). */
int disks_register(sd_bus *bus, struct host *host);
void disks_observe(struct host_observer *observer);

/* Sees all messages first; userdata is the struct host. */
int connection_statistics_filter(sd_bus_message *message, void *userdata, sd_bus_error *error);
