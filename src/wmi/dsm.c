/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wmi/dsm.h"

#include <stdlib.h>

#include "basic/macros.h"

static const char *const policy_names[] = {
    [DSM_NONE] = "NONE",
    [DSM_FAILOVER] = "FAILOVER",
    [DSM_ROUND_ROBIN] = "ROUND_ROBIN",
    [DSM_ROUND_ROBIN_WITH_SUBSET] = "ROUND_ROBIN_WITH_SUBSET",
    [DSM_DYN_LEAST_QUEUE_DEPTH] = "DYN_LEAST_QUEUE_DEPTH",
    [DSM_WEIGHTED_PATHS] = "WEIGHTED_PATHS",
    [DSM_LEAST_BLOCKS] = "LEAST_BLOCKS",
    [DSM_VENDOR_SPECIFIC] = "VENDOR_SPECIFIC",
};

static const struct status_info statuses[] = {
    {STATUS_SUCCESS, "STATUS_SUCCESS", "The request was carried out."},
    {STATUS_DEVICE_BUSY, "STATUS_DEVICE_BUSY",
     "Another change to this disk or to one of its sessions still runs: try again later."},
    {STATUS_INVALID_PARAMETER, "STATUS_INVALID_PARAMETER",
     "The policy, or the paths given for it, do not fit this disk: query it, edit the answer and "
     "send all of it."},
    {STATUS_NO_SUCH_DEVICE, "STATUS_NO_SUCH_DEVICE",
     "There is no multipath map of this disk now: log in to its target first."},
    {STATUS_BUFFER_TOO_SMALL, "STATUS_BUFFER_TOO_SMALL",
     "More paths were counted than sent: make DSMPathCount the number of DSM_Paths."},
    {STATUS_INSUFFICIENT_RESOURCES, "STATUS_INSUFFICIENT_RESOURCES",
     "The service is out of memory, or has too many changes to do at a time: try again later."},
    {STATUS_NOT_SUPPORTED, "STATUS_NOT_SUPPORTED",
     "This kernel, this array or this service cannot do it: choose another policy, other primary "
     "paths or version 1 or 2."},
    {STATUS_IO_DEVICE_ERROR, "STATUS_IO_DEVICE_ERROR",
     "The kernel refused the new path groups, and the disk is as before: see the journal."},
};

static bool has_alua(const struct dsm_fact *path)
{
    return path->state != DSM_STATE_NOT_USED;
}

/* A path that does not say is used as an optimized one. */
static enum dsm_state effective_state(const struct dsm_fact *path)
{
    return has_alua(path) ? path->state : DSM_ACTIVE_OPTIMIZED;
}

static bool any_alua(const struct dsm_disk *disk)
{
    for (size_t i = 0; i < disk->n_paths; i++)
        if (has_alua(&disk->paths[i]))
            return true;
    return false;
}

bool dsm_is_asymmetric(const struct dsm_disk *disk)
{
    for (size_t i = 1; i < disk->n_paths; i++)
        if (effective_state(&disk->paths[i]) != effective_state(&disk->paths[0]))
            return true;
    return false;
}

enum dsm_state dsm_wanted_state(const struct dsm_path *path)
{
    if (path->primary)
        return path->optimized ? DSM_ACTIVE_OPTIMIZED : DSM_ACTIVE_UNOPTIMIZED;
    return path->optimized ? DSM_STANDBY : DSM_UNAVAILABLE;
}

void dsm_set_state(struct dsm_path *path, enum dsm_state state)
{
    path->primary = state == DSM_ACTIVE_OPTIMIZED || state == DSM_ACTIVE_UNOPTIMIZED;
    path->optimized = state == DSM_ACTIVE_OPTIMIZED || state == DSM_STANDBY;
}

static int compare_ids(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The ids of the first path_count paths, sorted. NULL: out of memory. */
static uint64_t *sorted_ids(const struct dsm_request *request)
{
    uint64_t *ids = calloc((size_t)request->path_count + 1, sizeof(*ids));

    for (uint32_t i = 0; ids && i < request->path_count; i++)
        ids[i] = request->paths[i].id;
    if (ids)
        qsort(ids, request->path_count, sizeof(*ids), compare_ids);
    return ids;
}

/* Checks 7 and 8. */
static uint32_t check_names(const struct dsm_request *request, const struct dsm_disk *disk)
{
    _cleanup_free_ uint64_t *ids = sorted_ids(request);
    size_t n = request->path_count;

    if (!ids)
        return STATUS_INSUFFICIENT_RESOURCES;
    for (size_t i = 1; i < n; i++)
        if (ids[i] != 0 && ids[i] == ids[i - 1])
            return STATUS_INVALID_PARAMETER;
    for (size_t i = 0; i < disk->n_paths; i++)
        if (!bsearch(&disk->paths[i].id, ids, n, sizeof(*ids), compare_ids))
            return STATUS_INVALID_PARAMETER;
    if (request->policy == DSM_ROUND_ROBIN && dsm_is_asymmetric(disk))
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

static const struct dsm_fact *find_fact(const struct dsm_disk *disk, uint64_t id)
{
    for (size_t i = 0; i < disk->n_paths; i++)
        if (disk->paths[i].id == id)
            return &disk->paths[i];
    return NULL;
}

/* Of check 9: whether a path may have the state that is asked for, under this policy. */
static bool state_allowed(uint32_t policy, enum dsm_state wanted, const struct dsm_fact *path,
                          bool is_explicit)
{
    bool rotates = policy == DSM_ROUND_ROBIN || policy == DSM_DYN_LEAST_QUEUE_DEPTH ||
                   policy == DSM_WEIGHTED_PATHS || policy == DSM_LEAST_BLOCKS;

    switch (wanted) {
    case DSM_ACTIVE_OPTIMIZED:
        return !has_alua(path) || path->state == DSM_ACTIVE_OPTIMIZED || is_explicit;
    case DSM_ACTIVE_UNOPTIMIZED:
        if (rotates)
            return !has_alua(path) || path->state == wanted;
        break;
    default:
        if (rotates)
            return has_alua(path) && path->state == wanted;
        break;
    }
    if (policy == DSM_ROUND_ROBIN_WITH_SUBSET && has_alua(path))
        return path->state == DSM_ACTIVE_OPTIMIZED || path->state == wanted;
    return true;
}

/* Check 9. Counts the paths that are to be active/optimized. */
static uint32_t check_states(const struct dsm_request *request, const struct dsm_disk *disk,
                             size_t *ret_n_optimized)
{
    bool failover = request->policy == DSM_FAILOVER;
    size_t n_optimized = 0, n_preferred = 0;

    for (uint32_t i = 0; i < request->path_count; i++) {
        const struct dsm_path *path = &request->paths[i];
        const struct dsm_fact *fact = find_fact(disk, path->id);
        enum dsm_state wanted = dsm_wanted_state(path);

        if (!fact)
            continue;
        if (failover && path->preferred && ++n_preferred > 1)
            return STATUS_INVALID_PARAMETER;
        if (fact->failed)
            continue;
        if (!state_allowed(request->policy, wanted, fact, disk->is_explicit))
            return STATUS_INVALID_PARAMETER;
        if (wanted == DSM_ACTIVE_OPTIMIZED && ++n_optimized > 1 && failover)
            return STATUS_INVALID_PARAMETER;
    }
    *ret_n_optimized = n_optimized;
    return STATUS_SUCCESS;
}

/* Of check 10: whether a path that is active/optimized can be asked for. */
static bool can_be_optimized(const struct dsm_disk *disk)
{
    for (size_t i = 0; i < disk->n_paths; i++)
        if (disk->paths[i].state == DSM_ACTIVE_OPTIMIZED)
            return true;
    return !any_alua(disk);
}

/* Checks 3 to 10. */
static uint32_t check_choice(const struct dsm_request *request, const struct dsm_disk *disk)
{
    size_t n_optimized = 0;
    uint32_t status;

    if (request->path_count > request->n_paths)
        return STATUS_BUFFER_TOO_SMALL;
    if (request->version > DSM_VERSION_2)
        return STATUS_NOT_SUPPORTED;
    if (request->policy > DSM_LEAST_BLOCKS || request->path_count != disk->n_paths)
        return STATUS_INVALID_PARAMETER;
    status = check_names(request, disk);
    if (status == STATUS_SUCCESS)
        status = check_states(request, disk, &n_optimized);
    if (status != STATUS_SUCCESS)
        return status;
    return n_optimized > 0 || !can_be_optimized(disk) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

uint32_t dsm_check(const struct dsm_request *request, const struct dsm_disk *disk)
{
    bool clears = request->policy == DSM_NONE;

    if (!clears || !disk->has_policy) {
        if (!disk->present)
            return STATUS_NO_SUCH_DEVICE;
        if (disk->n_paths == 0)
            return STATUS_INVALID_PARAMETER;
    }
    if (!clears) {
        uint32_t status = check_choice(request, disk);

        if (status != STATUS_SUCCESS)
            return status;
    }
    return disk->busy ? STATUS_DEVICE_BUSY : STATUS_SUCCESS;
}

const struct status_info *dsm_status_find(uint32_t code)
{
    for (size_t i = 0; i < ELEMENTSOF(statuses); i++)
        if (statuses[i].code == code)
            return &statuses[i];
    return NULL;
}

const char *dsm_status_symbol(uint32_t code)
{
    const struct status_info *info = dsm_status_find(code);

    return info ? info->symbol : "UNKNOWN_STATUS";
}

const char *dsm_policy_name(uint32_t policy)
{
    return policy < ELEMENTSOF(policy_names) ? policy_names[policy] : NULL;
}

enum lb_policy dsm_to_lb(enum dsm_policy policy)
{
    return policy == DSM_LEAST_BLOCKS ? LB_LEAST_BLOCKS : (enum lb_policy)policy;
}

enum dsm_policy dsm_of_lb(enum lb_policy policy)
{
    if (policy == LB_LEAST_BLOCKS)
        return DSM_LEAST_BLOCKS;
    return policy < LB_VENDOR_SPECIFIC ? (enum dsm_policy)policy : DSM_VENDOR_SPECIFIC;
}

bool dsm_can_be_default(uint32_t policy)
{
    return policy <= DSM_ROUND_ROBIN || policy == DSM_DYN_LEAST_QUEUE_DEPTH ||
           policy == DSM_LEAST_BLOCKS;
}
