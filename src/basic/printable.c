/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/printable.h"

#include <stddef.h>

char *make_printable(char *text)
{
    for (unsigned char *p = (unsigned char *)text; p && *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
        else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) /* U+0080 to U+009F in UTF-8 */
            p[0] = p[1] = '?';
    }
    return text;
}
