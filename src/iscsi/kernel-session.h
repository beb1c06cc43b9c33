/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One kernel iSCSI session, which is one connection here: who it is, from libopeniscsiusr; how it
 * is, from sysfs, which the library does not read.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wmi/policy.h"

struct iscsi_context;

/* What names a kernel session, and does not change while it lives. */
struct kernel_session {
    uint32_t sid;
    char *initiator;
    char *target;
    char *iface;
    char *address; /* persistent address and port: those of the node record */
    uint16_t port;
    char *transport; /* "tcp", "iser", ... */
};

/*
 * Reads one session. -ENOENT: it is gone. -EAGAIN: its login has not come far enough to say who
 * it is, ask again later. -EILSEQ: a name of it is not UTF-8, as iSCSI's have to be. Other errors
 * as errno. Must run with CAP_SYS_ADMIN, for the kernel hides the CHAP attributes from others and
 * the library then drops the session.
 */
int kernel_session_read(struct iscsi_context *context, uint32_t sid, struct kernel_session **ret);
void kernel_session_free(struct kernel_session *session);

/* The sids under /sys/class/iscsi_session, ascending; none where the class is absent. */
int kernel_session_list(uint32_t **ret_sids, size_t *ret_n);

/* The sid in a device path such as ".../host2/session5/target2:0:0/...". -ENOENT: none. */
int kernel_session_sid_of_path(const char *path, uint32_t *ret_sid);

/* How a session is at this moment. */
struct kernel_session_state {
    char text[16]; /* the kernel's word: LOGGED_IN, FAILED, FREE; empty: gone */
    enum lb_connection_status status;
};
void kernel_session_state(uint32_t sid, struct kernel_session_state *ret);

/*
 * The same through a file that is kept open for the next time, which takes a third of the time. *fd
 * is -1 before the first time, and after it where the session is gone. Who keeps it closes it.
 */
void kernel_session_state_again(uint32_t sid, int *fd, struct kernel_session_state *ret);

/*
 * The addresses of its connection as the kernel writes them, each NULL while it is down. The
 * initiator's end is that of the session's SCSI host, of which iscsi_tcp has one for each session.
 */
struct kernel_session_ends {
    char *local, *peer;
    uint16_t peer_port;
};
void kernel_session_ends_read(uint32_t sid, struct kernel_session_ends *ret);
void kernel_session_ends_done(struct kernel_session_ends *ends);

/* Whether the transport runs TCP in the adapter (bnx2i, cxgb4i, qedi, ...). */
bool kernel_session_offloads(const struct kernel_session *session);

/* Names of its SCSI disks ("sda"), NULL-terminated, ascending. -EIO: sysfs cannot be read. */
int kernel_session_disks(uint32_t sid, char ***ret_names);

/*
 * Adds the names of the dm devices ("dm-3") over a disk to those in *names, where they are not
 * there yet. A disk that is gone has none.
 */
int kernel_disk_holders(const char *disk, char ***names);

void strings_free(char **strings);

/*
 * Tags the session's device: a synthetic uevent with the GUID's text as its UUID, and with the
 * mark, which our udev rule turns into the property SESSION_TAG_PROPERTY.
 */
int kernel_session_tag(uint32_t sid, const char *guid_text);

static inline void strings_freep(char ***strings)
{
    strings_free(*strings);
}
