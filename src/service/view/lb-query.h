/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What policy a session has, read from the live tables (MSiSCSI_QueryLBPolicy, Session). */

#include <stddef.h>
#include <stdint.h>

#include "service/model/model.h"
#include "wmi/policy.h"

/*
 * The policy that was chosen while every map means it, otherwise the one that the tables amount
 * to; 6 where that is none, or there is no map. `serial` is what freshness_serial() says now. The
 * states of the connections are read each time; what else the kernel does not announce, access
 * states of disks and speeds of network interfaces, after a second. The answer is the session's,
 * good until the main loop goes on.
 */
int lb_query(struct session *session, uint64_t serial, const struct lb_answer **ret);
