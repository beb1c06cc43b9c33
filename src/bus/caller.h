/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who calls. */

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "service/base/requester.h"

/* Who sent a message; the user, -1 where not known, is as the bus has it. */
void bus_requester(sd_bus_message *message, struct requester *ret);

/*
 * Whether a user may do everything unasked: the one whom the service runs as (root), unless
 * ISCSI_WMI_ALWAYS_ASK=1 is in its environment. On a bus of a test, where all have one user, nobody
 * could be refused otherwise.
 */
bool bus_trusts(uid_t uid);
