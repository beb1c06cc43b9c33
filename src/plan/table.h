/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The text of a dm-multipath table and of its status, both ways (Linux, drivers/md/dm-mpath.c:
 * parse_features, parse_hw_handler, parse_priority_group, multipath_status; kernels 4.18 on).
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct mp_group {
    char *selector; /* name and arguments as in the table: "round-robin 0" */
    dev_t *paths;
    size_t n_paths;
};

struct mp_table {
    char *features;   /* with their count, verbatim: "1 queue_if_no_path" */
    char *hwhandler;  /* with its count, verbatim: "1 alua", "0" */
    unsigned current; /* group in use or to be tried first, from 1; 0 only where there is none */
    struct mp_group *groups;
    size_t n_groups;
};

/* One path's line in the status. */
struct mp_path_state {
    dev_t dev;
    bool failed;
};

struct mp_status {
    struct mp_path_state *paths; /* in table order */
    size_t n_paths;
    char *group_states; /* a letter each: 'A' in use, 'E' enabled, 'D' disabled (bypassed) */
    size_t n_groups;
};

/*
 * Reads the parameters of a "multipath" target as DM_TABLE_STATUS with DM_STATUS_TABLE_FLAG
 * prints them. Path arguments are dropped: every path of ours has the repeat count 1.
 * -EINVAL: not a multipath table, or numbers in it that do not add up. -ENOMEM.
 */
int mp_table_parse(const char *params, struct mp_table **ret);

/*
 * Prints a table for DM_TABLE_LOAD, in the form that multipathd's assemble_map() gives it:
 * one path argument, 1, for each path. -ENOMEM.
 */
int mp_table_format(const struct mp_table *table, char **ret);

/* A copy of features and hwhandler with no group, to fill. NULL: out of memory. */
struct mp_table *mp_table_new_like(const struct mp_table *table);

/*
 * Appends a group with that selector and no path; the selector is copied. The group stays valid
 * until the next group is added; the first one becomes the current one. Groups and paths come
 * only from these two functions, which keep count of the arrays' room. -ENOMEM.
 */
int mp_table_add_group(struct mp_table *table, const char *selector, struct mp_group **ret);
int mp_group_add_path(struct mp_group *group, dev_t dev);

void mp_table_free(struct mp_table *table);

/* The parameters of the target's DM_STATUS_INFO. -EINVAL, -ENOMEM as above. */
int mp_status_parse(const char *params, struct mp_status **ret);
void mp_status_free(struct mp_status *status);

/* Whether the path is there and the kernel holds it for usable. NULL status: every path is. */
bool mp_status_usable(const struct mp_status *status, dev_t dev);

/*
 * Whether two tables mean the same: the same sets of paths as groups, the same selector for each
 * (name and arguments), and the same order of those groups that have a usable path. Groups
 * without one may stand anywhere, for multipathd moves them to the end. Features, hardware
 * handler, current group and the order inside a group do not count.
 */
bool mp_table_same_meaning(const struct mp_table *a, const struct mp_table *b,
                           const struct mp_status *status);

/* Whether both have the same paths, in whatever groups. */
bool mp_table_same_paths(const struct mp_table *a, const struct mp_table *b);

/* Number of paths in all groups. */
size_t mp_table_n_paths(const struct mp_table *table);

/* _cleanup_ helpers */
static inline void mp_table_freep(struct mp_table **table)
{
    mp_table_free(*table);
}

static inline void mp_status_freep(struct mp_status **status)
{
    mp_status_free(*status);
}
