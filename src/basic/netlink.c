/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include "basic/macros.h"
#include "basic/netlink.h"

int netlink_listen(int protocol, uint32_t groups)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -1;
    return TAKE_FD(fd);
}

int netlink_dropped(int fd, uint32_t *ret)
{
    uint32_t numbers[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof(numbers);

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, numbers, &size) < 0)
        return -errno;
    *ret = numbers[SK_MEMINFO_DROPS];
    return 0;
}
