/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/base/timer.h"
#include "service/base/worker.h"
#include "service/model/announce-disk.h"
#include "service/model/announce.h"
#include "service/model/find.h"
#include "service/model/maps.h"
#include "service/multipathd/publication.h"
#include "service/multipathd/publish.h"
#include "service/multipathd/telling.h"

#define SECOND_USEC 1000000U
#define LEAVING_USEC (SECOND_USEC / 4) /* from one look for maps that leave to the next */
#define LEAVING_MAX_USEC                                                                           \
    (15U * SECOND_USEC) /* what multipathd gets to remove a map without paths */

struct waiter {
    void (*func)(int r, void *userdata);
    void *userdata;
};

struct publisher {
    struct host *host;
    struct timer timer;
    struct telling telling;
    bool has_told;            /* a file was made of maps that were seen */
    bool owed;                /* see the publication */
    struct publication *read; /* what multipathd has read last */
    struct waiter *waiters;   /* the first n_current of which the running child answers */
    size_t n_waiters, n_current;
};

DEFINE_CLEANUP(struct publication *, publication_free);

static char *copy(const char *text, bool *failed)
{
    char *copied = text ? strdup(text) : NULL;
    *failed = *failed || (text && !copied);
    return copied;
}

struct collecting {
    struct publication *publication;
    bool failed;
};

static void collect(struct host_map *map, void *userdata)
{
    struct collecting *c = userdata;

    if (!map->entry || c->failed || (c->publication->check_only && map->state.told != TOLD_DOUBTED))
        return;
    struct publication_part *more =
        reallocarray(c->publication->parts, c->publication->n + 1, sizeof(*more));
    if (!more) {
        c->failed = true;
        return;
    }
    c->publication->parts = more;
    more[c->publication->n++] = (struct publication_part){
        .wwid = copy(map->wwid, &c->failed),
        .entry = copy(map->entry, &c->failed),
        .vendor = copy(map->vendor, &c->failed),
        .product = copy(map->product, &c->failed),
    };
}

static void find_policy(struct host_map *map, void *userdata)
{
    bool *found = userdata;
    *found = *found || map_has_policy(map);
}

static bool has_policy(struct host *host)
{
    bool found = false;

    for (size_t i = 0; i < host->n_sessions; i++)
        if (session_has_policy(host->sessions[i]))
            return true;
    maps_each(host, find_policy, &found);
    return found;
}

static struct publication *make_publication(const struct publisher *p)
{
    _cleanup_(publication_freep) struct publication *publication = calloc(1, sizeof(*publication));
    struct collecting collecting = {.publication = publication};

    if (!publication)
        return NULL;
    publication->check_only = p->telling.running == ATTEMPT_CHECK;
    maps_each(p->host, collect, &collecting);
    publication->must_tell = p->n_waiters > 0;
    publication->owed = p->owed;
    publication->previous = publication->check_only ? NULL : p->read;
    publication->keep = !p->has_told && !publication->must_tell && has_policy(p->host);
    return collecting.failed ? NULL : TAKE_PTR(publication);
}

static void take_verdict(struct host *host, const struct publication *publication,
                         const struct publication_verdict *verdict)
{
    const struct publication_part *part = &publication->parts[verdict->part];
    struct host_map *map = maps_find_wwid(host, part->wwid);

    /* One that has another entry by now comes with the next publication. */
    if (!map || !map->entry || strcmp(map->entry, part->entry) != 0)
        return;
    free(TAKE_PTR(map->rival));
    if (verdict->rival[0])
        map->rival = strdup(verdict->rival);
    map_state_judge(&map->state, verdict->in_force, map->rival,
                    host->publisher->telling.check_wished);
}

static void answer_waiters(struct publisher *p, int r)
{
    size_t n = p->n_current;

    for (size_t i = 0; i < n; i++) {
        struct waiter waiter = p->waiters[0];
        memmove(p->waiters, p->waiters + 1, --p->n_waiters * sizeof(*p->waiters));
        waiter.func(r, waiter.userdata);
    }
    p->n_current = 0;
}

static void arm(struct publisher *p);
static void start(struct publisher *p);

/* The end of an attempt, however it went. */
static void conclude(struct publisher *p, const struct publication_outcome *outcome)
{
    struct host *host = p->host;
    bool failed = outcome->error < 0;
    enum telling_attempt ended = telling_end(&p->telling, failed, outcome->reread,
                                             outcome->reconfigured, loop_usec(host->event));
    if (ended == ATTEMPT_TELL) {
        host->told.left_alone = outcome->alone;
        p->owed = failed && (p->owed || outcome->changed);
    }
    if (failed && strcmp(host->told.error, outcome->text) != 0)
        log_warning("%s The maps keep their policies; it is tried again.", outcome->text);
    snprintf(host->told.error, sizeof(host->told.error), "%s", failed ? outcome->text : "");

    answer_waiters(p, outcome->error);
    announce_all_sessions(host);
    announce_all_disks(host);
    if (telling_next(&p->telling) == ATTEMPT_CHECK)
        start(p);
    else
        arm(p);
}

struct attempt {
    struct publisher *publisher;
    struct publication *publication;
};

static void on_child_done(int error, const void *data, size_t size, void *userdata)
{
    _cleanup_free_ struct attempt *attempt = userdata;
    _cleanup_(publication_freep) struct publication *publication = attempt->publication;
    struct publication_outcome outcome = {.error = error ?: -EIO,
                                          .changed = true}; /* if it died: who knows */
    size_t verdicts = 0;
    bool contested = false;

    if (size >= sizeof(outcome) && error == 0) {
        verdicts = size - sizeof(outcome);
        memcpy(&outcome, (const char *)data + verdicts, sizeof(outcome));
    } else
        snprintf(outcome.text, sizeof(outcome.text), "multipathd could not be told: %s.",
                 strerror(-outcome.error));
    for (size_t at = 0; at < verdicts; at += sizeof(struct publication_verdict)) {
        struct publication_verdict verdict;
        memcpy(&verdict, (const char *)data + at, sizeof(verdict));
        take_verdict(attempt->publisher->host, publication, &verdict);
        contested = contested || !verdict.in_force || verdict.rival[0];
    }
    bool was_check = publication->check_only;
    /* What wins over one map's entry may do so over those of maps that nobody doubted. */
    if (was_check && contested)
        telling_wish(&attempt->publisher->telling, false);
    if (outcome.error >= 0 && !was_check) {
        if (attempt->publisher->read)
            publication_free(attempt->publisher->read);
        publication->previous = NULL;
        attempt->publisher->read = TAKE_PTR(publication);
    }
    conclude(attempt->publisher, &outcome);
}

static void start(struct publisher *p)
{
    telling_begin(&p->telling);
    _cleanup_(publication_freep) struct publication *publication = make_publication(p);
    _cleanup_free_ struct attempt *attempt = calloc(1, sizeof(*attempt));

    p->n_current = p->telling.running == ATTEMPT_CHECK ? 0 : p->n_waiters;
    int r = publication && attempt ? 0 : -ENOMEM;
    if (r >= 0) {
        *attempt = (struct attempt){p, publication};
        r = worker_start(p->host->event, publication_run, publication, on_child_done, attempt);
        p->has_told = p->has_told || publication->n > 0;
    }
    if (r < 0) {
        struct publication_outcome outcome = {.error = r};
        snprintf(outcome.text, sizeof(outcome.text), "multipathd could not be told: %s.",
                 strerror(-r));
        conclude(p, &outcome);
        return;
    }
    (void)TAKE_PTR(publication);
    (void)TAKE_PTR(attempt);
}

struct leaving {
    uint64_t now;
    bool found;
};

static void find_leaving(struct host_map *map, void *userdata)
{
    struct leaving *leaving = userdata;
    if (map->watch.leaving_usec && leaving->now - map->watch.leaving_usec < LEAVING_MAX_USEC)
        leaving->found = true;
}

/* A map whose paths have left is forgotten by a multipathd that reconfigures, and never removed. */
static bool must_wait(const struct publisher *p)
{
    struct leaving leaving = {.now = loop_usec(p->host->event)};

    maps_each(p->host, find_leaving, &leaving);
    return leaving.found;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct publisher *p = userdata;

    if (telling_next(&p->telling) != ATTEMPT_TELL)
        return 0;
    if (must_wait(p))
        return timer_set_in(&p->timer, LEAVING_USEC);
    start(p);
    return 0;
}

static void arm(struct publisher *p)
{
    if (telling_next(&p->telling) != ATTEMPT_TELL)
        return;
    /* A timer that runs already stays: requests that never end must not put it off for ever. */
    if (p->telling.wish != WISH_TELL_SOON && timer_is_set(&p->timer))
        return;
    (void)timer_set_at(&p->timer, telling_due(&p->telling, loop_usec(p->host->event)));
}

void publish(struct host *host)
{
    if (!host->publisher)
        return;
    telling_wish(&host->publisher->telling, false);
    arm(host->publisher);
}

void publish_check(struct host *host)
{
    struct publisher *p = host->publisher;

    if (!p || p->telling.check_wished)
        return;
    p->telling.check_wished = true;
    if (telling_next(&p->telling) == ATTEMPT_CHECK)
        start(p);
}

int publish_and_wait(struct host *host, void (*func)(int r, void *userdata), void *userdata)
{
    struct publisher *p = host->publisher;
    struct waiter *more = reallocarray(p->waiters, p->n_waiters + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    p->waiters = more;
    more[p->n_waiters++] = (struct waiter){func, userdata};
    telling_wish(&p->telling, true);
    arm(p);
    return 0;
}

int publisher_new(struct host *host)
{
    struct publisher *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->host = host;
    timer_init(&p->timer, host->event, 0, on_timer, p);
    host->publisher = p;
    publish(host); /* a file that was left behind, or never told of */
    return 0;
}

void publisher_free(struct host *host)
{
    struct publisher *p = TAKE_PTR(host->publisher);
    if (!p)
        return;
    timer_done(&p->timer);
    if (p->read)
        publication_free(p->read);
    free(p->waiters);
    free(p);
}
