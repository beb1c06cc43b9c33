/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Maps that have gone, and may return: a path that is lost takes the map of a disk with it for a
 * while, a reboot takes all, and a volume that is detached goes for good. What is kept for its
 * return is its entry, where a session's policy counts for it, and a default policy that it was
 * given: for GONE_USEC, and of no more than GONE_MAX maps that go while the service runs. Those of
 * an earlier run have gone when the service begins; while a session with a policy has not logged
 * in, they may be its, and GONE_MAX of them are kept longer, up to GONE_LOGIN_TERMS times as long
 * in all. A policy that was chosen for the disk waits for ever, its entry too.
 */

#include "service/model/maps.h"

#define GONE_USEC (10U * 60U * UINT64_C(1000000))
#define GONE_MAX 64U
#define GONE_LOGIN_TERMS 6U /* an hour */
#define GONE_AT_A_TIME 16U  /* that are forgotten where one more goes than that */

int gone_new(struct host *host);
void gone_free(struct host *host);

/* The map has just gone; what was kept for another one, which went earlier, may be dropped. */
void gone_add(struct host_map *map);

/*
 * The session's maps that are gone and have an entry that its policy can have a part in. Any of an
 * earlier run that has not come may be the session's.
 */
void gone_each_entry(const struct session *session,
                     void (*func)(struct host_map *map, void *userdata), void *userdata);

/*
 * A policy of that session has come into force, or counts no more: these entries are of the one
 * before. They go, and multipathd builds what returns its own way, as any new map.
 */
void gone_session_changed(const struct session *session);
