/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/base/timer.h"
#include "service/base/worker.h"
#include "service/model/announce-disk.h"
#include "service/model/announce.h"
#include "service/model/find.h"
#include "service/model/host.h"
#include "service/model/maps.h"
#include "service/multipathd/earlier.h"
#include "service/multipathd/mpathd-sync.h"
#include "service/multipathd/sync-attempt.h"
#include "service/multipathd/sync-schedule.h"

#define SECOND_USEC 1000000U
#define LEAVING_USEC (SECOND_USEC / 4) /* from one search for maps that leave to the next */
#define LEAVING_MAX_USEC                                                                           \
    (15U * SECOND_USEC) /* what multipathd gets to remove a map without paths */

struct mpathd_sync_waiter {
    void (*func)(int r, void *userdata);
    void *userdata;
    bool ahead;     /* multipathd has to begin; else it has to end */
    bool must_tell; /* whatever release it is */
    uint64_t until; /* CLOCK_MONOTONIC, 0: as long as it takes */
    bool is_told;   /* the attempt that runs, or is to be proved, is for it */
    bool is_due;    /* it is to be answered, with r */
    int r;
};

struct mpathd_sync {
    struct host *host;
    struct timer timer;
    struct sync_schedule schedule;
    struct earlier earlier;
    struct sync_attempt *told; /* what multipathd reads, to be proved */
    struct sync_attempt *read; /* what it has read last */
    struct timer late;         /* for who waits for a beginning */
    struct mpathd_sync_waiter *waiters;
    size_t n_waiters;
};

DEFINE_CLEANUP(struct sync_attempt *, sync_attempt_free);

static char *mpathd_sync_copy_text(const char *text, bool *failed)
{
    char *copied = text ? strdup(text) : NULL;
    *failed = *failed || (text && !copied);
    return copied;
}

struct mpathd_sync_collecting {
    struct sync_attempt *attempt;
    size_t n_expected; /* maps that have not come since the service began */
    bool failed;
};

static void mpathd_sync_collect(struct host_map *map, void *userdata)
{
    struct mpathd_sync_collecting *c = userdata;

    if (!map->entry || c->failed ||
        (c->attempt->schedule.running == ATTEMPT_CHECK && map->state.sync != SYNC_RECHECK))
        return;
    struct sync_part *more = reallocarray(c->attempt->parts, c->attempt->n + 1, sizeof(*more));
    if (!more) {
        c->failed = true;
        return;
    }
    c->attempt->parts = more;
    c->n_expected += !map_was_seen(map);
    more[c->attempt->n++] = (struct sync_part){
        .wwid = mpathd_sync_copy_text(map->wwid, &c->failed),
        .entry = mpathd_sync_copy_text(map->entry, &c->failed),
        .disk = {.vendor = mpathd_sync_copy_text(map->disk.vendor, &c->failed),
                 .product = mpathd_sync_copy_text(map->disk.product, &c->failed),
                 .alua = map->disk.alua,
                 .has_access = map->disk.has_access,
                 .is_followed = map->disk.is_followed},
        .has_lost = map->state.rounds > 0 || map->state.sync == SYNC_RECHECK,
    };
}

static bool mpathd_sync_must_tell(const struct mpathd_sync *s)
{
    for (size_t i = 0; i < s->n_waiters; i++)
        if (s->waiters[i].must_tell)
            return true;
    return false;
}

static struct sync_attempt *mpathd_sync_make_attempt(const struct mpathd_sync *s)
{
    _cleanup_(sync_attempt_freep) struct sync_attempt *attempt = calloc(1, sizeof(*attempt));
    struct mpathd_sync_collecting collecting = {.attempt = attempt};

    if (!attempt)
        return NULL;
    attempt->schedule = s->schedule;
    maps_each(s->host, mpathd_sync_collect, &collecting);
    attempt->must_tell = mpathd_sync_must_tell(s);
    attempt->previous = s->schedule.running == ATTEMPT_CHECK ? NULL : s->read;
    if (collecting.n_expected > 0) {
        attempt->devices = (const char *const *)s->earlier.devices;
        attempt->n_devices = s->earlier.n_devices;
    }
    attempt->has_seen = attempt->n > collecting.n_expected;
    return collecting.failed ? NULL : TAKE_PTR(attempt);
}

/* A part's map; NULL: it has another entry by now, which comes with the next attempt, or none. */
static struct host_map *mpathd_sync_find_map(struct host *host, const struct sync_part *part)
{
    struct host_map *map = maps_find_wwid(host, part->wwid);

    return map && map->entry && strcmp(map->entry, part->entry) == 0 ? map : NULL;
}

static void mpathd_sync_take_verdict(struct host *host, const struct sync_attempt *attempt,
                                     const struct sync_verdict *verdict)
{
    struct host_map *map = mpathd_sync_find_map(host, &attempt->parts[verdict->part]);

    if (!map)
        return;
    free(TAKE_PTR(map->override));
    if (verdict->override[0])
        map->override = strdup(verdict->override);
    map_state_take_verdict(&map->state, verdict->in_force, map->override,
                           host->mpathd_sync->schedule.check_wished);
}

/*
 * Answers those for whom `is_due` holds. Who they are is settled first: an answer may begin another
 * attempt, which is for others, and may even end it.
 */
static void mpathd_sync_answer(struct mpathd_sync *s,
                               bool (*is_due)(const struct mpathd_sync *s,
                                              const struct mpathd_sync_waiter *waiter),
                               int r)
{
    for (size_t i = 0; i < s->n_waiters; i++)
        if (!s->waiters[i].is_due && is_due(s, &s->waiters[i])) {
            s->waiters[i].is_due = true;
            s->waiters[i].r = r;
        }
    for (size_t i = 0; i < s->n_waiters;) {
        struct mpathd_sync_waiter waiter = s->waiters[i];
        if (!waiter.is_due) {
            i++;
            continue;
        }
        memmove(s->waiters + i, s->waiters + i + 1, (--s->n_waiters - i) * sizeof(*s->waiters));
        waiter.func(waiter.r, waiter.userdata);
        i = 0;
    }
}

/* Of those that were told, those who wait for a beginning have enough once something is to prove.
 */
static bool mpathd_sync_is_answered(const struct mpathd_sync *s,
                                    const struct mpathd_sync_waiter *waiter)
{
    return waiter->is_told && (waiter->ahead || !s->schedule.to_prove);
}

static bool mpathd_sync_is_late(const struct mpathd_sync *s,
                                const struct mpathd_sync_waiter *waiter)
{
    return waiter->until != 0 && waiter->until <= loop_usec(s->host->event);
}

/* When the first of those who do not wait for ever is late; UINT64_MAX: there is none. */
static uint64_t mpathd_sync_first_late(const struct mpathd_sync *s)
{
    uint64_t first = UINT64_MAX;

    for (size_t i = 0; i < s->n_waiters; i++)
        if (s->waiters[i].until != 0 && s->waiters[i].until < first)
            first = s->waiters[i].until;
    return first;
}

static void mpathd_sync_arm_late(struct mpathd_sync *s)
{
    uint64_t first = mpathd_sync_first_late(s);

    if (first < UINT64_MAX)
        (void)timer_set_at(&s->late, first);
}

static int mpathd_sync_on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct mpathd_sync *s = userdata;

    mpathd_sync_answer(s, mpathd_sync_is_late, -ETIMEDOUT);
    mpathd_sync_arm_late(s);
    return 0;
}

static void mpathd_sync_go_on(struct mpathd_sync *s);

/* The end of an attempt, however it went. */
static void mpathd_sync_conclude(struct mpathd_sync *s, const struct sync_outcome *outcome)
{
    struct host *host = s->host;
    bool failed = outcome->error < 0;
    const struct sync_end end = {
        .failed = failed,
        .again = outcome->reread,
        .changed = outcome->changed,
        .reconfigured = outcome->reconfigured,
        .unproved = outcome->unproved,
        .digest = outcome->digest,
    };
    enum sync_kind ended = sync_schedule_end(&s->schedule, &end, loop_usec(host->event));

    if (ended == ATTEMPT_SYNC)
        host->sync_status.deferred = outcome->deferred;
    if (failed && strcmp(host->sync_status.error, outcome->text) != 0)
        log_warning("%s The maps keep their policies; it is tried again.", outcome->text);
    snprintf(host->sync_status.error, sizeof(host->sync_status.error), "%s",
             failed ? outcome->text : "");

    if (ended != ATTEMPT_CHECK)
        mpathd_sync_answer(s, mpathd_sync_is_answered, outcome->error);
    announce_all_sessions(host);
    announce_all_disks(host);
    mpathd_sync_go_on(s);
}

struct mpathd_sync_run {
    struct mpathd_sync *sync;
    struct sync_attempt *attempt;
};

static void mpathd_sync_begin_reading(const struct mpathd_sync *s)
{
    for (size_t i = 0; i < s->told->n; i++) {
        struct host_map *map = mpathd_sync_find_map(s->host, &s->told->parts[i]);
        if (map)
            map_state_begin_reading(&map->state);
    }
}

/* What multipathd reads, is to be proved; what it was told, or had already, is known. */
static void mpathd_sync_keep(struct mpathd_sync *s, struct sync_attempt *attempt, bool reconfigured)
{
    if (attempt->schedule.running == ATTEMPT_SYNC && reconfigured) {
        s->told = attempt;
        mpathd_sync_begin_reading(s);
        return;
    }
    if (s->read)
        sync_attempt_free(s->read);
    attempt->previous = NULL;
    s->read = attempt;
}

static void mpathd_sync_on_child_done(int error, const void *data, size_t size, void *userdata)
{
    _cleanup_free_ struct mpathd_sync_run *run = userdata;
    _cleanup_(sync_attempt_freep) struct sync_attempt *attempt = run->attempt;
    struct sync_outcome outcome = {.error = error ?: -EIO,
                                   .changed = true}; /* if it died: who knows */
    size_t verdicts = 0;
    bool contested = false;

    if (size >= sizeof(outcome) && error == 0) {
        verdicts = size - sizeof(outcome);
        memcpy(&outcome, (const char *)data + verdicts, sizeof(outcome));
        outcome.text[sizeof(outcome.text) - 1] = '\0';
    } else
        snprintf(outcome.text, sizeof(outcome.text), "multipathd could not be told: %s.",
                 strerror(-outcome.error));
    for (size_t at = 0; at + sizeof(struct sync_verdict) <= verdicts;
         at += sizeof(struct sync_verdict)) {
        struct sync_verdict verdict;
        memcpy(&verdict, (const char *)data + at, sizeof(verdict));
        verdict.override[sizeof(verdict.override) - 1] = '\0';
        if (verdict.part < attempt->n)
            mpathd_sync_take_verdict(run->sync->host, attempt, &verdict);
        contested = contested || !verdict.in_force || verdict.override[0];
    }
    /* What wins over one map's entry may do so over those of maps that nobody has rechecked. */
    if (attempt->schedule.running == ATTEMPT_CHECK && contested)
        sync_schedule_wish(&run->sync->schedule, false);
    if (attempt->schedule.running == ATTEMPT_PROVE ||
        (outcome.error >= 0 && attempt->schedule.running == ATTEMPT_SYNC))
        mpathd_sync_keep(run->sync, TAKE_PTR(attempt), outcome.reconfigured);
    mpathd_sync_conclude(run->sync, &outcome);
}

static int mpathd_sync_in_child(int fd, void *arg)
{
    worker_confine();
    return sync_attempt_run(fd, arg);
}

/* A proof is of what was told, whatever the entries are by now. */
static struct sync_attempt *mpathd_sync_next_attempt(struct mpathd_sync *s)
{
    if (s->schedule.running != ATTEMPT_PROVE)
        return mpathd_sync_make_attempt(s);
    s->told->schedule = s->schedule;
    return TAKE_PTR(s->told);
}

static void mpathd_sync_start(struct mpathd_sync *s)
{
    sync_schedule_begin(&s->schedule, loop_usec(s->host->event));
    if (s->schedule.running == ATTEMPT_SYNC)
        timer_stop(&s->timer); /* what it was set for is begun */
    _cleanup_(sync_attempt_freep) struct sync_attempt *attempt = mpathd_sync_next_attempt(s);
    _cleanup_free_ struct mpathd_sync_run *run = calloc(1, sizeof(*run));

    for (size_t i = 0; i < s->n_waiters && s->schedule.running == ATTEMPT_SYNC; i++)
        s->waiters[i].is_told = true;
    int r = attempt && run ? 0 : -ENOMEM;
    if (r >= 0) {
        *run = (struct mpathd_sync_run){s, attempt};
        r = worker_start(s->host->event, mpathd_sync_in_child, attempt, mpathd_sync_on_child_done,
                         run);
    }
    if (r < 0) {
        struct sync_outcome outcome = {.error = -ENOMEM}; /* whatever it is that there is none of */
        if (s->schedule.running == ATTEMPT_PROVE)
            mpathd_sync_keep(s, TAKE_PTR(attempt), false);
        snprintf(outcome.text, sizeof(outcome.text), "multipathd could not be told: %s.",
                 strerror(-r));
        mpathd_sync_conclude(s, &outcome);
        return;
    }
    (void)TAKE_PTR(attempt);
    (void)TAKE_PTR(run);
}

struct mpathd_sync_leaving {
    uint64_t now;
    bool found;
};

static void mpathd_sync_find_leaving(struct host_map *map, void *userdata)
{
    struct mpathd_sync_leaving *leaving = userdata;
    if (map->watch.leaving_usec && leaving->now - map->watch.leaving_usec < LEAVING_MAX_USEC)
        leaving->found = true;
}

/* A map whose paths have left is forgotten by a multipathd that reconfigures, and never removed. */
static bool mpathd_sync_must_wait(const struct mpathd_sync *s)
{
    struct mpathd_sync_leaving leaving = {.now = loop_usec(s->host->event)};

    maps_each(s->host, mpathd_sync_find_leaving, &leaving);
    return leaving.found;
}

static int mpathd_sync_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct mpathd_sync *s = userdata;

    if (sync_schedule_next(&s->schedule) != ATTEMPT_SYNC)
        return 0;
    if (mpathd_sync_must_wait(s))
        return timer_set_in(&s->timer, LEAVING_USEC);
    mpathd_sync_start(s);
    return 0;
}

/* A sync that is due begins at once: a timer may come late. */
static void mpathd_sync_arm(struct mpathd_sync *s)
{
    uint64_t now = loop_usec(s->host->event);
    uint64_t due = sync_schedule_due(&s->schedule, now, mpathd_sync_first_late(s));

    if (due <= now && !mpathd_sync_must_wait(s)) {
        mpathd_sync_start(s);
        return;
    }
    /* A timer that runs already stays: requests that never end must not put it off for ever. */
    if (s->schedule.wish == WISH_SYNC_SOON || !timer_is_set(&s->timer))
        (void)timer_set_at(&s->timer, due > now ? due : now + LEAVING_USEC);
}

static void mpathd_sync_go_on(struct mpathd_sync *s)
{
    switch (sync_schedule_next(&s->schedule)) {
    case ATTEMPT_NONE:
        return;
    case ATTEMPT_SYNC:
        mpathd_sync_arm(s);
        return;
    default:
        mpathd_sync_start(s);
    }
}

static void mpathd_sync_wish(struct host *host, bool soon)
{
    if (!host->mpathd_sync)
        return;
    sync_schedule_wish(&host->mpathd_sync->schedule, soon);
    mpathd_sync_go_on(host->mpathd_sync);
}

void mpathd_sync_request(struct host *host)
{
    mpathd_sync_wish(host, false);
}

void mpathd_sync_soon(struct host *host)
{
    mpathd_sync_wish(host, true);
}

void mpathd_sync_check(struct host *host)
{
    if (!host->mpathd_sync || host->mpathd_sync->schedule.check_wished)
        return;
    host->mpathd_sync->schedule.check_wished = true;
    mpathd_sync_go_on(host->mpathd_sync);
}

static int mpathd_sync_wait(struct host *host, const struct mpathd_sync_waiter *waiter)
{
    struct mpathd_sync *s = host->mpathd_sync;
    struct mpathd_sync_waiter *more = reallocarray(s->waiters, s->n_waiters + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    s->waiters = more;
    more[s->n_waiters++] = *waiter;
    mpathd_sync_arm_late(s);
    if (!waiter->is_told)
        mpathd_sync_soon(host);
    return 0;
}

static uint64_t mpathd_sync_patience(const struct host *host, uint64_t asked_usec)
{
    uint64_t until = asked_usec + MPATHD_SYNC_PATIENCE_USEC,
             least = loop_usec(host->event) + MPATHD_SYNC_LEAST_USEC;
    return until > least ? until : least;
}

static int mpathd_sync_wait_for_beginning(struct host *host, uint64_t asked_usec, bool is_told,
                                          void (*func)(int r, void *userdata), void *userdata)
{
    const struct mpathd_sync_waiter waiter = {
        .func = func,
        .userdata = userdata,
        .ahead = true,
        .until = mpathd_sync_patience(host, asked_usec),
        .is_told = is_told,
    };
    return mpathd_sync_wait(host, &waiter);
}

int mpathd_sync_ahead(struct host *host, uint64_t asked_usec, void (*func)(int r, void *userdata),
                      void *userdata)
{
    return mpathd_sync_wait_for_beginning(host, asked_usec, false, func, userdata);
}

/* Whether the attempt that runs, if any does, tells of all entries as they are. */
static bool mpathd_sync_tells_all(const struct mpathd_sync *s)
{
    return s->schedule.running == ATTEMPT_SYNC && s->schedule.wish == WISH_NOTHING;
}

int mpathd_sync_begun(struct host *host, uint64_t asked_usec, void (*func)(int r, void *userdata),
                      void *userdata)
{
    bool is_told = mpathd_sync_tells_all(host->mpathd_sync);

    return mpathd_sync_wait_for_beginning(host, asked_usec, is_told, func, userdata);
}

int mpathd_sync_behind(struct host *host, uint64_t asked_usec, void (*func)(int r, void *userdata),
                       void *userdata)
{
    const struct mpathd_sync_waiter waiter = {
        .func = func,
        .userdata = userdata,
        .until = mpathd_sync_patience(host, asked_usec),
    };
    return mpathd_sync_wait(host, &waiter);
}

int mpathd_sync_and_wait(struct host *host, void (*func)(int r, void *userdata), void *userdata)
{
    const struct mpathd_sync_waiter waiter = {
        .func = func,
        .userdata = userdata,
        .must_tell = true,
    };
    return mpathd_sync_wait(host, &waiter);
}

int mpathd_sync_new(struct host *host)
{
    struct mpathd_sync *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->host = host;
    timer_init(&s->timer, host->event, 0, mpathd_sync_on_timer, s);
    timer_init(&s->late, host->event, 0, mpathd_sync_on_late, s);
    earlier_load(host, &s->earlier);
    host->mpathd_sync = s;
    mpathd_sync_request(host); /* a file that was left behind, or never told of */
    return 0;
}

void mpathd_sync_free(struct host *host)
{
    struct mpathd_sync *s = TAKE_PTR(host->mpathd_sync);
    if (!s)
        return;
    timer_done(&s->timer);
    timer_done(&s->late);
    if (s->told)
        sync_attempt_free(s->told);
    if (s->read)
        sync_attempt_free(s->read);
    earlier_done(&s->earlier);
    free(s->waiters);
    free(s);
}
