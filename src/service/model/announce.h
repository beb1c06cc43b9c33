/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What clients are to be told, noted: it is told once for all that comes together, by whoever knows
 * what things look like from outside (service/view/views.h).
 */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "service/base/timer.h"

struct host;
struct session;

/* What is told later. */
struct announcer {
    sd_event_source *idle;
    struct timer timer;
    struct host *host;
    void (*tell)(struct host *host);
};

/*
 * The observers are to hear what differs from what clients were told last of the session, and
 * `changes` besides (bits of enum session_change): once, when what has come together is dealt with.
 */
void announce_session(struct session *session, unsigned changes);

/* The same for all sessions, without `changes`. */
void announce_all_sessions(struct host *host);

/*
 * Whether `func` will be called when the main loop has nothing else to do, or 100 ms after the
 * first that asked for it: once, however often this asks. `announcer` is all zero at the first
 * time.
 */
bool announcer_defer(struct host *host, struct announcer *announcer,
                     void (*func)(struct host *host));

/* It will not be called any more. */
void announcer_done(struct announcer *announcer);
