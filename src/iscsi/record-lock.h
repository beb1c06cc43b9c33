/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * open-iscsi's lock on its records: a second name of a file, in a directory that is made by whoever
 * needs it first, where anybody may make one (/run/lock) unless a tmpfiles.d has made it.
 */

#define RECORD_LOCK "/run/lock/iscsi"

/*
 * The directory, made where it is not there; to be closed. -EPERM: others can write in it, or it is
 * theirs. -ENOTDIR: it is no directory, but a link, say. Once it is known to be none of these,
 * nobody but root can make it another one.
 */
int record_lock_open(const char *directory);

/*
 * Takes the lock; waits for it, up to 30 s as open-iscsi does. -ETIMEDOUT; -ELOOP: its file is a
 * link.
 */
int record_lock_take(int directory);
void record_lock_release(int directory);

/* Why open-iscsi's records cannot be read, by a negative errno. */
const char *record_lock_error(int error);
