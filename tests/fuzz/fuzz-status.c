/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A status as the kernel prints it, behind a table and a newline: the two need not fit each other.
 * Who leads is a path of the table that the status has for usable.
 */

#include "fuzz.h"
#include "plan/failover.h"

static void check_status(const struct mp_status *status)
{
    CHECK(status->n_paths == 0 || status->n_groups > 0);
    for (size_t i = 0; i < status->n_groups; i++)
        CHECK(memchr("AED", status->group_states[i], 3));
    for (size_t i = 0; i < status->n_paths; i++) {
        const struct mp_path_state *first = status->paths;

        while (first->dev != status->paths[i].dev)
            first++;
        CHECK(mp_status_usable(status, first->dev) == !first->failed);
    }
}

static bool has_path(const struct mp_table *table, dev_t dev)
{
    for (size_t i = 0; i < table->n_groups; i++)
        for (size_t k = 0; k < table->groups[i].n_paths; k++)
            if (table->groups[i].paths[k] == dev)
                return true;
    return false;
}

static void check_active_path(const struct mp_table *table, const struct mp_status *status,
                              dev_t last, bool in_sync)
{
    dev_t active = failover_active_path(table, status, last, in_sync);

    if (active == 0)
        return;
    CHECK(has_path(table, active));
    CHECK(mp_status_usable(status, active));
}

static void check_together(const struct mp_table *table, const struct mp_status *status)
{
    CHECK(mp_table_same_meaning(table, table, status));
    check_active_path(table, status, 0, true);
    check_active_path(table, status, 0, false);
    for (size_t i = 0; status && i < status->n_paths; i++) {
        check_active_path(table, status, status->paths[i].dev, true);
        check_active_path(table, status, status->paths[i].dev, false);
        if (failover_is_active(table, status, status->paths[i].dev))
            CHECK(has_path(table, status->paths[i].dev));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    _cleanup_(mp_status_freep) struct mp_status *status = NULL;
    _cleanup_free_ char *text = fuzz_text(data, size);
    char *second = text;
    const char *first = strsep(&second, "\n");

    if (second && mp_status_parse(second, &status) == 0)
        check_status(status);
    if (mp_table_parse(first, &table) < 0 || mp_table_n_paths(table) > 256)
        return 0;
    check_together(table, NULL);
    if (status && status->n_paths <= 256)
        check_together(table, status);
    return 0;
}
