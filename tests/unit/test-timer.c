/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "basic/clock.h"
#include "service/base/timer.h"

#define MSEC_USEC 1000U
#define PATIENCE_USEC (60U * 1000000U)
#define NEVER_USEC (3600ULL * 1000000U)

/* A timer, and what it has done. */
struct scene {
    sd_event *event;
    struct timer timer;
    unsigned n_expired;
    uint64_t expired_usec;
    uint64_t again_usec; /* it sets itself anew; 0: no */
};

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct scene *scene = userdata;

    scene->n_expired++;
    scene->expired_usec = monotonic_usec();
    return scene->again_usec ? timer_set_in(&scene->timer, scene->again_usec) : 0;
}

static int setup(void **state)
{
    static struct scene scene;

    scene = (struct scene){0};
    if (sd_event_new(&scene.event) < 0)
        return -1;
    timer_init(&scene.timer, scene.event, 1, on_timer, &scene);
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    timer_done(&scene->timer);
    sd_event_unref(scene->event);
    return 0;
}

static void wait_for(struct scene *scene, unsigned n)
{
    while (scene->n_expired < n)
        assert_true(sd_event_run(scene->event, PATIENCE_USEC) > 0);
}

/* Nothing is due. */
static void assert_silent(struct scene *scene)
{
    unsigned n = scene->n_expired;

    while (sd_event_run(scene->event, 20 * MSEC_USEC) > 0)
        ;
    assert_int_equal(scene->n_expired, n);
}

static void test_once_for_each_time(void **state)
{
    struct scene *scene = *state;

    for (unsigned i = 1; i <= 3; i++) {
        uint64_t before = monotonic_usec();
        assert_false(timer_is_set(&scene->timer));
        assert_int_equal(timer_set_at(&scene->timer, before + 10 * MSEC_USEC), 0);
        assert_true(timer_is_set(&scene->timer));
        wait_for(scene, i);
        assert_true(scene->expired_usec >= before + 10 * MSEC_USEC);
        assert_false(timer_is_set(&scene->timer));
        assert_silent(scene);
    }
}

static void test_later_than_now(void **state)
{
    struct scene *scene = *state;

    for (unsigned i = 1; i <= 2; i++) {
        uint64_t before = loop_usec(scene->event);
        assert_int_equal(timer_set_in(&scene->timer, 10 * MSEC_USEC), 0);
        wait_for(scene, i);
        assert_true(scene->expired_usec >= before + 10 * MSEC_USEC);
    }
}

/* The last word counts, whether it is earlier or later. */
static void test_set_anew(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(timer_set_in(&scene->timer, NEVER_USEC), 0);
    assert_int_equal(timer_set_in(&scene->timer, 0), 0);
    wait_for(scene, 1);
    assert_int_equal(timer_set_in(&scene->timer, 0), 0);
    assert_int_equal(timer_set_at(&scene->timer, monotonic_usec() + NEVER_USEC), 0);
    assert_silent(scene);
    assert_true(timer_is_set(&scene->timer));
}

static void test_set_by_itself(void **state)
{
    struct scene *scene = *state;

    scene->again_usec = MSEC_USEC;
    assert_int_equal(timer_set_in(&scene->timer, MSEC_USEC), 0);
    wait_for(scene, 3);
    assert_true(timer_is_set(&scene->timer));
}

static void test_stopped(void **state)
{
    struct scene *scene = *state;

    timer_stop(&scene->timer); /* never set */
    assert_int_equal(timer_set_in(&scene->timer, 0), 0);
    timer_stop(&scene->timer);
    assert_false(timer_is_set(&scene->timer));
    assert_silent(scene);
    assert_int_equal(timer_set_in(&scene->timer, 0), 0);
    wait_for(scene, 1);
}

static void test_done(void **state)
{
    struct scene *scene = *state;

    timer_done(&scene->timer); /* never set */
    assert_int_equal(timer_set_in(&scene->timer, 0), 0);
    timer_done(&scene->timer);
    assert_false(timer_is_set(&scene->timer));
    assert_silent(scene);
}

/* A loop that has ended takes no timer. */
static void test_failure(void **state)
{
    struct scene *scene = *state;

    assert_true(sd_event_exit(scene->event, 0) >= 0);
    assert_true(sd_event_loop(scene->event) >= 0);
    assert_int_equal(timer_set_in(&scene->timer, 0), -ESTALE);
    assert_false(timer_is_set(&scene->timer));
}

static void test_time_of_a_round(void **state)
{
    struct scene *scene = *state;
    uint64_t before = monotonic_usec(), first = loop_usec(scene->event);

    assert_true(first >= before && first <= monotonic_usec());
    assert_int_equal(timer_set_in(&scene->timer, MSEC_USEC), 0);
    wait_for(scene, 1);
    uint64_t round = loop_usec(scene->event);
    assert_true(round >= first + MSEC_USEC && round <= scene->expired_usec);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_once_for_each_time),
        TEST(test_later_than_now),
        TEST(test_set_anew),
        TEST(test_set_by_itself),
        TEST(test_stopped),
        TEST(test_done),
        TEST(test_failure),
        TEST(test_time_of_a_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
