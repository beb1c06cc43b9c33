/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/mpath-line.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* multipathd's buffer, less its NUL. */
#define LINE_MAX_LENGTH 1023U

static bool is_blank(char c)
{
    return isspace((unsigned char)c) || !isascii((unsigned char)c);
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

static size_t bare_length(const char *from, const char *end)
{
    static const char ends[] = {'!', '#', '{', '}', '"'};
    const char *at = from;

    while (at < end && !is_blank(*at) && !memchr(ends, *at, sizeof(ends)))
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

static void split_value(const char *at, const char *end, struct mpath_line *line)
{
    at = skip_blanks(at, end);
    if (at == end || *at == '#' || *at == '!')
        return;
    line->quoted = *at == '"';
    line->value = line->quoted ? at + 1 : at;
    if (line->quoted)
        line->value_length = quoted_length(line->value, end);
    else
        line->value_length = bare_length(at, end) ?: 1 /* a brace */;
}

static void split(const char *at, const char *end, struct mpath_line *line)
{
    line->word = skip_blanks(at, end);
    line->word_length = bare_length(line->word, end);
    if (line->word_length > 0)
        split_value(line->word + line->word_length, end, line);
    else if (line->word < end && *line->word == '}')
        line->word_length = 1;
}

/* Where a line that was read up to `end` ends for multipathd: at a NUL or a carriage return. */
static const char *end_of_content(const char *at, const char *end)
{
    while (at < end && *at == '\r')
        at++;
    while (at < end && *at != '\0' && *at != '\r')
        at++;
    return at;
}

bool mpath_line_next(const char **at, const char *end, struct mpath_line *line)
{
    const char *from = *at, *stop = end, *newline;
    unsigned number = line->number;

    if (from == end)
        return false;
    /* Behind a line that was too long its number is the same. */
    if (number == 0 || from[-1] == '\n')
        number++;
    if ((size_t)(end - from) > LINE_MAX_LENGTH)
        stop = from + LINE_MAX_LENGTH;
    newline = memchr(from, '\n', (size_t)(stop - from));

    *line = (struct mpath_line){.number = number};
    split(from, end_of_content(from, newline ?: stop), line);
    *at = newline ? newline + 1 : stop;
    return true;
}

bool mpath_line_is(const struct mpath_line *line, const char *word)
{
    return strlen(word) == line->word_length && memcmp(line->word, word, line->word_length) == 0;
}

char *mpath_line_value(const struct mpath_line *line)
{
    char *copy = malloc(line->value_length + 1), *out = copy;

    if (!copy)
        return NULL;
    for (size_t i = 0; i < line->value_length; i++) {
        *out++ = line->value[i];
        if (line->quoted && line->value[i] == '"')
            i++; /* the second of two */
    }
    *out = '\0';
    return copy;
}
