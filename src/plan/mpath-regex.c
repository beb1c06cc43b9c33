/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/mpath-regex.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_MAX 1023U /* of a line of multipathd's */

/*
 * glibc's compiler copies what is repeated, follows each alternative in each copy, and calls itself
 * for each bracket: a regex is too much where it is longer than multipathd's lines, or its counts
 * multiply to more than one of them may be.
 */
static bool is_excessive(const char *regex)
{
    unsigned long product = 1, alternatives = 1;

    if (strlen(regex) > LENGTH_MAX)
        return true;
    for (; *regex; regex++) {
        unsigned long copies = 1;

        if (*regex == '\\' && regex[1]) {
            regex++;
            continue;
        }
        alternatives += *regex == '|';
        if (*regex == '{' || *regex == ',')
            copies = strtoul(regex + 1, NULL, 10);
        if ((*regex == '{' && copies < 2) || *regex == '+')
            copies = 2; /* of what is repeated, one to be there and one for the others */
        if (copies > 1 && copies <= RE_DUP_MAX)
            copies *= alternatives;
        if (copies > RE_DUP_MAX)
            return true;
        product *= copies > 0 ? copies : 1;
        if (product > RE_DUP_MAX)
            return true;
    }
    return false;
}

int mpath_regex_compile(const char *text, regex_t *ret)
{
    if (is_excessive(text))
        return -E2BIG;
    switch (regcomp(ret, text, REG_EXTENDED | REG_NOSUB)) {
    case 0:
        return 0;
    case REG_ESPACE:
        return -ENOMEM;
    default:
        return -EINVAL;
    }
}

int mpath_regex_is_broken(const char *text)
{
    regex_t compiled;
    int r;

    if (*text == '!' || (*text == '\\' && text[1] == '!'))
        text++; /* it negates, or is escaped because it does not */
    r = mpath_regex_compile(text, &compiled);
    if (r >= 0)
        regfree(&compiled);
    return r == -ENOMEM ? r : r == -EINVAL;
}
