/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/failover.h"

static bool has_usable_path(const struct mp_group *group, const struct mp_status *status)
{
    for (size_t i = 0; i < group->n_paths; i++)
        if (mp_status_usable(status, group->paths[i]))
            return true;
    return false;
}

/* The first group with a usable path, n_groups: none. */
static size_t find_first(const struct mp_table *live, const struct mp_status *status)
{
    size_t group = 0;

    while (group < live->n_groups && !has_usable_path(&live->groups[group], status))
        group++;
    return group;
}

/* The group in use, should it have a usable path, else the first one. */
static size_t find_group(const struct mp_table *live, const struct mp_status *status)
{
    for (size_t i = 0; status && i < live->n_groups && i < status->n_groups; i++)
        if (status->group_states[i] == 'A' && has_usable_path(&live->groups[i], status))
            return i;
    return find_first(live, status);
}

/* Whether the path is in the table at all, and usable. */
static bool is_usable(const struct mp_table *live, const struct mp_status *status, dev_t dev)
{
    for (size_t i = 0; i < live->n_groups; i++)
        for (size_t k = 0; k < live->groups[i].n_paths; k++)
            if (live->groups[i].paths[k] == dev)
                return mp_status_usable(status, dev);
    return false;
}

dev_t failover_active_path(const struct mp_table *live, const struct mp_status *status, dev_t last,
                           bool in_sync)
{
    size_t group = in_sync ? find_group(live, status) : find_first(live, status);
    bool alone = group < live->n_groups && live->groups[group].n_paths == 1;

    if (alone && group != find_first(live, status))
        return live->groups[group].paths[0];
    if (last && is_usable(live, status, last))
        return last;
    return alone ? live->groups[group].paths[0] : 0;
}

bool failover_is_active(const struct mp_table *live, const struct mp_status *status, dev_t dev)
{
    size_t group = find_group(live, status);

    for (size_t i = 0; group < live->n_groups && i < live->groups[group].n_paths; i++)
        if (live->groups[group].paths[i] == dev)
            return true;
    return false;
}

size_t failover_order(const struct plan_member *members, size_t n, uint64_t first,
                      struct plan_member *ret)
{
    size_t n_ret = 0;

    if (first)
        ret[n_ret++] = (struct plan_member){.connection_id = first, .primary = true};
    for (int primary = 1; primary >= 0; primary--)
        for (size_t i = 0; i < n; i++)
            if (members[i].primary == primary && (!first || members[i].connection_id != first))
                ret[n_ret++] = members[i];
    return n_ret;
}
