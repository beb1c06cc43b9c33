/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Asks polkit, beside all other work, before a call that bus/rules.h has an action for reaches its
 * handler; so a handler never asks. Whom bus_trusts() may do everything without polkit, by the
 * credentials that the bus itself has of the connection.
 *
 * What a caller gets who may not: AccessDenied; InteractiveAuthorizationRequired where somebody
 * could authenticate, but the call does not allow to ask, or nobody is there to be asked. Without
 * polkit all but root get AccessDenied.
 */

#include <systemd/sd-bus.h>

#include "basic/macros.h"

struct authorizer;
struct host;

/*
 * Sees all messages of the bus from now on. The calls that are answered later, of all handlers, are
 * kept with it, as host->requests.
 */
int authorizer_new(sd_bus *bus, struct host *host, struct authorizer **ret);

/* Forgets the calls that wait, unanswered: the bus tells their callers when the service goes. */
void authorizer_free(struct authorizer *authorizer);

DEFINE_CLEANUP(struct authorizer *, authorizer_free);
