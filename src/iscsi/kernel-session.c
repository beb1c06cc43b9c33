/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/fileio.h"
#include "basic/macros.h"
#include "basic/sanitize.h"
#include "build-config.h"
#include "iscsi/kernel-session.h"
#include "iscsi/openiscsi.h"
#include "iscsi/values.h"

#define SESSION_CLASS "/sys/class/iscsi_session"

DEFINE_CLEANUP(struct iscsi_session *, iscsi_session_free);
DEFINE_CLEANUP(struct kernel_session *, kernel_session_free);
DEFINE_CLEANUP(DIR *, closedir);

void kernel_session_free(struct kernel_session *session)
{
    if (!session)
        return;
    free(session->initiator);
    free(session->target);
    free(session->iface);
    free(session->address);
    free(session->transport);
    free(session);
}

static int errno_of_library(int rc)
{
    switch (rc) {
    case LIBISCSI_OK:
        return 0;
    case LIBISCSI_ERR_NOMEM:
        return -ENOMEM;
    case LIBISCSI_ERR_ACCESS:
        return -EACCES;
    case LIBISCSI_ERR_SESS_NOT_FOUND:
        return -ENOENT;
    default:
        return -EIO;
    }
}

static int copy_identity(struct iscsi_session *se, struct kernel_session *to)
{
    struct iscsi_iface *iface = iscsi_session_iface_get(se);
    const char *initiator = iface ? iscsi_iface_iname_get(iface) : NULL;
    const char *iface_name = iface ? iscsi_iface_name_get(iface) : NULL;
    const char *transport = iface ? iscsi_iface_transport_name_get(iface) : NULL;
    const char *target = iscsi_session_target_name_get(se);
    const char *address = iscsi_session_persistent_address_get(se);
    int32_t port = iscsi_session_persistent_port_get(se);

    if (!value_is_set(initiator) || !value_is_set(target) || !value_is_set(address) || port <= 0)
        return -EAGAIN;
    if (!sink_takes(SINK_BUS, initiator) || !sink_takes(SINK_BUS, target) ||
        !sink_takes(SINK_BUS, address) || (iface_name && !sink_takes(SINK_BUS, iface_name)))
        return -EILSEQ;

    to->initiator = strdup(initiator);
    to->target = strdup(target);
    to->iface = strdup(value_is_set(iface_name) ? iface_name : "default");
    to->address = strdup(address);
    to->port = (uint16_t)port;
    to->transport = strdup(transport ? transport : "");
    return to->initiator && to->target && to->iface && to->address && to->transport ? 0 : -ENOMEM;
}

/*
 * An iface name that the kernel does not know yet would make the library search its records
 * under open-iscsi's lock; so look first.
 */
static int is_identified(uint32_t sid)
{
    _cleanup_free_ char *target = NULL, *iface = NULL;
    int r = read_first_linef(&target, SESSION_CLASS "/session%u/targetname", sid);
    if (r == -ENOENT || r == -ENODEV)
        return -ENOENT;
    if (r < 0)
        return -EAGAIN;
    r = read_first_linef(&iface, SESSION_CLASS "/session%u/ifacename", sid);
    return r >= 0 && value_is_set(target) && value_is_set(iface) ? 0 : -EAGAIN;
}

int kernel_session_read(struct iscsi_context *context, uint32_t sid, struct kernel_session **ret)
{
    int r = is_identified(sid);
    if (r < 0)
        return r;

    _cleanup_(iscsi_session_freep) struct iscsi_session *se = NULL;
    int rc = iscsi_session_get(context, sid, &se);
    if (rc == LIBISCSI_ERR_SYSFS_LOOKUP || rc == LIBISCSI_ERR_BUG)
        return -EAGAIN; /* vanished, or not all there, in the middle of reading */
    if (rc != LIBISCSI_OK)
        return errno_of_library(rc);
    if (!se)
        return -ENOENT;

    _cleanup_(kernel_session_freep) struct kernel_session *session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;
    session->sid = sid;
    r = copy_identity(se, session);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(session);
    return 0;
}

static int compare_sids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int kernel_session_list(uint32_t **ret_sids, size_t *ret_n)
{
    _cleanup_free_ uint32_t *sids = NULL;
    size_t n = 0, allocated = 0;

    _cleanup_(closedirp) DIR *dir = opendir(SESSION_CLASS);
    if (!dir && errno != ENOENT)
        return -errno;

    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        uint32_t sid;
        if (sscanf(entry->d_name, "session%u", &sid) != 1)
            continue;
        if (n == allocated) {
            allocated = allocated ? 2 * allocated : 16;
            uint32_t *more = reallocarray(sids, allocated, sizeof(*sids));
            if (!more)
                return -ENOMEM;
            sids = more;
        }
        sids[n++] = sid;
    }

    if (n > 0)
        qsort(sids, n, sizeof(*sids), compare_sids);
    *ret_sids = TAKE_PTR(sids);
    *ret_n = n;
    return 0;
}

int kernel_session_sid_of_path(const char *path, uint32_t *ret_sid)
{
    for (const char *p = path; (p = strstr(p, "/session")); p++) {
        unsigned sid;
        int end = 0;
        if (sscanf(p, "/session%u%n", &sid, &end) == 1 && (p[end] == '/' || p[end] == '\0')) {
            *ret_sid = sid;
            return 0;
        }
    }
    return -ENOENT;
}

static int open_state(uint32_t sid)
{
    char path[64];

    snprintf(path, sizeof(path), SESSION_CLASS "/session%u/state", sid);
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

/* The kernel makes the text anew for each read from the beginning. */
static bool read_state(int fd, char *text, size_t size)
{
    ssize_t n = fd < 0 ? -1 : pread(fd, text, size - 1, 0);
    if (n <= 0)
        return false;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return true;
}

void kernel_session_state(uint32_t sid, struct kernel_session_state *ret)
{
    _cleanup_close_ int fd = -1;
    kernel_session_state_again(sid, &fd, ret);
}

/* Opens it, for another session may have the number by now. */
static bool read_state_anew(uint32_t sid, int *fd, char *text, size_t size)
{
    closep(fd);
    *fd = open_state(sid);
    if (read_state(*fd, text, size))
        return true;
    closep(fd);
    *fd = -1;
    return false;
}

/* FREE: the recovery time has passed and the kernel fails the path's I/O. */
static enum lb_connection_status status_of_state(const char *text)
{
    if (strcmp(text, "LOGGED_IN") == 0)
        return LB_CONNECTED;
    return strcmp(text, "FAILED") == 0 ? LB_RECONNECTING : LB_DISCONNECTED;
}

void kernel_session_state_again(uint32_t sid, int *fd, struct kernel_session_state *ret)
{
    if (!read_state(*fd, ret->text, sizeof(ret->text)) &&
        !read_state_anew(sid, fd, ret->text, sizeof(ret->text))) {
        *ret = (struct kernel_session_state){.status = LB_DISCONNECTED};
        return;
    }
    ret->status = status_of_state(ret->text);
}

#define CONNECTION_FORMAT "/sys/class/iscsi_connection/connection%u:0/"

static int read_peer(uint32_t sid, char **ret_address, uint16_t *ret_port)
{
    _cleanup_free_ char *address = NULL, *port = NULL;
    int r = read_first_linef(&address, CONNECTION_FORMAT "address", sid);
    if (r < 0)
        return r;
    r = read_first_linef(&port, CONNECTION_FORMAT "port", sid);
    if (r < 0)
        return r;

    unsigned long number = strtoul(port, NULL, 10);
    if (number == 0 || number > UINT16_MAX || !value_is_set(address))
        return -ENOTCONN;
    *ret_address = TAKE_PTR(address);
    *ret_port = (uint16_t)number;
    return 0;
}

static int read_local_address(uint32_t sid, char **ret)
{
    char path[64];
    snprintf(path, sizeof(path), SESSION_CLASS "/session%u", sid);
    _cleanup_free_ char *device = NULL;
    int r = read_link(path, &device); /* "../../devices/..." */
    if (r < 0)
        return r;

    unsigned host;
    const char *p = strstr(device, "/host");
    if (!p || sscanf(p, "/host%u", &host) != 1)
        return -ENOENT;
    return read_first_linef(ret, "/sys/class/iscsi_host/host%u/ipaddress", host);
}

void kernel_session_ends_read(uint32_t sid, struct kernel_session_ends *ret)
{
    *ret = (struct kernel_session_ends){0};
    (void)read_local_address(sid, &ret->local);
    (void)read_peer(sid, &ret->peer, &ret->peer_port);
}

void kernel_session_ends_done(struct kernel_session_ends *ends)
{
    free(ends->local);
    free(ends->peer);
    *ends = (struct kernel_session_ends){0};
}

bool kernel_session_offloads(const struct kernel_session *session)
{
    static const char *const offloading[] = {"be2iscsi", "bnx2i", "cxgb3i",
                                             "cxgb4i",   "qedi",  "qla4xxx"};
    for (size_t i = 0; i < ELEMENTSOF(offloading); i++)
        if (strcmp(session->transport, offloading[i]) == 0)
            return true;
    return false;
}

void strings_free(char **strings)
{
    for (char **s = strings; s && *s; s++)
        free(*s);
    free(strings);
}

/* What goes meanwhile is no error; a directory that cannot be opened is not an empty one. */
static int on_glob_error(const char *path, int error)
{
    return error != ENOENT && error != ENOTDIR;
}

/* Last parts of the paths that match, in glob's order, which is ascending. */
static int matching_names(const char *pattern, char ***ret)
{
    _cleanup_(globfree) glob_t found = {0};
    int r = glob(pattern, 0, on_glob_error, &found);
    if (r == GLOB_NOSPACE || r == GLOB_ABORTED)
        return r == GLOB_NOSPACE ? -ENOMEM : -EIO;

    size_t n = r == 0 ? found.gl_pathc : 0;
    char **names = calloc(n + 1, sizeof(*names));
    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        names[i] = strdup(strrchr(found.gl_pathv[i], '/') + 1);
        if (!names[i]) {
            strings_free(names);
            return -ENOMEM;
        }
    }
    *ret = names;
    return 0;
}

int kernel_session_disks(uint32_t sid, char ***ret_names)
{
    char pattern[128];
    snprintf(pattern, sizeof(pattern), SESSION_CLASS "/session%u/device/target*/*:*/block/*", sid);
    return matching_names(pattern, ret_names);
}

static bool has_name(char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

/* To a NULL-terminated list, NULL for an empty one. */
static int add_name(char ***names, const char *name)
{
    size_t n = 0;

    while (*names && (*names)[n])
        n++;
    char **more = reallocarray(*names, n + 2, sizeof(*more));
    if (!more)
        return -ENOMEM;
    *names = more;
    more[n + 1] = NULL;
    more[n] = strdup(name);
    return more[n] ? 0 : -ENOMEM;
}

int kernel_disk_holders(const char *disk, char ***names)
{
    char path[NAME_MAX + sizeof("/sys/class/block//holders")];
    int r = 0;

    snprintf(path, sizeof(path), "/sys/class/block/%s/holders", disk);
    _cleanup_(closedirp) DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : -errno;
    for (struct dirent *entry; r >= 0 && (entry = readdir(dir));)
        if (strncmp(entry->d_name, "dm-", 3) == 0 && !has_name(*names, entry->d_name))
            r = add_name(names, entry->d_name);
    return r;
}

int kernel_session_tag(uint32_t sid, const char *guid_text)
{
    char path[64], event[96];
    snprintf(path, sizeof(path), SESSION_CLASS "/session%u/uevent", sid);
    snprintf(event, sizeof(event), "change %s " SESSION_TAG_MARK "=1", guid_text);
    return write_text(path, event);
}
