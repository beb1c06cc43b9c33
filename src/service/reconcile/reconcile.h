/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A policy that holds: maps that an event concerns are looked at, and those that
 * do not mean the policies in force get their tables again. What a map came to be is kept in the
 * model and told to clients and to multipathd (service/multipathd/mpathd-sync.h).
 */

#include "service/model/model.h"

/* Notes events, and looks at nothing yet. */
int reconciler_new(struct host *host);
void reconciler_free(struct host *host);

/*
 * Looks at every map over the host's iSCSI disks, and from here on at those that events concern.
 * sysfs is searched for them, disk by disk: the service can say that it is ready before, but is
 * not to answer anybody until this is done.
 */
void reconcile_begin(struct host *host);

/* Something happened to a dm device; it may be gone, or be none of ours. */
void reconcile_device(struct host *host, dev_t dev);

/* A change has read it, maybe before udev told of it: should it not be known, looks at it now. */
void reconcile_found(struct host *host, const struct dm_map *found);

/* A session's paths have come, gone, or changed: looks at its maps. */
void reconcile_session(struct host *host, struct session *session);

/*
 * The array has changed access states, or may: the kernel asks for them a moment after it says so,
 * and is silent when it has. Looks at the session's maps several times, further and further apart.
 */
void reconcile_access(struct host *host, struct session *session);

/* Events were lost, of any kind: looks at the maps of all sessions, and at all that are known. */
void reconcile_everything(struct host *host);

/* A request has changed the session's maps, or has failed to: looks at them now. */
void reconcile_changed(struct host *host, struct session *session);

/* The entries of the session's maps follow its policy, nothing else happens. */
void reconcile_entries(struct host *host, struct session *session);

/* A request has changed one map, with its disk's policy; the map may be gone after this. */
void reconcile_map_changed(struct host_map *map);

/* The same for one that changes: its entry follows its policies. */
void reconcile_map_entry(struct host_map *map);

/* multipathd's configuration has changed: what was contested is tried once more. */
void reconcile_configuration(struct host *host);

/* Calls func as soon as none of the session's maps is being reapplied, maybe at once. */
int reconcile_when_idle(struct host *host, uint64_t session_id, void (*func)(void *userdata),
                        void *userdata);

/* The same for one map. */
int reconcile_when_map_idle(struct host_map *map, void (*func)(void *userdata), void *userdata);

/* Whether a map is being reapplied. */
bool reconcile_is_running(const struct host *host);
