/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The network interface that has an address. */

#include "iscsi/address.h"

struct netdev {
    unsigned index;
    uint32_t mbits; /* link speed in Mbit/s, 0: none (the loopback interface, a bridge) */
    uint32_t mtu;   /* bytes, 0: unknown */
};

/*
 * What was read at one moment is read once for it: a number that the caller changes as time passes,
 * or 0, for which nothing is kept. -ENODEV: no interface has the address. Other errors as errno.
 */
int netdev_of_address(const struct ip_address *address, uint64_t moment, struct netdev *ret);
