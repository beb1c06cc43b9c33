/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What policy a session has, read from the live tables (MSiSCSI_QueryLBPolicy, Session). */

#include <stddef.h>
#include <stdint.h>

#include "service/host.h"
#include "wmi/policy.h"

/* ISCSI_Supported_LB_Policies of one session: a path for each connection, ascending by ID. */
struct lb_answer {
    uint32_t policy;
    struct lb_path *paths;
    size_t n_paths;
};

/*
 * The policy that was chosen while every map means it, otherwise the one that the tables amount
 * to; 6 where that is none, or there is no map.
 */
int lb_query(const struct session *session, struct lb_answer *ret);
void lb_answer_done(struct lb_answer *answer);
