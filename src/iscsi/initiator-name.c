/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "basic/sanitize.h"
#include "iscsi/initiator-name.h"

#define KEY "InitiatorName"
#define LINE_SIZE 1024U /* open-iscsi's */

/* The line's value, in place; NULL: it has none. */
static char *value_of_line(char *line)
{
    char *key = strstr(line, KEY), *comment = strchr(line, '#');
    char *value = key && !(comment && comment < key) ? strchr(key, '=') : NULL;

    if (!value)
        return NULL;
    for (value++; isspace((unsigned char)*value);)
        value++;
    for (size_t n = strlen(value); n > 0 && isspace((unsigned char)value[n - 1]);)
        value[--n] = '\0';
    return *value ? value : NULL;
}

int initiator_name_parse(FILE *file, char **ret)
{
    char line[LINE_SIZE], *value = NULL;

    while (!value && fgets(line, sizeof(line), file))
        value = value_of_line(line);
    if (!value)
        return -ENOENT;
    if (!sink_takes(SINK_BUS, value))
        return -EILSEQ;
    value = strdup(value);
    if (!value)
        return -ENOMEM;
    *ret = value;
    return 0;
}

int initiator_name_read(char **ret)
{
    _cleanup_fclose_ FILE *file = fopen(INITIATOR_NAME_FILE, "re");

    return file ? initiator_name_parse(file, ret) : -errno;
}
