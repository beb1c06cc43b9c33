/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One attempt to tell multipathd, in a child process: the drop-in file is made of the maps'
 * entries, multipathd is asked to read it where that changes something, and its configuration is
 * the proof.
 */

#include <stdbool.h>
#include <stddef.h>

/* One map's part, as it was when the child was made. */
struct sync_part {
    char *wwid, *entry, *vendor, *product;
};

/* What is to be told. */
struct sync_attempt {
    struct sync_part *parts;
    size_t n;
    bool keep; /* no map was seen yet, but policies wait for theirs: leave a file that is there */
    bool must_tell; /* also a multipathd that reloads every map */
    bool owed;      /* the file has changed before, and multipathd may not have read that */
    bool check_only;
    const struct sync_attempt
        *previous; /* the one that multipathd has read last, NULL: not known */
};

/* How it went. */
struct sync_outcome {
    int error;
    bool changed; /* the file */
    bool reconfigured;
    bool reread; /* after a check: multipathd would know better if it read its files */
    bool alone;  /* this multipathd was left to read the file when it starts */
    char text[192];
};

/* What came of each part. */
struct sync_verdict {
    size_t part;
    bool in_force;
    char rival[192];
};

void sync_attempt_free(struct sync_attempt *attempt);

/*
 * For worker_start(); arg is a struct sync_attempt. Writes a verdict for each part, should it come
 * so far, and then the outcome, as they are in memory.
 */
int sync_attempt_run(int fd, void *arg);
