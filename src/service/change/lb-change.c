/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "plan/plan.h"
#include "service/base/bounds.h"
#include "service/change/lb-change.h"
#include "service/model/find.h"
#include "service/model/freshness.h"
#include "service/model/host.h"
#include "service/model/map-snapshot.h"
#include "service/model/session-maps.h"
#include "service/multipathd/map-entry.h"
#include "service/reconcile/gone.h"
#include "service/reconcile/reconcile.h"
#include "service/tables/lb-plan.h"
#include "wmi/status.h"

DEFINE_CLEANUP(struct store_policy *, store_policy_free);

static int lb_change_read_maps(const struct change *change, struct session_maps *ret)
{
    return session_maps_read(change->session, ret);
}

static int lb_change_read_map(const struct change *change, dev_t dev, struct map_snapshot *ret)
{
    return session_map_read(change->session, dev, ret);
}

/* The choice, else what policies of other sessions want. */
static int lb_change_plan(const struct change *change, const struct map_snapshot *snapshot,
                          struct mp_table **ret, bool *ret_manual_failback)
{
    return change->choice
               ? lb_plan_choice(snapshot, change->session, change->choice, ret, ret_manual_failback)
               : lb_plan(snapshot, ret);
}

static void lb_change_drop_entry(struct host_map *map, void *userdata)
{
    bool *dropped = userdata;

    *dropped = map_entry_drop(map) || *dropped;
}

static bool lb_change_withdraw(const struct change *change)
{
    bool dropped = false;

    if (!change->session->policy)
        return false;
    reconcile_entries(change->host, change->session);
    gone_each_entry(change->session, lb_change_drop_entry, &dropped);
    return dropped || change_has_live_map(change);
}

/* The tables carry the policy already: a store that fails does not undo it. */
static uint32_t lb_change_save(struct change *change, const struct map_change *maps, size_t n_maps)
{
    struct host *host = change->host;
    struct session *session = change->session;
    struct store_policy *chosen = change->choice;
    int r = chosen ? store_put_policy(host->store, chosen)
                   : store_remove_policy(host->store, session->initiator, session->target);

    if (r < 0) {
        log_error("The policy of %s is live but cannot be saved: %s.", session->target,
                  strerror(-r));
        if (chosen)
            chosen->unsaved = true;
    }
    /* The store's own does not do: it numbers none that it did not take. */
    if (chosen)
        chosen->serial = (uint64_t)INT64_MAX + ++host->n_chosen;

    store_policy_free(session->policy);
    session->policy = TAKE_PTR(change->choice);
    change->is_in_force = true;
    for (size_t i = 0; i < session->n_maps; i++)
        map_state_reset(&session->maps[i]->state);
    freshness_model_changed(host);
    return r < 0 ? ISDSC_FAILURE_TO_PERSIST_LB_POLICY : STATUS_SUCCESS;
}

static void lb_change_take_back(const struct change *change)
{
    reconcile_entries(change->host, change->session);
}

static void lb_change_reconcile(const struct change *change)
{
    reconcile_changed(change->host, change->session);
    if (change->is_in_force)
        gone_session_changed(change->session);
    host_drop_if_empty(change->host, change->session);
}

static void lb_change_free_choice(void *choice)
{
    store_policy_free(choice);
}

static const struct change_calls lb_change_calls = {
    .statuses =
        {
            .unsupported = ISDSC_LB_POLICY_NOT_SUPPORTED,
            .no_resources = ISDSC_OUT_OF_RESOURCES,
            .busy = ISDSC_SESSION_BUSY,
            .failed = ISDSC_INITIATOR_ERROR,
            .torn = ISDSC_OPERATION_NOT_ALL_SUCCESS,
        },
    .read_maps = lb_change_read_maps,
    .read_map = lb_change_read_map,
    .plan = lb_change_plan,
    .withdraw = lb_change_withdraw,
    .save = lb_change_save,
    .take_back = lb_change_take_back,
    .reconcile = lb_change_reconcile,
    .free_choice = lb_change_free_choice,
};

static uint32_t lb_change_status(int r)
{
    return change_status(&lb_change_calls.statuses, r);
}

/* The policy as it is kept: only what the policy uses (Windows' sample stores no more). */
static int lb_change_choose(const struct host *host, const struct session *session,
                            const struct lb_request *request, struct store_policy **ret)
{
    _cleanup_(store_policy_freep) struct store_policy *policy = calloc(1, sizeof(*policy));
    if (!policy)
        return -ENOMEM;
    policy->initiator = strdup(session->initiator);
    policy->target = strdup(session->target);
    policy->policy = (enum lb_policy)request->policy;
    policy->highest_first = host->highest_first;
    policy->paths = calloc(request->path_count, sizeof(*policy->paths));
    if (!policy->initiator || !policy->target || !policy->paths)
        return -ENOMEM;

    for (uint32_t i = 0; i < request->path_count; i++) {
        const struct lb_path *path = &request->paths[i];
        const struct connection *connection = session_connection(session, path->connection_id);
        struct store_path *to = &policy->paths[policy->n_paths++];
        *to = (struct store_path){
            .connection_id = path->connection_id,
            .iface = strdup(connection->kernel->iface),
            .address = strdup(connection->kernel->address),
            .port = connection->kernel->port,
            .weight = policy->policy == LB_WEIGHTED_PATHS ? path->weight : 0,
            .primary = policy->policy >= LB_DYN_LEAST_QUEUE_DEPTH || path->primary != 0,
        };
        if (!to->iface || !to->address)
            return -ENOMEM;
    }
    *ret = TAKE_PTR(policy);
    return 0;
}

static size_t lb_change_count_others(const struct host *host, const struct session *session)
{
    size_t n = 0;

    for (size_t i = 0; i < host->n_sessions; i++)
        n += host->sessions[i] != session && host->sessions[i]->policy;
    return n;
}

static bool lb_change_is_within_bounds(const struct lb_request *request,
                                       const struct session *session)
{
    return request->policy == LB_VENDOR_SPECIFIC ||
           bounds_allow_session(session->n_connections,
                                lb_change_count_others(session->host, session));
}

/*
 * Rows 1 to 11. What costs a look at the host is looked at only when the rest has passed, bounds
 * included.
 */
static uint32_t lb_change_check(const struct lb_request *request, struct session *session)
{
    struct lb_session facts = {.known = session, .any_up = true, .has_map = true};
    _cleanup_free_ uint64_t *ids = NULL;

    if (session) {
        ids = calloc(session->n_connections + 1, sizeof(*ids));
        if (!ids)
            return ISDSC_OUT_OF_RESOURCES;
        for (size_t i = 0; i < session->n_connections; i++)
            ids[i] = session->connections[i]->id;
        facts.connections = ids;
        facts.n_connections = session->n_connections;
        facts.busy = session->hold != SESSION_FREE;
        facts.has_policy = session->policy;
    }
    uint32_t status = lb_check(request, &facts);
    if (status != STATUS_SUCCESS)
        return status;
    if (!lb_change_is_within_bounds(request, session))
        return ISDSC_OUT_OF_RESOURCES;

    facts.any_up = false;
    for (size_t i = 0; i < session->n_connections && !facts.any_up; i++) {
        struct kernel_session_state state;
        kernel_session_state(session->connections[i]->kernel->sid, &state);
        facts.any_up = state.status == LB_CONNECTED;
    }
    int r = session_has_map(session, &facts.has_map);
    if (r < 0)
        return lb_change_status(r);
    return lb_check(request, &facts);
}

/* lb_check()'s rows 1 to 13, but for the array's part of 12. */
static uint32_t lb_change_prepare(struct host *host, const struct lb_request *request,
                                  struct session *session, struct store_policy **ret_chosen)
{
    uint32_t status = lb_change_check(request, session);
    if (status != STATUS_SUCCESS || request->policy == LB_VENDOR_SPECIFIC)
        return status;
    if (!dm_selector_available(plan_selector((enum lb_policy)request->policy)))
        return ISDSC_LB_POLICY_NOT_SUPPORTED;
    return lb_change_status(lb_change_choose(host, session, request, ret_chosen));
}

void lb_change(struct host *host, const struct adapter *adapter, const struct lb_request *request,
               const struct requester *who, change_done_t done, void *userdata)
{
    _cleanup_(store_policy_freep) struct store_policy *chosen = NULL;
    struct change_request about = {
        .who = *who,
        .policy = request->policy,
        .policy_name = lb_policy_name(request->policy),
    };

    snprintf(about.subject, sizeof(about.subject), "session %016" PRIx64, request->session_id);
    struct session *session = host_session(host, request->session_id);
    if (session && session->adapter_id != adapter->id)
        session = NULL;

    uint32_t status = lb_change_prepare(host, request, session, &chosen);
    if (status == STATUS_SUCCESS) {
        const struct change change = {
            .calls = &lb_change_calls,
            .host = host,
            .session = session,
            .choice = chosen,
            .request = about,
            .done = done,
            .userdata = userdata,
        };
        int r = change_start(&change);
        if (r >= 0) {
            (void)TAKE_PTR(chosen);
            return;
        }
        status = lb_change_status(r);
    }
    change_log(&about, NULL, 0, status);
    done(status, userdata);
}
