/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>

#include "basic/macros.h"
#include "service/jobs/ping-socket.h"

/* A raw socket sees all of the host's ICMP: keep what is no echo reply out of its queue. */
static int ping_socket_filter_replies(int fd, int family)
{
    if (family == AF_INET) {
        struct icmp_filter filter = {.data = ~(1U << ICMP_ECHOREPLY)};
        return setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter));
    }
    struct icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
}

static int ping_socket_make(int family, bool *ret_raw)
{
    const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    int protocol = family == AF_INET6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP;

    *ret_raw = false;
    int fd = socket(family, SOCK_DGRAM | flags, protocol);
    if (fd >= 0 || errno != EACCES)
        return fd;
    *ret_raw = true;
    return socket(family, SOCK_RAW | flags, protocol);
}

int ping_socket_open(const struct sockaddr_storage *address, int *ret_fd, bool *ret_raw)
{
    bool raw;
    socklen_t size =
        address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

    _cleanup_close_ int fd = ping_socket_make(address->ss_family, &raw);
    if (fd < 0)
        return -errno;
    if (raw && ping_socket_filter_replies(fd, address->ss_family) < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)address, size) < 0)
        return -errno;
    *ret_raw = raw;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int ping_socket_send(int fd, const void *packet, size_t size)
{
    return send(fd, packet, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

ssize_t ping_socket_receive(int fd, void *packet, size_t size, struct sockaddr_storage *ret_from)
{
    socklen_t from_size = sizeof(*ret_from);
    ssize_t n = recvfrom(fd, packet, size, MSG_TRUNC, (struct sockaddr *)ret_from, &from_size);
    return n < 0 ? -errno : n;
}
