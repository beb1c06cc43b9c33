/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What open-iscsi proposes at a login where the node record does not say otherwise: iscsid.conf's
 * values, read as open-iscsi reads them, and its own for the rest.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_LINE_SIZE 2048U /* open-iscsi's: what is longer counts as several lines */

/*
 * Splits a line "key = value\n" in place, of this file or of a record, as open-iscsi does: the '='
 * must have a blank before it. False where open-iscsi would pass over the line.
 */
bool config_line_split(char *line, char **ret_key, char **ret_value);

struct session_defaults {
    bool initial_r2t;
    bool immediate_data;
    uint32_t max_recv_segment;   /* bytes */
    uint32_t max_burst_length;   /* bytes */
    uint32_t first_burst_length; /* bytes */
    uint32_t max_outstanding_r2t;
};

/*
 * Reads a file of iscsid.conf's form, NULL: none. As in open-iscsi, there is no error: a line that
 * it would not take is passed over, the last one that it takes counts, and a length that it would
 * not use at a login is its own default.
 */
void session_defaults_parse(FILE *file, struct session_defaults *ret);

/* The same for /etc/iscsi/iscsid.conf. */
void session_defaults_read(struct session_defaults *ret);
