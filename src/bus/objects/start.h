/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The service on D-Bus: its tree of objects. */

#include <systemd/sd-bus.h>

#include "service/model/model.h"

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
