/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The host's own initiator name, as open-iscsi reads it (usr/iscsi_util.c, cfg_get_string_param()).
 */

#include <stdio.h>

#define INITIATOR_NAME_FILE "/etc/iscsi/initiatorname.iscsi"

/*
 * What stands behind the '=' of the first line that has a value for the key, blanks inside it
 * included; whatever stands before the key, unless it is a comment. A line of more than 1023 bytes
 * is several. -ENOENT: there is none; -EILSEQ: it is nothing for the bus; -ENOMEM.
 */
int initiator_name_parse(FILE *file, char **ret);

/* The same of the file. */
int initiator_name_read(char **ret);
