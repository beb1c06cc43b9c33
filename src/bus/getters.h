/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Getters that several interfaces have in common; userdata is the struct adapter or host_map. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

struct adapter;
struct session;

/* The journal has it once in a while, however often whoever reads it. */
void log_unreadable(const char *subject, int error);

/* Active, as the classes of an adapter have it. */
int get_true(sd_bus *bus, const char *path, const char *interface, const char *property,
             sd_bus_message *reply, void *userdata, sd_bus_error *error);

/* Of a member that is reserved. */
int get_zero(sd_bus *bus, const char *path, const char *interface, const char *property,
             sd_bus_message *reply, void *userdata, sd_bus_error *error);

/* Active, as the classes of a disk have it. */
int get_disk_active(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error);

/* Sessions of an adapter that are logged in: a stored policy may keep others, WMI has live ones. */
bool is_live_session(const struct adapter *adapter, const struct session *session);
int get_session_count(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error);
