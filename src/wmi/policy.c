/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wmi/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "wmi/status.h"

static const char *const policy_names[] = {
    [LB_FAILOVER] = "FAILOVER",
    [LB_ROUND_ROBIN] = "ROUND_ROBIN",
    [LB_ROUND_ROBIN_WITH_SUBSET] = "ROUND_ROBIN_WITH_SUBSET",
    [LB_DYN_LEAST_QUEUE_DEPTH] = "DYN_LEAST_QUEUE_DEPTH",
    [LB_WEIGHTED_PATHS] = "WEIGHTED_PATHS",
    [LB_VENDOR_SPECIFIC] = "VENDOR_SPECIFIC",
};

static int compare_ids(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return (*x > *y) - (*x < *y);
}

static bool has_duplicate(const uint64_t *sorted, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (sorted[i] == sorted[i - 1])
            return true;
    return false;
}

/* Whether each of the sorted ids is in `all`, sorted too. */
static bool is_subset(const uint64_t *ids, size_t n, const uint64_t *all, size_t n_all)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        while (at < n_all && all[at] < ids[i])
            at++;
        if (at == n_all || all[at] != ids[i])
            return false;
    }
    return true;
}

/* Row 6 of lb_check(): `ids` are the request's connections, sorted. */
static uint32_t check_membership(const uint64_t *ids, size_t n, const struct lb_session *session)
{
    _cleanup_free_ uint64_t *all = NULL;

    if (n == 0)
        return STATUS_SUCCESS;
    all = reallocarray(NULL, n, sizeof(*all)); /* row 5 has made the counts equal */
    if (!all)
        return ISDSC_OUT_OF_RESOURCES;
    memcpy(all, session->connections, n * sizeof(*all));
    qsort(all, n, sizeof(*all), compare_ids);

    return is_subset(ids, n, all, n) ? STATUS_SUCCESS : ISDSC_INVALID_PATH_ID;
}

/* Rows 7 and 8. */
static uint32_t check_primaries(const struct lb_request *request)
{
    size_t n_primaries = 0;

    if (request->policy > LB_ROUND_ROBIN_WITH_SUBSET)
        return STATUS_SUCCESS;

    for (size_t i = 0; i < request->path_count; i++)
        if (request->paths[i].primary)
            n_primaries++;

    if (request->policy == LB_FAILOVER && n_primaries > 1)
        return ISDSC_MULTIPLE_PRIMARY_PATHS_SPECIFIED;
    if (n_primaries == 0)
        return ISDSC_NO_PRIMARY_PATH_SPECIFIED;
    return STATUS_SUCCESS;
}

/* Rows 3 to 8, for the policies that use the paths. iSCSI_PathCount entries are there (row 1). */
static uint32_t check_paths(const struct lb_request *request, const struct lb_session *session)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t n = request->path_count;
    uint32_t status;

    if (n > 0) {
        ids = reallocarray(NULL, n, sizeof(*ids));
        if (!ids)
            return ISDSC_OUT_OF_RESOURCES;
        for (size_t i = 0; i < n; i++)
            ids[i] = request->paths[i].connection_id;
        qsort(ids, n, sizeof(*ids), compare_ids);
    }

    if (has_duplicate(ids, n))
        return ISDSC_DUPLICATE_PATH_SPECIFIED;
    if (!session->known)
        return ISDSC_INVALID_SESSION_ID;
    if (n != session->n_connections)
        return ISDSC_PATH_COUNT_MISMATCH;
    status = check_membership(ids, n, session);
    if (status != STATUS_SUCCESS)
        return status;
    return check_primaries(request);
}

/* Rows 9 to 11. */
static uint32_t check_state(const struct lb_request *request, const struct lb_session *session)
{
    bool takes_back = request->policy == LB_VENDOR_SPECIFIC && session->has_policy;

    if (session->busy)
        return ISDSC_SESSION_BUSY;
    if (!session->any_up && !takes_back)
        return ISDSC_NO_CONNECTION_AVAILABLE;
    if (!session->has_map && !takes_back)
        return ISDSC_DEVICE_NOT_FOUND;
    return STATUS_SUCCESS;
}

uint32_t lb_check(const struct lb_request *request, const struct lb_session *session)
{
    if (request->path_count > request->n_paths)
        return ISDSC_BUFFER_TOO_SMALL;
    if (!lb_policy_name(request->policy))
        return ISDSC_INVALID_LOAD_BALANCE_POLICY;

    if (request->policy != LB_VENDOR_SPECIFIC) {
        uint32_t status = check_paths(request, session);

        if (status != STATUS_SUCCESS)
            return status;
    } else if (!session->known) {
        return ISDSC_INVALID_SESSION_ID;
    }

    return check_state(request, session);
}

const char *lb_policy_name(uint32_t policy)
{
    return policy < ELEMENTSOF(policy_names) ? policy_names[policy] : NULL;
}

/* Not toupper(), which depends on the locale. */
static char fold(char c)
{
    if (c == '-')
        return '_';
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool policy_is_name(const char *text, const char *name)
{
    for (; *text && fold(*text) == *name; text++)
        name++;
    return *text == *name;
}

bool policy_is_named(const char *text, uint32_t policy, const char *name)
{
    const char number[] = {(char)('0' + policy), '\0'};

    return strcmp(text, number) == 0 || policy_is_name(text, name);
}

int lb_policy_parse(const char *text, uint32_t *ret_policy)
{
    for (uint32_t policy = LB_FAILOVER; policy <= LB_VENDOR_SPECIFIC; policy++) {
        if (!policy_is_named(text, policy, policy_names[policy]))
            continue;
        *ret_policy = policy;
        return 0;
    }
    return -EINVAL;
}
