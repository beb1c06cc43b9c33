/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What state a map is in, as four questions with named answers: what its live table means, what
 * multipathd knows of its policy, who changes it now, and how often it has lost its groups. Each
 * function is a transition, or a question that several answers make up.
 */

#include <stdbool.h>
#include <stdint.h>

/* What the live table means. */
enum map_table {
    TABLE_OWN,       /* no policy counts for the map: the host's own groups, or not looked at yet */
    TABLE_HALF_WAY,  /* likewise, but a first policy has left it half way */
    TABLE_AGREES,    /* the policies in force */
    TABLE_DIFFERS,   /* something else: it is to get its groups again */
    TABLE_CONTESTED, /* something else again and again: it is left so, see map_state_reset() */
};

/* Whether multipathd would build the groups of the policy. */
enum map_sync {
    SYNC_NONE,          /* there is no policy to tell */
    SYNC_INEXPRESSIBLE, /* multipathd's configuration cannot express it */
    SYNC_PENDING,       /* there is an entry for it, which multipathd has not read */
    SYNC_IN_FORCE,      /* multipathd has the entry in force */
    SYNC_RECHECK,       /* it had, and made other groups since: it is asked once more */
    SYNC_OVERRIDDEN,    /* something in its configuration wins, by name */
};

/* Who changes the map. */
enum map_hold {
    HOLD_FREE,
    HOLD_REPAIR,         /* it is given its groups again */
    HOLD_REPAIR_AWAITED, /* likewise, and a request waits for the end of that */
    HOLD_CHANGE,         /* a request gives it a policy of its own */
    HOLD_CLEAR,          /* a request takes that away: it does not count any more */
};

/* Rounds that did not hold before the map is left alone, or gets its groups less often, ... */
#define CONTEST_ROUNDS_MAX 3U
/* ... each this long after the one before at the most, where nobody knows who the other one is. */
#define CONTEST_FORGET_USEC (60U * UINT64_C(1000000))
/* From one repair to the next of a map that a multipathd regroups that cannot be told. */
#define CONTEST_REST_USEC (5U * UINT64_C(1000000))

/* From a repair that fails to the next one, doubled each time ... */
#define REPAIR_RETRY_USEC (2U * UINT64_C(1000000))
/* ... up to this, at which it goes on. */
#define REPAIR_RETRY_MAX_USEC (64U * UINT64_C(1000000))

/* All zeros: a map that nothing is known of. */
struct map_state {
    enum map_table table;
    enum map_sync sync;
    enum map_hold hold;
    bool ahead;        /* its entry is that of a change, whose table is on its way */
    bool is_read;      /* multipathd has begun to read its entry, at least */
    bool has_intent;   /* in the store: its first policy is not finished */
    unsigned rounds;   /* lost, one after another */
    uint64_t last;     /* when, in microseconds */
    uint64_t pause;    /* after the last repair, which has failed; 0: it has not */
    uint64_t retry;    /* when that is over */
    bool makes_events; /* it failed behind a RESUME, of which the kernel tells */
    bool is_round;     /* the repair was counted as a round of a contest */
};

/* --- What a snapshot shows ------------------------------------------------------------------ */

enum map_seen {
    SEEN_NO_POLICY, /* none counts for it */
    SEEN_SAME,      /* the table means the policies in force */
    SEEN_OTHER,
};

void map_state_see(struct map_state *state, enum map_seen seen);

/* Whether the table is as it has to be; of one that was not looked at yet, it is not known. */
bool map_state_agrees(const struct map_state *state);

/* The intent to give the map its first policy is recorded, or deleted. */
void map_state_set_intent(struct map_state *state, bool has_intent);

/*
 * The map, multipath's configuration or the policy is another one: what was lost before counts no
 * more, and a map that was contested is to get its groups again.
 */
void map_state_reset(struct map_state *state);

/* The paths are others, or another one is active: the rounds until now were no contest. */
void map_state_forget_rounds(struct map_state *state);

/* --- Losing the groups ---------------------------------------------------------------------- */

enum map_answer {
    ANSWER_REPAIR, /* it gets its groups again */
    ANSWER_LATER,  /* likewise, CONTEST_REST_USEC after the last time */
    ANSWER_LEAVE,  /* it is contested from now on */
};

/*
 * The map has lost its groups. `deferred`: this multipathd is not asked to read its
 * configuration. One that does not know the policy is no rival: its regroupings are answered for
 * ever, though not faster than they are worth.
 */
enum map_answer map_state_lose(struct map_state *state, bool deferred, uint64_t now);

/* The repair for it did not come about: nobody can have undone that. */
void map_state_void_round(struct map_state *state);

/*
 * Whether multipathd, which has the policy in force, is to be asked what it thinks now, so that the
 * one who made other groups gets a name. After the last round the answers to the earlier ones must
 * do.
 */
bool map_state_is_worth_asking(const struct map_state *state);

/* --- Failures ------------------------------------------------------------------------------- */

/* It could not be looked at, or given what it has to have: when it is tried again. */
uint64_t map_state_fail(struct map_state *state, uint64_t now);

/* Whether it fails so often that nobody needs to be told once more. */
bool map_state_fails_on(const struct map_state *state);

/*
 * Whether one that was left half way is to be given back now. Any event of the map's asks for that,
 * and giving back may bring one about however it ends: that is no reason to try again at once.
 */
bool map_state_is_due(const struct map_state *state, uint64_t now);

void map_state_succeed(struct map_state *state);

/* --- Telling multipathd --------------------------------------------------------------------- */

/* The map has another entry than before, or none; `has_policy`: though there is one to tell. */
void map_state_set_entry(struct map_state *state, bool has_entry, bool has_policy);

/* multipathd has begun to read the entry that the map has. */
void map_state_begin_reading(struct map_state *state);

/* Whether it has yet to begin: until then it builds the map by an earlier one. */
bool map_state_is_unread(const struct map_state *state);

/* multipathd is being asked about an entry that it had in force. */
void map_state_recheck(struct map_state *state);

/* What multipathd says. `recheck_wished`: it has made other groups since it was asked. */
void map_state_take_verdict(struct map_state *state, bool in_force, bool is_overridden,
                            bool recheck_wished);

/* --- Who changes it ------------------------------------------------------------------------- */

void map_state_begin_repair(struct map_state *state); /* of a free one */
void map_state_end_repair(struct map_state *state);
void map_state_begin_change(struct map_state *state); /* of one that no request has */
void map_state_clear_policy(struct map_state *state); /* of one that changes */
void map_state_keep_policy(struct map_state *state);  /* it counts again: that has failed */
void map_state_end_change(struct map_state *state);

/* Whether it is being given its groups again. */
bool map_state_is_repaired(const struct map_state *state);

/* Whether a request has it. */
bool map_state_is_requested(const struct map_state *state);
