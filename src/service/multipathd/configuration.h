/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * multipathd's configuration: what it has in force, which it is asked for, and what it will have
 * when it has read its files. These functions wait for it: for child processes.
 */

#include <limits.h>
#include <stdint.h>

#include "basic/macros.h"
#include "plan/mpath-conf.h"

/* All zeros: nothing is known. */
struct configuration {
    unsigned version;         /* 0: multipathd was not asked yet */
    struct mpath_conf *shown; /* what it has in force, NULL: likewise */
    struct mpath_conf *files; /* NULL: they were not read */
    char ours[PATH_MAX];      /* our file, as it is named there */
    uint64_t digest;          /* of the files of others */
};

void configuration_done(struct configuration *configuration);

/* Asks multipathd. Errors as those of mpathd_command(). */
int configuration_ask(struct configuration *configuration, int timeout_ms);

/*
 * Reads the files, with `text` in place of ours, as the multipathd does that was asked, else as one
 * that knows all keywords. Errors as those of drop_in_read().
 */
int configuration_read(struct configuration *configuration, const char *text);
