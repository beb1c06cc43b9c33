/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wmi/guid.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The byte that each pair of digits shows: the first three fields are little-endian. */
static const uint8_t byte_order[GUID_SIZE] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

static bool hyphen_before(size_t pair)
{
    return pair == 4 || pair == 6 || pair == 8 || pair == 10;
}

void guid_format(const uint8_t guid[GUID_SIZE], char ret_text[GUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *out = ret_text;

    for (size_t pair = 0; pair < GUID_SIZE; pair++) {
        uint8_t byte = guid[byte_order[pair]];

        if (hyphen_before(pair))
            *out++ = '-';
        *out++ = digits[byte >> 4];
        *out++ = digits[byte & 0xF];
    }
    *out = '\0';
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int guid_parse(const char *text, uint8_t ret_guid[GUID_SIZE])
{
    uint8_t guid[GUID_SIZE];
    size_t length = strlen(text);

    if (length == GUID_TEXT_SIZE + 1) {
        if (text[0] != '{' || text[length - 1] != '}')
            return -EINVAL;
        text++;
    } else if (length != GUID_TEXT_SIZE - 1) {
        return -EINVAL;
    }

    for (size_t pair = 0; pair < GUID_SIZE; pair++) {
        int high;
        int low;

        if (hyphen_before(pair) && *text++ != '-')
            return -EINVAL;
        high = digit_value(*text++);
        low = digit_value(*text++);
        if (high < 0 || low < 0)
            return -EINVAL;
        guid[byte_order[pair]] = (uint8_t)(high << 4 | low);
    }

    memcpy(ret_guid, guid, GUID_SIZE);
    return 0;
}
