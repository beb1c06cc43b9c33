/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The one file of ours in multipathd's configuration directory, and the files of others beside it.
 * The directory is $CONFIGURATION_DIRECTORY, else what the build says. It and the one above it have
 * to be on one file system, and in one mount (the unit's ReadWritePaths=), for renames. These
 * functions may wait for the disk: for child processes.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/mpath-conf.h"

#define DROP_IN_NAME "90-iscsi-wmi.conf"

/* The directory, conf.d. */
const char *drop_in_directory(void);

/* Our file in it. -ENAMETOOLONG. */
int drop_in_path(char ret[PATH_MAX]);

/* The main file, beside the directory's parent: multipath.conf. */
int drop_in_main_file(char ret[PATH_MAX]);

/* What the file has, to be freed. -ENOENT: there is none; other errors of reading it. */
int drop_in_read_ours(char **ret);

/*
 * Makes `text` the file's content, NULL: removes the file. *changed becomes true once that is done,
 * even if it then fails to reach the disk; else it is untouched, and on an error the old file
 * stays. The old file or the new one is there at any moment, never a part of one: the new one is
 * written outside the directory (multipathd watches it, and reads only names that end in .conf)
 * and renamed.
 */
int drop_in_write(const char *text, bool *changed);

/*
 * Reads multipathd's configuration, as this release will: multipath.conf, then the directory's
 * *.conf by name, each named by its path, and `text` in place of our own file. Files that cannot be
 * read are left out. *ret_digest tells the others apart from what they were. -ENOMEM, or
 * -ENAMETOOLONG.
 */
int drop_in_read(const struct mpath_release *release, const char *text, struct mpath_conf **ret,
                 uint64_t *ret_digest);
