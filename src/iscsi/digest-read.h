/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Reads all of open-iscsi's records for their digests, under open-iscsi's lock. From the files
 * themselves: libopeniscsiusr gives only some of a node's fields, and no discovery.
 */

#include "iscsi/digest.h"

/* Where a distribution's open-iscsi keeps its records: one of them, without asking. */
#define RECORD_ROOTS 2
struct record_places {
    const char *roots[RECORD_ROOTS]; /* NULL: there is only one */
    char lock_directory[4096];
};

/*
 * /etc/iscsi (Debian) and /var/lib/iscsi (all others), with the lock in /run/lock/iscsi; or, where
 * the environment has ISCSI_WMI_RECORDS, that directory, with the lock in its `lock`.
 */
void record_places(struct record_places *ret);

/*
 * For a child process, for it waits for the lock, up to 30 s as open-iscsi does. Each directory in
 * which records can come, go or change is watched through the inotify descriptor before it is read;
 * -1: none is.
 *
 * A negative errno: -EACCES; of the lock, those of record-lock.h.
 */
int digests_read(int watch_fd, const uint8_t key[DIGEST_KEY_SIZE], struct digest_set *ret);
