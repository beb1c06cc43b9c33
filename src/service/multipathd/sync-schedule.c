/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/multipathd/sync-schedule.h"

void sync_schedule_wish(struct sync_schedule *schedule, bool soon)
{
    if (soon)
        schedule->wish = WISH_SYNC_SOON;
    else if (schedule->wish == WISH_NOTHING)
        schedule->wish = WISH_SYNC;
}

enum sync_kind sync_schedule_next(const struct sync_schedule *schedule)
{
    if (schedule->running != ATTEMPT_NONE)
        return ATTEMPT_NONE;
    if (schedule->to_prove)
        return ATTEMPT_PROVE;
    if (schedule->check_wished)
        return ATTEMPT_CHECK;
    return schedule->wish == WISH_NOTHING ? ATTEMPT_NONE : ATTEMPT_SYNC;
}

void sync_schedule_begin(struct sync_schedule *schedule, uint64_t now)
{
    enum sync_kind next = sync_schedule_next(schedule);

    if (next == ATTEMPT_NONE)
        return;
    schedule->running = next;
    if (next != ATTEMPT_PROVE)
        schedule->awaited = next == ATTEMPT_SYNC && schedule->wish == WISH_SYNC_SOON;
    if (next == ATTEMPT_CHECK)
        schedule->check_wished = false;
    else if (next == ATTEMPT_PROVE)
        schedule->to_prove = false;
    else {
        schedule->wish = WISH_NOTHING;
        schedule->begun = now;
    }
}

static bool is_new(const struct sync_schedule *schedule, bool changed, uint64_t digest)
{
    return changed || (digest != 0 && digest != schedule->digest);
}

bool sync_schedule_may_reconfigure(const struct sync_schedule *schedule, bool changed,
                                   uint64_t digest)
{
    return schedule->unproved < SYNC_TRIES || is_new(schedule, changed, digest);
}

/* What multipathd was told, or is owed. */
static void note_told(struct sync_schedule *schedule, const struct sync_end *end)
{
    bool done = !end->failed && !schedule->to_prove;

    schedule->owed = !done && (schedule->owed || end->changed);
    if (done || is_new(schedule, end->changed, end->digest))
        schedule->unproved = 0;
    if (end->unproved)
        schedule->unproved++;
    if (end->digest != 0)
        schedule->digest = end->digest;
}

enum sync_kind sync_schedule_end(struct sync_schedule *schedule, const struct sync_end *end,
                                 uint64_t now)
{
    enum sync_kind ended = schedule->running;

    schedule->running = ATTEMPT_NONE;
    schedule->to_prove = ended == ATTEMPT_SYNC && end->reconfigured && !end->failed;
    if (ended != ATTEMPT_CHECK)
        note_told(schedule, end);
    if (schedule->to_prove)
        return ended;
    if (!end->failed)
        schedule->failures = 0;
    else if (!schedule->awaited || schedule->failures == 0)
        schedule->failures++;
    if (end->reconfigured) {
        schedule->last_reconfigure = now;
        schedule->took = now - schedule->begun;
    }
    if (end->failed || end->again)
        sync_schedule_wish(schedule, false);
    return ended;
}

static uint64_t delay(const struct sync_schedule *schedule)
{
    unsigned doublings = schedule->failures < 5 ? schedule->failures - 1 : 4;

    if (schedule->wish == WISH_SYNC_SOON)
        return 0;
    if (schedule->failures == 0)
        return SYNC_GATHER_USEC;
    uint64_t usec = SYNC_INTERVAL_USEC << doublings;
    return usec < SYNC_RETRY_MAX_USEC ? usec : SYNC_RETRY_MAX_USEC;
}

static uint64_t pause_of(const struct sync_schedule *schedule)
{
    if (schedule->wish == WISH_SYNC_SOON && schedule->took < SYNC_INTERVAL_USEC)
        return schedule->took;
    return SYNC_INTERVAL_USEC;
}

uint64_t sync_schedule_due(const struct sync_schedule *schedule, uint64_t now, uint64_t until)
{
    uint64_t due = now + delay(schedule), latest = until - SYNC_BEGINS_USEC;
    uint64_t earliest =
        schedule->last_reconfigure ? schedule->last_reconfigure + pause_of(schedule) : 0;

    if (earliest > latest)
        earliest = latest;
    return due < earliest ? earliest : due;
}
