/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * --primary CONN, --preferred CONN and --weight CONN=N, of the policies of sessions and of disks.
 * What goes wrong is printed; they return the exit status.
 */

#include "cli/cli.h"

/* What is wrong with the options by themselves, before the host is asked. */
int path_options_check(const struct cli *cli);

/* The connection that an option names among those that there are; the weight of --weight, else 0.
 */
int path_option_find(const struct path_option *option, const struct report_connections *connections,
                     const struct report_connection **ret_connection, uint32_t *ret_weight);
