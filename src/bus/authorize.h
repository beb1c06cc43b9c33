/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Asks polkit, beside all other work, before a call that bus/rules.h has an action for reaches its
 * handler; so a handler never asks. The user whom the service runs as (root), by the credentials
 * that the bus itself has of the connection, may do everything without polkit, unless
 * ISCSI_WMI_ALWAYS_ASK=1 is in the service's environment: on a bus of a test, where all have one
 * user, nobody could be refused otherwise.
 *
 * What a caller gets who may not: AccessDenied; InteractiveAuthorizationRequired where somebody
 * could authenticate, but the call does not allow to ask, or nobody is there to be asked. Without
 * polkit all but root get AccessDenied.
 */

#include <systemd/sd-bus.h>

#include "basic/macros.h"

/*
 * Calls that wait for polkit at a time, of all users and of one (who can have any number of
 * connections). One more is answered at once: by a Status of no resources where the method has one,
 * else by LimitsExceeded.
 */
#define AUTHORIZATIONS_MAX 64U
#define AUTHORIZATIONS_MAX_PER_USER 16U

struct authorizer;
struct host;

/* Sees all messages of the bus from now on. */
int authorizer_new(sd_bus *bus, struct host *host, struct authorizer **ret);

/* Forgets the calls that wait, unanswered: the bus tells their callers when the service goes. */
void authorizer_free(struct authorizer *authorizer);

DEFINE_CLEANUP(struct authorizer *, authorizer_free);
