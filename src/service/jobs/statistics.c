/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/base/patience.h"
#include "service/base/timer.h"
#include "service/base/worker.h"
#include "service/jobs/statistics.h"

#define DEADLINE_USEC (STATISTICS_PATIENCE * 1000000U)

struct statistics_waiter {
    uint32_t sid;
    statistics_done_t done;
    void *userdata;
    struct statistics_waiter *next;
};

struct statistics_reader {
    struct host *host;
    struct statistics_waiter *current, *queued; /* those of the child that runs, and of the next */
    struct iscsi_statistics *list;              /* what the last one has read, ... */
    size_t n;
    uint64_t usec;      /* ... and when: 0, never */
    struct timer timer; /* for the next */
    int error;          /* that the journal was told of last */
    bool is_running;
    bool is_late; /* nobody waits for the child any more */
};

static void statistics_start(struct statistics_reader *reader);

/* ---- answers ---- */

static void statistics_answer(struct statistics_waiter **waiters, int error)
{
    struct statistics_waiter *all = TAKE_PTR(*waiters);

    while (all) {
        _cleanup_free_ struct statistics_waiter *waiter = all;
        all = waiter->next;
        waiter->done(error, NULL, waiter->userdata);
    }
}

static void statistics_answer_all(struct statistics_reader *reader, int error)
{
    statistics_answer(&reader->current, error);
    statistics_answer(&reader->queued, error);
}

static const struct iscsi_statistics *statistics_find(const struct statistics_reader *reader,
                                                      uint32_t sid)
{
    for (size_t i = 0; i < reader->n; i++)
        if (reader->list[i].sid == sid)
            return &reader->list[i];
    return NULL;
}

/* Answers those whose session was read; the others wait on. */
static void statistics_answer_found(const struct statistics_reader *reader,
                                    struct statistics_waiter **waiters)
{
    while (*waiters) {
        const struct iscsi_statistics *counted = statistics_find(reader, (*waiters)->sid);
        if (!counted) {
            waiters = &(*waiters)->next;
            continue;
        }
        _cleanup_free_ struct statistics_waiter *waiter = *waiters;
        *waiters = waiter->next;
        waiter->done(0, counted, waiter->userdata);
    }
}

/* ---- the child ---- */

static int statistics_in_child(int fd, void *arg)
{
    return statistics_exec(fd);
}

/* One failure after another is one line. */
static void statistics_log(struct statistics_reader *reader, int error)
{
    if (error < 0 && error != reader->error)
        log_warning("iscsiadm does not tell the sessions' statistics: status %d.", -error);
    reader->error = error;
}

static void statistics_begin_next(struct statistics_reader *reader)
{
    uint64_t due = reader->usec > 0 ? reader->usec + STATISTICS_KEPT_USEC : 0;

    if (due <= loop_usec(reader->host->event))
        statistics_start(reader);
    else if (timer_set_at(&reader->timer, due) < 0)
        statistics_answer(&reader->queued, -ENOMEM);
}

/* iscsiadm's exit status tells of sessions that ended meanwhile, too: what it printed counts. */
static void statistics_on_child_done(int error, const void *data, size_t size, void *userdata)
{
    struct statistics_reader *reader = userdata;

    free(TAKE_PTR(reader->list));
    reader->n = 0;
    int r = statistics_parse(data, size, &reader->list, &reader->n);
    if (r >= 0)
        statistics_log(reader, reader->n == 0 ? error : 0);
    reader->usec = loop_usec(reader->host->event);
    reader->is_running = false;
    reader->is_late = false;
    statistics_answer_found(reader, &reader->current);
    statistics_answer(&reader->current, r < 0 ? r : -ENODATA);

    /* Who asked meanwhile may have a session that has come meanwhile. */
    statistics_answer_found(reader, &reader->queued);
    if (reader->queued)
        statistics_begin_next(reader);
}

static void statistics_on_deadline(void *userdata)
{
    struct statistics_reader *reader = userdata;

    log_warning("iscsid has not told the sessions' statistics within %u s.", STATISTICS_PATIENCE);
    reader->is_late = true;
    statistics_answer_all(reader, -ETIMEDOUT);
}

/* Starts a child for those that are queued, or answers that there is none. */
static void statistics_start(struct statistics_reader *reader)
{
    int r = worker_start_until(reader->host->event, statistics_in_child, NULL,
                               &(struct worker_deadline){DEADLINE_USEC, statistics_on_deadline},
                               statistics_on_child_done, reader);
    if (r < 0) {
        statistics_answer(&reader->queued, r);
        return;
    }
    reader->is_running = true;
    reader->current = TAKE_PTR(reader->queued);
}

static int statistics_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct statistics_reader *reader = userdata;

    if (reader->queued)
        statistics_start(reader);
    return 0;
}

/* ---- calls ---- */

static struct statistics_reader *statistics_reader(struct host *host)
{
    if (!host->statistics) {
        host->statistics = calloc(1, sizeof(*host->statistics));
        if (!host->statistics)
            return NULL;
        host->statistics->host = host;
        timer_init(&host->statistics->timer, host->event, 1, statistics_on_timer, host->statistics);
    }
    return host->statistics;
}

static bool statistics_is_fresh(const struct statistics_reader *reader)
{
    return reader->usec > 0 && loop_usec(reader->host->event) < reader->usec + STATISTICS_KEPT_USEC;
}

int statistics_read(struct host *host, uint32_t sid, statistics_done_t done, void *userdata)
{
    struct statistics_reader *reader = statistics_reader(host);
    const struct iscsi_statistics *counted;

    if (!reader)
        return -ENOMEM;
    if (reader->is_late)
        return -ETIMEDOUT;
    if (statistics_is_fresh(reader) && (counted = statistics_find(reader, sid))) {
        done(0, counted, userdata);
        return 0;
    }
    struct statistics_waiter *waiter = malloc(sizeof(*waiter));
    if (!waiter)
        return -ENOMEM;
    *waiter = (struct statistics_waiter){sid, done, userdata, reader->queued};
    reader->queued = waiter;
    if (!reader->is_running)
        statistics_begin_next(reader);
    return 0;
}

static bool statistics_cancel_waiter(struct statistics_waiter **waiters, const void *userdata)
{
    for (; *waiters; waiters = &(*waiters)->next)
        if ((*waiters)->userdata == userdata) {
            _cleanup_free_ struct statistics_waiter *waiter = *waiters;
            *waiters = waiter->next;
            waiter->done(-ECANCELED, NULL, waiter->userdata);
            return true;
        }
    return false;
}

void statistics_cancel(struct host *host, const void *userdata)
{
    if (!statistics_cancel_waiter(&host->statistics->current, userdata))
        (void)statistics_cancel_waiter(&host->statistics->queued, userdata);
}

void statistics_cancel_all(struct host *host)
{
    if (host->statistics)
        statistics_answer_all(host->statistics, -ECANCELED);
}

void statistics_free(struct host *host)
{
    struct statistics_reader *reader = TAKE_PTR(host->statistics);

    if (!reader)
        return;
    timer_done(&reader->timer);
    free(reader->list);
    free(reader);
}
