/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/sanitize.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "basic/macros.h"

static const struct sink_rule {
    bool takes_unseen;    /* whatever is a character */
    const char *taken;    /* but these, though they are not seen */
    const char *reserved; /* what means something there */
    size_t bytes_max;     /* 0: any number */
} rules[] = {
    [SINK_BUS] = {.takes_unseen = true},
    [SINK_TERMINAL] = {0},
    [SINK_JOURNAL] = {0},
    [SINK_COMPLETION] = {0},
    [SINK_JSON] = {.taken = "\n"},
    [SINK_POLKIT] = {.reserved = "<>&", .bytes_max = 223}, /* what an iSCSI name can have */
    [SINK_MULTIPATH_CONF] = {.reserved = "\""},
    [SINK_METRIC_LABEL] = {.reserved = "\"\\"},
};

/*
 * What a terminal obeys, what ends a line, and what is not seen but changes how others are seen, or
 * makes two names look the same: the general categories Cc, Cf, Zl and Zp, as far as a text of one
 * line needs none of them.
 */
static const struct range {
    uint32_t first, last;
} unseen[] = {
    {0x0000, 0x001f},   {0x007f, 0x009f},   /* control characters */
    {0x00ad, 0x00ad},                       /* soft hyphen */
    {0x061c, 0x061c},                       /* Arabic letter mark */
    {0x180e, 0x180e},                       /* Mongolian vowel separator */
    {0x200b, 0x200f},                       /* zero width, and directional marks */
    {0x2028, 0x202e},                       /* line and paragraph separators, bidi embeddings */
    {0x2060, 0x206f},                       /* word joiner, bidi isolates, deprecated ones */
    {0xfeff, 0xfeff},   {0xfff9, 0xfffb},   /* byte-order mark, interlinear annotations */
    {0x1d173, 0x1d17a}, {0xe0000, 0xe007f}, /* musical formatting, tags */
};

/* ---- characters, as RFC 3629 has them ---- */

/* How many bytes the character has by its first one; 0: none begins so. */
static size_t length_of(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/*
 * Neither in more bytes than it needs, nor a surrogate, nor past Unicode's end, nor one of the
 * noncharacters, which sd-bus does not take either.
 */
static bool is_character(uint32_t code, size_t length)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

    return code >= least[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) &&
           (code < 0xfdd0 || code > 0xfdef) && (code & 0xfffe) != 0xfffe;
}

/* Reads the character at the front of a text that is not at its end; its length, 0: there is none.
 */
static size_t read_character(const char *text, uint32_t *ret_code)
{
    size_t length = length_of((unsigned char)text[0]);
    uint32_t code = (unsigned char)text[0];

    if (length > 1)
        code &= 0x7fU >> length;
    for (size_t i = 1; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];

        if ((byte & 0xc0) != 0x80) /* the NUL at the end, for one */
            return 0;
        code = code << 6 | (byte & 0x3f);
    }
    if (length == 0 || !is_character(code, length))
        return 0;
    *ret_code = code;
    return length;
}

/* ---- which of them go where ---- */

static bool is_unseen(uint32_t code)
{
    /* In ascending order: most characters are behind the first range and before the second. */
    for (size_t i = 0; i < ELEMENTSOF(unseen) && code >= unseen[i].first; i++)
        if (code <= unseen[i].last)
            return true;
    return false;
}

static bool is_one_of(uint32_t code, const char *characters)
{
    return characters && code > 0 && code < 0x80 && strchr(characters, (int)code);
}

static bool takes_character(const struct sink_rule *rule, uint32_t code)
{
    if (is_one_of(code, rule->reserved))
        return false;
    return rule->takes_unseen || !is_unseen(code) || is_one_of(code, rule->taken);
}

/* How much at the front of a text is ASCII that can be seen and means nothing: mostly all of it. */
static size_t plain_length(const struct sink_rule *rule, const char *text)
{
    size_t n = 0, n_free = rule->reserved ? strcspn(text, rule->reserved) : SIZE_MAX;

    while (text[n] >= 0x20 && text[n] < 0x7f)
        n++;
    return n < n_free ? n : n_free;
}

bool sink_takes(enum sink sink, const char *text)
{
    const struct sink_rule *rule = &rules[sink];

    if (rule->bytes_max && strlen(text) > rule->bytes_max)
        return false;
    for (text += plain_length(rule, text); *text;) {
        uint32_t code;
        size_t length = read_character(text, &code);

        if (length == 0 || !takes_character(rule, code))
            return false;
        text += length;
    }
    return true;
}

/* Cuts a text at the end of a character, so that a '?' shows it. */
static void shorten(char *text, size_t bytes_max)
{
    size_t length = strlen(text);

    if (bytes_max == 0 || length <= bytes_max)
        return;
    length = bytes_max - 1;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    memcpy(text + length, "?", 2);
}

char *sanitize(char *text, enum sink sink)
{
    const struct sink_rule *rule = &rules[sink];

    if (!text)
        return NULL;
    char *to = text + plain_length(rule, text);
    for (const char *from = to; *from;) {
        uint32_t code;
        size_t length = read_character(from, &code);

        if (length > 0 && takes_character(rule, code)) {
            memmove(to, from, length);
            to += length;
        } else {
            *to++ = '?';
        }
        from += length > 0 ? length : 1;
    }
    *to = '\0';
    shorten(text, rule->bytes_max);
    return text;
}
