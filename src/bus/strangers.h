/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The first calls of connections of which the bus has not said yet whose they are. They wait for
 * that here, and others' calls do not wait for them: a bus that many keep busy takes its time for
 * each answer, and many can come at once.
 */

#include <systemd/sd-bus.h>

struct requests;
struct strangers;

int strangers_new(sd_bus *bus, struct requests *requests, struct strangers **ret);

/*
 * A call of such a connection: 1 where it waits here, or was refused, and is read again once the
 * bus has said whose it is. 0: there is no room, and the bus is to be asked at once, and waited
 * for.
 */
int strangers_hold(struct strangers *strangers, sd_bus_message *message);

/* What waits is not answered any more. */
void strangers_free(struct strangers *strangers);
