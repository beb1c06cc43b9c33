/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "basic/fileio.h"
#include "basic/macros.h"
#include "basic/netlink.h"
#include "iscsi/netdev.h"

DEFINE_CLEANUP(struct ifaddrs *, freeifaddrs);

static bool has_address(const struct ifaddrs *ifa, const struct ip_address *address)
{
    struct ip_address own;

    if (!ifa->ifa_addr)
        return false;
    if (ifa->ifa_addr->sa_family == AF_INET)
        ip_address_of_v4(&((const struct sockaddr_in *)ifa->ifa_addr)->sin_addr, &own);
    else if (ifa->ifa_addr->sa_family == AF_INET6)
        ip_address_of_v6(&((const struct sockaddr_in6 *)ifa->ifa_addr)->sin6_addr, &own);
    else
        return false;
    return ip_address_equal(&own, address);
}

/* -1 is what the kernel has for an unknown speed, and an error for an interface without one. */
static uint32_t netdev_read_number(const char *interface, const char *name)
{
    _cleanup_free_ char *text = NULL;

    if (read_first_linef(&text, "/sys/class/net/%s/%s", interface, name) < 0)
        return 0;
    long long number = strtoll(text, NULL, 10);
    return number > 0 && number <= UINT32_MAX ? (uint32_t)number : 0;
}

/*
 * The interfaces and their addresses, as they were listed last. The kernel announces each change of
 * them before whoever made it goes on: so what no message has come of since is still so.
 */
static struct ifaddrs *known;
static int monitor = -1;

/* Interfaces as they were read at this moment: speed and MTU are not all announced. */
#define READ_MAX 16U
static uint64_t now;
static struct {
    char name[IF_NAMESIZE];
    struct netdev netdev;
} read_now[READ_MAX];
static size_t n_read_now;

/* Takes all messages. An error, such as more of them than there was room for, is one too. */
static bool has_changed(void)
{
    bool any = false;
    ssize_t n;
    char byte;

    do {
        n = recv(monitor, &byte, sizeof(byte), 0);
        any = any || n >= 0 || errno != EAGAIN;
    } while (n >= 0 || errno == ENOBUFS || errno == EINTR);
    return any;
}

static int refresh(uint64_t moment)
{
    bool was_listening = monitor >= 0;

    if (known && moment && moment == now)
        return 0;
    now = 0;
    n_read_now = 0;

    /* Before the list is read, so that no change falls between. Without it nothing is kept. */
    if (!was_listening)
        monitor =
            netlink_listen(NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
    if (!known || !was_listening || has_changed()) {
        freeifaddrsp(&known);
        known = NULL;
        if (getifaddrs(&known) < 0)
            return -errno;
    }
    now = moment;
    return 0;
}

static void read_netdev(const char *name, struct netdev *ret)
{
    for (size_t i = 0; i < n_read_now; i++)
        if (strcmp(read_now[i].name, name) == 0) {
            *ret = read_now[i].netdev;
            return;
        }
    *ret = (struct netdev){
        .index = if_nametoindex(name),
        .mbits = netdev_read_number(name, "speed"),
        .mtu = netdev_read_number(name, "mtu"),
    };
    if (!now || n_read_now == READ_MAX || strlen(name) >= IF_NAMESIZE)
        return;
    memcpy(read_now[n_read_now].name, name, strlen(name) + 1);
    read_now[n_read_now++].netdev = *ret;
}

int netdev_of_address(const struct ip_address *address, uint64_t moment, struct netdev *ret)
{
    int r = refresh(moment);
    if (r < 0)
        return r;
    for (const struct ifaddrs *ifa = known; ifa; ifa = ifa->ifa_next) {
        if (!has_address(ifa, address))
            continue;
        read_netdev(ifa->ifa_name, ret);
        return 0;
    }
    return -ENODEV;
}
