/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/mpath-words.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "plan/mpath-regex.h"

#define IN(section) (1U << (section))

static const struct {
    const char *name;
    enum mpath_section parent;
    bool needs_brace; /* in its line: one without is no section */
} sections[N_MPATH_SECTIONS] = {
    [MPATH_TOP] = {"", MPATH_TOP, false},
    [MPATH_DEFAULTS] = {"defaults", MPATH_TOP, false},
    [MPATH_BLACKLIST] = {"blacklist", MPATH_TOP, false},
    [MPATH_BLACKLIST_DEVICE] = {"device", MPATH_BLACKLIST, false},
    [MPATH_EXCEPTIONS] = {"blacklist_exceptions", MPATH_TOP, false},
    [MPATH_EXCEPTIONS_DEVICE] = {"device", MPATH_EXCEPTIONS, false},
    [MPATH_DEVICES] = {"devices", MPATH_TOP, false},
    [MPATH_DEVICE] = {"device", MPATH_DEVICES, false},
    [MPATH_OVERRIDES] = {"overrides", MPATH_TOP, true},
    [MPATH_PROTOCOL] = {"protocol", MPATH_OVERRIDES, true},
    [MPATH_MULTIPATHS] = {"multipaths", MPATH_TOP, false},
    [MPATH_MULTIPATH] = {"multipath", MPATH_MULTIPATHS, false},
};

#define IN_LISTS (IN(MPATH_BLACKLIST) | IN(MPATH_EXCEPTIONS))
#define IN_LISTED_DEVICES (IN(MPATH_BLACKLIST_DEVICE) | IN(MPATH_EXCEPTIONS_DEVICE))
#define IN_GENERAL (IN(MPATH_DEFAULTS) | IN(MPATH_DEVICE) | IN(MPATH_OVERRIDES))
#define IN_ALL (IN_GENERAL | IN(MPATH_MULTIPATH))

/* What a value has to be. */
enum kind {
    KIND_TEXT,
    KIND_SELECTOR,
    KIND_POLICY,
    KIND_FAILBACK,
    KIND_WEIGHT,
    KIND_NUMBER,
    KIND_SWITCH,
    KIND_MARGINAL,
};

static const struct {
    const char *name;
    unsigned sections;
    enum kind kind;
} keywords[N_MPATH_KEYWORDS] = {
    [MPATH_WWID] = {"wwid", IN(MPATH_MULTIPATH), KIND_TEXT},
    [MPATH_VENDOR] = {"vendor", IN(MPATH_DEVICE), KIND_TEXT},
    [MPATH_PRODUCT] = {"product", IN(MPATH_DEVICE), KIND_TEXT},
    [MPATH_REVISION] = {"revision", IN(MPATH_DEVICE), KIND_TEXT},
    [MPATH_ALIAS] = {"alias", IN(MPATH_MULTIPATH), KIND_TEXT},
    [MPATH_PATH_SELECTOR] = {"path_selector", IN_ALL, KIND_SELECTOR},
    [MPATH_PRIO] = {"prio", IN_ALL, KIND_TEXT},
    [MPATH_PRIO_ARGS] = {"prio_args", IN_ALL, KIND_TEXT},
    [MPATH_PRODUCT_BLACKLIST] = {"product_blacklist", IN(MPATH_DEVICE), KIND_TEXT},
    [MPATH_PATH_GROUPING_POLICY] = {"path_grouping_policy", IN_ALL, KIND_POLICY},
    [MPATH_FAILBACK] = {"failback", IN_ALL, KIND_FAILBACK},
    [MPATH_RR_WEIGHT] = {"rr_weight", IN_ALL, KIND_WEIGHT},
    [MPATH_RR_MIN_IO_RQ] = {"rr_min_io_rq", IN_ALL, KIND_NUMBER},
    [MPATH_DETECT_PRIO] = {"detect_prio", IN_GENERAL, KIND_SWITCH},
    [MPATH_DETECT_PGPOLICY] = {"detect_pgpolicy", IN_GENERAL, KIND_SWITCH},
    [MPATH_DETECT_PGPOLICY_USE_TPG] = {"detect_pgpolicy_use_tpg", IN_GENERAL, KIND_SWITCH},
    [MPATH_MARGINAL_PATHGROUPS] = {"marginal_pathgroups", IN(MPATH_DEFAULTS), KIND_MARGINAL},
};

/* What can make a main file one to refuse. */
enum demand {
    DEMAND_REGEX,
    DEMAND_KEY,
    DEMAND_NUMBER,
    DEMAND_COUNT,
};

static const struct {
    const char *name;
    unsigned sections;
    enum demand demand;
} demanding[] = {
    {"devnode", IN_LISTS, DEMAND_REGEX},
    {"wwid", IN_LISTS, DEMAND_REGEX},
    {"property", IN_LISTS, DEMAND_REGEX},
    {"protocol", IN_LISTS, DEMAND_REGEX},
    {"vendor", IN_LISTED_DEVICES, DEMAND_REGEX},
    {"product", IN_LISTED_DEVICES, DEMAND_REGEX},
    {"reservation_key", IN(MPATH_DEFAULTS) | IN(MPATH_MULTIPATH), DEMAND_KEY},
    {"rr_min_io", IN_ALL, DEMAND_NUMBER},
    {"rr_min_io_rq", IN_ALL, DEMAND_NUMBER},
    {"max_sectors_kb", IN_ALL, DEMAND_NUMBER},
    {"polling_interval", IN(MPATH_DEFAULTS), DEMAND_COUNT},
    {"max_polling_interval", IN(MPATH_DEFAULTS), DEMAND_COUNT},
    {"verbosity", IN(MPATH_DEFAULTS), DEMAND_NUMBER},
    {"checker_timeout", IN(MPATH_DEFAULTS), DEMAND_NUMBER},
    {"retrigger_tries", IN(MPATH_DEFAULTS), DEMAND_NUMBER},
    {"retrigger_delay", IN(MPATH_DEFAULTS), DEMAND_NUMBER},
    {"missing_uev_wait_timeout", IN(MPATH_DEFAULTS), DEMAND_NUMBER},
    {"remove_retries", IN(MPATH_DEFAULTS), DEMAND_NUMBER},
    {"find_multipaths_timeout", IN(MPATH_DEFAULTS), DEMAND_NUMBER},
};

struct mpath_release mpath_release_of(unsigned version)
{
    struct mpath_release release = {
        .keeps_values = version >= 808,
        .skips_empty = version >= 900,
        .has_protocols = version >= 900,
        .counts_arguments = version >= 904,
    };

    release.lacks[MPATH_DETECT_PGPOLICY] = version < 906;
    release.lacks[MPATH_DETECT_PGPOLICY_USE_TPG] = version < 906;
    release.lacks[MPATH_RR_WEIGHT] = version >= 1500;
    release.lacks[MPATH_RR_MIN_IO_RQ] = version >= 1500;
    return release;
}

const char *mpath_keyword_name(enum mpath_keyword keyword)
{
    return keywords[keyword].name;
}

enum mpath_section mpath_section_parent(enum mpath_section section)
{
    return sections[section].parent;
}

enum mpath_section mpath_section_begins(enum mpath_section in, const struct mpath_line *line,
                                        const struct mpath_release *release)
{
    for (size_t i = MPATH_TOP + 1; i < ELEMENTSOF(sections); i++) {
        if (sections[i].parent != in || !mpath_line_is(line, sections[i].name))
            continue;
        if ((sections[i].needs_brace && !line->value) ||
            (i == MPATH_PROTOCOL && !release->has_protocols))
            return MPATH_TOP;
        return (enum mpath_section)i;
    }
    return MPATH_TOP;
}

enum mpath_keyword mpath_keyword_find(enum mpath_section in, const struct mpath_line *line,
                                      const struct mpath_release *release)
{
    for (size_t i = 0; i < N_MPATH_KEYWORDS; i++)
        if ((keywords[i].sections & IN(in)) && !release->lacks[i] &&
            mpath_line_is(line, keywords[i].name))
            return (enum mpath_keyword)i;
    return N_MPATH_KEYWORDS;
}

/* --- Values --------------------------------------------------------------------------------- */

static int set(const char *text, char **ret)
{
    char *copy = strdup(text);

    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return MPATH_SETS;
}

static int set_number(long number, char **ret)
{
    char text[32];

    snprintf(text, sizeof(text), "%ld", number);
    return set(text, ret);
}

/* What becomes of a value that makes no sense. */
static int nonsense(const struct mpath_release *release)
{
    return release->keeps_values ? MPATH_KEEPS : MPATH_UNSETS;
}

/* A whole number and nothing else; blanks do not count. */
static bool is_number(const char *text, long *ret)
{
    char *end;

    *ret = strtol(text, &end, 10);
    if (end == text)
        return false;
    while (isspace((unsigned char)*end))
        end++;
    return *end == '\0';
}

/* Numbers of which 0 stands for none. */
static int read_number(const char *text, const struct mpath_release *release, char **ret)
{
    long number;

    if (!is_number(text, &number))
        return MPATH_KEEPS;
    if (!release->keeps_values && (number > INT_MAX || number < INT_MIN))
        return MPATH_KEEPS;
    if (release->keeps_values && number < 0)
        number = 0;
    if (number > INT_MAX)
        number = INT_MAX;
    return number == 0 ? MPATH_UNSETS : set_number(number, ret);
}

static const char *const failbacks[] = {"manual", "immediate", "followover"};

/* Old releases keep the words as negative numbers, and let one write these. */
static int read_old_failback(const char *text, char **ret)
{
    int number = atoi(text);

    if (number == 0)
        return MPATH_UNSETS;
    if (number < 0 && number >= -(int)ELEMENTSOF(failbacks))
        return set(failbacks[-number - 1], ret);
    return set_number(number, ret);
}

static int read_failback(const char *text, const struct mpath_release *release, char **ret)
{
    for (size_t i = 0; i < ELEMENTSOF(failbacks); i++)
        if (strcmp(text, failbacks[i]) == 0)
            return set(text, ret);
    if (!release->keeps_values)
        return read_old_failback(text, ret);
    return read_number(text, release, ret);
}

static int read_switch(const char *text, const struct mpath_release *release, char **ret)
{
    if (strcmp(text, "yes") == 0 || strcmp(text, "1") == 0)
        return set("yes", ret);
    if (strcmp(text, "no") == 0 || strcmp(text, "0") == 0)
        return set("no", ret);
    return nonsense(release);
}

static int read_marginal(const char *text, const struct mpath_release *release, char **ret)
{
    if (strcmp(text, "yes") == 0 || strcmp(text, "1") == 0)
        return set("on", ret);
    if (strcmp(text, "no") == 0 || strcmp(text, "0") == 0)
        return set("off", ret);
    if (!release->keeps_values)
        return set("off", ret);
    if (strcmp(text, "on") == 0 || strcmp(text, "off") == 0 || strcmp(text, "fpin") == 0)
        return set(text, ret);
    return MPATH_KEEPS;
}

static int read_weight(const char *text, char **ret)
{
    if (strcmp(text, "priorities") == 0 || strcmp(text, "uniform") == 0)
        return set(text, ret);
    return MPATH_KEEPS;
}

/* multipathd compares as many characters as the name has. */
static int read_policy(const char *text, const struct mpath_release *release, char **ret)
{
    static const char *const names[] = {
        "failover",      "multibus",           "group_by_serial",
        "group_by_prio", "group_by_node_name", "group_by_tpg",
    };
    size_t n = ELEMENTSOF(names) - release->lacks[MPATH_DETECT_PGPOLICY_USE_TPG];

    for (size_t i = 0; i < n; i++)
        if (strncmp(text, names[i], strlen(names[i])) == 0)
            return set(names[i], ret);
    return nonsense(release);
}

/* Whether a selector's second word is the number of those behind it. */
static bool has_its_arguments(const char *text)
{
    static const char blanks[] = " \f\r\t\v";
    long expected = -1, n = -2; /* words behind the second */

    for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
        char *end;

        if (n == -1) {
            errno = 0;
            expected = strtol(text, &end, 10);
            if (errno == ERANGE || end == text || (*end && !isspace((unsigned char)*end)))
                return false;
        }
        n++;
        text += strcspn(text, blanks);
    }
    return expected >= 0 && expected == n;
}

int mpath_keyword_read(enum mpath_keyword keyword, const struct mpath_line *line,
                       const struct mpath_release *release, char **ret)
{
    _cleanup_free_ char *text = mpath_line_value(line);

    if (!text)
        return -ENOMEM;
    switch (keywords[keyword].kind) {
    case KIND_SELECTOR:
        if (release->counts_arguments && !has_its_arguments(text))
            return MPATH_KEEPS;
        break;
    case KIND_POLICY:
        return read_policy(text, release, ret);
    case KIND_FAILBACK:
        return read_failback(text, release, ret);
    case KIND_WEIGHT:
        return read_weight(text, ret);
    case KIND_NUMBER:
        return read_number(text, release, ret);
    case KIND_SWITCH:
        return read_switch(text, release, ret);
    case KIND_MARGINAL:
        return read_marginal(text, release, ret);
    case KIND_TEXT:
        break;
    }
    *ret = TAKE_PTR(text);
    return MPATH_SETS;
}

/* --- What is refused ------------------------------------------------------------------------ */

/* Hexadecimal, of at most 64 bits, with something behind a colon or not. */
static bool is_reservation_key(const char *text)
{
    size_t length = strcspn(text, ":");

    if (strcmp(text, "file") == 0)
        return true;
    if (length > 0 && *text == '0')
        text++, length--;
    if (length > 0 && (*text == 'x' || *text == 'X'))
        text++, length--;
    return length > 0 && length <= 16 && strspn(text, "0123456789abcdefABCDEF") == length;
}

static bool is_number_of(const char *text, long min, long max)
{
    long number;

    return is_number(text, &number) && number >= min && number <= max;
}

static int is_refused(enum demand demand, const char *text, const struct mpath_release *release)
{
    switch (demand) {
    case DEMAND_REGEX:
        return mpath_regex_is_broken(text);
    case DEMAND_KEY:
        return !is_reservation_key(text);
    case DEMAND_NUMBER:
        return !release->keeps_values && !is_number_of(text, INT_MIN, INT_MAX);
    case DEMAND_COUNT:
        return !release->keeps_values && !is_number_of(text, 0, UINT_MAX);
    }
    return false;
}

int mpath_line_is_refused(enum mpath_section in, const struct mpath_line *line,
                          const struct mpath_release *release, const char **ret_keyword)
{
    _cleanup_free_ char *text = NULL;
    int r;

    for (size_t i = 0; i < ELEMENTSOF(demanding); i++) {
        if (!(demanding[i].sections & IN(in)) || !mpath_line_is(line, demanding[i].name))
            continue;
        text = mpath_line_value(line);
        r = text ? is_refused(demanding[i].demand, text, release) : -ENOMEM;
        if (r > 0)
            *ret_keyword = demanding[i].name;
        return r;
    }
    return false;
}
