/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/contest.h"

bool contest_is_worth_asking(const struct contest *contest)
{
    return contest->rounds < CONTEST_ROUNDS_MAX;
}

bool contest_lose(struct contest *contest, enum contest_rival rival, uint64_t now)
{
    if (contest->given_up)
        return false;
    if (rival == RIVAL_UNTOLD)
        return true;
    if (rival != RIVAL_NAMED && now > contest->last + CONTEST_FORGET_USEC)
        contest->rounds = 0;
    contest->last = now;
    if (contest->rounds < CONTEST_ROUNDS_MAX) {
        contest->rounds++;
        return true;
    }
    /* Why is worth waiting for. */
    contest->given_up = rival != RIVAL_ASKED;
    return !contest->given_up;
}
