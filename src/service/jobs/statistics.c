/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/base/patience.h"
#include "service/base/worker.h"
#include "service/jobs/statistics.h"

#define DEADLINE_USEC (STATISTICS_PATIENCE * 1000000U)

struct statistics_waiter {
    statistics_done_t done;
    void *userdata;
    struct statistics_waiter *next;
};

struct statistics_reader {
    struct host *host;
    struct statistics_waiter *current, *queued; /* those of the child that runs, and of the next */
    bool is_running;
    bool is_late; /* nobody waits for the child any more */
};

static int statistics_start(struct statistics_reader *reader);

static void statistics_answer(struct statistics_waiter **waiters, int error,
                              const struct iscsi_statistics *list, size_t n)
{
    struct statistics_waiter *all = TAKE_PTR(*waiters);

    while (all) {
        _cleanup_free_ struct statistics_waiter *waiter = all;
        all = waiter->next;
        waiter->done(error, list, n, waiter->userdata);
    }
}

static void statistics_answer_all(struct statistics_reader *reader, int error)
{
    statistics_answer(&reader->current, error, NULL, 0);
    statistics_answer(&reader->queued, error, NULL, 0);
}

static int statistics_in_child(int fd, void *arg)
{
    return statistics_exec(fd);
}

/* iscsiadm's exit status tells of sessions that ended meanwhile, too: what it printed counts. */
static void statistics_on_child_done(int error, const void *data, size_t size, void *userdata)
{
    struct statistics_reader *reader = userdata;
    _cleanup_free_ struct iscsi_statistics *list = NULL;
    size_t n = 0;

    int r = statistics_parse(data, size, &list, &n);
    if (r >= 0 && n == 0 && error < 0)
        log_warning("iscsiadm does not tell the sessions' statistics: status %d.", -error);
    reader->is_running = false;
    reader->is_late = false;
    statistics_answer(&reader->current, r, list, n);

    if (reader->queued) {
        r = statistics_start(reader);
        if (r < 0)
            statistics_answer_all(reader, r);
    }
}

static void statistics_on_deadline(void *userdata)
{
    struct statistics_reader *reader = userdata;

    log_warning("iscsid has not told the sessions' statistics within %u s.", STATISTICS_PATIENCE);
    reader->is_late = true;
    statistics_answer_all(reader, -ETIMEDOUT);
}

/* Starts a child for those that are queued. */
static int statistics_start(struct statistics_reader *reader)
{
    int r = worker_start_until(reader->host->event, statistics_in_child, NULL,
                               &(struct worker_deadline){DEADLINE_USEC, statistics_on_deadline},
                               statistics_on_child_done, reader);
    if (r < 0)
        return r;
    reader->is_running = true;
    reader->current = TAKE_PTR(reader->queued);
    return 0;
}

static int statistics_enqueue(struct statistics_reader *reader, statistics_done_t done,
                              void *userdata)
{
    struct statistics_waiter *waiter = malloc(sizeof(*waiter));
    if (!waiter)
        return -ENOMEM;
    *waiter = (struct statistics_waiter){done, userdata, reader->queued};
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

    int r = statistics_enqueue(reader, done, userdata);
    if (r < 0 || reader->is_running)
        return r;
    r = statistics_start(reader);
    if (r < 0)
        free(TAKE_PTR(reader->queued)); /* it is the only one */
    return r;
}

static bool statistics_cancel_waiter(struct statistics_waiter **waiters, const void *userdata)
{
    for (; *waiters; waiters = &(*waiters)->next)
        if ((*waiters)->userdata == userdata) {
            _cleanup_free_ struct statistics_waiter *waiter = *waiters;
            *waiters = waiter->next;
            waiter->done(-ECANCELED, NULL, 0, waiter->userdata);
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
    free(TAKE_PTR(host->statistics));
}
