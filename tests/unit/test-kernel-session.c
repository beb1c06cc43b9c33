/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "basic/macros.h"
#include "iscsi/kernel-session.h"

static const struct {
    const char *path;
    uint32_t sid;
} with_session[] = {
    {"/sys/devices/platform/host2/session5/target2:0:0/2:0:0:1/block/sda", 5},
    {"/sys/devices/platform/host0/session0/iscsi_session/session0", 0},
    {"/sys/devices/platform/host12/session4294967294", 4294967294},
    {"/session7", 7},
    /* A directory that only begins so comes first. */
    {"/sys/sessions/session3/x", 3},
    {"/sys/session-old/host2/session3/x", 3},
    {"/sys/session8x/session9", 9},
    {"/sys/devices/pci0000:00/0000:00:03.0/host3/session1/connection1:0", 1},
};

static const char *const without_session[] = {
    "",
    "/",
    "/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda",
    "/sys/devices/platform/host2/session",
    "/sys/devices/platform/host2/session/5",
    "/sys/devices/platform/host2/session5x/target2:0:0",
    "/sys/devices/platform/host2/xsession5/target2:0:0",
    "/sys/devices/virtual/block/dm-5",
    "session5",
};

static void test_paths_of_sessions(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(with_session); i++) {
        uint32_t sid = 4711;
        assert_int_equal(kernel_session_sid_of_path(with_session[i].path, &sid), 0);
        assert_int_equal(sid, with_session[i].sid);
    }
}

static void test_other_paths(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(without_session); i++) {
        uint32_t sid = 4711;
        assert_int_equal(kernel_session_sid_of_path(without_session[i], &sid), -ENOENT);
        assert_int_equal(sid, 4711);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_of_sessions),
        cmocka_unit_test(test_other_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
