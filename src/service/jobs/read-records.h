/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* open-iscsi's records, read by a child process that waits for open-iscsi's lock. */

#include "iscsi/records.h"
#include "service/model/model.h"

/*
 * `error` is 0, or a negative errno and `records` NULL: -ETIMEDOUT where the lock was not had
 * within LOCK_PATIENCE. The adapters have been brought up to date with the records by then.
 */
typedef void (*read_records_done_t)(int error, const struct iscsi_records *records, void *userdata);

/* Negative: no child, and done is not called. */
int read_records(struct host *host, read_records_done_t done, void *userdata);
