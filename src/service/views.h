/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a session's policy looks like from outside, and telling clients when that changes. */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "service/host.h"

/* As the model has it, which follows events; nothing is read from the kernel. */
void views_read(const struct session *session, struct session_view *ret);

/*
 * The observer is to hear what differs from what clients were told last, and `changes` besides
 * (bits of enum session_change): once, when what has come together is dealt with.
 */
void views_announce(struct session *session, unsigned changes);

/* The same for all sessions, without `changes`. */
void views_announce_all(struct host *host);

/*
 * Whether `func` will be called when the main loop has nothing else to do, or 100 ms after the first
 * that asked for it: once, however often this asks. `announcer` is all zero at the first time.
 */
bool views_defer(struct host *host, struct announcer *announcer, void (*func)(struct host *host));

/* It will not be called any more. */
void views_defer_done(struct announcer *announcer);

/* Clients are told of a new session, with all that it has now. */
void views_begin(struct session *session);

/* A connection has come, gone or got another state. */
void views_connections_changed(struct session *session);

/*
 * Reads the states of the session's connections. Whether one is not connected: nobody will say when
 * that ends, so it has to be looked at again.
 */
bool views_read_states(struct session *session);
