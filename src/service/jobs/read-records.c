/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "iscsi/record-lock.h"
#include "service/base/patience.h"
#include "service/base/worker.h"
#include "service/jobs/read-records.h"
#include "service/model/host.h"

#define DEADLINE_USEC (LOCK_PATIENCE * 1000000U)

struct read_records_reading {
    struct host *host;
    read_records_done_t done; /* NULL: has been called, the child is only waited for */
    void *userdata;
};

DEFINE_CLEANUP(struct iscsi_records *, records_free);

static int read_records_in_child(int fd, void *arg)
{
    return records_write(fd);
}

static void read_records_answer(struct read_records_reading *reading, int error,
                                const struct iscsi_records *records)
{
    read_records_done_t done = TAKE_PTR(reading->done);
    if (done)
        done(error, records, reading->userdata);
}

static void read_records_on_deadline(void *userdata)
{
    log_warning("open-iscsi's lock was not free for %u s: its records were not read.",
                LOCK_PATIENCE);
    read_records_answer(userdata, -ETIMEDOUT, NULL);
}

static void read_records_on_child_done(int error, const void *data, size_t size, void *userdata)
{
    struct read_records_reading *reading = userdata;
    _cleanup_(records_freep) struct iscsi_records *records = NULL;

    int r = error;
    if (r >= 0)
        r = records_parse(data, size, &records);
    if (r >= 0)
        r = host_take_records(reading->host, records);
    if (r < 0)
        log_warning("open-iscsi's records cannot be read: %s.", record_lock_error(r));
    read_records_answer(reading, r, r < 0 ? NULL : records);
    free(reading);
}

int read_records(struct host *host, read_records_done_t done, void *userdata)
{
    _cleanup_free_ struct read_records_reading *reading = calloc(1, sizeof(*reading));
    if (!reading)
        return -ENOMEM;
    reading->host = host;
    reading->done = done;
    reading->userdata = userdata;

    int r = worker_start_until(host->event, read_records_in_child, NULL,
                               &(struct worker_deadline){DEADLINE_USEC, read_records_on_deadline},
                               read_records_on_child_done, reading);
    if (r < 0)
        return r;
    (void)TAKE_PTR(reading);
    return 0;
}
