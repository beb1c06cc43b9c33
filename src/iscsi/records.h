/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * open-iscsi's iface records, for the adapters that they make: names only, never a secret. Reading
 * them takes open-iscsi's lock and can wait for it up to 30 s, so a child process reads and
 * writes what it found to a pipe. (Of nodes, only what has changed counts: see digest-read.h.)
 */

#include <stddef.h>

struct iface_record {
    const char *name;
    const char *initiator; /* empty: the host's own */
};

struct iscsi_records {
    char *data; /* what the strings point into */
    struct iface_record *ifaces;
    size_t n_ifaces;
};

/*
 * Reads all iface records and writes them to fd. For a child process: it blocks.
 * 0, or an errno: EIO where open-iscsi's library fails.
 */
int records_write(int fd);

/* What records_write() wrote. -EINVAL: it is not whole. -ENOMEM. */
int records_parse(const void *data, size_t size, struct iscsi_records **ret);
void records_free(struct iscsi_records *records);
