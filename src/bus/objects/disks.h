/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The objects of disks: where they are, and what clients are told of them. */

#include <systemd/sd-bus.h>

struct host;
struct host_observer;

/* The disks' part of bus_start(). */
int disks_register(sd_bus *bus, struct host *host);
void disks_observe(struct host_observer *observer);
