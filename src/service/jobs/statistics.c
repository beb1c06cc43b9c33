/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/base/worker.h"
#include "service/jobs/statistics.h"

/* Less than the 25 s that D-Bus clients wait. */
#define DEADLINE_USEC (10U * 1000000U)

struct waiter {
    statistics_done_t done;
    void *userdata;
    struct waiter *next;
};

struct statistics_reader {
    struct host *host;
    struct waiter *current, *queued; /* those of the child that runs, and of the next */
    bool is_running;
    bool is_late; /* nobody waits for the child any more */
};

static int start(struct statistics_reader *reader);

static void answer(struct waiter **waiters, int error, const struct iscsi_statistics *list,
                   size_t n)
{
    struct waiter *all = TAKE_PTR(*waiters);

    while (all) {
        _cleanup_free_ struct waiter *waiter = all;
        all = waiter->next;
        waiter->done(error, list, n, waiter->userdata);
    }
}

static void answer_all(struct statistics_reader *reader, int error)
{
    answer(&reader->current, error, NULL, 0);
    answer(&reader->queued, error, NULL, 0);
}

static int in_child(int fd, void *arg)
{
    return statistics_exec(fd);
}

/* iscsiadm's exit status tells of sessions that ended meanwhile, too: what it printed counts. */
static void on_child_done(int error, const void *data, size_t size, void *userdata)
{
    struct statistics_reader *reader = userdata;
    _cleanup_free_ struct iscsi_statistics *list = NULL;
    size_t n = 0;

    int r = statistics_parse(data, size, &list, &n);
    if (r >= 0 && n == 0 && error < 0)
        log_warning("iscsiadm does not tell the sessions' statistics: status %d.", -error);
    reader->is_running = false;
    reader->is_late = false;
    answer(&reader->current, r, list, n);

    if (reader->queued) {
        r = start(reader);
        if (r < 0)
            answer_all(reader, r);
    }
}

static void on_deadline(void *userdata)
{
    struct statistics_reader *reader = userdata;

    log_warning("iscsid has not told the sessions' statistics within 10 s.");
    reader->is_late = true;
    answer_all(reader, -ETIMEDOUT);
}

/* Starts a child for those that are queued. */
static int start(struct statistics_reader *reader)
{
    int r = worker_start_until(reader->host->event, in_child, NULL,
                               &(struct worker_deadline){DEADLINE_USEC, on_deadline}, on_child_done,
                               reader);
    if (r < 0)
        return r;
    reader->is_running = true;
    reader->current = TAKE_PTR(reader->queued);
    return 0;
}

static int enqueue(struct statistics_reader *reader, statistics_done_t done, void *userdata)
{
    struct waiter *waiter = malloc(sizeof(*waiter));
    if (!waiter)
        return -ENOMEM;
    *waiter = (struct waiter){done, userdata, reader->queued};
    reader->queued = waiter;
    return 0;
}

int statistics_read(struct host *host, statistics_done_t done, void *userdata)
{
    if (!host->statistics) {
        host->statistics = calloc(1, sizeof(*host->statistics));
        if (!host->statistics)
            return -ENOMEM;
        host->statistics->host = host;
    }
    struct statistics_reader *reader = host->statistics;
    if (reader->is_late)
        return -ETIMEDOUT;

    int r = enqueue(reader, done, userdata);
    if (r < 0 || reader->is_running)
        return r;
    r = start(reader);
    if (r < 0)
        free(TAKE_PTR(reader->queued)); /* it is the only one */
    return r;
}

static bool cancel(struct waiter **waiters, const void *userdata)
{
    for (; *waiters; waiters = &(*waiters)->next)
        if ((*waiters)->userdata == userdata) {
            _cleanup_free_ struct waiter *waiter = *waiters;
            *waiters = waiter->next;
            waiter->done(-ECANCELED, NULL, 0, waiter->userdata);
            return true;
        }
    return false;
}

void statistics_cancel(struct host *host, const void *userdata)
{
    if (!cancel(&host->statistics->current, userdata))
        (void)cancel(&host->statistics->queued, userdata);
}

void statistics_cancel_all(struct host *host)
{
    if (host->statistics)
        answer_all(host->statistics, -ECANCELED);
}

void statistics_free(struct host *host)
{
    free(TAKE_PTR(host->statistics));
}
