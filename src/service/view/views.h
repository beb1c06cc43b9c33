/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a session's policy looks like from outside. */

#include "service/model/model.h"

/* As the model has it, which follows events; nothing is read from the kernel. */
void views_read(const struct session *session, struct session_view *ret);

/* Likewise, for a client, who will hear of what has changed by then, be it back to what was told.
 */
void views_show(struct session *session, struct session_view *ret);

/* The first observer: tells the others what of a session differs from what clients know. */
void views_follow(struct host *host);
