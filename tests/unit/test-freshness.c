/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the kernel's announcements say. The linker hands netlink_listen() to the one below. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/macros.h"
#include "basic/netlink.h"
#include "service/model/model.h"

#define DISK "/devices/platform/host2/session1/target2:0:0/2:0:0:0/block/sda"
#define MAP "/devices/virtual/block/dm-"

static int kernel = -1; /* its end of the socket */

int __wrap_netlink_listen(int protocol, uint32_t groups);

int __wrap_netlink_listen(int protocol, uint32_t groups)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -1;
    kernel = fds[0];
    return fds[1];
}

static void announce(const char *event)
{
    assert_int_equal(send(kernel, event, strlen(event) + 1, 0), strlen(event) + 1);
}

/* A session's list of dm-3 and dm-7, made before anything is announced. */
static struct {
    struct host host;
    struct freshness_mark mark;
    dev_t devices[2];
} known;

static int begin(void **state)
{
    known.host = (struct host){0};
    known.devices[0] = makedev(253, 3);
    known.devices[1] = makedev(253, 7);
    freshness_begin(&known.host);
    freshness_mark(&known.host, &known.mark);
    return known.host.uevent_fd < 0 ? -1 : 0;
}

static int end(void **state)
{
    freshness_end(&known.host);
    close(kernel);
    return 0;
}

static bool is_good(void)
{
    return freshness_holds(&known.host, &known.mark, known.devices, ELEMENTSOF(known.devices));
}

static const struct {
    const char *event;
    bool changes_serial, spoils;
} events[] = {
    {"change@" MAP "3", true, false},
    {"change@" MAP "7", true, false},
    {"change@" MAP "33", true, true},
    {"change@" MAP "4", true, true},
    {"add@" MAP "4", true, true},
    {"remove@" MAP "3", true, true},
    {"add@" DISK, true, true},
    {"change@" DISK, true, true},
    {"remove@" DISK, true, true},
    {"add@/devices/platform/host2/session1/iscsi_session/session1", true, true},
    {"change@" MAP, true, true},
    {"change@/devices/virtual/net/lo", false, false},
    {"add@/module/dm_queue_length", false, false},
    {"", false, false},
};

static void test_events(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(events); i++) {
        uint64_t serial = freshness_serial(&known.host);

        freshness_mark(&known.host, &known.mark);
        announce(events[i].event);
        if (is_good() == events[i].spoils)
            fail_msg("\"%s\" %s", events[i].event, events[i].spoils ? "is missed" : "spoils it");
        assert_int_equal(freshness_serial(&known.host) != serial, events[i].changes_serial);
    }
}

/* What has spoiled a list does so until there is a new one. */
static void test_stays_spoiled(void **state)
{
    announce("change@" MAP "3");
    announce("change@" MAP "4");
    assert_false(is_good());
    announce("change@" MAP "3");
    assert_false(is_good());
    freshness_mark(&known.host, &known.mark);
    assert_true(is_good());
}

static void test_nothing_known(void **state)
{
    known.mark = (struct freshness_mark){0};
    assert_false(is_good());
}

/* More tables than are remembered: one of them may have been another map's. */
static void test_many_tables(void **state)
{
    for (unsigned i = 0; i < FRESHNESS_TABLES; i++) {
        announce("change@" MAP "7");
        (void)freshness_serial(&known.host);
    }
    assert_true(is_good());
    for (unsigned i = 0; i <= FRESHNESS_TABLES; i++) {
        announce("change@" MAP "7");
        (void)freshness_serial(&known.host);
    }
    assert_false(is_good());
}

static void test_model(void **state)
{
    uint64_t serial = freshness_serial(&known.host);

    freshness_model_changed(&known.host);
    assert_true(freshness_serial(&known.host) > serial);
    assert_true(is_good());
}

static void test_no_socket(void **state)
{
    freshness_end(&known.host);
    assert_int_equal(freshness_serial(&known.host), 0);
    freshness_mark(&known.host, &known.mark);
    assert_false(is_good());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events, begin, end),
        cmocka_unit_test_setup_teardown(test_stays_spoiled, begin, end),
        cmocka_unit_test_setup_teardown(test_nothing_known, begin, end),
        cmocka_unit_test_setup_teardown(test_many_tables, begin, end),
        cmocka_unit_test_setup_teardown(test_model, begin, end),
        cmocka_unit_test_setup_teardown(test_no_socket, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
