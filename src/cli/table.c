/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/table.h"

#include <errno.h>
#include <libsmartcols.h>
#include <string.h>
#include <sys/ioctl.h>

DEFINE_CLEANUP(struct libscols_table *, scols_unref_table);
#define _cleanup_scols_ _cleanup_(scols_unref_tablep)

#define INDENT 2U
#define NARROWEST 40U /* below this the tables do not shrink any more */

#define ESCAPE_BOLD "\033[1m"
#define ESCAPE_RESET "\033[0m"

static const char *const tone_colours[] = {
    [TONE_GOOD] = "green",
    [TONE_DOUBTFUL] = "brown",
    [TONE_BAD] = "red",
};

static const char *const tone_escapes[] = {
    [TONE_GOOD] = "\033[32m",
    [TONE_DOUBTFUL] = "\033[33m",
    [TONE_BAD] = "\033[31m",
};

size_t output_width(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO))
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return 80;
    return size.ws_col < NARROWEST ? NARROWEST : size.ws_col;
}

/* https://no-color.org: set and not empty. */
static bool has_colour(void)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
}

void output_heading(const char *kind, const char *name)
{
    bool colour = has_colour();

    printf("%s%s%s%s%s\n", colour ? ESCAPE_BOLD : "", kind, name ? " " : "", name ? name : "",
           colour ? ESCAPE_RESET : "");
}

void output_field(const char *label, enum tone tone, const char *text)
{
    if (tone != TONE_PLAIN && has_colour())
        printf("  %-10s %s%s" ESCAPE_RESET "\n", label, tone_escapes[tone], text);
    else
        printf("  %-10s %s\n", label, text);
}

struct cell {
    char *text;
    enum tone tone;
};

struct table {
    const struct column *columns;
    size_t n_columns;
    struct cell *cells; /* row by row */
    size_t n_cells;
    int error;
};

struct table *table_new(const struct column *columns, size_t n_columns)
{
    struct table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    table->columns = columns;
    table->n_columns = n_columns;
    return table;
}

struct table *table_free(struct table *table)
{
    if (!table)
        return NULL;
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table);
    return NULL;
}

void table_add(struct table *table, enum tone tone, const char *text)
{
    struct cell *cells = reallocarray(table->cells, table->n_cells + 1, sizeof(*cells));
    char *copy = text ? strdup(text) : NULL;

    if (cells)
        table->cells = cells;
    if (!cells || !copy) {
        free(copy);
        table->error = -ENOMEM;
        return;
    }
    cells[table->n_cells++] = (struct cell){.text = copy, .tone = tone};
}

/* ---- fitting the terminal ---- */

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t longest_word(const char *text)
{
    size_t longest = 0;

    while (*text) {
        size_t n = strcspn(text, " ");

        longest = max_size(longest, n);
        text += n + strspn(text + n, " ");
    }
    return longest;
}

/* Widths are in bytes: names, addresses and selectors are ASCII. */
static size_t natural_width(const struct table *table, size_t column)
{
    size_t width = strlen(table->columns[column].title);

    for (size_t i = column; i < table->n_cells; i += table->n_columns)
        width = max_size(width, strlen(table->cells[i].text));
    return width;
}

/* The width that a column may be brought down to; by breaking words too, where `hard`. */
static size_t least_width(const struct table *table, size_t column, bool hard)
{
    const struct column *c = &table->columns[column];
    size_t width = max_size(c->min_width, strlen(c->title));

    if (hard || c->cut)
        return width;
    for (size_t i = column; i < table->n_cells; i += table->n_columns)
        width = max_size(width, longest_word(table->cells[i].text));
    return width;
}

/* Narrows the columns of one rank, and returns what is still too much. */
static size_t narrow(const struct table *table, size_t *widths, size_t excess, unsigned rank,
                     bool hard)
{
    for (size_t i = 0; i < table->n_columns && excess > 0; i++) {
        size_t least = least_width(table, i, hard);
        size_t slack = widths[i] > least ? widths[i] - least : 0;

        if (table->columns[i].rank != rank)
            continue;
        if (slack > excess)
            slack = excess;
        widths[i] -= slack;
        excess -= slack;
    }
    return excess;
}

/* Sets the width of each column and returns how many blanks come between two. */
static size_t fit(const struct table *table, size_t terminal, size_t *widths)
{
    size_t gaps = table->n_columns - 1;
    size_t total = INDENT;
    unsigned last_rank = 0;

    for (size_t i = 0; i < table->n_columns; i++) {
        widths[i] = natural_width(table, i);
        total += widths[i];
        if (table->columns[i].rank > last_rank)
            last_rank = table->columns[i].rank;
    }
    if (terminal == 0 || total + 2 * gaps <= terminal)
        return 2;
    total += gaps;
    for (int hard = 0; hard <= 1; hard++)
        for (unsigned rank = 1; rank <= last_rank && total > terminal; rank++)
            total = terminal + narrow(table, widths, total - terminal, rank, hard);
    return 1;
}

/* Breaks a text into lines of at most width, at a blank where there is one. To be freed. */
static char *break_lines(const char *text, size_t width)
{
    char *broken = malloc(2 * strlen(text) + 1);
    char *out = broken;

    if (!broken)
        return NULL;
    while (strlen(text) > width) {
        size_t n = width;

        while (n > 0 && text[n] != ' ')
            n--;
        if (n == 0)
            n = width;
        out = mempcpy(out, text, n);
        *out++ = '\n';
        text += n + strspn(text + n, " ");
    }
    strcpy(out, text);
    return broken;
}

/* ---- printing ---- */

static int fill_cell(const struct table *table, size_t i, size_t width, struct libscols_line *line)
{
    size_t column = i % table->n_columns;
    const struct cell *cell = &table->cells[i];
    struct libscols_cell *target = scols_line_get_cell(line, column);
    _cleanup_free_ char *text =
        table->columns[column].cut ? strndup(cell->text, width) : break_lines(cell->text, width);

    if (!target || !text || scols_cell_set_data(target, text) < 0)
        return -ENOMEM;
    if (cell->tone != TONE_PLAIN && scols_cell_set_color(target, tone_colours[cell->tone]) < 0)
        return -ENOMEM;
    return 0;
}

static int table_fill(const struct table *table, const size_t *widths, struct libscols_table *scols)
{
    struct libscols_line *line = NULL;

    for (size_t i = 0; i < table->n_columns; i++) {
        const struct column *c = &table->columns[i];
        struct libscols_column *column = scols_table_new_column(
            scols, c->title, 0, SCOLS_FL_WRAP | (c->right ? SCOLS_FL_RIGHT : 0));

        if (!column || scols_column_set_wrapfunc(column, scols_wrapnl_chunksize,
                                                 scols_wrapnl_nextchunk, NULL) < 0)
            return -ENOMEM;
    }
    for (size_t i = 0; i < table->n_cells; i++) {
        if (i % table->n_columns == 0)
            line = scols_table_new_line(scols, NULL);
        if (!line || fill_cell(table, i, widths[i % table->n_columns], line) < 0)
            return -ENOMEM;
    }
    return 0;
}

static void print_indented(char *text)
{
    char *rest = text;
    char *line;

    while ((line = strsep(&rest, "\n"))) {
        size_t n = strlen(line);

        while (n > 0 && line[n - 1] == ' ')
            n--;
        if (n > 0)
            printf("%*s%.*s\n", (int)INDENT, "", (int)n, line);
    }
}

int table_print(struct table *table)
{
    _cleanup_scols_ struct libscols_table *scols = scols_new_table();
    _cleanup_free_ size_t *widths = calloc(table->n_columns, sizeof(*widths));
    _cleanup_free_ char *text = NULL;
    size_t gap;

    if (table->error < 0 || !scols || !widths)
        return -ENOMEM;
    gap = fit(table, output_width(), widths);
    scols_table_enable_colors(scols, has_colour());
    scols_table_enable_noencoding(scols, 1);
    scols_table_set_termforce(scols, SCOLS_TERMFORCE_NEVER); /* it is fitted already */
    if (scols_table_set_column_separator(scols, gap == 1 ? " " : "  ") < 0 ||
        table_fill(table, widths, scols) < 0 || scols_print_table_to_string(scols, &text) < 0 ||
        !text)
        return -ENOMEM;
    print_indented(text);
    return 0;
}
