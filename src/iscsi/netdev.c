/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "basic/fileio.h"
#include "basic/macros.h"
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
static uint32_t read_number(const char *interface, const char *name)
{
    _cleanup_free_ char *text = NULL;

    if (read_first_linef(&text, "/sys/class/net/%s/%s", interface, name) < 0)
        return 0;
    long long number = strtoll(text, NULL, 10);
    return number > 0 && number <= UINT32_MAX ? (uint32_t)number : 0;
}

int netdev_of_address(const struct ip_address *address, struct netdev *ret)
{
    _cleanup_(freeifaddrsp) struct ifaddrs *list = NULL;

    if (getifaddrs(&list) < 0)
        return -errno;
    for (const struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next) {
        if (!has_address(ifa, address))
            continue;
        *ret = (struct netdev){
            .index = if_nametoindex(ifa->ifa_name),
            .mbits = read_number(ifa->ifa_name, "speed"),
            .mtu = read_number(ifa->ifa_name, "mtu"),
        };
        return 0;
    }
    return -ENODEV;
}
