/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "basic/macros.h"
#include "iscsi/session-info.h"
#include "plan/classify.h"
#include "service/base/timer.h"
#include "service/model/connection-read.h"
#include "service/model/freshness.h"
#include "service/model/host.h"
#include "service/model/session-maps.h"
#include "service/model/states.h"
#include "service/tables/lb-plan.h"
#include "service/view/lb-query.h"

#define UNANNOUNCED_USEC 1000000U /* how long what the kernel does not announce is good for */

DEFINE_CLEANUP(struct lb_answer *, lb_answer_free);

/* The session's own paths in one map; `ret` has room for all paths of the map. */
static size_t lb_query_own_paths(const struct session *session, const struct map_snapshot *snapshot,
                                 struct classify_path *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < snapshot->n_paths; i++) {
        const struct map_path *path = &snapshot->paths[i];
        if (path->connection && path->connection->session == session)
            ret[n++] = (struct classify_path){path->dev, path->connection->id, path->disk.access};
    }
    return n;
}

/* Adds what one map amounts to. `roles` has room for all of the session's connections. */
static int lb_query_classify_one(const struct session *session, const struct map_snapshot *snapshot,
                                 uint32_t *policy, struct classify_role *roles, size_t *n_roles)
{
    _cleanup_free_ struct classify_path *paths = calloc(snapshot->n_paths + 1, sizeof(*paths));
    _cleanup_free_ struct classify_role *more = calloc(snapshot->n_paths + 1, sizeof(*more));
    if (!paths || !more)
        return -ENOMEM;

    size_t n = lb_query_own_paths(session, snapshot, paths);
    enum lb_policy found = classify_map(snapshot->map->table, paths, n, more);
    *policy = classify_merge((enum lb_policy) * policy, roles, n_roles, found, more, n);
    return 0;
}

static int lb_query_classify_session(const struct session *session, const struct session_maps *maps,
                                     struct lb_answer *answer)
{
    uint32_t policy = 0;
    size_t n_roles = 0;
    _cleanup_free_ struct classify_role *roles = calloc(session->n_connections + 1, sizeof(*roles));
    if (!roles)
        return -ENOMEM;

    for (size_t i = 0; i < maps->n; i++) {
        int r = lb_query_classify_one(session, &maps->snapshots[i], &policy, roles, &n_roles);
        if (r < 0)
            return r;
    }

    answer->policy = policy ? policy : LB_VENDOR_SPECIFIC;
    for (size_t i = 0; i < answer->n_paths; i++)
        for (size_t k = 0; k < n_roles && answer->policy != LB_VENDOR_SPECIFIC; k++)
            if (roles[k].connection_id == answer->paths[i].connection_id) {
                answer->paths[i].weight = roles[k].weight;
                answer->paths[i].primary = roles[k].primary;
            }
    return 0;
}

/* The roles as they were chosen; a path that joined later has those of the tier it came into. */
static int lb_query_answer_chosen(const struct session *session, struct lb_answer *answer)
{
    _cleanup_(lb_plan_policy_done) struct plan_policy chosen = {0};
    int r = lb_plan_policy(session, session->policy, &chosen);
    if (r < 0)
        return r;

    answer->policy = session->policy->policy;
    for (size_t i = 0; i < answer->n_paths; i++) {
        struct lb_path *path = &answer->paths[i];
        struct plan_member member = plan_member(&chosen, path->connection_id);
        path->weight = member.weight;
        path->primary = member.primary;
    }
    return 0;
}

static struct lb_path lb_query_describe_connection(struct connection *connection)
{
    return (struct lb_path){
        .connection_id = connection->id,
        .link_speed = connection_link_speed(connection_read_ends(connection),
                                            freshness_moment(connection->session->host)),
        .offload = kernel_session_offloads(connection->kernel),
    };
}

/* Where a disk has a policy of its own, its table means that one, and not the session's. */
static bool lb_query_all_agree(const struct session_maps *maps)
{
    for (size_t i = 0; i < maps->n; i++)
        if (lb_has_disk_policy(&maps->snapshots[i]) || !lb_agrees(&maps->snapshots[i]))
            return false;
    return maps->n > 0;
}

static int lb_query_read_answer(struct session *session, struct lb_answer **ret)
{
    _cleanup_(session_maps_done) struct session_maps maps = {0};
    _cleanup_(lb_answer_freep) struct lb_answer *answer = calloc(1, sizeof(*answer));

    if (!answer)
        return -ENOMEM;
    answer->paths = calloc(session->n_connections + 1, sizeof(*answer->paths));
    if (!answer->paths)
        return -ENOMEM;
    for (size_t i = 0; i < session->n_connections; i++)
        answer->paths[answer->n_paths++] = lb_query_describe_connection(session->connections[i]);

    int r = session_maps_read(session, &maps);
    if (r < 0)
        return r;
    if (session->policy && lb_query_all_agree(&maps))
        r = lb_query_answer_chosen(session, answer);
    else
        r = lb_query_classify_session(session, &maps, answer);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(answer);
    return 0;
}

static bool lb_query_is_good(const struct lb_answer *answer, uint64_t serial, uint64_t usec)
{
    return answer && serial && answer->serial == serial && usec - answer->usec < UNANNOUNCED_USEC;
}

int lb_query(struct session *session, uint64_t serial, const struct lb_answer **ret)
{
    uint64_t usec = loop_usec(session->host->event);

    if (!lb_query_is_good(session->answer, serial, usec)) {
        struct lb_answer *answer;
        int r = lb_query_read_answer(session, &answer);
        if (r < 0)
            return r;
        answer->serial = serial;
        answer->usec = usec;
        lb_answer_free(session->answer);
        session->answer = answer;
    }
    for (size_t i = 0; i < session->n_connections; i++) {
        struct kernel_session_state state;
        states_read(session->connections[i], &state);
        session->answer->paths[i].status = state.status;
    }
    *ret = session->answer;
    return 0;
}
