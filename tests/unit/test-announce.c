/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is told later: once the main loop has nothing else to do, but not only then. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/macros.h"
#include "service/model/announce.h"
#include "service/model/model.h"

static struct {
    struct host host;
    struct announcer announcer;
    unsigned n_told;
} scene;

static void tell(struct host *host)
{
    assert_ptr_equal(host, &scene.host);
    scene.n_told++;
}

static void defer(void)
{
    assert_true(announcer_defer(&scene.host, &scene.announcer, tell));
}

static int begin(void **state)
{
    scene.n_told = 0;
    scene.announcer = (struct announcer){0};
    return sd_event_new(&scene.host.event);
}

static int end(void **state)
{
    announcer_done(&scene.announcer);
    sd_event_unref(scene.host.event);
    return 0;
}

/* For so long, or until it is told. */
static void run(int64_t msec, unsigned until_told)
{
    int64_t end_msec = monotonic_msec() + msec;

    while (monotonic_msec() < end_msec && scene.n_told < until_told)
        assert_true(sd_event_run(scene.host.event, 10000) >= 0);
}

static void test_idle(void **state)
{
    for (unsigned i = 1; i <= 2; i++) {
        defer();
        defer();
        assert_int_equal(scene.n_told, i - 1);
        assert_true(sd_event_run(scene.host.event, 0) >= 0);
        assert_int_equal(scene.n_told, i);
        run(300, UINT32_MAX);
        assert_int_equal(scene.n_told, i);
    }
}

/* As a bus from which there is always one more call, which announces again. */
static int on_busy(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    if (scene.n_told == 0)
        defer();
    return 0;
}

static void test_busy(void **state)
{
    sd_event_source *busy = NULL;
    _cleanup_close_ int fd = eventfd(1, EFD_CLOEXEC);

    assert_true(sd_event_add_io(scene.host.event, &busy, fd, EPOLLIN, on_busy, NULL) >= 0);
    run(30000, 1);
    assert_int_equal(scene.n_told, 1);
    run(300, UINT32_MAX);
    assert_int_equal(scene.n_told, 1);
    sd_event_source_disable_unref(busy);
}

/* What is told can lead to more. */
static void tell_twice(struct host *host)
{
    if (++scene.n_told == 1)
        assert_true(announcer_defer(host, &scene.announcer, tell_twice));
}

static void test_again_from_within(void **state)
{
    assert_true(announcer_defer(&scene.host, &scene.announcer, tell_twice));
    run(30000, 2);
    assert_int_equal(scene.n_told, 2);
    run(300, UINT32_MAX);
    assert_int_equal(scene.n_told, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_idle, begin, end),
        cmocka_unit_test_setup_teardown(test_busy, begin, end),
        cmocka_unit_test_setup_teardown(test_again_from_within, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
