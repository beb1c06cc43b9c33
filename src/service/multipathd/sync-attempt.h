/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One attempt, in a child process. To tell multipathd: the drop-in file is made of the maps'
 * entries, and multipathd asked to read it where that changes something. To prove that it has: its
 * configuration says so. To check: it is asked once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/detection.h"
#include "service/multipathd/sync-schedule.h"

/* One map's part, as it was when the child was made. */
struct sync_part {
    char *wwid, *entry;
    struct detection_disk disk; /* vendor NULL: nothing is detected for it */
    bool has_lost;              /* it was given other groups, and it is not known by whom */
};

/* What is to be told, or was. */
struct sync_attempt {
    struct sync_part *parts;
    size_t n;
    bool has_seen; /* one is of a map that is there, or was; else nothing is asked for them */
    const char *const *devices; /* an earlier run's, for products of maps that are expected */
    size_t n_devices;
    bool must_tell;                /* also a multipathd that reloads every map; somebody waits */
    struct sync_schedule schedule; /* how things stand, and what is to be done: its `running` */
    const struct sync_attempt
        *previous; /* the one that multipathd has read last, NULL: not known */
};

/* How it went. */
struct sync_outcome {
    int error;
    bool changed;      /* the file */
    bool reconfigured; /* it was asked to; by now it has begun, or, at a proof, ended */
    bool unproved;     /* and it has read its files, but its configuration does not show that */
    bool reread;       /* after a check: multipathd would know better if it read its files */
    bool deferred;     /* this multipathd was left to read the file when it starts */
    uint64_t digest;   /* of the files of others, 0: not known */
    char text[192];
};

/* What came of each part. */
struct sync_verdict {
    size_t part;
    bool in_force;
    char override[192];
};

void sync_attempt_free(struct sync_attempt *attempt);

/*
 * For worker_start(); arg is a struct sync_attempt. Writes a verdict for each part, should it have
 * come so far, and then the outcome, as they are in memory.
 */
int sync_attempt_run(int fd, void *arg);
