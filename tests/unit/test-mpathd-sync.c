/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who waits for multipathd, and when it is told: service/multipathd/mpathd-sync.c with children
 * that are made up, which end when the test says so, and a clock of the test's own.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "prng.h"
#include "service/base/timer.h"
#include "service/base/worker.h"
#include "service/model/maps.h"
#include "service/multipathd/map-entry.h"
#include "service/multipathd/mpathd-sync.h"
#include "service/multipathd/sync-attempt.h"

#define TIMERS_MAX 2U
#define WAITERS_MAX 512U

/* One that waits, and what came of that. */
struct waiter {
    void (*then)(void); /* what it goes on with */
    unsigned since;     /* syncs that had begun by then */
    uint64_t until;     /* 0: as long as it takes */
    unsigned n_answers;
    int r;
};

static struct {
    struct host host;
    uint64_t now;
    struct timer *timers[TIMERS_MAX];
    uint64_t due[TIMERS_MAX]; /* 0: not set */
    /* the child that runs */
    const struct sync_attempt *attempt; /* NULL: none does */
    worker_done_t done;
    void *userdata;
    unsigned n_begun;
    unsigned n_refused;                     /* children that are not to be had */
    uint64_t last_reconfigure, took, begun; /* as they have to be */
    struct waiter waiters[WAITERS_MAX];
    size_t n_waiters;
} scene;

/* --- What the code meets --------------------------------------------------------------------- */

int __wrap_worker_start(sd_event *event, worker_func_t func, void *arg, worker_done_t done,
                        void *userdata);
uint64_t __wrap_loop_usec(sd_event *event);
int __wrap_timer_set_at(struct timer *timer, uint64_t usec);
int __wrap_timer_set_in(struct timer *timer, uint64_t usec);
bool __wrap_timer_is_set(const struct timer *timer);
void __wrap_timer_stop(struct timer *timer);
void __wrap_announce_all_sessions(struct host *host);
void __wrap_announce_all_disks(struct host *host);

static uint64_t min_usec(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* multipathd is left to its paths between two, unless who waits would be late for that. */
static uint64_t earliest_sync(void)
{
    uint64_t earliest = scene.last_reconfigure + min_usec(scene.took, SYNC_INTERVAL_USEC);

    for (size_t i = 0; i < scene.n_waiters; i++)
        if (scene.waiters[i].n_answers == 0 && scene.waiters[i].until != 0)
            earliest = min_usec(earliest, scene.waiters[i].until - SYNC_BEGINS_USEC);
    return earliest;
}

int __wrap_worker_start(sd_event *event, worker_func_t func, void *arg, worker_done_t done,
                        void *userdata)
{
    const struct sync_attempt *attempt = arg;

    assert_null(scene.attempt);
    if (scene.n_refused > 0) {
        scene.n_refused--;
        return -EAGAIN;
    }
    if (attempt->schedule.running == ATTEMPT_SYNC) {
        scene.begun = scene.now;
        scene.n_begun++;
        if (scene.last_reconfigure)
            assert_true(scene.now >= earliest_sync());
    }
    scene.attempt = attempt;
    scene.done = done;
    scene.userdata = userdata;
    return 0;
}

uint64_t __wrap_loop_usec(sd_event *event)
{
    return scene.now;
}

static size_t find_timer(const struct timer *timer)
{
    size_t i = 0;

    while (scene.timers[i] && scene.timers[i] != timer)
        assert_true(++i < TIMERS_MAX);
    return i;
}

int __wrap_timer_set_at(struct timer *timer, uint64_t usec)
{
    size_t i = find_timer(timer);

    scene.timers[i] = timer;
    scene.due[i] = usec;
    return 0;
}

int __wrap_timer_set_in(struct timer *timer, uint64_t usec)
{
    return __wrap_timer_set_at(timer, scene.now + usec);
}

bool __wrap_timer_is_set(const struct timer *timer)
{
    return scene.due[find_timer(timer)] != 0;
}

void __wrap_timer_stop(struct timer *timer)
{
    scene.due[find_timer(timer)] = 0;
}

void __wrap_announce_all_sessions(struct host *host)
{
}

void __wrap_announce_all_disks(struct host *host)
{
}

/* --- What the tests do ------------------------------------------------------------------------ */

static int set_up(void **state)
{
    memset(&scene, 0, sizeof(scene));
    scene.now = SYNC_SECOND;
    return mpathd_sync_new(&scene.host);
}

/* The child has ended. */
static void end(struct sync_outcome outcome)
{
    bool proof = scene.attempt->schedule.running == ATTEMPT_PROVE;

    outcome.reconfigured = outcome.reconfigured || proof;
    if (outcome.reconfigured && (proof || outcome.error < 0)) {
        scene.last_reconfigure = scene.now;
        scene.took = scene.now - scene.begun;
    }
    scene.attempt = NULL;
    scene.done(0, &outcome, sizeof(outcome), scene.userdata);
}

/* Until then, timers that are due included. */
static void pass(uint64_t usec)
{
    uint64_t until = scene.now + usec;

    for (;;) {
        size_t first = TIMERS_MAX;
        for (size_t i = 0; i < TIMERS_MAX; i++)
            if (scene.due[i] && scene.due[i] <= until &&
                (first == TIMERS_MAX || scene.due[i] < scene.due[first]))
                first = i;
        if (first == TIMERS_MAX)
            break;
        if (scene.now < scene.due[first])
            scene.now = scene.due[first];
        scene.due[first] = 0;
        scene.timers[first]->func(NULL, scene.now, scene.timers[first]->userdata);
    }
    scene.now = until;
}

static void on_answer(int r, void *userdata)
{
    struct waiter *waiter = userdata;

    assert_true(scene.n_begun > waiter->since || r == -ETIMEDOUT);
    waiter->n_answers++;
    waiter->r = r;
    if (waiter->then)
        waiter->then();
}

typedef int (*wait_t)(struct host *host, void (*func)(int r, void *userdata), void *userdata);

static int ahead(struct host *host, void (*func)(int r, void *userdata), void *userdata)
{
    return mpathd_sync_ahead(host, scene.now, func, userdata);
}

static int behind(struct host *host, void (*func)(int r, void *userdata), void *userdata)
{
    return mpathd_sync_behind(host, scene.now, func, userdata);
}

static struct waiter *wait_for(wait_t wait, void (*then)(void))
{
    struct waiter *waiter = &scene.waiters[scene.n_waiters++];

    assert_true(scene.n_waiters <= WAITERS_MAX);
    *waiter = (struct waiter){
        .then = then,
        .since = scene.n_begun,
        .until = wait == mpathd_sync_and_wait ? 0 : scene.now + MPATHD_SYNC_PATIENCE_USEC,
    };
    assert_int_equal(wait(&scene.host, on_answer, waiter), 0);
    return waiter;
}

static void assert_runs(enum sync_kind kind)
{
    assert_non_null(scene.attempt);
    assert_int_equal(scene.attempt->schedule.running, kind);
}

static int tear_down(void **state)
{
    while (scene.attempt)
        end((struct sync_outcome){.error = -EIO});
    mpathd_sync_free(&scene.host);
    maps_free_all(&scene.host);
    return 0;
}

/* What the service begins with is over, and multipathd had nothing to read. */
static void come_to_rest(void)
{
    pass(SYNC_SECOND);
    assert_runs(ATTEMPT_SYNC);
    end((struct sync_outcome){0});
    assert_null(scene.attempt);
}

static void wait_once_more(void)
{
    wait_for(ahead, NULL);
}

/* One who is answered goes on at once, and so begins the attempt of those behind it. */
static void test_each_by_its_own_attempt(void **state)
{
    come_to_rest();
    const struct waiter *first = wait_for(ahead, wait_once_more);
    assert_runs(ATTEMPT_SYNC);
    const struct waiter *second = wait_for(ahead, NULL);
    end((struct sync_outcome){0});
    assert_int_equal(first->n_answers, 1);
    assert_int_equal(second->n_answers, 0);
    assert_runs(ATTEMPT_SYNC);
    end((struct sync_outcome){.error = -EIO});
    assert_int_equal(second->n_answers, 1);
    assert_int_equal(second->r, -EIO);
}

/* Who comes first has enough with the beginning, who comes behind waits for the end. */
static void test_ahead_and_behind(void **state)
{
    come_to_rest();
    const struct waiter *first = wait_for(ahead, NULL);
    const struct waiter *second = wait_for(behind, NULL);
    end((struct sync_outcome){.changed = true, .reconfigured = true});
    /* The second is for the attempt after this one. */
    assert_int_equal(first->n_answers, 1);
    assert_int_equal(second->n_answers, 0);
    assert_runs(ATTEMPT_PROVE);
    end((struct sync_outcome){0});
    assert_int_equal(second->n_answers, 0);
    pass(SYNC_INTERVAL_USEC);
    assert_runs(ATTEMPT_SYNC);
    end((struct sync_outcome){.changed = true, .reconfigured = true});
    assert_int_equal(second->n_answers, 0);
    end((struct sync_outcome){0});
    assert_int_equal(second->n_answers, 1);
    assert_int_equal(second->r, 0);
}

/* Entries that stay are told of by the attempt that runs, unless others have changed meanwhile. */
static void test_begun(void **state)
{
    static struct waiter first, second;

    come_to_rest();
    mpathd_sync_soon(&scene.host);
    assert_runs(ATTEMPT_SYNC);
    first = (struct waiter){.since = scene.n_begun - 1};
    second = (struct waiter){.since = scene.n_begun};
    assert_int_equal(mpathd_sync_begun(&scene.host, scene.now, on_answer, &first), 0);
    mpathd_sync_request(&scene.host);
    assert_int_equal(mpathd_sync_begun(&scene.host, scene.now, on_answer, &second), 0);
    end((struct sync_outcome){.changed = true, .reconfigured = true});
    assert_int_equal(first.n_answers, 1);
    assert_int_equal(first.r, 0);
    end((struct sync_outcome){0});
    assert_int_equal(second.n_answers, 0);
    pass(SYNC_INTERVAL_USEC);
    assert_runs(ATTEMPT_SYNC);
    end((struct sync_outcome){0});
    assert_int_equal(second.n_answers, 1);
}

/* Each is told when it is late, not the first alone. */
static void test_patience(void **state)
{
    come_to_rest();
    const struct waiter *first = wait_for(ahead, NULL);
    pass(SYNC_SECOND);
    const struct waiter *second = wait_for(behind, NULL);
    const struct waiter *third = wait_for(mpathd_sync_and_wait, NULL);
    pass(MPATHD_SYNC_PATIENCE_USEC - SYNC_SECOND);
    assert_int_equal(first->n_answers, 1);
    assert_int_equal(first->r, -ETIMEDOUT);
    assert_int_equal(second->n_answers, 0);
    pass(SYNC_SECOND);
    assert_int_equal(second->n_answers, 1);
    assert_int_equal(second->r, -ETIMEDOUT);
    pass(10 * MPATHD_SYNC_PATIENCE_USEC);
    assert_int_equal(third->n_answers, 0);
}

/* A client's time goes on while its change waits for another one; who comes late has the least. */
static void test_patience_since_it_asked(void **state)
{
    static struct waiter early, late;

    come_to_rest();
    early = late = (struct waiter){.since = scene.n_begun};
    uint64_t asked = scene.now;
    pass(MPATHD_SYNC_PATIENCE_USEC - MPATHD_SYNC_LEAST_USEC - SYNC_SECOND);
    assert_int_equal(mpathd_sync_ahead(&scene.host, asked, on_answer, &early), 0);
    pass(3 * SYNC_SECOND);
    assert_int_equal(mpathd_sync_behind(&scene.host, asked, on_answer, &late), 0);
    pass(asked + MPATHD_SYNC_PATIENCE_USEC - scene.now - 1);
    assert_int_equal(early.n_answers, 0);
    pass(1);
    assert_int_equal(early.r, -ETIMEDOUT);
    assert_int_equal(early.n_answers, 1);
    assert_int_equal(late.n_answers, 0);
    pass(2 * SYNC_SECOND);
    assert_int_equal(late.r, -ETIMEDOUT);
    assert_int_equal(late.n_answers, 1);
}

/* What multipathd was told, and may have read, is looked for in what it has in force ever after. */
static void test_a_proof_that_fails(void **state)
{
    come_to_rest();
    mpathd_sync_soon(&scene.host);
    assert_runs(ATTEMPT_SYNC);
    const struct sync_attempt *told = scene.attempt;
    end((struct sync_outcome){.changed = true, .reconfigured = true});
    assert_runs(ATTEMPT_PROVE);
    assert_ptr_equal(scene.attempt, told);
    end((struct sync_outcome){.error = -ETIMEDOUT});
    pass(SYNC_INTERVAL_USEC);
    assert_runs(ATTEMPT_SYNC);
    assert_ptr_equal(scene.attempt->previous, told);
}

static void test_a_proof_that_cannot_begin(void **state)
{
    come_to_rest();
    mpathd_sync_soon(&scene.host);
    const struct sync_attempt *told = scene.attempt;
    scene.n_refused = 1;
    end((struct sync_outcome){.changed = true, .reconfigured = true});
    assert_null(scene.attempt);
    pass(SYNC_INTERVAL_USEC);
    assert_runs(ATTEMPT_SYNC);
    assert_ptr_equal(scene.attempt->previous, told);
}

/* multipathd reads an entry from when it has begun to, be it proved or not; not one that is newer.
 */
static void test_what_is_read(void **state)
{
    struct host_map *maps[2];

    come_to_rest();
    assert_int_equal(maps_expect(&scene.host, "3600a", &maps[0]), 0);
    assert_int_equal(maps_expect(&scene.host, "3600b", &maps[1]), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(map_entry_restore(maps[i], "an earlier run's"), 0);
        assert_false(map_state_is_unread(&maps[i]->state));
        map_entry_take_back(maps[i], strdup("one"), NULL);
    }
    mpathd_sync_soon(&scene.host);
    assert_runs(ATTEMPT_SYNC);
    assert_true(map_state_is_unread(&maps[0]->state));
    map_entry_take_back(maps[1], strdup("another"), NULL);
    end((struct sync_outcome){.changed = true, .reconfigured = true});
    assert_runs(ATTEMPT_PROVE);
    assert_false(map_state_is_unread(&maps[0]->state));
    assert_true(map_state_is_unread(&maps[1]->state));
    end((struct sync_outcome){.error = -ETIMEDOUT});
    assert_false(map_state_is_unread(&maps[0]->state));
}

/* A timer that was set for what has begun begins nothing after it. */
static void test_timer_of_an_earlier_wish(void **state)
{
    come_to_rest();
    mpathd_sync_request(&scene.host);
    pass(SYNC_GATHER_USEC / 2);
    mpathd_sync_soon(&scene.host);
    assert_runs(ATTEMPT_SYNC);
    end((struct sync_outcome){.changed = true, .reconfigured = true});
    end((struct sync_outcome){0});
    mpathd_sync_request(&scene.host);
    pass(SYNC_INTERVAL_USEC - 1);
    assert_null(scene.attempt);
    pass(1);
    assert_runs(ATTEMPT_SYNC);
}

/* Who waits is not put off by those who do not, and those not by each other. */
static void test_put_off(void **state)
{
    come_to_rest();
    mpathd_sync_soon(&scene.host);
    pass(SYNC_SECOND);
    end((struct sync_outcome){.changed = true, .reconfigured = true});
    end((struct sync_outcome){0});
    mpathd_sync_request(&scene.host);
    wait_for(ahead, NULL);
    pass(SYNC_SECOND);
    assert_runs(ATTEMPT_SYNC);
    end((struct sync_outcome){0});

    pass(SYNC_INTERVAL_USEC);
    for (uint64_t i = 0; i < 4; i++) {
        mpathd_sync_request(&scene.host);
        pass(SYNC_GATHER_USEC / 4);
    }
    assert_runs(ATTEMPT_SYNC);
}

/* --- At random -------------------------------------------------------------------------------- */

/* Of the attempt that runs, what can come of such a one. */
static struct sync_outcome random_outcome(struct prng *prng)
{
    struct sync_outcome outcome = {.error = prng_below(prng, 4) == 0 ? -EIO : 0};

    switch (scene.attempt->schedule.running) {
    case ATTEMPT_SYNC:
        outcome.changed = prng_below(prng, 2);
        outcome.reconfigured = prng_below(prng, 2);
        break;
    case ATTEMPT_PROVE:
        outcome.unproved = outcome.error < 0 && prng_below(prng, 2);
        break;
    default:
        outcome.reread = outcome.error >= 0 && prng_below(prng, 2);
    }
    return outcome;
}

static void step(struct prng *prng)
{
    static const wait_t waits[] = {ahead, behind, mpathd_sync_and_wait};
    static void (*const wishes[])(struct host *) = {mpathd_sync_request, mpathd_sync_soon,
                                                    mpathd_sync_check};

    switch (prng_below(prng, 4)) {
    case 0:
        wait_for(waits[prng_below(prng, ELEMENTSOF(waits))],
                 prng_below(prng, 8) == 0 && scene.n_waiters + 2 < WAITERS_MAX ? wait_once_more
                                                                               : NULL);
        break;
    case 1:
        wishes[prng_below(prng, ELEMENTSOF(wishes))](&scene.host);
        break;
    case 2:
        if (scene.attempt)
            end(random_outcome(prng));
        break;
    default:
        pass(prng_below(prng, 2 * SYNC_SECOND));
    }
}

/* Nobody waits for ever, and nobody is answered by an attempt that had begun before it came. */
static void test_nobody_is_forgotten(void **state)
{
    for (unsigned seed = 1; seed <= 200; seed++) {
        struct prng prng = {seed};
        tear_down(NULL);
        set_up(NULL);
        while (scene.n_waiters < WAITERS_MAX / 4)
            step(&prng);
        for (unsigned i = 0; i < 100; i++) {
            if (scene.attempt)
                end((struct sync_outcome){0});
            pass(SYNC_RETRY_MAX_USEC);
        }
        for (size_t i = 0; i < scene.n_waiters; i++)
            assert_int_equal(scene.waiters[i].n_answers, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_by_its_own_attempt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ahead_and_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_begun, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_patience, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_patience_since_it_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_proof_that_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_proof_that_cannot_begin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_timer_of_an_earlier_wish, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_put_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_is_forgotten, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
