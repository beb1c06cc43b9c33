/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* When multipathd is told or asked: what is wished for, what runs, and what comes next. Pure. */

#include <stdbool.h>
#include <stdint.h>

#define TELLING_SECOND UINT64_C(1000000)
#define TELLING_GATHER_USEC TELLING_SECOND         /* for requests that come one after another */
#define TELLING_INTERVAL_USEC (5 * TELLING_SECOND) /* from one reconfigure to the next */
#define TELLING_RETRY_MAX_USEC (60 * TELLING_SECOND)

enum telling_wish {
    WISH_NOTHING,
    WISH_TELL,
    WISH_TELL_SOON, /* somebody waits for it */
};

enum telling_attempt {
    ATTEMPT_NONE,
    ATTEMPT_CHECK, /* multipathd is asked what it has in force */
    ATTEMPT_TELL,  /* the file is written, and multipathd has to read it */
};

/* All zeros: nothing was told yet, and nothing is to be. */
struct telling {
    enum telling_attempt running;
    enum telling_wish wish;
    bool check_wished;
    unsigned failures;         /* one after another */
    uint64_t last_reconfigure; /* CLOCK_MONOTONIC, 0: none yet */
};

/* Entries have changed, or multipathd's configuration has; `soon`: and somebody waits. */
void telling_wish(struct telling *telling, bool soon);

/* What can begin at once, or when the time has come: a check goes first. */
enum telling_attempt telling_next(const struct telling *telling);

/* That attempt begins: what was wished for until now is its. */
void telling_begin(struct telling *telling);

/*
 * It has ended; `again`: multipathd would know better if it read its files. What has failed is
 * wished for once more. Returns which it was.
 */
enum telling_attempt telling_end(struct telling *telling, bool failed, bool again,
                                 bool reconfigured, uint64_t now);

/* When to tell, wished for now: after a while, later after each failure, and never too often. */
uint64_t telling_due(const struct telling *telling, uint64_t now);
