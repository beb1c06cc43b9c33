/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The objects of each kind: puts them on the bus, and has the observer, whose userdata is the bus,
 * tell clients of what comes, changes and goes.
 */

#include <systemd/sd-bus.h>

struct host;
struct host_observer;

int adapters_register(sd_bus *bus, struct host *host, struct host_observer *observer);
int sessions_register(sd_bus *bus, struct host *host, struct host_observer *observer);
int connections_register(sd_bus *bus, struct host *host, struct host_observer *observer);
int disks_register(sd_bus *bus, struct host *host, struct host_observer *observer);
