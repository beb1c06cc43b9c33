/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What "disk set" asks for. */

#include "cli/cli.h"

/*
 * All paths of the disk, to be freed, as many as it has connections: those that options name, in
 * the order given, which is the order of a failover, then the rest by ID. What goes wrong is
 * printed; returns the exit status.
 */
int disk_request_paths(const struct cli *cli, const struct report_disk *disk, uint32_t policy,
                       struct iscsiwmi_dsm_path_v2 **ret_paths);
