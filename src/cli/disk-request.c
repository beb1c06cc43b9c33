/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/disk-request.h"

#include "cli/path-options.h"

/* The path of a connection, which joins the request behind the others where it is not in it yet. */
static struct iscsiwmi_dsm_path_v2 *disk_request_take_path(struct iscsiwmi_dsm_path_v2 *paths,
                                                           size_t *n,
                                                           const struct iscsiwmi_dsm_path_v2 *fact)
{
    for (size_t i = 0; i < *n; i++)
        if (paths[i].DsmPathId == fact->DsmPathId)
            return &paths[i];
    paths[*n] = (struct iscsiwmi_dsm_path_v2){
        .DsmPathId = fact->DsmPathId,
        .TargetPortGroup_State = fact->TargetPortGroup_State,
    };
    return &paths[(*n)++];
}

static int disk_request_take_option(const struct report_disk *disk,
                                    const struct path_option *option,
                                    struct iscsiwmi_dsm_path_v2 *paths, size_t *n)
{
    const struct report_connections *connections = &disk->connections;
    const struct report_connection *connection;
    struct iscsiwmi_dsm_path_v2 *path;
    uint32_t weight;
    int status = path_option_find(option, connections, &connection, &weight);

    if (status != EXIT_OK)
        return status;
    path =
        disk_request_take_path(paths, n, &disk->policy->DSM_Paths[connection - connections->items]);
    if (option->kind == PATH_WEIGHT)
        path->PathWeight = weight;
    else if (option->kind == PATH_PREFERRED)
        path->PreferredPath = 1;
    else
        path->PrimaryPath = 1;
    return EXIT_OK;
}

static void disk_request_set_state(struct iscsiwmi_dsm_path_v2 *path, enum iscsiwmi_dsm_state state)
{
    path->PrimaryPath =
        state == ISCSIWMI_DSM_ACTIVE_OPTIMIZED || state == ISCSIWMI_DSM_ACTIVE_UNOPTIMIZED;
    path->OptimizedPath = state == ISCSIWMI_DSM_ACTIVE_OPTIMIZED || state == ISCSIWMI_DSM_STANDBY;
}

/*
 * The state that each path is to have. A primary leads. Of the others one that the array has as
 * unoptimized, standby or unavailable stays so, since the service asks no array for other states;
 * the rest stand by where there are primaries, and lead where there are none. A failover's leader
 * without a primary is the preferred path.
 */
static void disk_request_fill_states(struct iscsiwmi_dsm_path_v2 *paths, size_t n, uint32_t policy)
{
    bool any_primary = false;

    for (size_t i = 0; i < n; i++)
        any_primary = any_primary || paths[i].PrimaryPath;
    for (size_t i = 0; i < n; i++) {
        struct iscsiwmi_dsm_path_v2 *path = &paths[i];
        uint32_t access = path->TargetPortGroup_State;
        bool leads = path->PrimaryPath || (!any_primary && path->PreferredPath);
        bool stays = access != ISCSIWMI_DSM_ACTIVE_OPTIMIZED && access <= ISCSIWMI_DSM_UNAVAILABLE;

        if (leads)
            disk_request_set_state(path, ISCSIWMI_DSM_ACTIVE_OPTIMIZED);
        else if (stays)
            disk_request_set_state(path, (enum iscsiwmi_dsm_state)access);
        else if (any_primary || policy == ISCSIWMI_DSM_FAILOVER)
            disk_request_set_state(path, ISCSIWMI_DSM_STANDBY);
        else
            disk_request_set_state(path, ISCSIWMI_DSM_ACTIVE_OPTIMIZED);
    }
}

static int disk_request_compare_ids(const void *a, const void *b)
{
    const struct iscsiwmi_dsm_path_v2 *left = a, *right = b;

    return (left->DsmPathId > right->DsmPathId) - (left->DsmPathId < right->DsmPathId);
}

static int disk_request_fill_paths(const struct cli *cli, const struct report_disk *disk,
                                   uint32_t policy, struct iscsiwmi_dsm_path_v2 *paths)
{
    size_t n = 0, n_named;

    for (size_t i = 0; i < cli->n_paths; i++) {
        int status = disk_request_take_option(disk, &cli->paths[i], paths, &n);

        if (status != EXIT_OK)
            return status;
    }
    n_named = n;
    for (size_t i = 0; i < disk->connections.n; i++)
        disk_request_take_path(paths, &n, &disk->policy->DSM_Paths[i]);
    qsort(paths + n_named, n - n_named, sizeof(*paths), disk_request_compare_ids);
    disk_request_fill_states(paths, n, policy);
    return EXIT_OK;
}

int disk_request_paths(const struct cli *cli, const struct report_disk *disk, uint32_t policy,
                       struct iscsiwmi_dsm_path_v2 **ret_paths)
{
    _cleanup_free_ struct iscsiwmi_dsm_path_v2 *paths =
        calloc(disk->connections.n + 1, sizeof(*paths));
    int status;

    if (!paths)
        return cli_fail_memory();
    status = disk_request_fill_paths(cli, disk, policy, paths);
    if (status == EXIT_OK)
        *ret_paths = TAKE_PTR(paths);
    return status;
}
