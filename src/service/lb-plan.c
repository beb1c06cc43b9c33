/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "plan/plan.h"
#include "service/lb-plan.h"

/* What plan_map() takes, for one map. */
struct plan_input {
    const struct session **sessions; /* those with a policy, in the order of `policies` */
    struct plan_policy *policies;
    size_t n_policies;
    struct plan_path *paths;
    size_t n_paths;
};

static void plan_input_done(struct plan_input *input)
{
    for (size_t i = 0; i < input->n_policies; i++)
        free((void *)input->policies[i].members);
    free(input->policies);
    free(input->sessions);
    free(input->paths);
}

static int add_policy(struct plan_input *input, const struct session *session,
                      const struct store_policy *from)
{
    struct plan_member *members = calloc(from->n_paths ?: 1, sizeof(*members));
    if (!members)
        return -ENOMEM;
    for (size_t i = 0; i < from->n_paths; i++)
        members[i] = (struct plan_member){
            .connection_id = from->paths[i].connection_id,
            .weight = from->paths[i].weight,
            .primary = from->paths[i].primary,
        };

    input->sessions[input->n_policies] = session;
    input->policies[input->n_policies++] = (struct plan_policy){
        .policy = from->policy,
        .highest_first = from->highest_first,
        .members = members,
        .n_members = from->n_paths,
    };
    return 0;
}

static const struct session *session_of(const struct map_path *path)
{
    return path->connection ? path->connection->session : NULL;
}

static bool is_first_of_session(const struct map_look *look, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (session_of(&look->paths[k]) == session_of(&look->paths[i]))
            return false;
    return session_of(&look->paths[i]);
}

/* The session whose policy was chosen last before `below`; `chooser`, whose next one leads, apart.
 */
static const struct session *next_session(const struct map_look *look, uint64_t below,
                                          const struct session *chooser)
{
    const struct session *next = NULL;

    for (size_t i = 0; i < look->n_paths; i++) {
        const struct session *session = session_of(&look->paths[i]);
        if (!is_first_of_session(look, i) || session == chooser || !session_has_policy(session) ||
            session->policy->serial >= below)
            continue;
        if (!next || session->policy->serial > next->policy->serial)
            next = session;
    }
    return next;
}

/* The policies that concern the map, the one chosen last first. */
static int collect_policies(const struct map_look *look, const struct session *chooser,
                            const struct store_policy *choice, struct plan_input *input)
{
    input->policies = calloc(look->n_paths + 1, sizeof(*input->policies));
    input->sessions = calloc(look->n_paths + 1, sizeof(*input->sessions));
    if (!input->policies || !input->sessions)
        return -ENOMEM;

    int r = choice ? add_policy(input, chooser, choice) : 0;
    for (uint64_t below = UINT64_MAX; r >= 0;) {
        const struct session *next = next_session(look, below, chooser);
        if (!next)
            break;
        below = next->policy->serial;
        r = add_policy(input, next, next->policy);
    }
    return r;
}

static size_t policy_index(const struct plan_input *input, const struct session *session)
{
    for (size_t i = 0; i < input->n_policies; i++)
        if (input->sessions[i] == session)
            return i;
    return PLAN_NO_POLICY;
}

static int collect_paths(const struct map_look *look, struct plan_input *input)
{
    input->paths = calloc(look->n_paths + 1, sizeof(*input->paths));
    if (!input->paths)
        return -ENOMEM;

    for (size_t i = 0; i < look->n_paths; i++) {
        const struct map_path *path = &look->paths[i];
        input->paths[input->n_paths++] = (struct plan_path){
            .dev = path->dev,
            .policy = policy_index(input, session_of(path)),
            .connection_id = path->connection ? path->connection->id : 0,
            .access = path->disk.access,
        };
    }
    return 0;
}

/* NULL `choice`: nothing is chosen, the policies in force alone count. */
static int plan(const struct map_look *look, const struct session *chooser,
                const struct store_policy *choice, struct mp_table **ret)
{
    _cleanup_(plan_input_done) struct plan_input input = {0};

    int r = collect_policies(look, chooser, choice, &input);
    if (r >= 0)
        r = collect_paths(look, &input);
    if (r < 0)
        return r;
    if (input.n_policies == 0)
        return -ENODATA;

    const struct mp_table *live = look->map->table;
    if (choice) {
        r = plan_check_access(live, input.policies, input.n_policies, input.paths, input.n_paths,
                              0);
        if (r < 0)
            return r;
    }
    return plan_map(live, input.policies, input.n_policies, input.paths, input.n_paths, ret);
}

int lb_plan(const struct map_look *look, struct mp_table **ret)
{
    return plan(look, NULL, NULL, ret);
}

int lb_plan_choice(const struct map_look *look, const struct session *session,
                   const struct store_policy *policy, struct mp_table **ret)
{
    return plan(look, session, policy, ret);
}

bool lb_agrees(const struct map_look *look)
{
    _cleanup_(mp_table_freep) struct mp_table *planned = NULL;

    int r = lb_plan(look, &planned);
    if (r < 0)
        return r == -ENODATA;
    return mp_table_same_meaning(look->map->table, planned, look->map->status);
}
