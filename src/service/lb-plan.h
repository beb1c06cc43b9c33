/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The table that a map must have under the policies in force (plan/plan.h on the host's model). */

#include <stdbool.h>

#include "service/host.h"
#include "service/map-look.h"

/* Whether the policy of a session counts for its maps. */
static inline bool session_has_policy(const struct session *session)
{
    return session->policy && !session->given_up;
}

/*
 * Plans the table of a map under all policies in force. -ENODATA: none concerns the map, it is the
 * host's own.
 */
int lb_plan(const struct map_look *look, struct mp_table **ret);

/*
 * The same with `policy`, not in force yet, standing in for the one of `session`. -EOPNOTSUPP: the
 * array's access states forbid to choose it.
 */
int lb_plan_choice(const struct map_look *look, const struct session *session,
                   const struct store_policy *policy, struct mp_table **ret);

/* Whether the live table means the policies in force. */
bool lb_agrees(const struct map_look *look);
