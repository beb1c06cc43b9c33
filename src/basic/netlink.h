/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* A socket that does not block, with what the kernel announces to these groups. -1: none. */
int netlink_listen(int protocol, uint32_t groups);

/* How many messages a socket had no room for since it was made, modulo 2^32. Negative errno. */
int netlink_dropped(int fd, uint32_t *ret);
