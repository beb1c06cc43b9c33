/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What sysfs has of a connection, read once for an answer of many properties: its addresses, which
 * nothing announces, once for a moment, and its disks, which are announced, once until then
 * (service/model/freshness.h).
 */

#include "service/model/model.h"

/* Good until the next message or event. */
const struct kernel_session_ends *connection_read_ends(struct connection *connection);

/*
 * Names of its disks, NULL-terminated, ascending; good until the connection is looked at again.
 * `serial` is what freshness_session_serial() says now. Errors as kernel_session_disks() has them.
 */
int connection_read_disks(struct connection *connection, uint64_t serial, char ***ret);
