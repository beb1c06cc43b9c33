/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/base/worker.h"
#include "service/jobs/read-records.h"

#define DEADLINE_USEC (15U * 1000000U)

struct reading {
    struct host *host;
    sd_event_source *deadline;
    read_records_done_t done; /* NULL: has been called, the child is only waited for */
    void *userdata;
};

DEFINE_CLEANUP(struct iscsi_records *, records_free);

static int in_child(int fd, void *arg)
{
    return records_write(fd);
}

static void answer(struct reading *reading, int error, const struct iscsi_records *records)
{
    read_records_done_t done = TAKE_PTR(reading->done);
    if (done)
        done(error, records, reading->userdata);
}

/* The child is left to itself: killed with open-iscsi's lock in hand, it would keep it for ever. */
static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    log_warning("open-iscsi's lock was not free for 15 s: its records were not read.");
    answer(userdata, -ETIMEDOUT, NULL);
    return 0;
}

static void on_child_done(int error, const void *data, size_t size, void *userdata)
{
    struct reading *reading = userdata;
    _cleanup_(records_freep) struct iscsi_records *records = NULL;

    int r = error;
    if (r >= 0)
        r = records_parse(data, size, &records);
    if (r >= 0)
        r = host_take_records(reading->host, records);
    if (r < 0)
        log_warning("open-iscsi's records cannot be read: %s.", strerror(-r));
    answer(reading, r, r < 0 ? NULL : records);

    sd_event_source_disable_unref(reading->deadline);
    free(reading);
}

int read_records(struct host *host, read_records_done_t done, void *userdata)
{
    _cleanup_free_ struct reading *reading = calloc(1, sizeof(*reading));
    if (!reading)
        return -ENOMEM;
    reading->host = host;
    reading->done = done;
    reading->userdata = userdata;

    int r = sd_event_add_time_relative(host->event, &reading->deadline, CLOCK_MONOTONIC,
                                       DEADLINE_USEC, 0, on_deadline, reading);
    if (r < 0)
        return r;
    r = worker_start(host->event, in_child, NULL, on_child_done, reading);
    if (r < 0) {
        sd_event_source_disable_unref(reading->deadline);
        return r;
    }
    (void)TAKE_PTR(reading);
    return 0;
}
