/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The counters of all connections, read by a child process, for iscsid may keep one waiting. */

#include "iscsi/statistics.h"
#include "service/model/model.h"

/* `error` is 0, or a negative errno and the list empty: -ETIMEDOUT, -ENOMEM, -ECANCELED. */
typedef void (*statistics_done_t)(int error, const struct iscsi_statistics *list, size_t n,
                                  void *userdata);

/*
 * Reads what is counted at a moment after this call. One child runs at a time: who asks meanwhile
 * shares the next one. Negative, and done is not called: -ETIMEDOUT, the child before has not ended
 * in its time; no child could be had.
 */
int statistics_read(struct host *host, statistics_done_t done, void *userdata);

/* Ends the waiting of the one with that userdata, if it still waits, with -ECANCELED. */
void statistics_cancel(struct host *host, const void *userdata);

/* Ends the waiting of all, with -ECANCELED: the service stops. */
void statistics_cancel_all(struct host *host);

void statistics_free(struct host *host);
