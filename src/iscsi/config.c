/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "iscsi/config.h"

#define CONFIG_FILE "/etc/iscsi/iscsid.conf"

/* open-iscsi's own values and RFC 7143's bounds. */
#define DEFAULT_FIRST_BURST 262144U
#define DEFAULT_MAX_BURST 16776192U
#define DEFAULT_MAX_RECV_SEGMENT 262144U
#define LENGTH_MIN 512U
#define LENGTH_MAX 16777215U

bool config_line_split(char *line, char **ret_key, char **ret_value)
{
    size_t length = strlen(line);
    if (length == 0 || line[length - 1] != '\n')
        return false; /* longer than open-iscsi's buffer, or the file's unfinished last line */
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        line[--length] = '\0';
    line += strspn(line, " \t\n\v\f\r");
    if (!line[0] || line[0] == '#')
        return false;

    char *p = line + strcspn(line, " \t\n\v\f\r=");
    if (!*p)
        return false;
    *p++ = '\0';
    p += strspn(p, " \t\n\v\f\r");
    if (*p != '=')
        return false;
    p++;
    p += strspn(p, " \t\n\v\f\r");
    if (!*p)
        return false;
    *ret_key = line;
    *ret_value = p;
    return true;
}

static void take_boolean(const char *value, bool *ret)
{
    if (strcmp(value, "Yes") == 0)
        *ret = true;
    else if (strcmp(value, "No") == 0)
        *ret = false;
}

static void take_number(const char *value, uint32_t *ret)
{
    *ret = (uint32_t)strtoul(value, NULL, 10);
}

static void take(const char *key, const char *value, struct session_defaults *to)
{
    if (strcmp(key, "node.session.iscsi.InitialR2T") == 0)
        take_boolean(value, &to->initial_r2t);
    else if (strcmp(key, "node.session.iscsi.ImmediateData") == 0)
        take_boolean(value, &to->immediate_data);
    else if (strcmp(key, "node.session.iscsi.FirstBurstLength") == 0)
        take_number(value, &to->first_burst_length);
    else if (strcmp(key, "node.session.iscsi.MaxBurstLength") == 0)
        take_number(value, &to->max_burst_length);
    else if (strcmp(key, "node.session.iscsi.MaxOutstandingR2T") == 0)
        take_number(value, &to->max_outstanding_r2t);
    else if (strcmp(key, "node.conn[0].iscsi.MaxRecvDataSegmentLength") == 0)
        take_number(value, &to->max_recv_segment);
}

/* A multiple of four within the bounds, or the default. */
static uint32_t usable_length(uint32_t length, uint32_t otherwise)
{
    length &= ~3U;
    return length < LENGTH_MIN || length > LENGTH_MAX ? otherwise : length;
}

void session_defaults_parse(FILE *file, struct session_defaults *ret)
{
    char line[CONFIG_LINE_SIZE], *key, *value;
    struct session_defaults found = {
        .immediate_data = true,
        .max_recv_segment = DEFAULT_MAX_RECV_SEGMENT,
        .max_burst_length = DEFAULT_MAX_BURST,
        .first_burst_length = DEFAULT_FIRST_BURST,
        .max_outstanding_r2t = 1,
    };

    while (file && fgets(line, sizeof(line), file))
        if (config_line_split(line, &key, &value))
            take(key, value, &found);

    found.max_recv_segment = usable_length(found.max_recv_segment, DEFAULT_MAX_RECV_SEGMENT);
    found.max_burst_length = usable_length(found.max_burst_length, DEFAULT_MAX_BURST);
    found.first_burst_length = usable_length(found.first_burst_length, DEFAULT_FIRST_BURST);
    if (found.first_burst_length > found.max_burst_length)
        found.first_burst_length = found.max_burst_length;
    *ret = found;
}

void session_defaults_read(struct session_defaults *ret)
{
    _cleanup_fclose_ FILE *file = fopen(CONFIG_FILE, "re");
    session_defaults_parse(file, ret);
}
