/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "iscsi/identity.h"

#define INITIATOR "iqn.2025-01.com.example:host"
#define TARGET "iqn.2025-01.com.example:target"

/*
 * All numbers are of another program: the first 16 digits of what these print, where I and T stand
 * for the two names above.
 *
 *   printf 'adapter\0I' | sha256sum
 *   printf 'session\0I\0T' | sha256sum
 *   printf 'connection\0I\0T\0default\000192.0.2.1\0003260' | sha256sum
 */
static void test_adapter(void **state)
{
    assert_true(adapter_id(INITIATOR) == UINT64_C(0x759ba5f7aa9e2091));
}

static void test_adapter_without_a_name(void **state)
{
    assert_true(adapter_id("") == UINT64_C(0x05611f8318a2f36a));
}

static void test_session(void **state)
{
    assert_true(session_id(INITIATOR, TARGET) == UINT64_C(0x8974ac5913b6f059));
}

static void test_connection(void **state)
{
    assert_true(connection_id(INITIATOR, TARGET, "default", "192.0.2.1", 3260, 0) ==
                UINT64_C(0xf14c474b871a3a29));
    /* ...\0eth1\0002001:db8::7\00065535 */
    assert_true(connection_id(INITIATOR, TARGET, "eth1", "2001:db8::7", 65535, 0) ==
                UINT64_C(0xe341ddf7733a6a42));
}

/* ...\0003260\0001 and \0002 */
static void test_rank(void **state)
{
    assert_true(connection_id(INITIATOR, TARGET, "default", "192.0.2.1", 3260, 1) ==
                UINT64_C(0xeece41a14602d924));
    assert_true(connection_id(INITIATOR, TARGET, "default", "192.0.2.1", 3260, 2) ==
                UINT64_C(0x04fdb27eb12a4171));
}

/* The NUL between the parts is what keeps these apart. */
static void test_parts_do_not_run_together(void **state)
{
    assert_true(session_id("ab", "c") != session_id("a", "bc"));
    assert_true(session_id("a", "") != session_id("", "a"));
    assert_true(connection_id("i", "t", "d", "1", 23, 0) !=
                connection_id("i", "t", "d", "12", 3, 0));
    assert_true(connection_id("i", "t", "d", "1", 2, 3) !=
                connection_id("i", "t", "d", "1", 23, 0));
}

/* printf 'path\0pci-0000:05:00.0-fc-0x5006016846e010c1' | sha256sum */
static void test_path(void **state)
{
    static const char port[] = "pci-0000:05:00.0-fc-0x5006016846e010c1";

    assert_true(path_id(port) == UINT64_C(0x0fc6418495460245));
    assert_true(path_id("pci-0000:05:00.0-fc-0x5006016846e010c1-lun-0") == path_id(port));
    assert_true(path_id("pci-0000:05:00.0-fc-0x5006016846e010c1-lun-17") == path_id(port));
    assert_true(path_id("pci-0000:05:00.0-fc-0x5006016846e010c1-lun-0x4001000000000000") ==
                path_id(port));
}

/* Only a LUN at the end is one. */
static void test_path_without_a_lun(void **state)
{
    assert_true(path_id("a-lun-") != path_id("a"));
    assert_true(path_id("a-lun-x-y") != path_id("a"));
    assert_true(path_id("a-lun-1-part2") != path_id("a"));
    assert_true(path_id("a-lun-1-lun-2") == path_id("a-lun-1-lun-3"));
    assert_true(path_id("a-lun-1-lun-2") != path_id("a-lun-1"));
    assert_true(path_id("") != path_id("a"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapter), cmocka_unit_test(test_adapter_without_a_name),
        cmocka_unit_test(test_session), cmocka_unit_test(test_connection),
        cmocka_unit_test(test_rank),    cmocka_unit_test(test_parts_do_not_run_together),
        cmocka_unit_test(test_path),    cmocka_unit_test(test_path_without_a_lun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
