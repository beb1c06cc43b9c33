/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How much others can make the service hold at a time. What is past a bound is refused at once, by
 * a Status of no resources where the method has one, else by LimitsExceeded: it never waits its
 * turn.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls that are answered later, by what they hold meanwhile. */
enum request_kind {
    REQUEST_QUESTION, /* waits for polkit */
    REQUEST_CHANGE,   /* of policies or the GUID: runs children, and is carried to its end */
    REQUEST_PING,     /* has a socket */
    REQUEST_COUNTERS, /* waits for the one child that reads them for all */
    REQUEST_KINDS,
};

/*
 * How many of a kind there can be, of all clients and of one. No client can have all, so that there
 * is room for another one. A client is a connection to the bus of root's; of another user, who can
 * have any number of them, it is all connections together. What others have takes no room from
 * root.
 */
#define QUESTIONS_MAX 64U
#define QUESTIONS_MAX_PER_CLIENT 16U
#define CHANGES_MAX 64U
#define CHANGES_MAX_PER_CLIENT 32U
#define PINGS_MAX 16U
#define PINGS_MAX_PER_CLIENT 8U
#define COUNTER_READS_MAX 512U
#define COUNTER_READS_MAX_PER_CLIENT 256U

/*
 * How much of the service's time whoever is not trusted has, all together; what is not used of it
 * is there for later, up to so much of it: who asks now and then never waits.
 */
#define TURNS_PERCENT 50U
#define TURNS_SAVED_USEC (100U * UINT64_C(1000))

/* Calls that wait for some of it, of all and of one user, and bytes of arguments of each. */
#define TURNS_MAX 4096U
#define TURNS_MAX_PER_CLIENT 256U
#define TURN_ARGUMENTS_MAX 16384U

/*
 * Calls of one connection that wait until the bus has said whose it is; their bytes, as far as they
 * are counted, of all: one that has few counts for SMALL.
 */
#define STRANGER_CALLS_MAX 128U
#define STRANGER_BYTES_SMALL 1024U
#define STRANGERS_BYTES_MAX (32U * 1024U * 1024U)

/* Bytes of arguments, as far as they can be kept: some four times those of the longest request. */
#define ARGUMENTS_MAX 65536U

/* Paths in a request, and of a session or disk for which a policy is chosen. */
#define PATHS_MAX 256U

/* Sessions, logged in or not, that have a policy chosen, and disks. */
#define SESSIONS_MAX 1024U
#define DISKS_MAX 1024U

/*
 * Bytes that the bus keeps for clients which have not read them: of all, from which on one has to
 * have read its own to be answered; of one, from which on it is refused; from which on it is not
 * even told so. dbus-daemon reads nothing more from a service that has 127 MiB with it, whoever
 * does not read them, and allows a user 256 connections: two users could have that with less than
 * what one may. So from OTHERS of all on, those who are not trusted are refused, whatever is their
 * own. From ALL on the service begins anew: what fills the rest is signals.
 */
#define UNREAD_MAX (8U * 1024U * 1024U)
#define UNREAD_MAX_PER_CLIENT (256U * 1024U)
#define UNREAD_MAX_REFUSALS (320U * 1024U)
#define UNREAD_MAX_OTHERS (64U * 1024U * 1024U)
#define UNREAD_MAX_OTHERS_REFUSALS (96U * 1024U * 1024U)
#define UNREAD_MAX_ALL (112U * 1024U * 1024U)

/* The journal hears of refused calls of a kind once in this time, and of so many kinds. */
#define REFUSALS_USEC (60U * UINT64_C(1000000))
#define REFUSALS_MAX 64U

/* Whether one more begins, where there are so many of its kind, of all clients and of its own. */
bool bounds_admit(enum request_kind kind, size_t n, size_t n_of_client);

/* Likewise of calls that wait for their turn. */
bool bounds_may_wait(size_t n, size_t n_of_client);

/* Whether a policy can be chosen, where so many other sessions (disks) have one. */
bool bounds_allow_session(size_t n_paths, size_t n_others);
bool bounds_allow_disk(size_t n_paths, size_t n_others);

/*
 * What a call gets whose client has so much unread, where it has so much with all others. A trusted
 * client may do everything unasked.
 */
enum bounds_answer {
    BOUNDS_ANSWER,
    BOUNDS_REFUSE,
    BOUNDS_IGNORE,
};
enum bounds_answer bounds_answer(uint32_t unread, uint32_t unread_of_client, bool trusted);

/* What was spent of the time above. */
struct spending {
    uint64_t usec; /* CLOCK_MONOTONIC, when it will have come in again */
};

/* Some was spent from then until then. */
void bounds_spend(struct spending *spending, uint64_t from_usec, uint64_t until_usec);

/* From when on there is some again. */
uint64_t bounds_spent_until(const struct spending *spending);

/* What the journal was told of refused calls, or of others that it is not to have each of. */
struct refusals {
    uint64_t told_usec; /* CLOCK_MONOTONIC, 0: never */
    uint64_t n;         /* since then */
};

/*
 * Counts a refused call. True: it is time for a line in the journal, about so many calls, this one
 * included.
 */
bool bounds_refused(struct refusals *refusals, uint64_t now_usec, uint64_t *ret_n);
