/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/multipathd/telling.h"

void telling_wish(struct telling *telling, bool soon)
{
    if (soon)
        telling->wish = WISH_TELL_SOON;
    else if (telling->wish == WISH_NOTHING)
        telling->wish = WISH_TELL;
}

enum telling_attempt telling_next(const struct telling *telling)
{
    if (telling->running != ATTEMPT_NONE)
        return ATTEMPT_NONE;
    if (telling->check_wished)
        return ATTEMPT_CHECK;
    return telling->wish == WISH_NOTHING ? ATTEMPT_NONE : ATTEMPT_TELL;
}

void telling_begin(struct telling *telling)
{
    enum telling_attempt next = telling_next(telling);

    if (next == ATTEMPT_NONE)
        return;
    telling->running = next;
    if (next == ATTEMPT_CHECK)
        telling->check_wished = false;
    else
        telling->wish = WISH_NOTHING;
}

enum telling_attempt telling_end(struct telling *telling, bool failed, bool again,
                                 bool reconfigured, uint64_t now)
{
    enum telling_attempt ended = telling->running;

    telling->running = ATTEMPT_NONE;
    telling->failures = failed ? telling->failures + 1 : 0;
    if (reconfigured)
        telling->last_reconfigure = now;
    if (failed || again)
        telling_wish(telling, false);
    return ended;
}

static uint64_t delay(const struct telling *telling)
{
    unsigned doublings = telling->failures < 5 ? telling->failures - 1 : 4;

    if (telling->wish == WISH_TELL_SOON)
        return 0;
    if (telling->failures == 0)
        return TELLING_GATHER_USEC;
    uint64_t usec = TELLING_INTERVAL_USEC << doublings;
    return usec < TELLING_RETRY_MAX_USEC ? usec : TELLING_RETRY_MAX_USEC;
}

uint64_t telling_due(const struct telling *telling, uint64_t now)
{
    uint64_t due = now + delay(telling);
    uint64_t earliest =
        telling->last_reconfigure ? telling->last_reconfigure + TELLING_INTERVAL_USEC : 0;

    return due < earliest ? earliest : due;
}
