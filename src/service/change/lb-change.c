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
#include "service/model/maps.h"
#include "service/model/news.h"
#include "service/model/session-maps.h"
#include "service/multipathd/publish.h"
#include "service/reconcile/reconcile.h"
#include "service/tables/lb-plan.h"
#include "service/tables/map-change.h"
#include "service/tables/transaction.h"
#include "service/tables/unfinished.h"
#include "wmi/status.h"

/* A request that has passed its checks, until it is answered. */
struct change {
    struct host *host;
    uint64_t session_id;
    uint32_t policy;
    struct store_policy *chosen; /* NULL for policy 6 */
    struct requester who;
    lb_change_done_t done;
    void *userdata;
};

static void change_free(struct change *change)
{
    if (!change)
        return;
    store_policy_free(change->chosen);
    free(change);
}

DEFINE_CLEANUP(struct change *, change_free);
DEFINE_CLEANUP(struct store_policy *, store_policy_free);

/* "mpatha, mpathb and 30 more" */
static void describe_maps(const struct map_change *maps, size_t n, char *text, size_t size)
{
    size_t length = 0;

    snprintf(text, size, "none");
    for (size_t i = 0; i < n; i++) {
        const char *name = maps[i].before->name;
        if (length + strlen(name) + 32 > size) {
            snprintf(text + length, size - length, " and %zu more", n - i);
            return;
        }
        length += (size_t)snprintf(text + length, size - length, "%s%s", i ? ", " : "", name);
    }
}

/* The one line of a request. */
static void log_result(const struct requester *who, uint64_t session_id, uint32_t policy,
                       const struct map_change *maps, size_t n_maps, uint32_t status)
{
    char names[512];

    describe_maps(maps, n_maps, names, sizeof(names));
    log_line(status == STATUS_SUCCESS ? LOG_NOTICE : LOG_WARNING,
             "Policy %" PRIu32 " (%s) for session %016" PRIx64 ", asked by %s (uid %u, pid %d); "
             "maps: %s; result: %s",
             policy, lb_policy_name(policy) ?: "unknown", session_id, who->name,
             (unsigned)who->uid, (int)who->pid, names, status_symbol(status));
}

/* The tables carry the policy already: a store that fails does not undo it. */
static uint32_t save(struct change *change, struct session *session)
{
    struct store *store = change->host->store;
    int r = change->chosen ? store_put_policy(store, change->chosen)
                           : store_remove_policy(store, session->initiator, session->target);
    if (r < 0) {
        log_error("The policy of %s is live but cannot be saved: %s.", session->target,
                  strerror(-r));
        if (change->chosen)
            change->chosen->serial = (uint64_t)INT64_MAX + ++change->host->n_unsaved;
    }

    store_policy_free(session->policy);
    session->policy = TAKE_PTR(change->chosen);
    news_of_model(change->host);
    return r < 0 ? ISDSC_FAILURE_TO_PERSIST_LB_POLICY : STATUS_SUCCESS;
}

static uint32_t status_of_result(enum transaction_result result)
{
    switch (result) {
    case TRANSACTION_DONE:
        return STATUS_SUCCESS;
    case TRANSACTION_NO_RESOURCES:
        return ISDSC_OUT_OF_RESOURCES;
    case TRANSACTION_TORN:
        return ISDSC_OPERATION_NOT_ALL_SUCCESS;
    default:
        return ISDSC_INITIATOR_ERROR;
    }
}

static uint32_t status_of_errno(int r)
{
    if (r >= 0)
        return STATUS_SUCCESS;
    return r == -EOPNOTSUPP ? ISDSC_LB_POLICY_NOT_SUPPORTED
           : r == -ENOMEM   ? ISDSC_OUT_OF_RESOURCES
                            : ISDSC_INITIATOR_ERROR;
}

/* The end of a request: the answer, and then what follows from it. */
static void finish(struct change *change, struct session *session, const struct map_change *maps,
                   size_t n_maps, uint32_t status)
{
    struct host *host = change->host;

    log_result(&change->who, change->session_id, change->policy, maps, n_maps, status);
    session->busy = false;
    session->given_up = false;
    news_of_model(host);
    host->n_changes--;
    change->done(status, change->userdata);
    reconcile_changed(host, session);
    host_drop_if_empty(host, session);
}

static void on_transaction_done(enum transaction_result result, const struct map_change *maps,
                                size_t n_maps, void *userdata)
{
    _cleanup_(change_freep) struct change *change = userdata;
    struct session *session = host_session(change->host, change->session_id);
    uint32_t status = status_of_result(result);

    if (status == STATUS_SUCCESS)
        status = save(change, session);
    else
        map_changes_log(maps, n_maps);
    unfinished_end(change->host, result, maps, n_maps);
    finish(change, session, maps, n_maps, status);
}

/* What a map is to carry: the choice, else what policies of other sessions want, else its own. */
static int plan_one(const struct change *change, const struct map_look *look,
                    struct mp_table **ret)
{
    const struct session *session = host_session(change->host, change->session_id);
    int r = change->chosen ? lb_plan_choice(look, session, change->chosen, ret)
                           : lb_plan(look, ret);
    if (r != -ENODATA)
        return r;
    *ret = NULL;
    return 0;
}

static int on_stale_map(struct map_change *map, void *userdata)
{
    const struct change *change = userdata;
    _cleanup_(map_look_done) struct map_look look = {0};
    struct mp_table *after = NULL;

    int r = session_map_read(host_session(change->host, change->session_id), map->before->dev,
                             &look);
    if (r >= 0)
        r = plan_one(change, &look, &after);
    if (r < 0)
        return r;
    map_change_init(change->host, map, TAKE_PTR(look.map), after);
    return 0;
}

static int plan_all(const struct change *change, struct map_change **ret, size_t *ret_n)
{
    _cleanup_(session_maps_done) struct session_maps looks = {0};

    int r = session_maps_read(host_session(change->host, change->session_id), &looks);
    if (r < 0)
        return r;
    struct map_change *maps = calloc(looks.n + 1, sizeof(*maps));
    if (!maps)
        return -ENOMEM;
    for (size_t i = 0; i < looks.n; i++) {
        struct mp_table *after = NULL;
        r = plan_one(change, &looks.looks[i], &after);
        if (r < 0) {
            map_changes_free(maps, i);
            return r;
        }
        map_change_init(change->host, &maps[i], TAKE_PTR(looks.looks[i].map), after);
    }
    *ret = maps;
    *ret_n = looks.n;
    return 0;
}

static const struct transaction_calls calls = {
    .replan = on_stale_map,
    .done = on_transaction_done,
};

/* Nobody else changes the maps now, and multipathd knows what it has to: on to the end. */
static void change_maps(struct change *change)
{
    struct session *session = host_session(change->host, change->session_id);
    struct map_change *maps = NULL;
    size_t n_maps = 0;

    int r = plan_all(change, &maps, &n_maps);
    if (r >= 0) {
        if (change->chosen)
            unfinished_note(change->host, maps, n_maps);
        r = transaction_start(change->host->event, maps, n_maps, &calls, change);
        if (r >= 0)
            return;
        unfinished_end(change->host, TRANSACTION_NO_RESOURCES, maps, n_maps);
        map_changes_free(maps, n_maps);
    }
    finish(change, session, NULL, 0, status_of_errno(r));
    change_free(change);
}

static void on_published(int r, void *userdata)
{
    struct change *change = userdata;

    if (r >= 0) {
        change_maps(change);
        return;
    }
    log_warning("The maps cannot be given back: %s", host_mpathd_error(change->host) ?: strerror(-r));
    finish(change, host_session(change->host, change->session_id), NULL, 0,
           ISDSC_INITIATOR_ERROR);
    change_free(change);
}

static bool has_live_map(const struct session *session)
{
    for (size_t i = 0; i < session->n_maps; i++)
        if (session->maps[i]->dev)
            return true;
    return false;
}

/*
 * Maps that go back to multipathd's own configuration do so by its hand, which must not hold our
 * entries for them any more.
 */
static void on_idle(void *userdata)
{
    struct change *change = userdata;
    struct host *host = change->host;
    struct session *session = host_session(host, change->session_id);

    if (change->chosen) {
        change_maps(change);
        return;
    }
    session->given_up = true;
    news_of_model(host);
    if (session->policy)
        reconcile_entries(host, session);
    if (!session->policy || !has_live_map(session)) {
        change_maps(change);
        return;
    }
    int r = publish_and_wait(host, on_published, change);
    if (r < 0)
        on_published(r, change);
}

/* The policy as it is kept: only what the policy uses (Windows' sample stores no more). */
static int choose(const struct host *host, const struct session *session,
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

/* Rows 1 to 11. What costs a look at the host is looked at only when the rest has passed. */
static uint32_t check(const struct lb_request *request, struct session *session)
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
        facts.busy = session->busy || maps_busy_by_disk(session);
        facts.has_policy = session->policy;
    }
    uint32_t status = lb_check(request, &facts);
    if (status != STATUS_SUCCESS)
        return status;

    facts.any_up = false;
    for (size_t i = 0; i < session->n_connections && !facts.any_up; i++) {
        struct kernel_session_state state;
        kernel_session_state(session->connections[i]->kernel->sid, &state);
        facts.any_up = state.status == LB_CONNECTED;
    }
    int r = session_has_map(session, &facts.has_map);
    if (r < 0)
        return status_of_errno(r);
    return lb_check(request, &facts);
}

static size_t count_others(const struct host *host, const struct session *session)
{
    size_t n = 0;

    for (size_t i = 0; i < host->n_sessions; i++)
        n += host->sessions[i] != session && host->sessions[i]->policy;
    return n;
}

/* lb_check()'s rows 1 to 13, but for the array's part of 12. What is no success ends all. */
static uint32_t prepare(struct host *host, const struct lb_request *request,
                        struct session *session, struct store_policy **ret_chosen)
{
    uint32_t status = check(request, session);
    if (status != STATUS_SUCCESS || request->policy == LB_VENDOR_SPECIFIC)
        return status;
    if (!dm_selector_available(plan_selector((enum lb_policy)request->policy)))
        return ISDSC_LB_POLICY_NOT_SUPPORTED;
    if (!bounds_allow_session(session->n_connections, count_others(host, session)))
        return ISDSC_OUT_OF_RESOURCES;
    return status_of_errno(choose(host, session, request, ret_chosen));
}

/* From here on the change answers. */
static int start(struct host *host, struct session *session, struct change *change)
{
    session->busy = true;
    host->n_changes++;
    int r = reconcile_when_idle(host, session->id, on_idle, change);
    if (r < 0) {
        session->busy = false;
        host->n_changes--;
    }
    return r;
}

void lb_change(struct host *host, const struct adapter *adapter, const struct lb_request *request,
               const struct requester *who, lb_change_done_t done, void *userdata)
{
    _cleanup_(store_policy_freep) struct store_policy *chosen = NULL;

    struct session *session = host_session(host, request->session_id);
    if (session && session->adapter_id != adapter->id)
        session = NULL;

    uint32_t status = prepare(host, request, session, &chosen);
    struct change *change = NULL;
    if (status == STATUS_SUCCESS) {
        change = calloc(1, sizeof(*change));
        status = change ? STATUS_SUCCESS : ISDSC_OUT_OF_RESOURCES;
    }
    if (change) {
        *change = (struct change){
            .host = host,
            .session_id = session->id,
            .policy = request->policy,
            .chosen = TAKE_PTR(chosen),
            .who = *who,
            .done = done,
            .userdata = userdata,
        };
        if (start(host, session, change) >= 0)
            return;
        change_free(change);
        status = ISDSC_OUT_OF_RESOURCES;
    }

    log_result(who, request->session_id, request->policy, NULL, 0, status);
    done(status, userdata);
}
