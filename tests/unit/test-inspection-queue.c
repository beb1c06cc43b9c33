/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which map is inspected next, and when. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/macros.h"
#include "service/reconcile/inspection-queue.h"

static void add(struct inspection_queue *queue, dev_t dev, uint64_t usec)
{
    assert_int_equal(inspection_queue_add(queue, dev, usec), 0);
}

static void await_place(struct inspection_queue *queue, dev_t dev)
{
    assert_int_equal(inspection_queue_await_place(queue, dev), 0);
}

/* Takes all whose time has come: these, in this order. */
static void assert_taken(struct inspection_queue *queue, uint64_t now, const dev_t *devs, size_t n)
{
    dev_t dev;

    for (size_t i = 0; i < n; i++) {
        assert_true(inspection_queue_take(queue, now, &dev));
        assert_int_equal(dev, devs[i]);
    }
    assert_false(inspection_queue_take(queue, now, &dev));
}

#define ASSERT_TAKEN(queue, now, ...)                                                              \
    assert_taken(queue, now, (const dev_t[]){__VA_ARGS__},                                         \
                 ELEMENTSOF(((const dev_t[]){__VA_ARGS__})))
#define ASSERT_NOTHING_TAKEN(queue, now) assert_taken(queue, now, NULL, 0)

static void test_the_earliest_time_counts(void **state)
{
    struct inspection_queue queue = {0};

    assert_int_equal(inspection_queue_next(&queue), UINT64_MAX);
    add(&queue, 1, 50);
    add(&queue, 2, 40);
    add(&queue, 1, 30);
    add(&queue, 2, 60);
    assert_int_equal(inspection_queue_next(&queue), 30);
    ASSERT_NOTHING_TAKEN(&queue, 29);
    ASSERT_TAKEN(&queue, 30, 1);
    assert_int_equal(inspection_queue_next(&queue), 40);
    ASSERT_TAKEN(&queue, 100, 2);
    assert_int_equal(inspection_queue_next(&queue), UINT64_MAX);
    inspection_queue_done(&queue);
}

static void test_who_came_first_is_first(void **state)
{
    struct inspection_queue queue = {0};

    for (dev_t dev = 1; dev <= 4; dev++)
        add(&queue, dev, 10 - dev);
    ASSERT_TAKEN(&queue, 7, 3, 4);
    add(&queue, 3, 5);
    ASSERT_TAKEN(&queue, 10, 1, 2, 3);
    inspection_queue_done(&queue);
}

static void test_places(void **state)
{
    struct inspection_queue queue = {0};

    for (dev_t dev = 1; dev <= 3; dev++)
        await_place(&queue, dev);
    assert_int_equal(inspection_queue_next(&queue), UINT64_MAX);
    inspection_queue_give_places(&queue, 0, 5);
    ASSERT_NOTHING_TAKEN(&queue, 5);
    inspection_queue_give_places(&queue, 2, 5);
    inspection_queue_give_places(&queue, 2, 6); /* the same two */
    assert_int_equal(inspection_queue_next(&queue), 5);
    ASSERT_TAKEN(&queue, 6, 1, 2);
    await_place(&queue, 1);
    inspection_queue_give_places(&queue, 1, 7);
    ASSERT_TAKEN(&queue, 7, 3);
    inspection_queue_give_places(&queue, 8, 8);
    ASSERT_TAKEN(&queue, 8, 1);
    inspection_queue_done(&queue);
}

/* One that has a time as well gets what comes first, in whatever order it was asked for. */
static void test_a_place_or_a_time(void **state)
{
    struct inspection_queue queue = {0};

    add(&queue, 1, 20);
    await_place(&queue, 1);
    await_place(&queue, 2);
    add(&queue, 2, 20);
    assert_int_equal(inspection_queue_next(&queue), 20);
    inspection_queue_give_places(&queue, 1, 10);
    ASSERT_TAKEN(&queue, 10, 1);
    ASSERT_TAKEN(&queue, 20, 2);

    add(&queue, 1, 5);
    await_place(&queue, 1);
    inspection_queue_give_places(&queue, 1, 10); /* which does not put it off */
    ASSERT_TAKEN(&queue, 5, 1);
    inspection_queue_done(&queue);
}

/* What it awaited is over with the inspection. */
static void test_taken_is_forgotten(void **state)
{
    struct inspection_queue queue = {0};

    await_place(&queue, 1);
    add(&queue, 1, 10);
    ASSERT_TAKEN(&queue, 10, 1);
    add(&queue, 1, 30);
    inspection_queue_give_places(&queue, 1, 20);
    ASSERT_NOTHING_TAKEN(&queue, 20);
    inspection_queue_done(&queue);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_earliest_time_counts),
        cmocka_unit_test(test_who_came_first_is_first),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_a_place_or_a_time),
        cmocka_unit_test(test_taken_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
