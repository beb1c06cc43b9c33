/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Telling multipathd: the drop-in file is made of the maps' entries, and multipathd asked to read
 * it, in a child process. Requests run together; a reconfigure comes SYNC_INTERVAL_USEC after the
 * last one at the earliest, or, where somebody waits for it, as long after as that has taken, and
 * not at all where the file did not change and multipathd has it in force.
 */

#include <stdbool.h>

#include "service/model/model.h"

int mpathd_sync_new(struct host *host);
void mpathd_sync_free(struct host *host);

/* Entries have changed, or multipathd's configuration has. */
void mpathd_sync_request(struct host *host);

/* Only asks multipathd, at once, whether it has the entries in force. */
void mpathd_sync_check(struct host *host);

/* The same as mpathd_sync_request(), but as soon as multipathd can be asked. */
void mpathd_sync_soon(struct host *host);

/*
 * The same, for a change whose tables come next: calls func when multipathd has begun to read what
 * the entries are now, or has nothing to read. Negative: as below.
 */
int mpathd_sync_ahead(struct host *host, uint64_t asked_usec, void (*func)(int r, void *userdata),
                      void *userdata);

/* The same, for one that leaves all entries as they are: what runs may be telling of them. */
int mpathd_sync_begun(struct host *host, uint64_t asked_usec, void (*func)(int r, void *userdata),
                      void *userdata);

/*
 * The same, for a change that has failed, whose entries were taken back: calls func when multipathd
 * has read that, and built anew what it had built by them.
 */
int mpathd_sync_behind(struct host *host, uint64_t asked_usec, void (*func)(int r, void *userdata),
                       void *userdata);

/*
 * These wait no longer than that from when a client asked (loop_usec()), though LEAST from when
 * they are called, and then say -ETIMEDOUT. With what else a change waits for, and the swaps, its
 * client has the answer within the 25 s that libraries for D-Bus give a call.
 */
#define MPATHD_SYNC_PATIENCE_USEC UINT64_C(15000000)
#define MPATHD_SYNC_LEAST_USEC UINT64_C(5000000)

/*
 * The same as mpathd_sync_soon(), also on a multipathd that is else left to read the file when it
 * starts; calls func when multipathd has read what the entries are now. r: 0 or a negative errno;
 * host_mpathd_error() has it in words.
 */
int mpathd_sync_and_wait(struct host *host, void (*func)(int r, void *userdata), void *userdata);
