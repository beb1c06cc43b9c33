/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/access.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool is_line(const char *text, const char *line)
{
    size_t length = strcspn(text, "\n");

    if (text[length] == '\n' && text[length + 1] != '\0')
        return false;
    return length == strlen(line) && memcmp(text, line, length) == 0;
}

enum access_state access_state_parse(const char *text)
{
    if (!text || is_line(text, "") || is_line(text, "active/optimized"))
        return ACCESS_OPTIMIZED;
    if (is_line(text, "active/non-optimized"))
        return ACCESS_NON_OPTIMIZED;
    return ACCESS_OTHER;
}
