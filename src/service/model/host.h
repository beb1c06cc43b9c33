/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The model's adapters, sessions and connections: where they come from, where they go. */

#include "service/model/model.h"

/* Whether the policy of a session counts for its maps. */
static inline bool session_has_policy(const struct session *session)
{
    return session->policy && session->hold != SESSION_CLEAR;
}

/* Whether one of them has one. */
bool host_has_session_policy(const struct host *host);

/* Whether a session with a policy is not logged in. */
bool host_awaits_login(const struct host *host);

void lb_answer_free(struct lb_answer *answer);

/* A model that knows nothing yet but the host's own initiator name. */
int host_new(sd_event *event, struct store *store, struct host **ret);
struct host *
host_free(struct host *host); /* NULL; its maps are freed before (service/model/maps.h) */

/* The host's own adapter, and the sessions that have a policy in the store. */
int host_load_policies(struct host *host);

/* The kernel's sessions; one that cannot be read is left out, with a warning. */
int host_load_sessions(struct host *host);

/* Why multipathd could not be told last, one sentence; NULL: it could. */
static inline const char *host_mpathd_error(const struct host *host)
{
    return host->sync_status.error[0] ? host->sync_status.error : NULL;
}

/* Why this multipathd is not asked to read its configuration, one clause; NULL: it is. */
static inline const char *host_mpathd_deferred(const struct host *host)
{
    return host->sync_status.deferred
               ? "this release reloads every map when it reconfigures, and will read the policy "
                 "when it starts."
               : NULL;
}

/*
 * A kernel session may have come, changed or gone: looks at that one. One that cannot be read, or
 * whose adapter's GUID cannot be, is looked at again with those below.
 */
int host_refresh_sid(struct host *host, uint32_t sid);

/*
 * Looks once more at those that have not said who they are, but for the ones that are known under
 * that number: sessions can come here, none goes.
 */
void host_refresh_unidentified(struct host *host);

/*
 * The host's own name, empty: it has none. 1: it is another one than before, by which records are
 * to be taken once more. 0: it is the same. -ENOMEM.
 */
int host_set_initiator(struct host *host, const char *name);

/* Adapters and ports from iface records. */
int host_take_records(struct host *host, const struct iscsi_records *records);

/* Reads the GUID of an adapter and the tags of its connections from the store again. */
int host_reload_guid(struct host *host, struct adapter *adapter);

/* Drops a session that has neither a connection nor a policy. */
void host_drop_if_empty(struct host *host, struct session *session);

/* The initiator name that a record's empty name stands for, or the name itself. */
const char *host_initiator(const struct host *host, const char *name);
