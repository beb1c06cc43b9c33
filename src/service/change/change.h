/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The one order of a change of policy, be it a session's or a disk's: busy, wait for those before
 * it over the same maps, wait for repairs, take entries away where a policy goes, plan, record
 * the intent, have multipathd begin to read the new entries, swap, save, forget the intent, answer,
 * reconcile. What differs is passed in.
 */

#include <stddef.h>
#include <stdint.h>

#include "service/base/requester.h"
#include "service/base/timer.h"
#include "service/change/former-entries.h"
#include "service/model/map-snapshot.h"
#include "service/model/session-maps.h"
#include "service/tables/transaction.h"

typedef void (*change_done_t)(uint32_t status, void *userdata);

/* A request, as the journal has it. */
struct change_request {
    struct requester who;
    uint32_t policy;         /* as it was asked for */
    const char *policy_name; /* NULL: it has none */
    char subject[160];       /* "session 0123456789abcdef", "disk WWID" */
};

/* What failures are answered with. */
struct change_statuses {
    uint32_t unsupported; /* by kernel or array */
    uint32_t no_resources;
    uint32_t busy;   /* somebody has suspended a map */
    uint32_t failed; /* and all maps are as before */
    uint32_t torn;   /* and a map could not be put back */
};

struct change;

struct change_calls {
    struct change_statuses statuses;

    /* Its turn has come: what is chosen may depend on changes before it. NULL: it does not. */
    void (*begin)(struct change *change);
    /* Snapshots of all maps that it is about; what is gone is left out. */
    int (*read_maps)(const struct change *change, struct session_maps *ret);
    /* Another one of the map that was `dev`. is_no_map(): it is gone, or not of them any more. */
    int (*read_map)(const struct change *change, dev_t dev, struct map_snapshot *ret);
    /*
     * What a map is to carry, and lb_failback_is_manual() of then. -ENODATA: what multipathd makes
     * of it.
     */
    int (*plan)(const struct change *change, const struct map_snapshot *snapshot,
                struct mp_table **ret, bool *ret_manual_failback);
    /*
     * The policy that was there counts no more, and none comes in its place: takes entries for it
     * away. True: multipathd has to have read that before a map can go back to it, or return.
     */
    bool (*withdraw)(const struct change *change);
    /*
     * All maps that are still there carry it: it becomes the model's and the store's, which
     * is_in_force says. The status.
     */
    uint32_t (*save)(struct change *change, const struct map_change *maps, size_t n_maps);
    /* It has failed: the entries are what they were. */
    void (*take_back)(const struct change *change);
    /* What follows from the change, whatever came of it; its session or map may be gone then. */
    void (*reconcile)(const struct change *change);
    void (*free_choice)(void *choice);
};

/* A request that has passed its checks, until it is answered. What it is about stays, being held.
 */
struct change {
    const struct change_calls *calls;
    struct host *host;
    struct session *session; /* one of the two */
    struct host_map *map;
    void *choice; /* the policy to be had; NULL: what was there is cleared, and none replaces it */
    struct change_request request;
    change_done_t done;
    void *userdata;
    /* change.c's own */
    struct change *next; /* that came after it */
    uint64_t asked_usec; /* of the loop's clock */
    bool has_begun;
    bool is_under_way;       /* it has seen that nobody else changes its maps */
    struct change *behind;   /* one that it has seen over a map of its own */
    struct map_change *maps; /* as planned, until the transaction has them */
    size_t n_maps;
    struct former_entries former;
    struct timer suspended; /* until the next look at maps that somebody has suspended */
    unsigned n_looks;       /* at those */
    bool is_ahead;          /* the maps' entries are its own already */
    bool is_unread;         /* multipathd has yet to begin to read one, be it new or not */
    bool has_withdrawn;     /* those of the policy that it clears are gone */
    bool is_in_force;       /* what was asked for counts; else, at the end, it has failed */
    uint32_t status;        /* to be answered, while entries are taken back */
};

/*
 * Carries it out; a copy, which has the choice then. `done` is called once, maybe before this
 * returns. -ENOMEM: nothing was done or taken.
 */
int change_start(const struct change *change);

/* Whether a map that it is about is there, as far as the model knows. */
bool change_has_live_map(const struct change *change);

/* The status of an errno. */
uint32_t change_status(const struct change_statuses *statuses, int r);

/* The one line of a request. */
void change_log(const struct change_request *request, const struct map_change *maps, size_t n_maps,
                uint32_t status);
