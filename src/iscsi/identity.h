/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Stable numbers for what has none on Linux: the first 8 bytes, big-endian, of SHA-256 over a
 * kind and the parts that name the thing, joined by NUL bytes. An agent can compute them.
 */

#include <stdint.h>

uint64_t adapter_id(const char *initiator);

uint64_t session_id(const char *initiator, const char *target);

/*
 * `rank` is 0, or, where several sessions share all other parts, the place by kernel session id,
 * from 1.
 */
uint64_t connection_id(const char *initiator, const char *target, const char *iface,
                       const char *address, uint16_t port, unsigned rank);

/*
 * DsmPathId of a path that is not iSCSI's, from udev's ID_PATH of its disk, such as
 * "pci-0000:05:00.0-fc-0x5006016846e010c1-lun-0". The LUN at its end does not count: all disks
 * through one port have the same one. (An iSCSI path's is its connection's number.)
 */
uint64_t path_id(const char *id_path);
