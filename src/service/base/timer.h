/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Timers that expire once for each time that they are set, by CLOCK_MONOTONIC. */

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-event.h>

struct timer {
    sd_event *event;
    uint64_t accuracy_usec;
    sd_event_time_handler_t func;
    void *userdata;
    sd_event_source *source; /* made when it is set first */
};

/* It may expire so much later than it should, beside others; 0: 250 ms. */
void timer_init(struct timer *timer, sd_event *event, uint64_t accuracy_usec,
                sd_event_time_handler_t func, void *userdata);

/* Sets it, whether it is set or not: to a time; to so much later than now. A negative errno. */
int timer_set_at(struct timer *timer, uint64_t usec);
int timer_set_in(struct timer *timer, uint64_t usec);

/* Whether it is still to expire. */
bool timer_is_set(const struct timer *timer);

/* It does not expire any more; timer_done() frees its source as well. It may never have been set.
 */
void timer_stop(struct timer *timer);
void timer_done(struct timer *timer);

/* When this round of the main loop has begun; before the first, the time that it is. */
uint64_t loop_usec(sd_event *event);
