/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/entry.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "basic/sanitize.h"

/* What multipathd keeps of prio_args (PRIO_ARGS_LEN less its NUL) and of a line (MAXBUF's). */
#define ARGS_BYTES_MAX 254U
#define LINE_BYTES_MAX 1023U

/* Between the prios of two groups: room for an administrator to read and to add to. */
#define PRIO_STEP 10

static const char header[] =
    "# Written by iscsi-wmid. Do not edit: it is replaced whenever a policy changes.\n"
    "#\n"
    "# Each multipath section makes multipathd build the path groups of a load-balance\n"
    "# policy that was set through iscsi-wmi.\n"
    "#\n"
    "# To take a session's maps back, give it policy 6:\n"
    "#     iscsi-wmi policy set SESSION vendor-specific\n"
    "# To take a disk back that has a policy of its own, clear that (DsmSetLoadBalancePolicy, 0).\n"
    "# That removes its sections and, with the last one, this file. A multipath section of\n"
    "# your own wins over the one here where its file sorts behind this one.\n";

/* How the sections begin and end. */
#define MULTIPATH_BEGIN "    multipath {\n        wwid \""
#define DEVICE_BEGIN "    device {\n        vendor \""
#define DEVICE_MIDDLE "\"\n        detect_prio no\n        prio "
#define SECTION_END "    }\n"

/* Without the blanks at its end; to be freed. */
static char *trimmed(const char *text)
{
    size_t length = strlen(text);

    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        length--;
    return strndup(text, length);
}

/* Closes a stream of open_memstream() and hands its text on. */
static int finish(FILE **out, char **text, char **ret)
{
    FILE *stream = TAKE_PTR(*out);
    bool failed = ferror(stream);

    if (fclose(stream) != 0 || failed)
        return -ENOMEM;
    *ret = TAKE_PTR(*text);
    return 0;
}

static bool lines_fit(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");

        if (length > LINE_BYTES_MAX)
            return false;
        text += length + (text[length] == '\n');
    }
    return true;
}

static const struct entry_path *entry_find_path(const struct entry_path *paths, size_t n_paths,
                                                dev_t dev)
{
    for (size_t i = 0; i < n_paths; i++)
        if (paths[i].dev == dev)
            return &paths[i];
    return NULL;
}

/* NULL: multipathd can build such groups. */
static const char *find_obstacle(const char *wwid, const struct mp_table *table,
                                 const struct entry_path *paths, size_t n_paths)
{
    if (table->n_groups == 0)
        return "the map has no path group";
    if (!*wwid || !sink_takes(SINK_MULTIPATH_CONF, wwid))
        return "multipathd's configuration cannot hold the map's WWID";
    for (size_t i = 0; i < table->n_groups; i++) {
        const struct mp_group *group = &table->groups[i];

        if (group->n_paths == 0)
            return "multipathd builds no path group without a path";
        if (i == 0 && (!*group->selector || !sink_takes(SINK_MULTIPATH_CONF, group->selector)))
            return "multipathd's configuration cannot hold the path selector";
        if (strcmp(group->selector, table->groups[0].selector) != 0)
            return "the path groups have different selectors, and multipathd has one for a map";
        for (size_t j = 0; i + 1 < table->n_groups && j < group->n_paths; j++)
            if (!entry_find_path(paths, n_paths, group->paths[j]))
                return "a path has no SCSI address to tell it apart by";
    }
    return NULL;
}

/* How many paths of a group, from that one on, differ in their hosts alone. */
static size_t count_alike(const struct mp_group *group, size_t from, const struct entry_path *paths,
                          size_t n_paths)
{
    const struct entry_path *first = entry_find_path(paths, n_paths, group->paths[from]);
    size_t n = 1;

    for (; from + n < group->n_paths; n++) {
        const struct entry_path *path = entry_find_path(paths, n_paths, group->paths[from + n]);

        if (path->channel != first->channel || path->target != first->target ||
            path->lun != first->lun)
            break;
    }
    return n;
}

/*
 * A regex for each path of a group, or, dense, for all that differ in their hosts alone, as those
 * of iSCSI do. weightedpath takes the first regex that matches; they are not anchored by
 * themselves.
 */
static void put_weights(FILE *out, const struct mp_group *group, size_t prio,
                        const struct entry_path *paths, size_t n_paths, bool dense)
{
    for (size_t i = 0, n; i < group->n_paths; i += n) {
        const struct entry_path *first = entry_find_path(paths, n_paths, group->paths[i]);

        n = dense ? count_alike(group, i, paths, n_paths) : 1;
        fprintf(out, n > 1 ? " ^(%u" : " ^%u", first->host);
        for (size_t j = 1; j < n; j++)
            fprintf(out, "|%u", entry_find_path(paths, n_paths, group->paths[i + j])->host);
        fprintf(out, "%s:%u:%u:%" PRIu64 "$ %zu", n > 1 ? ")" : "", first->channel, first->target,
                first->lun, prio);
    }
}

static int format_args(const struct mp_table *table, const struct entry_path *paths, size_t n_paths,
                       bool dense, char **ret)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_fclose_ FILE *out = NULL;
    size_t size = 0;

    out = open_memstream(&text, &size);
    if (!out)
        return -ENOMEM;

    fputs("hbtl", out);
    for (size_t i = 0; i + 1 < table->n_groups; i++)
        put_weights(out, &table->groups[i], PRIO_STEP * (table->n_groups - i), paths, n_paths,
                    dense);
    fprintf(out, " .* %d", PRIO_STEP);
    return finish(&out, &text, ret);
}

/* Dense only where it has to be: the other form can be read. -E2BIG: multipathd would cut both. */
static int find_args(const struct mp_table *table, const struct entry_path *paths, size_t n_paths,
                     char **ret)
{
    for (int dense = 0; dense <= 1; dense++) {
        _cleanup_free_ char *args = NULL;

        int r = format_args(table, paths, n_paths, dense, &args);
        if (r < 0)
            return r;
        if (strlen(args) <= ARGS_BYTES_MAX) {
            *ret = TAKE_PTR(args);
            return 0;
        }
    }
    return -E2BIG;
}

static const char *failback_word(bool fails_back)
{
    return fails_back ? "immediate" : "manual";
}

int entry_multipath(const char *wwid, const struct mp_table *table, bool fails_back,
                    const struct entry_path *paths, size_t n_paths, char **ret,
                    const char **ret_reason)
{
    _cleanup_free_ char *args = NULL;
    _cleanup_free_ char *text = NULL;
    const char *obstacle;
    int r;

    obstacle = find_obstacle(wwid, table, paths, n_paths);
    if (obstacle) {
        *ret_reason = obstacle;
        return -EOPNOTSUPP;
    }
    r = find_args(table, paths, n_paths, &args);
    if (r == -E2BIG) {
        *ret_reason = "the map has more paths than multipathd's prio_args can list";
        return -EOPNOTSUPP;
    }
    if (r < 0)
        return r;

    /* One keyword a line, for multipathd drops a second one. */
    if (asprintf(&text,
                 MULTIPATH_BEGIN "%s\"\n"
                                 "        path_grouping_policy group_by_prio\n"
                                 "        path_selector \"%s\"\n"
                                 "        prio weightedpath\n"
                                 "        prio_args \"%s\"\n"
                                 "        failback %s\n"
                                 "        rr_weight uniform\n"
                                 "        rr_min_io_rq 1\n" SECTION_END,
                 wwid, table->groups[0].selector, args, failback_word(fails_back)) < 0) {
        text = NULL;
        return -ENOMEM;
    }
    if (!lines_fit(text)) {
        *ret_reason = "the map's WWID or path selector is longer than a line of multipathd's";
        return -EOPNOTSUPP;
    }
    *ret = TAKE_PTR(text);
    return 0;
}

/* Whether the entry's path selector is that one. */
static bool has_selector(const char *entry, const char *selector)
{
    static const char keyword[] = "path_selector \"";
    const char *at = strstr(entry, keyword);
    size_t length = strlen(selector);

    return at && strncmp(at + strlen(keyword), selector, length) == 0 &&
           at[strlen(keyword) + length] == '"';
}

/* Whether the entry fails back, or not, as it should. */
static bool has_failback(const char *entry, bool fails_back)
{
    static const char keyword[] = "failback ";
    const char *at = strstr(entry, keyword);
    const char *word = failback_word(fails_back);

    return at && strncmp(at + strlen(keyword), word, strlen(word)) == 0;
}

/* Whether a regex of put_weights() is for that host's path; `place` is what follows the host. */
static bool is_regex_of(const char *regex, const char *host, const char *place)
{
    bool has_several = strncmp(regex, "^(", 2) == 0;
    const char *at = regex + (has_several ? 2 : 1), *end = at + strcspn(at, "):");

    if (regex[0] != '^' || *end != (has_several ? ')' : ':') ||
        strcmp(end + has_several, place) != 0)
        return false;
    for (size_t length; at < end; at += length + 1) {
        length = strcspn(at, "|):");
        if (length == strlen(host) && strncmp(at, host, length) == 0)
            return true;
    }
    return false;
}

/* The prio that prio_args, as format_args() writes them, give to an address. 0: there are none. */
static unsigned prio_of(const char *entry, const struct entry_path *path)
{
    static const char keyword[] = "prio_args \"hbtl";
    const char *at = strstr(entry, keyword);
    char host[16], place[64];
    unsigned prio = 0;

    if (!at)
        return 0;
    at += strlen(keyword);
    snprintf(host, sizeof(host), "%u", path->host);
    snprintf(place, sizeof(place), ":%u:%u:%" PRIu64 "$", path->channel, path->target, path->lun);
    for (;;) {
        char regex[ARGS_BYTES_MAX + 1];
        int length = 0;

        if (sscanf(at, " %254s %u%n", regex, &prio, &length) != 2)
            return 0;
        if (strcmp(regex, ".*") == 0 || is_regex_of(regex, host, place))
            return prio;
        at += length;
    }
}

bool entry_fits(const char *entry, const struct mp_table *table, bool fails_back,
                const struct entry_path *paths, size_t n_paths)
{
    unsigned above = UINT_MAX;

    if (!has_failback(entry, fails_back))
        return false;
    for (size_t i = 0; i < table->n_groups; i++) {
        const struct mp_group *group = &table->groups[i];
        unsigned prio = 0;

        if (!has_selector(entry, group->selector))
            return false;
        for (size_t j = 0; j < group->n_paths; j++) {
            const struct entry_path *path = entry_find_path(paths, n_paths, group->paths[j]);
            unsigned own = path ? prio_of(entry, path) : 0;

            if (own == 0 || own >= above || (j > 0 && own != prio))
                return false;
            prio = own;
        }
        above = prio;
    }
    return table->n_groups > 0;
}

bool entry_has_several(const char *entry)
{
    return strstr(entry, "prio_args \"hbtl ^");
}

/*
 * An extended regex of exactly these bytes. A bracket expression needs no backslash, of which
 * multipathd could one day think otherwise; ^ has to have one, being special in front there.
 */
static void put_regex(FILE *out, const char *literal)
{
    fputc('^', out);
    for (; *literal; literal++) {
        if (*literal == '^')
            fputs("\\^", out);
        else if (strchr(".[]()*+?{}|$\\", *literal))
            fprintf(out, "[%c]", *literal);
        else
            fputc(*literal, out);
    }
    fputc('$', out);
}

/* Whether multipathd reads it as a value without quotes. */
static bool is_bare_value(const char *text)
{
    return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789_-")] == '\0';
}

static int format_device(const char *vendor, const char *product, const char *prio, char **ret)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_fclose_ FILE *out = NULL;
    size_t size = 0;

    out = open_memstream(&text, &size);
    if (!out)
        return -ENOMEM;

    fputs(DEVICE_BEGIN, out);
    put_regex(out, vendor);
    fputs("\"\n        product \"", out);
    put_regex(out, product);
    fprintf(out, DEVICE_MIDDLE "%s\n" SECTION_END, prio);
    return finish(&out, &text, ret);
}

int entry_device(const char *vendor, const char *product, const char *prio, char **ret)
{
    _cleanup_free_ char *bare_vendor = trimmed(vendor), *bare_product = trimmed(product);
    _cleanup_free_ char *text = NULL;
    int r;

    if (!bare_vendor || !bare_product)
        return -ENOMEM;
    if (!sink_takes(SINK_MULTIPATH_CONF, bare_vendor) ||
        !sink_takes(SINK_MULTIPATH_CONF, bare_product) || !is_bare_value(prio))
        return -EOPNOTSUPP;
    r = format_device(bare_vendor, bare_product, prio, &text);
    if (r < 0)
        return r;
    if (!lines_fit(text))
        return -EOPNOTSUPP;
    *ret = TAKE_PTR(text);
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Writes the section around; of equal devices, one. */
static int put_devices(FILE *out, const char *const *devices, size_t n)
{
    _cleanup_free_ const char **sorted = calloc(n + 1, sizeof(*sorted));

    if (!sorted)
        return -ENOMEM;
    memcpy(sorted, devices, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_texts);
    fputs("\ndevices {\n", out);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0)
            fputs(sorted[i], out);
    fputs("}\n", out);
    return 0;
}

int entry_file(const char *const *devices, size_t n_devices, const char *const *entries,
               size_t n_entries, char **ret)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_fclose_ FILE *out = NULL;
    size_t size = 0;

    if (n_entries == 0)
        return -ENODATA;
    out = open_memstream(&text, &size);
    if (!out)
        return -ENOMEM;

    fputs(header, out);
    if (n_devices > 0 && put_devices(out, devices, n_devices) < 0)
        return -ENOMEM;
    fputs("\nmultipaths {\n", out);
    for (size_t i = 0; i < n_entries; i++)
        fputs(entries[i], out);
    fputs("}\n", out);
    return finish(&out, &text, ret);
}

static int split_section(const char *begin, const char *end, entry_text_func_t func, void *userdata)
{
    static const char multipath[] = MULTIPATH_BEGIN, device[] = DEVICE_BEGIN;
    _cleanup_free_ char *text = strndup(begin, (size_t)(end - begin)), *wwid = NULL;

    if (!text)
        return -ENOMEM;
    if (strncmp(text, device, strlen(device)) == 0)
        return func(NULL, text, userdata);
    if (strncmp(text, multipath, strlen(multipath)) != 0)
        return 0;
    wwid = strndup(text + strlen(multipath), strcspn(text + strlen(multipath), "\"\n"));
    return wwid ? func(wwid, text, userdata) : -ENOMEM;
}

int entry_file_split(const char *file, entry_text_func_t func, void *userdata)
{
    static const char section[] = "\n    ", end[] = "\n" SECTION_END;
    const char *begin = file;
    int r = 0;

    while (r >= 0 && (begin = strstr(begin, section))) {
        const char *behind = strstr(begin + 1, end);
        if (!behind)
            break;
        behind += strlen(end);
        r = split_section(begin + 1, behind, func, userdata);
        begin = behind - 1; /* the line's end begins the next */
    }
    return r < 0 ? r : 0;
}

int entry_device_is_of(const char *device, const char *vendor, const char *product)
{
    _cleanup_free_ char *own = NULL;
    const char *middle = strstr(device, DEVICE_MIDDLE);

    int r = entry_device(vendor, product, "const", &own);
    if (r < 0)
        return r == -EOPNOTSUPP ? 0 : r;
    return own && middle &&
           strncmp(device, own, (size_t)(middle - device) + strlen(DEVICE_MIDDLE)) == 0;
}
