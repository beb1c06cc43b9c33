/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The regexes of multipath.conf: extended ones, without anchors of their own. */

#include <regex.h>

/*
 * Compiles one, for regfree(). -EINVAL: it is broken. -E2BIG: it would take more time and memory
 * than one can be worth. -ENOMEM.
 */
int mpath_regex_compile(const char *text, regex_t *ret);

/*
 * Whether multipathd cannot compile one of a list of what it leaves alone, where a ! in front means
 * all others. 1, 0 (also for one that would take too much) or -ENOMEM.
 */
int mpath_regex_is_broken(const char *text);
