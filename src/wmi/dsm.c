/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wmi/dsm.h"

#include <errno.h>
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

static int dsm_compare_ids(const void *a, const void *b)
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
        qsort(ids, request->path_count, sizeof(*ids), dsm_compare_ids);
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
        if (!bsearch(&disk->paths[i].id, ids, n, sizeof(*ids), dsm_compare_ids))
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

const char *dsm_policy_name(uint32_t policy)
{
    return policy < ELEMENTSOF(policy_names) ? policy_names[policy] : NULL;
}

int dsm_policy_parse(const char *text, uint32_t *ret_policy)
{
    for (uint32_t policy = 0; policy < ELEMENTSOF(policy_names); policy++) {
        if (!policy_is_named(text, policy, policy_names[policy]))
            continue;
        *ret_policy = policy;
        return 0;
    }
    return -EINVAL;
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
