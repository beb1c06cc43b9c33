/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "basic/macros.h"
#include "basic/netlink.h"
#include "service/host.h"
#include "service/news.h"

#define KERNEL_GROUP 1U /* udev's own messages are in another */
#define EVENT_MAX 512U  /* of its text, "change@/devices/virtual/block/dm-3" is the beginning */

void news_begin(struct host *host)
{
    host->serial = 1;
    host->news_fd = netlink_listen(NETLINK_KOBJECT_UEVENT, KERNEL_GROUP);
}

void news_end(struct host *host)
{
    closep(&host->news_fd);
    host->news_fd = -1;
}

void news_of_model(struct host *host)
{
    host->serial++;
}

static bool concerns_us(const char *event)
{
    return strstr(event, "/block/") || strstr(event, "/session");
}

/* An error, such as more events than there was room for, may stand for any of them. */
static void take_events(struct host *host)
{
    char text[EVENT_MAX];
    ssize_t n;

    do {
        n = recv(host->news_fd, text, sizeof(text) - 1, 0);
        if (n >= 0)
            text[n] = '\0';
        if (n < 0 ? errno != EAGAIN : concerns_us(text))
            host->serial++;
    } while (n >= 0 || errno == ENOBUFS || errno == EINTR);
}

uint64_t news_serial(struct host *host)
{
    if (host->news_fd < 0)
        return 0;
    take_events(host);
    return host->serial;
}
