/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The service on D-Bus: its tree of objects. */

#include <systemd/sd-bus.h>

#include "service/model/model.h"

/* What a call passes before its object. */
struct bus_front {
    struct strangers *strangers;
    struct turns *turns;
    struct unread *unread;
    struct authorizer *authorizer;
};

/*
 * Registers all objects and has the model report what comes and goes. The name is requested. To be
 * ended before the bus is closed. `asker` is a connection of its own, which lives as long: see
 * bus_asker().
 */
int bus_start(sd_bus *bus, sd_bus *asker, struct host *host, struct bus_front *ret);
void bus_end(struct bus_front *front); /* all zeros: it has not begun */

/*
 * Handles messages that wait already, for a moment: a round of the main loop for each is half of
 * what a query costs. Not while a policy changes: its child processes do not wait for queries.
 */
void bus_answer_queued(sd_bus *bus, struct host *host, const struct bus_front *front);
