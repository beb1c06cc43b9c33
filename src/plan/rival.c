/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/rival.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"

#define LINE_MAX_LENGTH 1023U

/* The sections that multipathd knows, and where each may stand. */
enum section {
    SECTION_TOP,
    SECTION_DEFAULTS,
    SECTION_BLACKLIST,
    SECTION_BLACKLIST_DEVICE,
    SECTION_EXCEPTIONS,
    SECTION_EXCEPTIONS_DEVICE,
    SECTION_DEVICES,
    SECTION_DEVICE,
    SECTION_OVERRIDES,
    SECTION_PROTOCOL,
    SECTION_MULTIPATHS,
    SECTION_MULTIPATH,
};

static const struct {
    const char *name;
    enum section parent;
} sections[] = {
    [SECTION_TOP] = {"", SECTION_TOP},
    [SECTION_DEFAULTS] = {"defaults", SECTION_TOP},
    [SECTION_BLACKLIST] = {"blacklist", SECTION_TOP},
    [SECTION_BLACKLIST_DEVICE] = {"device", SECTION_BLACKLIST},
    [SECTION_EXCEPTIONS] = {"blacklist_exceptions", SECTION_TOP},
    [SECTION_EXCEPTIONS_DEVICE] = {"device", SECTION_EXCEPTIONS},
    [SECTION_DEVICES] = {"devices", SECTION_TOP},
    [SECTION_DEVICE] = {"device", SECTION_DEVICES},
    [SECTION_OVERRIDES] = {"overrides", SECTION_TOP},
    [SECTION_PROTOCOL] = {"protocol", SECTION_OVERRIDES},
    [SECTION_MULTIPATHS] = {"multipaths", SECTION_TOP},
    [SECTION_MULTIPATH] = {"multipath", SECTION_MULTIPATHS},
};

enum {
    /* The ones before are the map's; these switch the detection off and on, ... */
    KEYWORD_DEVICE_DETECTS = 7,
    KEYWORD_OVERRIDES_DETECTS,
    /* ... and these say to what their section applies. */
    KEYWORD_WWID,
    KEYWORD_VENDOR,
    KEYWORD_PRODUCT,
    KEYWORD_DEFAULTS_DETECTS,
    N_KEYWORDS,
};

static const struct {
    const char *name;
    enum section section;
} keywords[N_KEYWORDS] = {
    {"path_grouping_policy", SECTION_MULTIPATH},
    {"path_selector", SECTION_MULTIPATH},
    {"prio", SECTION_MULTIPATH},
    {"prio_args", SECTION_MULTIPATH},
    {"failback", SECTION_MULTIPATH},
    {"rr_weight", SECTION_MULTIPATH},
    {"rr_min_io_rq", SECTION_MULTIPATH},
    [KEYWORD_DEVICE_DETECTS] = {"detect_prio", SECTION_DEVICE},
    [KEYWORD_OVERRIDES_DETECTS] = {"detect_prio", SECTION_OVERRIDES},
    [KEYWORD_WWID] = {"wwid", SECTION_MULTIPATH},
    [KEYWORD_VENDOR] = {"vendor", SECTION_DEVICE},
    [KEYWORD_PRODUCT] = {"product", SECTION_DEVICE},
    [KEYWORD_DEFAULTS_DETECTS] = {"detect_prio", SECTION_DEFAULTS},
};

/* A keyword's value as the configuration has it last: a piece of its text. */
struct value {
    const char *text; /* NULL: not there */
    size_t length;
    bool quoted; /* and so a quote in it is two */
    unsigned line;
};

struct scan {
    bool later;
    bool detects;
    const char *wwid;
    const char *entry;  /* NULL: every value is wanted, whether it wins or not */
    const char *device; /* our own section for the product, which is passed over; NULL: it is not */
    const char *vendor;
    const char *product;

    enum section section;
    unsigned n_unknown;            /* open sections: one unknown to multipathd, and what is in it */
    struct value here[N_KEYWORDS]; /* in the sections that are open */
    struct value wins[N_KEYWORDS]; /* in those that were left */
};

/* A line's first word and what stands behind it; pieces of the text. */
struct line {
    const char *word;
    size_t word_length; /* 0: no keyword in this line */
    struct value value;
    bool opens;
    bool closes;
};

static bool is_blank(char c)
{
    return isspace((unsigned char)c) || !isascii((unsigned char)c);
}

static bool is_special(char c)
{
    return c == '!' || c == '#' || c == '{' || c == '}' || c == '"';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

static size_t bare_length(const char *from, const char *end)
{
    const char *at = from;

    while (at < end && !is_blank(*at) && !is_special(*at))
        at++;
    return (size_t)(at - from);
}

/* Up to the closing quote, which two in a row are not, or to the end of the line. */
static size_t quoted_length(const char *from, const char *end)
{
    const char *at = from;

    while (at < end) {
        if (*at == '"' && (at + 1 == end || at[1] != '"'))
            break;
        at += *at == '"' ? 2 : 1;
    }
    return (size_t)(at - from);
}

static struct line split_line(const char *text, const char *end)
{
    const char *at = skip_blanks(text, end);
    struct line line = {.word = at, .word_length = bare_length(at, end)};

    if (line.word_length == 0) {
        line.opens = at < end && *at == '{';
        line.closes = at < end && *at == '}';
        return line;
    }
    at = skip_blanks(at + line.word_length, end);
    if (at == end || *at == '#' || *at == '!')
        return line;

    line.opens = *at == '{';
    if (*at == '"')
        line.value = (struct value){at + 1, quoted_length(at + 1, end), .quoted = true};
    else
        line.value = (struct value){at, bare_length(at, end) ?: 1 /* a brace */};
    return line;
}

/* Moves *text behind its first line. false: it is at its end. */
static bool next_line(const char **text, struct line *ret)
{
    const char *from = *text, *end = strchrnul(from, '\n');

    if (!*from)
        return false;
    *ret = split_line(from, memchr(from, '\r', (size_t)(end - from)) ?: end);
    *text = *end ? end + 1 : end;
    return true;
}

static bool is_word(const struct line *line, const char *word)
{
    return strlen(word) == line->word_length && memcmp(line->word, word, line->word_length) == 0;
}

/* Takes the first character off. false: there is none. */
static bool next_char(struct value *value, char *ret)
{
    size_t n;

    if (value->length == 0)
        return false;
    *ret = *value->text;
    n = value->quoted && *ret == '"' && value->length > 1 ? 2 : 1;
    value->text += n;
    value->length -= n;
    return true;
}

static bool same_value(struct value a, struct value b)
{
    char x, y;

    while (next_char(&a, &x))
        if (!next_char(&b, &y) || x != y)
            return false;
    return b.length == 0;
}

static bool has_value(const struct value *value, const char *text)
{
    return same_value(*value, (struct value){text, strlen(text)});
}

static char *copy_value(struct value value)
{
    char *copy = malloc(value.length + 1), *out = copy;

    if (!copy)
        return NULL;
    while (next_char(&value, out))
        out++;
    *out = '\0';
    return copy;
}

/* Whether our entry has the keyword, with another value. */
static bool differs_from_ours(const char *entry, const char *keyword, const struct value *value)
{
    struct line line;

    while (next_line(&entry, &line))
        if (line.value.text && is_word(&line, keyword))
            return !same_value(line.value, *value);
    return false;
}

static bool is_yes(const struct value *value)
{
    return has_value(value, "yes") || has_value(value, "1");
}

static bool is_no(const struct value *value)
{
    return has_value(value, "no") || has_value(value, "0");
}

/* Whether that value of a keyword wins where its section applies. */
static bool wins(const struct scan *scan, size_t keyword, const struct value *value)
{
    if (!scan->entry)
        return true;
    switch (keywords[keyword].section) {
    case SECTION_MULTIPATH:
        return scan->later && differs_from_ours(scan->entry, keywords[keyword].name, value);
    case SECTION_DEVICE:
        return scan->later && scan->detects && is_yes(value);
    case SECTION_OVERRIDES:
        return scan->detects && is_yes(value);
    default:
        return false;
    }
}

/*
 * Whether a regex would take more time and memory than one can be worth, for glibc's compiler
 * copies what is repeated, and calls itself for each bracket: it is longer than multipathd's lines,
 * or its counts multiply to more than one of them may be.
 */
static bool is_excessive(const char *regex)
{
    unsigned long product = 1;

    if (strlen(regex) > LINE_MAX_LENGTH)
        return true;
    for (; *regex; regex++) {
        unsigned long copies = 1;

        if (*regex == '\\' && regex[1]) {
            regex++;
            continue;
        }
        if (*regex == '{' || *regex == ',')
            copies = strtoul(regex + 1, NULL, 10);
        if ((*regex == '{' && copies < 2) || *regex == '+')
            copies = 2; /* of what is repeated, one to be there and one for the others */
        if (copies > RE_DUP_MAX)
            return true;
        product *= copies > 0 ? copies : 1;
        if (product > RE_DUP_MAX)
            return true;
    }
    return false;
}

/* Whether multipathd finds the regex in a vendor or product, which it reads without the padding. */
static int matches(const struct value *value, const char *text)
{
    _cleanup_free_ char *stripped = NULL, *regex = NULL;
    regex_t compiled;
    size_t length;
    int r;

    if (!text)
        return true;
    length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    stripped = strndup(text, length);
    regex = copy_value(*value);
    if (!stripped || !regex)
        return -ENOMEM;

    /* multipathd passes over a section with a broken regex as well */
    if (is_excessive(regex) || regcomp(&compiled, regex, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    r = regexec(&compiled, stripped, 0, NULL, 0);
    regfree(&compiled);
    return r == 0;
}

/* Whether the device section being left is our own. */
static bool is_our_device(const struct scan *scan)
{
    static const size_t names[] = {KEYWORD_VENDOR, KEYWORD_PRODUCT};

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (differs_from_ours(scan->device, keywords[names[i]].name, &scan->here[names[i]]))
            return false;
    return true;
}

/* Whether the section being left is about the map or its disk. */
static int applies(const struct scan *scan)
{
    const struct value *here = scan->here;
    int r;

    switch (scan->section) {
    case SECTION_MULTIPATH:
        return here[KEYWORD_WWID].text && has_value(&here[KEYWORD_WWID], scan->wwid);
    case SECTION_DEVICE:
        if (!here[KEYWORD_VENDOR].text || !here[KEYWORD_PRODUCT].text)
            return false;
        if (scan->device && is_our_device(scan))
            return false;
        r = matches(&here[KEYWORD_VENDOR], scan->vendor);
        return r > 0 ? matches(&here[KEYWORD_PRODUCT], scan->product) : r;
    default:
        return true;
    }
}

static int leave_section(struct scan *scan)
{
    int match = applies(scan);

    if (match < 0)
        return match;
    for (size_t i = 0; i < N_KEYWORDS; i++) {
        struct value *here = &scan->here[i];

        if (!here->text || keywords[i].section != scan->section)
            continue;
        if (match)
            scan->wins[i] = wins(scan, i, here) ? *here : (struct value){0};
        *here = (struct value){0};
    }
    scan->section = sections[scan->section].parent;
    return 0;
}

static bool enter_section(struct scan *scan, const struct line *line)
{
    for (size_t i = SECTION_TOP + 1; i < ELEMENTSOF(sections); i++) {
        if (sections[i].parent == scan->section && is_word(line, sections[i].name)) {
            scan->section = (enum section)i;
            return true;
        }
    }
    return false;
}

static void take_keyword(struct scan *scan, const struct line *line, unsigned number)
{
    for (size_t i = 0; i < N_KEYWORDS; i++) {
        if (keywords[i].section != scan->section || !is_word(line, keywords[i].name))
            continue;
        /* any other value of a switch changes nothing */
        if (strcmp(keywords[i].name, "detect_prio") == 0 && !is_yes(&line->value) &&
            !is_no(&line->value))
            return;
        scan->here[i] = line->value;
        scan->here[i].line = number;
        return;
    }
}

static int take_line(struct scan *scan, const struct line *line, unsigned number)
{
    if (scan->n_unknown > 0) {
        if (line->opens)
            scan->n_unknown++;
        else if (line->closes)
            scan->n_unknown--;
        return 0;
    }
    if (line->closes)
        return scan->section == SECTION_TOP ? 0 : leave_section(scan);
    if (line->word_length == 0 || enter_section(scan, line))
        return 0;
    if (line->opens) {
        scan->n_unknown = 1;
        return 0;
    }
    if (line->value.text)
        take_keyword(scan, line, number);
    return 0;
}

static int scan_text(struct scan *scan, const char *text)
{
    struct line line;
    int r;

    for (unsigned number = 1; next_line(&text, &line); number++) {
        r = take_line(scan, &line, number);
        if (r < 0)
            return r;
    }
    while (scan->section != SECTION_TOP) {
        r = leave_section(scan);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The name of the outermost section that a keyword stands in. */
static const char *outermost(enum section section)
{
    while (sections[section].parent != SECTION_TOP)
        section = sections[section].parent;
    return sections[section].name;
}

void rival_done(struct rival *rival)
{
    free(rival->value);
    *rival = (struct rival){0};
}

int rival_find(const char *text, bool later, const char *wwid, const char *entry, bool detects,
               const char *vendor, const char *product, struct rival *ret)
{
    struct scan scan = {
        .later = later,
        .detects = detects,
        .wwid = wwid,
        .entry = entry,
        .vendor = vendor,
        .product = product,
    };
    const struct value *first = NULL;
    size_t keyword = 0;
    int r;

    r = scan_text(&scan, text);
    if (r < 0)
        return r;
    for (size_t i = 0; i < N_KEYWORDS; i++) {
        if (!scan.wins[i].text || (first && first->line < scan.wins[i].line))
            continue;
        first = &scan.wins[i];
        keyword = i;
    }
    if (!first)
        return 0;

    char *value = copy_value(*first);
    if (!value)
        return -ENOMEM;
    *ret = (struct rival){
        .section = outermost(keywords[keyword].section),
        .keyword = keywords[keyword].name,
        .value = value,
        .line = first->line,
    };
    return 1;
}

int rival_in_force(const char *config, const char *wwid, const char *entry)
{
    struct scan scan = {.wwid = wwid};
    int r;

    r = scan_text(&scan, config);
    if (r < 0)
        return r;
    for (size_t i = 0; i < KEYWORD_DEVICE_DETECTS; i++)
        if (!scan.wins[i].text || differs_from_ours(entry, keywords[i].name, &scan.wins[i]))
            return false;
    return true;
}

int rival_detection(const char *config, const char *vendor, const char *product, const char *ours)
{
    static const size_t order[] = {KEYWORD_OVERRIDES_DETECTS, KEYWORD_DEVICE_DETECTS,
                                   KEYWORD_DEFAULTS_DETECTS};
    struct scan scan = {
        .wwid = "",
        .vendor = vendor,
        .product = product,
        .device = ours,
    };
    int r;

    r = scan_text(&scan, config);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ELEMENTSOF(order); i++)
        if (scan.wins[order[i]].text)
            return is_yes(&scan.wins[order[i]]);
    return true; /* multipathd's own default */
}
