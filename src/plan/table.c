/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/table.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "basic/macros.h"

/* The kernel's bound for every count in a multipath table. */
#define COUNT_MAX 1024U

/* The kernel's widths of a device number. */
#define MAJOR_MAX 0xFFFU
#define MINOR_MAX 0xFFFFFU

#define BLANKS " \t\n"

struct word {
    const char *start;
    size_t length;
};

/* Reads the next word behind *at. -EINVAL: the text is at its end. */
static int next_word(const char **at, struct word *ret)
{
    const char *start = *at + strspn(*at, BLANKS);
    size_t length = strcspn(start, BLANKS);

    if (length == 0)
        return -EINVAL;
    *ret = (struct word){start, length};
    *at = start + length;
    return 0;
}

static bool at_end(const char *at)
{
    return at[strspn(at, BLANKS)] == '\0';
}

static int parse_digits(const char *text, size_t length, unsigned max, unsigned *ret)
{
    uint64_t value = 0;

    if (length == 0)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        value = value * 10 + (uint64_t)(text[i] - '0');
        if (value > max)
            return -EINVAL;
    }
    *ret = (unsigned)value;
    return 0;
}

static int next_number(const char **at, unsigned max, unsigned *ret)
{
    struct word word;
    int r;

    r = next_word(at, &word);
    if (r < 0)
        return r;
    return parse_digits(word.start, word.length, max, ret);
}

/* "8:16" */
static int next_device(const char **at, dev_t *ret)
{
    const char *colon;
    struct word word;
    unsigned major_number;
    unsigned minor_number;
    size_t length;
    int r;

    r = next_word(at, &word);
    if (r < 0)
        return r;
    colon = memchr(word.start, ':', word.length);
    if (!colon)
        return -EINVAL;
    length = (size_t)(colon - word.start);
    r = parse_digits(word.start, length, MAJOR_MAX, &major_number);
    if (r < 0)
        return r;
    r = parse_digits(colon + 1, word.length - length - 1, MINOR_MAX, &minor_number);
    if (r < 0)
        return r;
    *ret = makedev(major_number, minor_number);
    return 0;
}

static int skip_words(const char **at, unsigned n)
{
    struct word word;

    for (unsigned i = 0; i < n; i++) {
        int r = next_word(at, &word);

        if (r < 0)
            return r;
    }
    return 0;
}

/* Skips a count and as many words as it says. */
static int skip_counted(const char **at)
{
    unsigned n;
    int r;

    r = next_number(at, COUNT_MAX, &n);
    if (r < 0)
        return r;
    return skip_words(at, n);
}

/* A copy of the words between two places, with one blank between each two. */
static char *copy_words(const char *from, const char *to)
{
    char *copy = malloc((size_t)(to - from) + 1);
    char *out = copy;
    struct word word;

    if (!copy)
        return NULL;
    while (from < to && next_word(&from, &word) >= 0) {
        if (out > copy)
            *out++ = ' ';
        memcpy(out, word.start, word.length);
        out += word.length;
    }
    *out = '\0';
    return copy;
}

/* A count with its words: "1 queue_if_no_path". */
static int next_counted(const char **at, char **ret)
{
    const char *from = *at;
    char *copy;
    int r;

    r = skip_counted(at);
    if (r < 0)
        return r;
    copy = copy_words(from, *at);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return 0;
}

/* A name, then a count with its words: "round-robin 0". */
static int next_selector(const char **at, char **ret)
{
    const char *from = *at;
    struct word name;
    char *copy;
    int r;

    r = next_word(at, &name);
    if (r < 0)
        return r;
    if (*name.start >= '0' && *name.start <= '9')
        return -EINVAL;
    r = skip_counted(at);
    if (r < 0)
        return r;
    copy = copy_words(from, *at);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return 0;
}

/* "<#groups> <group number>": the number is 0 only where there is no group. */
static int next_group_counts(const char **at, unsigned *ret_n_groups, unsigned *ret_current)
{
    unsigned n_groups;
    unsigned current;
    int r;

    r = next_number(at, COUNT_MAX, &n_groups);
    if (r < 0)
        return r;
    r = next_number(at, n_groups, &current);
    if (r < 0)
        return r;
    if (current == 0 && n_groups > 0)
        return -EINVAL;
    *ret_n_groups = n_groups;
    *ret_current = current;
    return 0;
}

/* "<#paths> <#words behind each path>" */
static int next_path_counts(const char **at, unsigned *ret_n_paths, unsigned *ret_n_args)
{
    unsigned n_paths;
    unsigned n_args;
    int r;

    r = next_number(at, COUNT_MAX, &n_paths);
    if (r < 0)
        return r;
    if (n_paths == 0)
        return -EINVAL;
    r = next_number(at, COUNT_MAX, &n_args);
    if (r < 0)
        return r;
    *ret_n_paths = n_paths;
    *ret_n_args = n_args;
    return 0;
}

/*
 * Room for one entry more in an array of n that has only ever grown here, so that its size is the
 * next power of two. NULL: out of memory, and the array is as it was.
 */
static void *grow(void *array, size_t n, size_t entry_size)
{
    if (n > 0 && (n & (n - 1)) != 0)
        return array;
    return reallocarray(array, n > 0 ? 2 * n : 1, entry_size);
}

static int parse_group(const char **at, struct mp_table *table)
{
    _cleanup_free_ char *selector = NULL;
    struct mp_group *group;
    unsigned n_paths;
    unsigned n_args;
    int r;

    r = next_selector(at, &selector);
    if (r < 0)
        return r;
    r = next_path_counts(at, &n_paths, &n_args);
    if (r < 0)
        return r;
    r = mp_table_add_group(table, selector, &group);
    if (r < 0)
        return r;

    for (unsigned i = 0; i < n_paths; i++) {
        dev_t dev;

        r = next_device(at, &dev);
        if (r < 0)
            return r;
        r = skip_words(at, n_args);
        if (r < 0)
            return r;
        r = mp_group_add_path(group, dev);
        if (r < 0)
            return r;
    }
    return 0;
}

int mp_table_parse(const char *params, struct mp_table **ret)
{
    _cleanup_(mp_table_freep) struct mp_table *table = calloc(1, sizeof(*table));
    const char *at = params;
    unsigned n_groups;
    unsigned current;
    int r;

    if (!table)
        return -ENOMEM;
    r = next_counted(&at, &table->features);
    if (r < 0)
        return r;
    r = next_counted(&at, &table->hwhandler);
    if (r < 0)
        return r;
    r = next_group_counts(&at, &n_groups, &current);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < n_groups; i++) {
        r = parse_group(&at, table);
        if (r < 0)
            return r;
    }
    if (!at_end(at))
        return -EINVAL;

    table->current = current;
    *ret = TAKE_PTR(table);
    return 0;
}

int mp_table_format(const struct mp_table *table, char **ret)
{
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    bool failed;
    FILE *out;

    out = open_memstream(&text, &size);
    if (!out)
        return -ENOMEM;

    fprintf(out, "%s %s %zu %u", table->features, table->hwhandler, table->n_groups,
            table->current);
    for (size_t i = 0; i < table->n_groups; i++) {
        const struct mp_group *group = &table->groups[i];

        fprintf(out, " %s %zu 1", group->selector, group->n_paths);
        for (size_t j = 0; j < group->n_paths; j++)
            fprintf(out, " %u:%u 1", major(group->paths[j]), minor(group->paths[j]));
    }

    failed = ferror(out);
    if (fclose(out) != 0 || failed)
        return -ENOMEM;
    *ret = TAKE_PTR(text);
    return 0;
}

struct mp_table *mp_table_new_like(const struct mp_table *table)
{
    _cleanup_(mp_table_freep) struct mp_table *copy = calloc(1, sizeof(*copy));

    if (!copy)
        return NULL;
    copy->features = strdup(table->features);
    copy->hwhandler = strdup(table->hwhandler);
    if (!copy->features || !copy->hwhandler)
        return NULL;
    return TAKE_PTR(copy);
}

int mp_table_add_group(struct mp_table *table, const char *selector, struct mp_group **ret)
{
    _cleanup_free_ char *copy = strdup(selector);
    struct mp_group *groups;

    if (!copy)
        return -ENOMEM;
    groups = grow(table->groups, table->n_groups, sizeof(*groups));
    if (!groups)
        return -ENOMEM;

    table->groups = groups;
    *ret = &groups[table->n_groups++];
    **ret = (struct mp_group){.selector = TAKE_PTR(copy)};
    if (table->current == 0)
        table->current = 1;
    return 0;
}

int mp_group_add_path(struct mp_group *group, dev_t dev)
{
    dev_t *paths = grow(group->paths, group->n_paths, sizeof(*paths));

    if (!paths)
        return -ENOMEM;
    group->paths = paths;
    group->paths[group->n_paths++] = dev;
    return 0;
}

void mp_table_free(struct mp_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->n_groups; i++) {
        free(table->groups[i].selector);
        free(table->groups[i].paths);
    }
    free(table->groups);
    free(table->features);
    free(table->hwhandler);
    free(table);
}

/* One of the letters, alone. */
static int next_letter(const char **at, const char *letters, char *ret)
{
    struct word word;
    int r;

    r = next_word(at, &word);
    if (r < 0)
        return r;
    if (word.length != 1 || !strchr(letters, *word.start))
        return -EINVAL;
    *ret = *word.start;
    return 0;
}

/* "8:16 A <failures>", then what the selector tells of the path. */
static int parse_path_state(const char **at, unsigned n_args, struct mp_status *status)
{
    struct mp_path_state *paths;
    unsigned n_failures;
    char state;
    dev_t dev;
    int r;

    r = next_device(at, &dev);
    if (r < 0)
        return r;
    r = next_letter(at, "AF", &state);
    if (r < 0)
        return r;
    r = next_number(at, UINT_MAX, &n_failures);
    if (r < 0)
        return r;
    r = skip_words(at, n_args);
    if (r < 0)
        return r;

    paths = grow(status->paths, status->n_paths, sizeof(*paths));
    if (!paths)
        return -ENOMEM;
    status->paths = paths;
    paths[status->n_paths++] = (struct mp_path_state){.dev = dev, .failed = state == 'F'};
    return 0;
}

static int parse_group_state(const char **at, struct mp_status *status)
{
    unsigned n_paths;
    unsigned n_args;
    char *states;
    char state;
    int r;

    r = next_letter(at, "AED", &state);
    if (r < 0)
        return r;
    states = grow(status->group_states, status->n_groups, sizeof(*states));
    if (!states)
        return -ENOMEM;
    status->group_states = states;
    states[status->n_groups++] = state;

    r = skip_counted(at);
    if (r < 0)
        return r;
    r = next_path_counts(at, &n_paths, &n_args);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < n_paths; i++) {
        r = parse_path_state(at, n_args, status);
        if (r < 0)
            return r;
    }
    return 0;
}

int mp_status_parse(const char *params, struct mp_status **ret)
{
    _cleanup_(mp_status_freep) struct mp_status *status = calloc(1, sizeof(*status));
    const char *at = params;
    unsigned n_groups;
    unsigned current;
    int r;

    if (!status)
        return -ENOMEM;
    r = skip_counted(&at); /* of features */
    if (r < 0)
        return r;
    r = skip_counted(&at); /* of the hardware handler */
    if (r < 0)
        return r;
    r = next_group_counts(&at, &n_groups, &current);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < n_groups; i++) {
        r = parse_group_state(&at, status);
        if (r < 0)
            return r;
    }
    if (!at_end(at))
        return -EINVAL;

    *ret = TAKE_PTR(status);
    return 0;
}

void mp_status_free(struct mp_status *status)
{
    if (!status)
        return;
    free(status->paths);
    free(status->group_states);
    free(status);
}

bool mp_status_usable(const struct mp_status *status, dev_t dev)
{
    if (!status)
        return true;
    for (size_t i = 0; i < status->n_paths; i++)
        if (status->paths[i].dev == dev)
            return !status->paths[i].failed;
    return false;
}

static bool group_usable(const struct mp_group *group, const struct mp_status *status)
{
    for (size_t i = 0; i < group->n_paths; i++)
        if (mp_status_usable(status, group->paths[i]))
            return true;
    return false;
}

static bool has_paths_of(const struct mp_group *group, const struct mp_group *other)
{
    for (size_t i = 0; i < other->n_paths; i++) {
        size_t j = 0;

        while (j < group->n_paths && group->paths[j] != other->paths[i])
            j++;
        if (j == group->n_paths)
            return false;
    }
    return true;
}

static bool same_group(const struct mp_group *a, const struct mp_group *b)
{
    return strcmp(a->selector, b->selector) == 0 && has_paths_of(a, b) && has_paths_of(b, a);
}

static size_t count_same(const struct mp_table *table, const struct mp_group *group)
{
    size_t n = 0;

    for (size_t i = 0; i < table->n_groups; i++)
        if (same_group(&table->groups[i], group))
            n++;
    return n;
}

/* The first group from *at on that has a usable path, NULL: none. Moves *at behind it. */
static const struct mp_group *next_usable(const struct mp_table *table,
                                          const struct mp_status *status, size_t *at)
{
    while (*at < table->n_groups) {
        const struct mp_group *group = &table->groups[(*at)++];

        if (group_usable(group, status))
            return group;
    }
    return NULL;
}

bool mp_table_same_meaning(const struct mp_table *a, const struct mp_table *b,
                           const struct mp_status *status)
{
    size_t at_a = 0;
    size_t at_b = 0;

    if (a->n_groups != b->n_groups)
        return false;

    for (;;) {
        const struct mp_group *group_a = next_usable(a, status, &at_a);
        const struct mp_group *group_b = next_usable(b, status, &at_b);

        if (!group_a && !group_b)
            break;
        if (!group_a || !group_b || !same_group(group_a, group_b))
            return false;
    }

    for (size_t i = 0; i < a->n_groups; i++) {
        const struct mp_group *group = &a->groups[i];

        if (!group_usable(group, status) && count_same(a, group) != count_same(b, group))
            return false;
    }
    return true;
}

static bool has_path(const struct mp_table *table, dev_t dev)
{
    for (size_t i = 0; i < table->n_groups; i++)
        for (size_t j = 0; j < table->groups[i].n_paths; j++)
            if (table->groups[i].paths[j] == dev)
                return true;
    return false;
}

static bool has_all_paths(const struct mp_table *table, const struct mp_table *of)
{
    for (size_t i = 0; i < of->n_groups; i++)
        for (size_t j = 0; j < of->groups[i].n_paths; j++)
            if (!has_path(table, of->groups[i].paths[j]))
                return false;
    return true;
}

bool mp_table_same_paths(const struct mp_table *a, const struct mp_table *b)
{
    return has_all_paths(a, b) && has_all_paths(b, a);
}

size_t mp_table_n_paths(const struct mp_table *table)
{
    size_t n = 0;

    for (size_t i = 0; i < table->n_groups; i++)
        n += table->groups[i].n_paths;
    return n;
}
