/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "basic/macros.h"
#include "basic/netlink.h"
#include "service/model/freshness.h"
#include "service/model/model.h"

#define KERNEL_GROUP 1U /* udev's own messages are in another */
#define EVENT_MAX 512U  /* of its text, "change@/devices/virtual/block/dm-3" is the beginning */

void freshness_begin(struct host *host)
{
    host->serial = host->topology = host->session_serial = 1;
    host->uevent_fd = netlink_listen(NETLINK_KOBJECT_UEVENT, KERNEL_GROUP);
}

void freshness_end(struct host *host)
{
    closep(&host->uevent_fd);
    host->uevent_fd = -1;
}

void freshness_model_changed(struct host *host)
{
    host->serial++;
}

/* A session's disks have their place below it. */
static void take_event(struct host *host, const char *event)
{
    bool of_session = strstr(event, "/session");
    unsigned minor;

    if (!of_session && !strstr(event, "/block/"))
        return;
    host->serial++;
    host->session_serial += of_session;
    if (sscanf(event, "change@/devices/virtual/block/dm-%u", &minor) == 1)
        host->tables[host->n_tables++ % FRESHNESS_TABLES] = minor;
    else
        host->topology++;
}

static void take_error(struct host *host)
{
    host->serial++;
    host->session_serial++;
    host->topology++;
}

/* An error, such as more events than there was room for, may stand for any of them. */
static void take_events(struct host *host)
{
    char text[EVENT_MAX];
    ssize_t n;

    do {
        n = recv(host->uevent_fd, text, sizeof(text) - 1, 0);
        if (n >= 0) {
            text[n] = '\0';
            take_event(host, text);
        } else if (errno != EAGAIN)
            take_error(host);
    } while (n >= 0 || errno == ENOBUFS || errno == EINTR);
}

uint64_t freshness_serial(struct host *host)
{
    if (host->uevent_fd < 0)
        return 0;
    take_events(host);
    return host->serial;
}

void freshness_mark(struct host *host, struct freshness_mark *ret)
{
    bool known = freshness_serial(host) != 0;

    *ret = (struct freshness_mark){
        .topology = known ? host->topology : 0,
        .n_tables = host->n_tables,
    };
}

static bool has_minor(const dev_t *devices, size_t n, unsigned number)
{
    for (size_t i = 0; i < n; i++)
        if (minor(devices[i]) == number)
            return true;
    return false;
}

bool freshness_holds(struct host *host, struct freshness_mark *mark, const dev_t *devices, size_t n)
{
    struct freshness_mark now;

    freshness_mark(host, &now);
    if (!mark->topology || mark->topology != now.topology ||
        now.n_tables - mark->n_tables > FRESHNESS_TABLES)
        return false;
    for (; mark->n_tables < now.n_tables; mark->n_tables++)
        if (!has_minor(devices, n, host->tables[mark->n_tables % FRESHNESS_TABLES]))
            return false;
    return true;
}

uint64_t freshness_session_serial(struct host *host)
{
    return freshness_serial(host) ? host->session_serial : 0;
}

uint64_t freshness_moment(const struct host *host)
{
    return host->moment;
}

void freshness_next_moment(struct host *host)
{
    host->moment++;
}
