/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who calls. */

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "service/base/requester.h"

/* Who sent a message; the user, -1 where not known, is as the bus has it. */
void bus_requester(sd_bus_message *message, struct requester *ret);

/* The same of a connection, by its unique name. */
void bus_requester_of(const char *connection, struct requester *ret);

/* As it was found before: for a caller that may have left meanwhile. */
void bus_remember(sd_bus_message *message, const struct requester *who);

/* The user alone. -ENXIO: the connection has left. Other errors: the bus does not tell. */
int bus_get_uid(sd_bus_message *message, uid_t *ret);

/*
 * Where the bus has much to do, it takes its time to answer. The user as it has said before: 1; 0
 * where it has not, and is asked, beside all other work, and when func() has given its answer to
 * bus_take_uid(), it has. -ENXIO as above.
 */
int bus_get_known_uid(sd_bus_message *message, uid_t *ret);
int bus_ask_uid(sd_bus_message *message, sd_bus_slot **ret, sd_bus_message_handler_t func,
                void *userdata);
void bus_take_uid(sd_bus_message *message, sd_bus_message *answer);

/* Likewise whether the sender is still there. */
int bus_ask_there(sd_bus_message *message, sd_bus_slot **ret, sd_bus_message_handler_t func,
                  void *userdata);
bool bus_is_there(sd_bus_message *answer);

/*
 * Whether a user may do everything unasked: the one whom the service runs as (root), unless
 * ISCSI_WMI_ALWAYS_ASK=1 is in its environment. On a bus of a test, where all have one user, nobody
 * could be refused otherwise.
 */
bool bus_trusts(uid_t uid);
