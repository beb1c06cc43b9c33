/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The connection by which the bus itself is asked for something, and its answer waited for. Who
 * waits takes in all that comes before the answer: what clients send to the service is to stay with
 * the bus meanwhile, which has bounds for it.
 */

#include <systemd/sd-bus.h>

/* To live as long as calls are answered. From now on it hears the bus alone. */
int bus_set_asker(sd_bus *bus);
sd_bus *bus_asker(void);

/* What came there besides answers, from whomever, is dealt with: it does not pile up. */
void bus_drain_asker(void);

/*
 * Likewise, and all that the bus had sent there when the last call came to the service: who has
 * left before it. The two connections have no order by themselves.
 */
void bus_hear_of_leavers(void);
