/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/mpath-conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "plan/mpath-line.h"
#include "plan/mpath-regex.h"

/* The values of one section. */
struct section {
    struct mpath_value values[N_MPATH_KEYWORDS];
    size_t serial; /* of those of its list, in the order of reading */
};

struct list {
    struct section **sections;
    size_t n, serial;
};

struct mpath_conf {
    struct mpath_release release;
    char **files;
    size_t n_files;
    struct section defaults, overrides;
    struct list multipaths;       /* by WWID, one for each */
    struct list devices;          /* in the order in which they count: the last one most */
    struct mpath_refusal refusal; /* by a line of a main file */
};

static void clear_value(struct mpath_value *value)
{
    free(value->text);
    *value = (struct mpath_value){0};
}

static void clear_section(struct section *section)
{
    for (size_t i = 0; i < N_MPATH_KEYWORDS; i++)
        clear_value(&section->values[i]);
}

static void clear_list(struct list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        clear_section(list->sections[i]);
        free(list->sections[i]);
    }
    free(list->sections);
}

int mpath_conf_new(const struct mpath_release *release, struct mpath_conf **ret)
{
    struct mpath_conf *conf = calloc(1, sizeof(*conf));

    if (!conf)
        return -ENOMEM;
    conf->release = *release;
    *ret = conf;
    return 0;
}

void mpath_conf_free(struct mpath_conf *conf)
{
    for (size_t i = 0; i < conf->n_files; i++)
        free(conf->files[i]);
    free(conf->files);
    clear_section(&conf->defaults);
    clear_section(&conf->overrides);
    clear_list(&conf->multipaths);
    clear_list(&conf->devices);
    free(conf);
}

/* --- Lists of sections ---------------------------------------------------------------------- */

static int append_section(struct list *list)
{
    struct section **more = reallocarray(list->sections, list->n + 1, sizeof(*more));

    if (!more)
        return -ENOMEM;
    list->sections = more;
    more[list->n] = calloc(1, sizeof(**more));
    if (!more[list->n])
        return -ENOMEM;
    more[list->n++]->serial = list->serial++;
    return 0;
}

static void remove_section(struct list *list, size_t i)
{
    clear_section(list->sections[i]);
    free(list->sections[i]);
    list->n--;
    memmove(&list->sections[i], &list->sections[i + 1], (list->n - i) * sizeof(*list->sections));
}

static bool has_text(const struct section *section, enum mpath_keyword keyword)
{
    return section->values[keyword].text;
}

/* Gives `to` what it lacks and `from` has. */
static void merge_section(struct section *to, struct section *from,
                          const struct mpath_release *release)
{
    for (size_t i = 0; i < N_MPATH_KEYWORDS; i++) {
        struct mpath_value *value = &from->values[i];

        if (to->values[i].text || !value->text)
            continue;
        if (!*value->text && !release->skips_empty)
            return;
        if (*value->text) {
            to->values[i] = *value;
            value->text = NULL;
        }
    }
}

static bool same_text(const struct section *a, const struct section *b, enum mpath_keyword keyword)
{
    const char *x = a->values[keyword].text, *y = b->values[keyword].text;

    return x == y || (x && y && strcmp(x, y) == 0);
}

static bool same_device(const struct section *a, const struct section *b)
{
    return same_text(a, b, MPATH_VENDOR) && same_text(a, b, MPATH_PRODUCT) &&
           same_text(a, b, MPATH_REVISION);
}

/* The first section from the n-th on that says the same of which devices it is about. */
static size_t find_twin(const struct list *list, size_t i, size_t n)
{
    for (size_t j = n > i + 1 ? n : i + 1; j < list->n; j++)
        if (same_device(list->sections[i], list->sections[j]))
            return j;
    return list->n;
}

/*
 * Merges device sections after a file, of which the ones from the n-th on are. A section goes into
 * its twin where that stands, and so may come before sections that were read between the two.
 */
static void merge_devices(struct list *list, size_t n, const struct mpath_release *release)
{
    for (size_t i = 0; i < list->n;) {
        const struct section *section = list->sections[i];
        size_t twin;

        if (i >= n && (!has_text(section, MPATH_VENDOR) || !has_text(section, MPATH_PRODUCT))) {
            remove_section(list, i);
            continue;
        }
        twin = find_twin(list, i, n);
        if (twin == list->n) {
            i++;
            continue;
        }
        merge_section(list->sections[twin], list->sections[i], release);
        remove_section(list, i);
        n -= i < n;
        i = 0; /* as multipathd does */
    }
}

static int compare_multipaths(const void *a, const void *b)
{
    const struct section *x = *(struct section *const *)a, *y = *(struct section *const *)b;
    int order = strcmp(x->values[MPATH_WWID].text, y->values[MPATH_WWID].text);

    return order ?: (x->serial > y->serial) - (x->serial < y->serial);
}

static void merge_multipaths(struct list *list, const struct mpath_release *release)
{
    for (size_t i = list->n; i-- > 0;)
        if (!has_text(list->sections[i], MPATH_WWID))
            remove_section(list, i);
    if (list->n > 0)
        qsort(list->sections, list->n, sizeof(*list->sections), compare_multipaths);
    for (size_t i = 0; i + 1 < list->n;) {
        if (!same_text(list->sections[i], list->sections[i + 1], MPATH_WWID)) {
            i++;
            continue;
        }
        merge_section(list->sections[i + 1], list->sections[i], release);
        remove_section(list, i);
    }
}

/* --- Reading -------------------------------------------------------------------------------- */

/* A file that is being read. */
struct conf_reader {
    struct mpath_conf *conf;
    const char *file;
    bool is_main;
    enum mpath_section section;
};

static struct section *last_section(const struct list *list)
{
    return list->sections[list->n - 1];
}

/* The section that keywords go to. NULL: none that is kept. */
static struct section *open_section(const struct conf_reader *reader)
{
    struct mpath_conf *conf = reader->conf;

    switch (reader->section) {
    case MPATH_DEFAULTS:
        return &conf->defaults;
    case MPATH_OVERRIDES:
        return &conf->overrides;
    case MPATH_DEVICE:
        return last_section(&conf->devices);
    case MPATH_MULTIPATH:
        return last_section(&conf->multipaths);
    default:
        return NULL;
    }
}

static int enter(struct conf_reader *reader, enum mpath_section section)
{
    reader->section = section;
    if (section == MPATH_DEVICE)
        return append_section(&reader->conf->devices);
    if (section == MPATH_MULTIPATH)
        return append_section(&reader->conf->multipaths);
    return 0;
}

static int note_refusal(struct conf_reader *reader, const struct mpath_line *line)
{
    struct mpath_conf *conf = reader->conf;
    const char *keyword;
    int r;

    if (!reader->is_main || conf->refusal.keyword)
        return 0;
    r = mpath_line_is_refused(reader->section, line, &conf->release, &keyword);
    if (r > 0)
        conf->refusal = (struct mpath_refusal){reader->file, line->number, keyword};
    return r;
}

static int read_keyword(struct conf_reader *reader, const struct mpath_line *line)
{
    const struct mpath_release *release = &reader->conf->release;
    enum mpath_keyword keyword = mpath_keyword_find(reader->section, line, release);
    struct section *section = open_section(reader);
    char *text = NULL;
    int r;

    if (keyword == N_MPATH_KEYWORDS || !section)
        return 0;
    r = mpath_keyword_read(keyword, line, release, &text);
    if (r < 0 || r == MPATH_KEEPS)
        return r < 0 ? r : 0;
    free(section->values[keyword].text);
    section->values[keyword] = (struct mpath_value){text, reader->file, line->number};
    return 0;
}

static int read_line(struct conf_reader *reader, const struct mpath_line *line)
{
    enum mpath_section section;
    int r;

    if (line->word_length == 0)
        return 0;
    if (mpath_line_is(line, "}")) {
        reader->section = mpath_section_parent(reader->section);
        return 0;
    }
    section = mpath_section_begins(reader->section, line, &reader->conf->release);
    if (section != MPATH_TOP)
        return enter(reader, section);
    if (!line->value)
        return 0;
    r = note_refusal(reader, line);
    return r < 0 ? r : read_keyword(reader, line);
}

static int remember_file(struct mpath_conf *conf, const char *file, const char **ret)
{
    char **more = reallocarray(conf->files, conf->n_files + 1, sizeof(*more));

    if (!more)
        return -ENOMEM;
    conf->files = more;
    more[conf->n_files] = strdup(file);
    if (!more[conf->n_files])
        return -ENOMEM;
    *ret = more[conf->n_files++];
    return 0;
}

static int read_lines(struct mpath_conf *conf, const char *file, bool is_main, const char *text,
                      size_t size)
{
    struct conf_reader reader = {.conf = conf, .is_main = is_main};
    const char *end = text + size;
    struct mpath_line line = {0};
    int r;

    r = remember_file(conf, file, &reader.file);
    while (r >= 0 && mpath_line_next(&text, end, &line))
        r = read_line(&reader, &line);
    return r;
}

int mpath_conf_read(struct mpath_conf *conf, const char *file, bool is_main, const char *text,
                    size_t size)
{
    size_t n_devices = conf->devices.n;
    int r = read_lines(conf, file, is_main, text, size);

    if (r < 0)
        return r;
    merge_devices(&conf->devices, n_devices, &conf->release);
    merge_multipaths(&conf->multipaths, &conf->release);
    return 0;
}

/* --- Asking --------------------------------------------------------------------------------- */

/* What a device section does not want to see is added to the blacklist, in whatever file it is. */
static int device_refusal(const struct section *device, struct mpath_refusal *ret)
{
    static const enum mpath_keyword keywords[] = {MPATH_VENDOR, MPATH_PRODUCT_BLACKLIST};

    if (!has_text(device, MPATH_PRODUCT_BLACKLIST))
        return 0;
    for (size_t i = 0; i < ELEMENTSOF(keywords); i++) {
        const struct mpath_value *value = &device->values[keywords[i]];
        int r = mpath_regex_is_broken(value->text);

        if (r > 0)
            *ret =
                (struct mpath_refusal){value->file, value->line, mpath_keyword_name(keywords[i])};
        if (r != 0)
            return r;
    }
    return 0;
}

int mpath_conf_refusal(const struct mpath_conf *conf, struct mpath_refusal *ret)
{
    int r = 0;

    if (conf->refusal.keyword) {
        *ret = conf->refusal;
        return 1;
    }
    for (size_t i = 0; i < conf->devices.n && r == 0; i++)
        r = device_refusal(conf->devices.sections[i], ret);
    return r;
}

bool mpath_conf_is_later(const struct mpath_conf *conf, const char *file, const char *than)
{
    for (size_t i = conf->n_files; i-- > 0;) {
        if (strcmp(conf->files[i], than) == 0)
            return false;
        if (strcmp(conf->files[i], file) == 0)
            return true;
    }
    return false;
}

const struct mpath_value *mpath_conf_default(const struct mpath_conf *conf,
                                             enum mpath_keyword keyword)
{
    return &conf->defaults.values[keyword];
}

const struct mpath_value *mpath_conf_override(const struct mpath_conf *conf,
                                              enum mpath_keyword keyword)
{
    return &conf->overrides.values[keyword];
}

static int compare_wwid(const void *wwid, const void *section)
{
    return strcmp(wwid, (*(struct section *const *)section)->values[MPATH_WWID].text);
}

const struct mpath_value *mpath_conf_multipath(const struct mpath_conf *conf, const char *wwid)
{
    const struct list *list = &conf->multipaths;
    struct section **found =
        list->n > 0 ? bsearch(wwid, list->sections, list->n, sizeof(*list->sections), compare_wwid)
                    : NULL;

    return found ? (*found)->values : NULL;
}

const struct mpath_value *mpath_conf_device(const struct mpath_conf *conf, size_t i)
{
    return i < conf->devices.n ? conf->devices.sections[i]->values : NULL;
}

size_t mpath_conf_n_devices(const struct mpath_conf *conf)
{
    return conf->devices.n;
}

const struct mpath_value *mpath_conf_multipath_at(const struct mpath_conf *conf, size_t i)
{
    return i < conf->multipaths.n ? conf->multipaths.sections[i]->values : NULL;
}

size_t mpath_conf_n_multipaths(const struct mpath_conf *conf)
{
    return conf->multipaths.n;
}

/* Whether a regex, NULL for any, is found in what sysfs has, NULL for anything. */
static int matches(const char *regex, const char *text)
{
    _cleanup_free_ char *stripped = NULL;
    regex_t compiled;
    size_t length;
    int r;

    if (!regex || !text)
        return true;
    length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    stripped = strndup(text, length);
    if (!stripped)
        return -ENOMEM;

    r = mpath_regex_compile(regex, &compiled);
    if (r < 0)
        return r == -ENOMEM ? r : false;
    r = regexec(&compiled, stripped, 0, NULL, 0);
    regfree(&compiled);
    return r == 0;
}

int mpath_device_matches(const struct mpath_value *device, const char *vendor, const char *product)
{
    int r = matches(device[MPATH_VENDOR].text, vendor);

    if (r > 0)
        r = matches(device[MPATH_PRODUCT].text, product);
    return r;
}

const struct mpath_release *mpath_conf_release(const struct mpath_conf *conf)
{
    return &conf->release;
}

int mpath_conf_shown(unsigned version, const char *answer, struct mpath_conf **ret)
{
    static const enum mpath_keyword differing[] = {
        MPATH_RR_WEIGHT,
        MPATH_RR_MIN_IO_RQ,
        MPATH_DETECT_PGPOLICY,
        MPATH_DETECT_PGPOLICY_USE_TPG,
    };
    struct mpath_release release = mpath_release_of(version);
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = NULL;
    int r;

    for (size_t i = 0; i < ELEMENTSOF(differing); i++)
        release.lacks[differing[i]] = false;
    r = mpath_conf_new(&release, &conf);
    if (r >= 0)
        r = read_lines(conf, "show config", false, answer, strlen(answer));
    if (r < 0)
        return r;
    /* Its device sections are merged already, which takes the square of their number. */
    merge_multipaths(&conf->multipaths, &conf->release);
    for (size_t i = 0; i < ELEMENTSOF(differing); i++)
        conf->release.lacks[differing[i]] = !has_text(&conf->defaults, differing[i]);
    *ret = TAKE_PTR(conf);
    return 0;
}
