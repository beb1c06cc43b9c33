/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "iscsi/disk.h"
#include "plan/plan.h"
#include "service/lb-maps.h"

void session_maps_done(struct session_maps *maps)
{
    for (size_t i = 0; i < maps->n; i++)
        dm_map_free(maps->maps[i]);
    free(maps->maps);
    *maps = (struct session_maps){0};
}

static bool has_map(const struct session_maps *maps, dev_t dev)
{
    for (size_t i = 0; i < maps->n; i++)
        if (maps->maps[i]->dev == dev)
            return true;
    return false;
}

/* Gone by now, or a dm device that is no multipath map. Anything else is a map not to be missed. */
static bool is_no_map(int r)
{
    return r == -ENXIO || r == -ENOENT || r == -ENODEV || r == -EMEDIUMTYPE;
}

static int add_map(struct session_maps *maps, const char *kernel_name)
{
    dev_t dev;
    struct dm_map *map = NULL;

    int r = dm_devno_of_name(kernel_name, &dev);
    if (r < 0)
        return is_no_map(r) ? 0 : r;
    if (has_map(maps, dev))
        return 0;
    r = dm_map_read(dev, &map);
    if (r < 0)
        return is_no_map(r) ? 0 : r;

    struct dm_map **more = reallocarray(maps->maps, maps->n + 1, sizeof(*more));
    if (!more) {
        dm_map_free(map);
        return -ENOMEM;
    }
    maps->maps = more;
    more[maps->n++] = map;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const struct dm_map *x = *(struct dm_map *const *)a, *y = *(struct dm_map *const *)b;
    return strcmp(x->name, y->name);
}

int session_maps_read(const struct session *session, struct session_maps *ret)
{
    _cleanup_(session_maps_done) struct session_maps maps = {0};

    for (size_t i = 0; i < session->n_connections; i++) {
        char **names = NULL;
        size_t n;
        int r = kernel_session_dm_devices(session->connections[i]->kernel->sid, &names, &n);
        for (size_t k = 0; r >= 0 && k < n; k++)
            r = add_map(&maps, names[k]);
        strings_free(names);
        if (r < 0)
            return r;
    }

    if (maps.n > 1)
        qsort(maps.maps, maps.n, sizeof(*maps.maps), compare_names);
    *ret = maps;
    maps = (struct session_maps){0};
    return 0;
}

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

/* A path of the map: whose it is. */
struct owner {
    const struct session *session;
    const struct connection *connection;
    enum access_state access;
};

static int find_owner(struct host *host, dev_t dev, struct owner *ret)
{
    struct scsi_disk disk;
    struct session *session = NULL;
    struct connection *connection = NULL;

    int r = scsi_disk_read(dev, &disk);
    if (r < 0)
        return r;
    if (disk.sid != NO_SID)
        (void)host_find_sid(host, disk.sid, &session, &connection);
    *ret = (struct owner){session, connection, disk.access};
    return 0;
}

static int find_owners(struct host *host, const struct mp_table *table, struct owner **ret)
{
    _cleanup_free_ struct owner *owners = calloc(mp_table_n_paths(table) + 1, sizeof(*owners));
    if (!owners)
        return -ENOMEM;

    size_t n = 0;
    for (size_t g = 0; g < table->n_groups; g++)
        for (size_t p = 0; p < table->groups[g].n_paths; p++) {
            int r = find_owner(host, table->groups[g].paths[p], &owners[n++]);
            if (r < 0)
                return r;
        }
    *ret = TAKE_PTR(owners);
    return 0;
}

static bool is_new_session(const struct owner *owners, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (owners[k].session == owners[i].session)
            return false;
    return owners[i].session;
}

/* The policies that concern the map, the one chosen last first; `policy`, not stored yet, leads. */
static int collect_policies(const struct owner *owners, size_t n, const struct session *session,
                            const struct store_policy *policy, struct plan_input *input)
{
    uint64_t below = UINT64_MAX;

    input->policies = calloc(n + 1, sizeof(*input->policies));
    input->sessions = calloc(n + 1, sizeof(*input->sessions));
    if (!input->policies || !input->sessions)
        return -ENOMEM;

    bool fresh = policy && policy != session->policy;
    if (fresh) {
        int r = add_policy(input, session, policy);
        if (r < 0)
            return r;
    }
    for (;;) {
        const struct session *next = NULL;
        for (size_t i = 0; i < n; i++) {
            const struct session *s = owners[i].session;
            if (!is_new_session(owners, i) || !s->policy || s->policy->serial >= below)
                continue;
            if (s == session && (fresh || !policy))
                continue;
            if (!next || s->policy->serial > next->policy->serial)
                next = s;
        }
        if (!next)
            return 0;
        below = next->policy->serial;
        int r = add_policy(input, next, next->policy);
        if (r < 0)
            return r;
    }
}

static size_t policy_index(const struct plan_input *input, const struct session *session)
{
    for (size_t i = 0; i < input->n_policies; i++)
        if (input->sessions[i] == session)
            return i;
    return PLAN_NO_POLICY;
}

static int collect_paths(const struct mp_table *table, const struct owner *owners,
                         struct plan_input *input)
{
    input->paths = calloc(mp_table_n_paths(table) + 1, sizeof(*input->paths));
    if (!input->paths)
        return -ENOMEM;

    for (size_t g = 0; g < table->n_groups; g++)
        for (size_t p = 0; p < table->groups[g].n_paths; p++) {
            const struct owner *owner = &owners[input->n_paths];
            input->paths[input->n_paths++] = (struct plan_path){
                .dev = table->groups[g].paths[p],
                .policy = policy_index(input, owner->session),
                .connection_id = owner->connection ? owner->connection->id : 0,
                .access = owner->access,
            };
        }
    return 0;
}

int lb_plan_map(struct host *host, const struct dm_map *map, const struct session *session,
                const struct store_policy *policy, struct mp_table **ret)
{
    _cleanup_(plan_input_done) struct plan_input input = {0};
    _cleanup_free_ struct owner *owners = NULL;

    int r = find_owners(host, map->table, &owners);
    if (r >= 0)
        r = collect_policies(owners, mp_table_n_paths(map->table), session, policy, &input);
    if (r >= 0)
        r = collect_paths(map->table, owners, &input);
    if (r < 0)
        return r;
    if (input.n_policies == 0)
        return -ENODATA;
    return plan_map(map->table, input.policies, input.n_policies, input.paths, input.n_paths, ret);
}

bool lb_map_agrees(struct host *host, const struct dm_map *map, const struct session *session)
{
    _cleanup_(mp_table_freep) struct mp_table *planned = NULL;

    if (lb_plan_map(host, map, session, session->policy, &planned) < 0)
        return false;
    return mp_table_same_meaning(map->table, planned, map->status);
}
