/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/macros.h"
#include "iscsi/values.h"

static void test_is_set(void **state)
{
    assert_true(value_is_set("iqn.2025-01.com.example:host"));
    assert_true(value_is_set("null"));
    assert_false(value_is_set(NULL));
    assert_false(value_is_set(""));
    assert_false(value_is_set("(null)"));
    assert_false(value_is_set("<empty>"));
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        uint32_t number;
    } cases[] = {
        {"0", 0},          {"1", 1},   {"262144", 262144},
        {NULL, 0},         {"", 0},    {"4294967295", UINT32_MAX},
        {"4294967296", 0}, {"-1", 0},  {"(null)", 0},
        {" 5", 0},         {"off", 0}, {"99999999999999999999999", 0},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        assert_int_equal(value_number(cases[i].text), cases[i].number);
}

static void test_isid(void **state)
{
    static const struct {
        const char *text;
        uint32_t sid;
        uint8_t isid[ISID_SIZE];
    } cases[] = {
        /* iscsi_tcp: the kernel shows none */
        {NULL, 1, {0x00, 0x02, 0x3d, 0, 0, 1}},
        {NULL, 0x123456, {0x00, 0x02, 0x3d, 0x12, 0x34, 0x56}},
        {NULL, 0x01fffffe, {0x00, 0x02, 0x3d, 0xff, 0xff, 0xfe}},
        {"", 2, {0x00, 0x02, 0x3d, 0, 0, 2}},
        {"(null)", 3, {0x00, 0x02, 0x3d, 0, 0, 3}},
        {"400000000", 4, {0x00, 0x02, 0x3d, 0, 0, 4}},
        {"40000000000g", 5, {0x00, 0x02, 0x3d, 0, 0, 5}},
        /* an adapter */
        {"400001370000", 6, {0x40, 0x00, 0x01, 0x37, 0, 0}},
        {"fFeEdDcCbBaA", 7, {0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa}},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        uint8_t isid[ISID_SIZE];
        value_isid(cases[i].text, cases[i].sid, isid);
        assert_memory_equal(isid, cases[i].isid, ISID_SIZE);
    }
}

static void test_auth_type(void **state)
{
    assert_int_equal(value_auth_type(NULL, NULL), AUTH_NONE);
    assert_int_equal(value_auth_type("(null)", "(null)"), AUTH_NONE);
    assert_int_equal(value_auth_type("host", "(null)"), AUTH_CHAP);
    assert_int_equal(value_auth_type("host", ""), AUTH_CHAP);
    assert_int_equal(value_auth_type("host", "array"), AUTH_MUTUAL_CHAP);
    /* Never without the initiator's own name: iscsid refuses that. */
    assert_int_equal(value_auth_type("", "array"), AUTH_NONE);
}

static void test_states_and_types(void **state)
{
    assert_int_equal(value_connection_state("LOGGED_IN"), CONNECTION_FULL);
    assert_int_equal(value_connection_state("FAILED"), CONNECTION_LOGIN);
    assert_int_equal(value_connection_state("FREE"), CONNECTION_LOGIN);
    assert_int_equal(value_connection_state(NULL), CONNECTION_LOGOUT);
    assert_int_equal(value_session_type(NULL), SESSION_DATA);
    assert_int_equal(value_session_type("(null)"), SESSION_DATA);
    assert_int_equal(value_session_type("target0"), SESSION_BOOT);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_set),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_isid),
        cmocka_unit_test(test_auth_type),
        cmocka_unit_test(test_states_and_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
