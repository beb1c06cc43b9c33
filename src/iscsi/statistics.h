/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the kernel counts for each connection, as "iscsiadm -m session -s" prints it.
 *
 * The kernel tells it by netlink alone, and to a multicast group (iscsi_if_get_stats() in
 * drivers/scsi/scsi_transport_iscsi.c): a request of our own would put its answer into iscsid's
 * socket as well, where iscsid takes it for the end of whatever call it is in (__kipc_call() in
 * open-iscsi's usr/netlink.c). So iscsid is asked, and by iscsiadm, for their protocol is stable
 * only within one package.
 */

#include <stddef.h>
#include <stdint.h>

struct iscsi_statistics {
    uint32_t sid;
    uint64_t bytes_sent, bytes_received;        /* txdata_octets, rxdata_octets */
    uint64_t commands_sent, responses_received; /* of SCSI and of task management */
};

/*
 * Reads iscsiadm's output. Sessions of which a number is missing are left out, and so are lines
 * of no interest. -ENOMEM; an empty list is no failure.
 */
int statistics_parse(const char *text, size_t size, struct iscsi_statistics **ret, size_t *ret_n);

/*
 * Becomes iscsiadm, with its output in fd: for a child process. Returns an errno where that fails.
 * It may wait for iscsid, and starts it where open-iscsi is set up so.
 */
int statistics_exec(int fd);
