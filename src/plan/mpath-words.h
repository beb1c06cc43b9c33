/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The words of multipath.conf: its sections, and those of its keywords that decide what groups
 * multipathd makes, or whether it takes a file at all; each with what it makes of a value
 * (libmultipath/dict.c). Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "plan/mpath-line.h"

enum mpath_section {
    MPATH_TOP, /* outside all others */
    MPATH_DEFAULTS,
    MPATH_BLACKLIST,
    MPATH_BLACKLIST_DEVICE,
    MPATH_EXCEPTIONS,
    MPATH_EXCEPTIONS_DEVICE,
    MPATH_DEVICES,
    MPATH_DEVICE,
    MPATH_OVERRIDES,
    MPATH_PROTOCOL,
    MPATH_MULTIPATHS,
    MPATH_MULTIPATH,
    N_MPATH_SECTIONS,
};

/* Texts come first, in the order in which multipathd merges them. */
enum mpath_keyword {
    MPATH_WWID,
    MPATH_VENDOR,
    MPATH_PRODUCT,
    MPATH_REVISION,
    MPATH_ALIAS,
    MPATH_PATH_SELECTOR,
    MPATH_PRIO,
    MPATH_PRIO_ARGS,
    MPATH_PRODUCT_BLACKLIST,
    MPATH_PATH_GROUPING_POLICY,
    MPATH_FAILBACK,
    MPATH_RR_WEIGHT,
    MPATH_RR_MIN_IO_RQ,
    MPATH_DETECT_PRIO,
    MPATH_DETECT_PGPOLICY,
    MPATH_DETECT_PGPOLICY_USE_TPG,
    MPATH_MARGINAL_PATHGROUPS,
    N_MPATH_KEYWORDS,
};

/* In what releases of multipath-tools differ, and since which one they do so. */
struct mpath_release {
    /* 0.8.8: a value that makes no sense changes nothing. Before, it took away the one that was
       there, and a number that is none made a main file one to refuse. */
    bool keeps_values;
    bool skips_empty;      /* 0.9.0: an empty text no longer ends the merge of two sections */
    bool has_protocols;    /* 0.9.0: overrides have a section for each protocol */
    bool counts_arguments; /* 0.9.4: a path selector has to say how many arguments it has */
    bool lacks[N_MPATH_KEYWORDS]; /* what it does not know, or ignores as deprecated */
};

/* What a release has by its number, as mpathd_version() tells it. */
struct mpath_release mpath_release_of(unsigned version);

/* Static. */
const char *mpath_keyword_name(enum mpath_keyword keyword);

/* Whether the line, in that section, begins another one: that one, else MPATH_TOP. */
enum mpath_section mpath_section_begins(enum mpath_section in, const struct mpath_line *line,
                                        const struct mpath_release *release);

/* The section around. */
enum mpath_section mpath_section_parent(enum mpath_section section);

/* Which keyword that is in that section: N_MPATH_KEYWORDS, none of the above. */
enum mpath_keyword mpath_keyword_find(enum mpath_section in, const struct mpath_line *line,
                                      const struct mpath_release *release);

/* What becomes of a keyword by a line. */
enum mpath_effect {
    MPATH_KEEPS,  /* what it had */
    MPATH_SETS,   /* the line's value */
    MPATH_UNSETS, /* nothing */
};

/*
 * Reads the value of a line with that keyword: an effect, and with MPATH_SETS *ret, as multipathd
 * prints it. -ENOMEM.
 */
int mpath_keyword_read(enum mpath_keyword keyword, const struct mpath_line *line,
                       const struct mpath_release *release, char **ret);

/*
 * Whether multipathd refuses a main file that has the line in that section; in another file it
 * passes over the line. 1, and the keyword's name, static; 0 or -ENOMEM.
 */
int mpath_line_is_refused(enum mpath_section in, const struct mpath_line *line,
                          const struct mpath_release *release, const char **ret_keyword);
