/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a person reads on standard output: headings, fields and tables that fit the terminal. Where
 * standard output is no terminal, nothing is shortened and nothing has colour.
 */

#include <stdbool.h>
#include <stddef.h>

#include "basic/macros.h"

enum tone {
    TONE_PLAIN,
    TONE_GOOD,
    TONE_DOUBTFUL,
    TONE_BAD,
};

/* Columns of the terminal, 0: standard output is none. */
size_t output_width(void);

/* "Session iqn.x", not indented and bold; name may be NULL. */
void output_heading(const char *kind, const char *name);

/* "  Policy   text", a line below a heading. */
void output_field(const char *label, enum tone tone, const char *text);

/*
 * Where the terminal is too narrow, the columns of rank 1 give way first, then those of rank 2 and
 * so on: first without a break within a word, then, if that was not enough, down to min_width.
 */
struct column {
    const char *title;
    bool right;    /* numbers */
    bool cut;      /* its end may be left out; otherwise it goes on in further lines */
    unsigned rank; /* 0: never gives way */
    size_t min_width;
};

struct table;

/* The columns are kept by reference. NULL: out of memory. */
struct table *table_new(const struct column *columns, size_t n_columns);
struct table *table_free(struct table *table);
DEFINE_CLEANUP(struct table *, table_free);
#define _cleanup_table_ _cleanup_(table_freep)

/*
 * Appends a cell, copied; a row begins by itself behind the last column. A failure, such as a text
 * that is NULL for want of memory, is remembered and comes out of table_print().
 */
void table_add(struct table *table, enum tone tone, const char *text);

/* Prints the table below a heading: indented. -ENOMEM, or 0. */
int table_print(struct table *table);
