/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The lines of multipath.conf as multipathd splits them (libmpathutil/parser.c). Pure. */

#include <stdbool.h>
#include <stddef.h>

/* A line, in pieces of its text. */
struct mpath_line {
    unsigned number;  /* as an editor counts: from 1 */
    const char *word; /* its first; of length 0 where it is no keyword */
    size_t word_length;
    const char *value; /* NULL: none */
    size_t value_length;
    bool quoted; /* so that two quotes in the value are one */
};

/*
 * Begins with *line all zero and *at at the start of the text, and moves *at behind its next line.
 * multipathd reads 1023 bytes at the most, and what is left of a longer line as one more, of the
 * same number here. A carriage return or a NUL ends what counts of a line. What stands behind the
 * value does not count, nor what follows # or !; what is not ASCII is a blank, but for quotes.
 * false: the text is at its end.
 */
bool mpath_line_next(const char **at, const char *end, struct mpath_line *line);

bool mpath_line_is(const struct mpath_line *line, const char *word);

/* The value without its quotes, to be freed. NULL: no memory. */
char *mpath_line_value(const struct mpath_line *line);
