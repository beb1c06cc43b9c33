/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How often a map that somebody gives other path groups gets its own again. */

#include <stdbool.h>
#include <stdint.h>

/* Rounds that did not hold before the map is left alone, ... */
#define CONTEST_ROUNDS_MAX 3U
/* ... each this long after the one before at the most, where nobody knows who the other one is. */
#define CONTEST_FORGET_USEC (60U * UINT64_C(1000000))

/* All zeros: no contest. */
struct contest {
    unsigned rounds; /* lost, one after another */
    uint64_t last;   /* when, in microseconds */
    bool given_up;
};

/* What is known of the one who made other groups. */
enum contest_rival {
    RIVAL_UNTOLD,  /* multipathd, which has not read the policy yet: no contest */
    RIVAL_ASKED,   /* multipathd has read it, and is being asked what it thinks now */
    RIVAL_UNKNOWN, /* multipathd has the policy, or cannot be told: somebody else, or chance */
    RIVAL_NAMED,   /* a configuration that wins over ours: it will be there the next time, too */
};

/*
 * Whether multipathd, which has read the policy, is to be asked what it thinks now, so that the
 * one who made other groups gets a name. After the last round the answers to the earlier ones must
 * do.
 */
bool contest_is_worth_asking(const struct contest *contest);

/* The map lost its groups. Whether it gets them again; false: it is contested from now on. */
bool contest_lose(struct contest *contest, enum contest_rival rival, uint64_t now);
