/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The calls of a socket for ICMP echo: what goes through it is wmi/ping.h's. Never blocks. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/*
 * A socket that sends to one address: the datagram kind, which net.ipv4.ping_group_range may
 * forbid; then a raw one, which wants CAP_NET_RAW. -EACCES or -EPERM: neither may be had. Other
 * errors of connect(2): there is no route (-ENETUNREACH, -EHOSTUNREACH, -EINVAL, ...).
 */
int ping_socket_open(const struct sockaddr_storage *address, int *ret_fd, bool *ret_raw);

/* Negative errno where the packet did not go out. */
int ping_socket_send(int fd, const void *packet, size_t size);

/*
 * The next packet that has come, and its sender: its size. -EAGAIN: none; other errors are what
 * an ICMP error has made of one of the requests, once.
 */
ssize_t ping_socket_receive(int fd, void *packet, size_t size, struct sockaddr_storage *ret_from);
