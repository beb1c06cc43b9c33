/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A configuration as multipathd has it when it has read all its files: sections merged, and of each
 * value where it stands (libmultipath/config.c). What it answers to "show config" is read as one
 * file. Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "basic/macros.h"
#include "plan/mpath-words.h"

struct mpath_conf;

/* A keyword's value, as multipathd prints it, and its place. It lives with the configuration. */
struct mpath_value {
    char *text;       /* NULL: it is not set */
    const char *file; /* as it was named to mpath_conf_read() */
    unsigned line;
};

/* -ENOMEM. */
int mpath_conf_new(const struct mpath_release *release, struct mpath_conf **ret);
void mpath_conf_free(struct mpath_conf *conf);
DEFINE_CLEANUP(struct mpath_conf *, mpath_conf_free);

/*
 * Reads one more file, in multipathd's order; the name is for values to tell it. -ENOMEM: what was
 * read may be half of it.
 */
int mpath_conf_read(struct mpath_conf *conf, const char *file, bool is_main, const char *text,
                    size_t size);

/* A line for which multipathd refuses all its files, and keeps the configuration that it has. */
struct mpath_refusal {
    const char *file;
    unsigned line;
    const char *keyword; /* static */
};

/* Whether there is one: 1, 0 or -ENOMEM. */
int mpath_conf_refusal(const struct mpath_conf *conf, struct mpath_refusal *ret);

/* Whether a file was read after another one, both by their names. */
bool mpath_conf_is_later(const struct mpath_conf *conf, const char *file, const char *than);

/* What the defaults and the overrides have for a keyword. */
const struct mpath_value *mpath_conf_default(const struct mpath_conf *conf,
                                             enum mpath_keyword keyword);
const struct mpath_value *mpath_conf_override(const struct mpath_conf *conf,
                                              enum mpath_keyword keyword);

/*
 * The values, N_MPATH_KEYWORDS of them by keyword, of the multipath section for a WWID, and of the
 * i-th device section: what the last one that matches has, counts. NULL: there is none.
 */
const struct mpath_value *mpath_conf_multipath(const struct mpath_conf *conf, const char *wwid);
const struct mpath_value *mpath_conf_device(const struct mpath_conf *conf, size_t i);
size_t mpath_conf_n_devices(const struct mpath_conf *conf);
const struct mpath_value *mpath_conf_multipath_at(const struct mpath_conf *conf, size_t i);
size_t mpath_conf_n_multipaths(const struct mpath_conf *conf);

/*
 * Whether a device section is about a disk of that vendor and product, which are as in sysfs; NULL:
 * unknown, any regex matches. A section with a broken regex is about none. 1, 0 or -ENOMEM.
 */
int mpath_device_matches(const struct mpath_value *device, const char *vendor, const char *product);

/*
 * What a multipathd of that version answered to "show config". Its defaults tell which keywords it
 * has; mpath_conf_release() is then the release to read its files by. -ENOMEM.
 */
int mpath_conf_shown(unsigned version, const char *answer, struct mpath_conf **ret);
const struct mpath_release *mpath_conf_release(const struct mpath_conf *conf);
