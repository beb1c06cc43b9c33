/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/utf8.h"

#include <stddef.h>
#include <stdint.h>

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

/* Neither in more bytes than it needs, nor a surrogate, nor past Unicode's end. */
static bool is_character(uint32_t code, size_t length)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

    return code >= least[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/* The length of the character at the front of a text that is not at its end, 0: there is none. */
static size_t character_length(const char *text)
{
    size_t length = length_of((unsigned char)text[0]);
    uint32_t code;

    if (length <= 1)
        return length;
    code = (unsigned char)text[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];

        if ((byte & 0xc0) != 0x80) /* the NUL at the end, for one */
            return 0;
        code = code << 6 | (byte & 0x3f);
    }
    return is_character(code, length) ? length : 0;
}

bool text_is_utf8(const char *text)
{
    while (*text) {
        size_t length = character_length(text);

        if (length == 0)
            return false;
        text += length;
    }
    return true;
}

char *make_utf8(char *text)
{
    for (char *at = text; *at;) {
        size_t length = character_length(at);

        if (length == 0)
            *at++ = '?';
        at += length;
    }
    return text;
}
