/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/map-state.h"

void map_state_see(struct map_state *state, enum map_seen seen)
{
    if (seen == SEEN_NO_POLICY)
        state->table = state->has_intent ? TABLE_HALF_WAY : TABLE_OWN;
    else if (seen == SEEN_SAME)
        state->table = TABLE_AGREES;
    else if (state->rounds <= CONTEST_ROUNDS_MAX)
        state->table = TABLE_DIFFERS;
    else
        state->table = TABLE_CONTESTED;
}

bool map_state_agrees(const struct map_state *state)
{
    return state->table == TABLE_OWN || state->table == TABLE_AGREES;
}

void map_state_set_intent(struct map_state *state, bool has_intent)
{
    state->has_intent = has_intent;
    if (state->table == TABLE_OWN && has_intent)
        state->table = TABLE_HALF_WAY;
    else if (state->table == TABLE_HALF_WAY && !has_intent)
        state->table = TABLE_OWN;
}

void map_state_reset(struct map_state *state)
{
    state->rounds = 0;
    state->last = 0;
    map_state_succeed(state);
    if (state->table == TABLE_CONTESTED)
        state->table = TABLE_DIFFERS;
}

void map_state_forget_rounds(struct map_state *state)
{
    if (state->rounds <= CONTEST_ROUNDS_MAX)
        state->rounds = 0;
}

/* Counts rounds that nobody is named for; they are over when there was peace for a while. */
static void count_round(struct map_state *state, uint64_t now)
{
    if (now > state->last + CONTEST_FORGET_USEC)
        state->rounds = 0;
    state->last = now;
    state->rounds++;
    state->is_round = true;
}

/* multipathd goes by the configuration of before, as long as it can be told of none. */
static enum map_answer lose_to_untold(struct map_state *state, uint64_t now)
{
    if (state->rounds >= CONTEST_ROUNDS_MAX && now < state->last + CONTEST_REST_USEC)
        return ANSWER_LATER;
    count_round(state, now);
    if (state->rounds > CONTEST_ROUNDS_MAX)
        state->rounds = CONTEST_ROUNDS_MAX;
    return ANSWER_REPAIR;
}

enum map_answer map_state_lose(struct map_state *state, bool deferred, uint64_t now)
{
    state->is_round = false;
    if (state->table == TABLE_CONTESTED)
        return ANSWER_LEAVE;
    if (state->sync == SYNC_INEXPRESSIBLE || (state->sync == SYNC_PENDING && deferred))
        return lose_to_untold(state, now);
    if (state->sync == SYNC_PENDING)
        return ANSWER_REPAIR;
    if (state->sync == SYNC_OVERRIDDEN) {
        state->last = now;
        state->rounds++;
        state->is_round = true;
    } else
        count_round(state, now);
    if (state->rounds <= CONTEST_ROUNDS_MAX)
        return ANSWER_REPAIR;
    if (state->sync == SYNC_RECHECK) { /* why is worth waiting for */
        state->rounds = CONTEST_ROUNDS_MAX;
        return ANSWER_REPAIR;
    }
    state->table = TABLE_CONTESTED;
    return ANSWER_LEAVE;
}

bool map_state_is_worth_asking(const struct map_state *state)
{
    return state->sync == SYNC_IN_FORCE && state->rounds < CONTEST_ROUNDS_MAX;
}

void map_state_void_round(struct map_state *state)
{
    if (state->is_round && state->rounds > 0 && state->table != TABLE_CONTESTED)
        state->rounds--;
    state->is_round = false;
}

uint64_t map_state_fail(struct map_state *state, uint64_t now)
{
    if (state->pause == 0)
        state->pause = REPAIR_RETRY_USEC;
    else if (state->pause < REPAIR_RETRY_MAX_USEC)
        state->pause *= 2;
    state->retry = now + state->pause;
    return state->retry;
}

bool map_state_fails_on(const struct map_state *state)
{
    return state->pause >= REPAIR_RETRY_MAX_USEC;
}

bool map_state_is_due(const struct map_state *state, uint64_t now)
{
    return state->pause == 0 || now >= state->retry;
}

void map_state_succeed(struct map_state *state)
{
    state->pause = 0;
    state->retry = 0;
    state->makes_events = false;
}

void map_state_set_entry(struct map_state *state, bool has_entry, bool has_policy)
{
    state->sync = has_entry ? SYNC_PENDING : has_policy ? SYNC_INEXPRESSIBLE : SYNC_NONE;
    state->is_read = false;
}

void map_state_begin_reading(struct map_state *state)
{
    state->is_read = true;
}

bool map_state_is_unread(const struct map_state *state)
{
    return state->sync == SYNC_PENDING && !state->is_read;
}

void map_state_recheck(struct map_state *state)
{
    if (state->sync == SYNC_IN_FORCE)
        state->sync = SYNC_RECHECK;
}

void map_state_take_verdict(struct map_state *state, bool in_force, bool is_overridden,
                            bool recheck_wished)
{
    bool again = recheck_wished && state->sync == SYNC_RECHECK;

    state->is_read = in_force;
    if (is_overridden)
        state->sync = SYNC_OVERRIDDEN;
    else if (!in_force)
        state->sync = SYNC_PENDING;
    else
        state->sync = again ? SYNC_RECHECK : SYNC_IN_FORCE;
}

void map_state_begin_repair(struct map_state *state)
{
    if (state->hold == HOLD_FREE)
        state->hold = HOLD_REPAIR;
}

void map_state_end_repair(struct map_state *state)
{
    if (state->hold == HOLD_REPAIR)
        state->hold = HOLD_FREE;
    else if (state->hold == HOLD_REPAIR_AWAITED)
        state->hold = HOLD_CHANGE;
}

void map_state_begin_change(struct map_state *state)
{
    if (state->hold == HOLD_FREE)
        state->hold = HOLD_CHANGE;
    else if (state->hold == HOLD_REPAIR)
        state->hold = HOLD_REPAIR_AWAITED;
}

void map_state_clear_policy(struct map_state *state)
{
    if (state->hold == HOLD_CHANGE)
        state->hold = HOLD_CLEAR;
}

void map_state_keep_policy(struct map_state *state)
{
    if (state->hold == HOLD_CLEAR)
        state->hold = HOLD_CHANGE;
}

void map_state_end_change(struct map_state *state)
{
    if (state->hold == HOLD_CHANGE || state->hold == HOLD_CLEAR)
        state->hold = HOLD_FREE;
    else if (state->hold == HOLD_REPAIR_AWAITED)
        state->hold = HOLD_REPAIR;
}

bool map_state_is_repaired(const struct map_state *state)
{
    return state->hold == HOLD_REPAIR || state->hold == HOLD_REPAIR_AWAITED;
}

bool map_state_is_requested(const struct map_state *state)
{
    return state->hold == HOLD_REPAIR_AWAITED || state->hold == HOLD_CHANGE ||
           state->hold == HOLD_CLEAR;
}
