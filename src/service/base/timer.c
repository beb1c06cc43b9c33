/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "service/base/timer.h"

void timer_init(struct timer *timer, sd_event *event, uint64_t accuracy_usec,
                sd_event_time_handler_t func, void *userdata)
{
    *timer = (struct timer){
        .event = event,
        .accuracy_usec = accuracy_usec,
        .func = func,
        .userdata = userdata,
    };
}

int timer_set_at(struct timer *timer, uint64_t usec)
{
    if (!timer->source)
        return sd_event_add_time(timer->event, &timer->source, CLOCK_MONOTONIC, usec,
                                 timer->accuracy_usec, timer->func, timer->userdata);
    int r = sd_event_source_set_time(timer->source, usec);
    return r < 0 ? r : sd_event_source_set_enabled(timer->source, SD_EVENT_ONESHOT);
}

int timer_set_in(struct timer *timer, uint64_t usec)
{
    return timer_set_at(timer, loop_usec(timer->event) + usec);
}

bool timer_is_set(const struct timer *timer)
{
    return timer->source && sd_event_source_get_enabled(timer->source, NULL) > 0;
}

void timer_stop(struct timer *timer)
{
    if (timer->source)
        (void)sd_event_source_set_enabled(timer->source, SD_EVENT_OFF);
}

void timer_done(struct timer *timer)
{
    timer->source = sd_event_source_disable_unref(timer->source);
}

uint64_t loop_usec(sd_event *event)
{
    uint64_t usec = 0;

    (void)sd_event_now(event, CLOCK_MONOTONIC, &usec);
    return usec;
}
