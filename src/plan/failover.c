/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/failover.h"

static bool has_usable_path(const struct mp_group *group, const struct mp_status *status)
{
    for (size_t i = 0; i < group->n_paths; i++)
        if (mp_status_usable(status, group->paths[i]))
            return true;
    return false;
}

/* The group in use with a usable path, else the first with one; n_groups: none. */
static size_t find_group(const struct mp_table *live, const struct mp_status *status)
{
    size_t first = live->n_groups;

    for (size_t i = live->n_groups; i > 0; i--) {
        if (!has_usable_path(&live->groups[i - 1], status))
            continue;
        first = i - 1;
        if (status && first < status->n_groups && status->group_states[first] == 'A')
            return first;
    }
    return first;
}

dev_t failover_leader(const struct mp_table *live, const struct mp_status *status)
{
    size_t group = find_group(live, status);

    if (group == live->n_groups || live->groups[group].n_paths != 1)
        return 0;
    return live->groups[group].paths[0];
}

bool failover_leads(const struct mp_table *live, const struct mp_status *status, dev_t dev)
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
