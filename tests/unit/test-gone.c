/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How long what an earlier run has left is kept, and of how many maps; by a clock of the test's
 * own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "service/base/timer.h"
#include "service/model/find.h"
#include "service/model/maps.h"
#include "service/multipathd/map-entry.h"
#include "service/reconcile/gone.h"

#define EXPECTED (GONE_MAX + 36U)

static struct {
    struct host host;
    struct session session, *sessions[1];
    struct store_policy policy;
    uint64_t now, due; /* 0: not set */
    struct timer *timer;
} scene;

int __wrap_timer_set_in(struct timer *timer, uint64_t usec);
int __wrap_timer_set_at(struct timer *timer, uint64_t usec);

int __wrap_timer_set_at(struct timer *timer, uint64_t usec)
{
    return 0; /* nothing that goes here waits so long */
}

int __wrap_timer_set_in(struct timer *timer, uint64_t usec)
{
    scene.timer = timer;
    scene.due = scene.now + usec;
    return 0;
}

/* Until that time; a timer that is due included. */
static void pass_until(uint64_t usec)
{
    while (scene.due && scene.due <= usec) {
        scene.now = scene.due;
        scene.due = 0;
        scene.timer->func(NULL, scene.now, scene.timer->userdata);
    }
    scene.now = usec;
}

static int set_up(void **state)
{
    memset(&scene, 0, sizeof(scene));
    scene.session = (struct session){.host = &scene.host, .policy = &scene.policy};
    scene.sessions[0] = &scene.session;
    scene.host.sessions = scene.sessions;
    scene.host.n_sessions = 1;
    for (unsigned i = 0; i < EXPECTED; i++) {
        struct host_map *map;
        char wwid[16];

        snprintf(wwid, sizeof(wwid), "36%04u", i);
        assert_int_equal(maps_expect(&scene.host, wwid, &map), 0);
        assert_int_equal(map_entry_restore(map, "an entry"), 0);
    }
    return gone_new(&scene.host);
}

static int tear_down(void **state)
{
    gone_free(&scene.host);
    maps_free_all(&scene.host);
    return 0;
}

static void count(struct host_map *map, void *userdata)
{
    size_t *n = userdata;
    *n += map->entry != NULL;
}

static size_t entries(void)
{
    size_t n = 0;

    maps_each(&scene.host, count, &n);
    return n;
}

static void test_a_target_that_never_comes(void **state)
{
    pass_until(GONE_USEC - 1);
    assert_int_equal(entries(), EXPECTED);
    pass_until(GONE_USEC);
    assert_int_equal(entries(), GONE_MAX);
    pass_until(GONE_LOGIN_TERMS * GONE_USEC - 1);
    assert_int_equal(entries(), GONE_MAX);
    pass_until(GONE_LOGIN_TERMS * GONE_USEC);
    assert_int_equal(entries(), 0);
    assert_int_equal(scene.due, 0);
}

static void test_a_target_that_comes_late(void **state)
{
    pass_until(2 * GONE_USEC);
    scene.session.n_connections = 1;
    assert_int_equal(entries(), GONE_MAX);
    pass_until(3 * GONE_USEC);
    assert_int_equal(entries(), 0);
    assert_int_equal(scene.due, 0);
}

static void test_nobody_is_awaited(void **state)
{
    scene.session.policy = NULL;
    pass_until(GONE_USEC);
    assert_int_equal(entries(), 0);
    assert_int_equal(scene.due, 0);
}

static void come_and_go(unsigned first, unsigned n, bool returns)
{
    for (unsigned i = first; i < first + n; i++) {
        struct host_map *map;
        char wwid[16];

        snprintf(wwid, sizeof(wwid), "37%04u", i);
        assert_int_equal(maps_expect(&scene.host, wwid, &map), 0);
        assert_int_equal(map_entry_restore(map, "an entry"), 0);
        gone_add(map);
        if (returns)
            map->dev = makedev(253, i + 1);
    }
}

static void test_those_that_have_returned(void **state)
{
    size_t before = entries();

    come_and_go(0, GONE_MAX / 2, false);
    come_and_go(GONE_MAX / 2, GONE_MAX / 2, true);
    come_and_go(GONE_MAX, GONE_MAX / 2, false);
    assert_int_equal(entries(), before + 3 * GONE_MAX / 2);
    come_and_go(2 * GONE_MAX, 1, false);
    assert_int_equal(entries(), before + 3 * GONE_MAX / 2 + 1 - GONE_AT_A_TIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_target_that_never_comes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_target_that_comes_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_is_awaited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_those_that_have_returned, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
