/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "basic/macros.h"
#include "service/host.h"
#include "service/news.h"

#define KERNEL_GROUP 1U /* udev's own messages are in another */
#define EVENT_MAX 512U  /* of its text, "change@/devices/virtual/block/dm-3" is the beginning */

static int open_socket(void)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};
    _cleanup_close_ int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -1;
    return TAKE_FD(fd);
}

void news_begin(struct host *host)
{
    host->serial = 1;
    host->news_fd = open_socket();
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
