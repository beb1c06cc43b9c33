/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The counters of all connections, read by a child process, for iscsid may keep one waiting. */

#include <stdint.h>

#include "iscsi/statistics.h"
#include "service/model/model.h"

/* So long a reading is good for whoever asks: one runs once in this time, however many do. */
#define STATISTICS_KEPT_USEC UINT64_C(1000000)

/*
 * `error` is 0, or a negative errno and `counted` NULL: -ENODATA, iscsid does not know the session;
 * -ETIMEDOUT, -ENOMEM, -ECANCELED; no child could be had.
 */
typedef void (*statistics_done_t)(int error, const struct iscsi_statistics *counted,
                                  void *userdata);

/*
 * What is counted of a kernel session, as it was STATISTICS_KEPT_USEC ago at most; `done` may be
 * called at once. Negative, and done is not called: -ETIMEDOUT, the child before has not ended in
 * its time; -ENOMEM.
 */
int statistics_read(struct host *host, uint32_t sid, statistics_done_t done, void *userdata);

/* Ends the waiting of the one with that userdata, if it still waits, with -ECANCELED. */
void statistics_cancel(struct host *host, const void *userdata);

/* Ends the waiting of all, with -ECANCELED: the service stops. */
void statistics_cancel_all(struct host *host);

void statistics_free(struct host *host);
