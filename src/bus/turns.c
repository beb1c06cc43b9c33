/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/turns.h"

#include <errno.h>
#include <stdlib.h>

#include "basic/clock.h"
#include "bus/arguments.h"
#include "bus/caller.h"
#include "bus/requests.h"
#include "bus/strangers.h"
#include "service/base/bounds.h"
#include "service/base/timer.h"

/* A call that waits. */
struct turn {
    sd_bus_message *message;
    struct turn *next;
};

/* Somebody with calls that wait, in the order in which they came. */
struct turns_user {
    uid_t uid;
    struct turn *first, *last;
    size_t n;
    struct turns_user *next;
};

struct turns {
    sd_bus *bus;
    sd_bus_slot *filter;
    struct requests *requests;
    struct strangers *strangers;
    struct timer timer;
    struct turns_user *first, *last; /* the one whose turn is next is the first */
    size_t n;                        /* calls of all of them */
    sd_bus_message *current;         /* whose turn it is */
    sd_bus_slot *asking;             /* whether its sender is there; else it is read by sd-bus */
    uint64_t begin_usec;             /* 0: nothing is answered that counts */
    struct spending spending;
};

static void turn_free(struct turn *turn)
{
    sd_bus_message_unref(turn->message);
    free(turn);
}

DEFINE_CLEANUP(struct turn *, turn_free);

/* ---- who waits ---- */

static struct turns_user *turns_find_user(const struct turns *turns, uid_t uid)
{
    for (struct turns_user *user = turns->first; user; user = user->next)
        if (user->uid == uid)
            return user;
    return NULL;
}

static void turns_append_user(struct turns *turns, struct turns_user *user)
{
    user->next = NULL;
    if (turns->last)
        turns->last->next = user;
    else
        turns->first = user;
    turns->last = user;
}

static struct turns_user *turns_take_user(struct turns *turns)
{
    struct turns_user *user = turns->first;

    turns->first = user->next;
    if (!turns->first)
        turns->last = NULL;
    return user;
}

static struct turn *turns_take_call(struct turns *turns, struct turns_user *user)
{
    struct turn *turn = user->first;

    user->first = turn->next;
    if (!user->first)
        user->last = NULL;
    user->n--;
    turns->n--;
    return turn;
}

/* The next call: of the user who has waited longest. NULL: none waits. */
static struct turn *turns_take(struct turns *turns)
{
    if (!turns->first)
        return NULL;
    struct turns_user *user = turns_take_user(turns);
    struct turn *turn = turns_take_call(turns, user);

    if (user->first)
        turns_append_user(turns, user);
    else
        free(user);
    return turn;
}

static int turns_add(struct turns *turns, sd_bus_message *message, uid_t uid)
{
    struct turns_user *user = turns_find_user(turns, uid);
    struct turn *turn = malloc(sizeof(*turn));

    if (turn && !user) {
        user = calloc(1, sizeof(*user));
        if (user) {
            user->uid = uid;
            turns_append_user(turns, user);
        }
    }
    if (!turn || !user) {
        free(turn);
        return -ENOMEM;
    }
    *turn = (struct turn){.message = sd_bus_message_ref(message)};
    if (user->last)
        user->last->next = turn;
    else
        user->first = turn;
    user->last = turn;
    user->n++;
    turns->n++;
    return 0;
}

/* ---- whose turn it is ---- */

static void turns_arm(struct turns *turns)
{
    if (turns->n > 0 && !turns->current && !timer_is_set(&turns->timer))
        (void)timer_set_at(&turns->timer, bounds_spent_until(&turns->spending));
}

void turns_settle(struct turns *turns)
{
    if (turns->begin_usec == 0)
        return;
    bounds_spend(&turns->spending, turns->begin_usec, monotonic_usec());
    turns->begin_usec = 0;
    turns_arm(turns);
}

static void turns_end_turn(struct turns *turns)
{
    turns->current = sd_bus_message_unref(turns->current);
    turns_arm(turns);
}

/* One that is still there is put back into the queue of messages to be read, as by polkit. */
static int turns_on_there(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
    struct turns *turns = userdata;

    turns->asking = sd_bus_slot_unref(turns->asking);
    if (!bus_is_there(answer) || sd_bus_enqueue_for_read(turns->bus, turns->current) < 0)
        turns_end_turn(turns);
    return 0;
}

static int turns_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct turns *turns = userdata;
    _cleanup_(turn_freep) struct turn *turn = turns_take(turns);

    if (!turn)
        return 0;
    turns->current = TAKE_PTR(turn->message);
    if (bus_ask_there(turns->current, &turns->asking, turns_on_there, turns) < 0)
        turns_end_turn(turns);
    return 0;
}

static int turns_keep(struct turns *turns, sd_bus_message *message, uid_t uid)
{
    const struct turns_user *user = turns_find_user(turns, uid);

    if (!bounds_may_wait(turns->n, user ? user->n : 0) ||
        arguments_fit(message, TURN_ARGUMENTS_MAX) <= 0)
        return request_refuse(turns->requests, message, "Too many calls wait for their turn");
    int r = turns_add(turns, message, uid);
    if (r < 0)
        return r;
    turns_arm(turns);
    return 1;
}

/* A call of somebody who is not trusted. */
static int turns_on_call(struct turns *turns, sd_bus_message *message, uid_t uid)
{
    uint64_t now = monotonic_usec();

    if (turns->n > 0 || bounds_spent_until(&turns->spending) > now)
        return turns_keep(turns, message, uid);
    turns->begin_usec = now;
    return 0;
}

static int turns_on_message(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct turns *turns = userdata;
    const char *sender = sd_bus_message_get_sender(message);
    uid_t uid;

    turns_settle(turns);
    if (message == turns->current) {
        turns->current = sd_bus_message_unref(turns->current);
        turns->begin_usec = monotonic_usec();
        return 0;
    }
    /* What polkit has allowed is read a second time. */
    if (!sender || sd_bus_message_is_method_call(message, NULL, NULL) <= 0 ||
        requests_has(turns->requests, message))
        return 0;
    int r = bus_get_known_uid(message, &uid);
    if (r == 0) {
        r = strangers_hold(turns->strangers, message);
        if (r != 0)
            return r;
        r = requests_get_uid(turns->requests, message, &uid);
    }
    if (r == -ENXIO)
        return 1; /* it has left */
    if (r < 0)
        uid = (uid_t)-1;
    return bus_trusts(uid) ? 0 : turns_on_call(turns, message, uid);
}

int turns_new(sd_bus *bus, struct requests *requests, struct strangers *strangers,
              struct turns **ret)
{
    _cleanup_(turns_freep) struct turns *turns = calloc(1, sizeof(*turns));

    if (!turns)
        return -ENOMEM;
    turns->bus = bus;
    turns->requests = requests;
    turns->strangers = strangers;
    timer_init(&turns->timer, sd_bus_get_event(bus), 1, turns_on_timer, turns);
    int r = sd_bus_add_filter(bus, &turns->filter, turns_on_message, turns);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(turns);
    return 0;
}

void turns_free(struct turns *turns)
{
    for (struct turn *turn; (turn = turns_take(turns));)
        turn_free(turn);
    sd_bus_slot_unref(turns->asking);
    sd_bus_message_unref(turns->current);
    timer_done(&turns->timer);
    sd_bus_slot_unref(turns->filter);
    free(turns);
}
