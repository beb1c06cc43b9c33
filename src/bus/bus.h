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
 * The connection by which the bus itself is asked for something, and its answer waited for. Who
 * waits takes in all that comes before the answer: what clients send to the service is to stay with
 * the bus meanwhile, which has bounds for it.
 */
sd_bus *bus_asker(void);

/* What came there besides answers, from whomever, is dealt with: it does not pile up. */
void bus_drain_asker(void);

/*
 * Likewise, and all that the bus had sent there when the last call came to the service: who has left
 * before it. The two connections have no order by themselves.
 */
void bus_hear_of_leavers(void);

/*
 * Handles messages that wait already, for a moment: a round of the main loop for each is half of
 * what a query costs. Not while a policy changes: its child processes do not wait for queries.
 */
void bus_answer_queued(sd_bus *bus, struct host *host);

/* Who sent a message; the user, -1 where not known, is as the bus has it. */
struct requester;
void bus_requester(sd_bus_message *message, struct requester *ret);

/*
 * Whether a user may do everything unasked: the one whom the service runs as (root), unless
 * ISCSI_WMI_ALWAYS_ASK=1 is in its environment. On a bus of a test, where all have one user, nobody
 * could be refused otherwise.
 */
bool bus_trusts(uid_t uid);

/* A D-Bus error for a failure that no Status covers: the service's own trouble. */
int bus_failure(sd_bus_error *error, int r, const char *what);

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

/* InstanceName, Active and UniqueAdapterId, as the classes of an adapter have them. */
int get_instance_name(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error);
int get_true(sd_bus *bus, const char *path, const char *interface, const char *property,
             sd_bus_message *reply, void *userdata, sd_bus_error *error);
int get_unique_adapter_id(sd_bus *bus, const char *path, const char *interface,
                          const char *property, sd_bus_message *reply, void *userdata,
                          sd_bus_error *error);

/* InstanceName and Active, as the classes of a disk have them. */
int get_disk_wwid(sd_bus *bus, const char *path, const char *interface, const char *property,
                  sd_bus_message *reply, void *userdata, sd_bus_error *error);
int get_disk_active(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error);

/* Sessions of an adapter that are logged in: a stored policy may keep others, WMI has live ones. */
bool is_live_session(const struct adapter *adapter, const struct session *session);
int get_session_count(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error);

/* One ISCSI_IP_Address. */
struct ip_address;
int append_ip_address(sd_bus_message *reply, const struct ip_address *address);
