/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* When multipathd is told or asked: what is wished for, what runs, and what comes next. Pure. */

#include <stdbool.h>
#include <stdint.h>

#define SYNC_SECOND UINT64_C(1000000)
#define SYNC_GATHER_USEC SYNC_SECOND         /* for requests that come one after another */
#define SYNC_INTERVAL_USEC (5 * SYNC_SECOND) /* from one reconfigure to the next */
#define SYNC_RETRY_MAX_USEC (60 * SYNC_SECOND)
#define SYNC_BEGINS_USEC (3 * SYNC_SECOND) /* until multipathd has begun, if it is not busy */
#define SYNC_TRIES 3U /* reconfigures in vain before one waits for something new to read */

enum sync_wish {
    WISH_NOTHING,
    WISH_SYNC,
    WISH_SYNC_SOON, /* somebody waits for it */
};

enum sync_kind {
    ATTEMPT_NONE,
    ATTEMPT_CHECK, /* multipathd is asked what it has in force */
    ATTEMPT_SYNC,  /* the file is written, and multipathd begins to read it */
    ATTEMPT_PROVE, /* it has read it, and has to have it in force */
};

/* All zeros: nothing was told yet, and nothing is to be. */
struct sync_schedule {
    enum sync_kind running;
    enum sync_wish wish;
    bool check_wished;
    bool to_prove;             /* multipathd reads the file */
    bool owed;                 /* the file has changed, and multipathd may not have read that */
    bool awaited;              /* who runs was begun for somebody who waits */
    unsigned failures;         /* one after another, of those that nobody waited for */
    unsigned unproved;         /* of these, reconfigures after which the same files did not show */
    uint64_t digest;           /* of the files of others, as they were last; 0: not known */
    uint64_t begun;            /* when the last sync was; all are of CLOCK_MONOTONIC, 0: none yet */
    uint64_t last_reconfigure; /* when the last one had ended, ... */
    uint64_t took;             /* ... and how long it took, its proof included */
};

/* How an attempt has ended. */
struct sync_end {
    bool failed;
    bool again;        /* after a check: multipathd would know better if it read its files */
    bool changed;      /* the file was written */
    bool reconfigured; /* or, of a sync, has begun to */
    bool unproved;     /* and what it has in force does not show it */
    uint64_t digest;
};

/* Entries have changed, or multipathd's configuration has; `soon`: and somebody waits. */
void sync_schedule_wish(struct sync_schedule *schedule, bool soon);

/*
 * What can begin at once, or, a sync, when the time has come: what has begun is proved first, for
 * a multipathd that still reads earlier entries would build maps by those, whatever it is told; a
 * check goes next.
 */
enum sync_kind sync_schedule_next(const struct sync_schedule *schedule);

/* That attempt begins: what was wished for until now is its. */
void sync_schedule_begin(struct sync_schedule *schedule, uint64_t now);

/*
 * Whether the attempt that runs may have multipathd read files of that digest: not where it has
 * done so SYNC_TRIES times in vain. `changed`: ours is another one.
 */
bool sync_schedule_may_reconfigure(const struct sync_schedule *schedule, bool changed,
                                   uint64_t digest);

/* It has ended. What has failed is wished for once more. Returns which it was. */
enum sync_kind sync_schedule_end(struct sync_schedule *schedule, const struct sync_end *end,
                                 uint64_t now);

/*
 * When to tell, wished for now: after a while, later after each failure, and never too often.
 * Where somebody waits, multipathd is left to its paths as long as it was kept from them; less
 * where they wait no longer than `until`, UINT64_MAX for ever.
 */
uint64_t sync_schedule_due(const struct sync_schedule *schedule, uint64_t now, uint64_t until);
