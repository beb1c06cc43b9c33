/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/bounds.h"

static const struct {
    enum request_kind kind;
    size_t all, client;
} kinds[] = {
    {REQUEST_QUESTION, QUESTIONS_MAX, QUESTIONS_MAX_PER_CLIENT},
    {REQUEST_CHANGE, CHANGES_MAX, CHANGES_MAX_PER_CLIENT},
    {REQUEST_PING, PINGS_MAX, PINGS_MAX_PER_CLIENT},
    {REQUEST_COUNTERS, COUNTER_READS_MAX, COUNTER_READS_MAX_PER_CLIENT},
};

static void test_calls(void **state)
{
    for (size_t i = 0; i < REQUEST_KINDS; i++) {
        assert_int_equal(kinds[i].kind, i);
        assert_true(bounds_admit(kinds[i].kind, 0, 0));
        assert_true(bounds_admit(kinds[i].kind, kinds[i].client - 1, kinds[i].client - 1));
        assert_false(bounds_admit(kinds[i].kind, kinds[i].client, kinds[i].client));
        assert_true(bounds_admit(kinds[i].kind, kinds[i].all - 1, 0));
        assert_false(bounds_admit(kinds[i].kind, kinds[i].all, 0));
    }
}

/* One client that has all that it can have leaves room for another one. */
static void test_no_client_has_all(void **state)
{
    for (size_t i = 0; i < REQUEST_KINDS; i++)
        assert_true(bounds_admit(kinds[i].kind, kinds[i].client, 0));
}

static void test_policies(void **state)
{
    assert_true(bounds_allow_session(PATHS_MAX, SESSIONS_MAX - 1));
    assert_false(bounds_allow_session(PATHS_MAX + 1, 0));
    assert_false(bounds_allow_session(1, SESSIONS_MAX));
    assert_true(bounds_allow_disk(PATHS_MAX, DISKS_MAX - 1));
    assert_false(bounds_allow_disk(PATHS_MAX + 1, 0));
    assert_false(bounds_allow_disk(1, DISKS_MAX));
}

static void test_unread(void **state)
{
    assert_int_equal(bounds_answer(UNREAD_MAX, UNREAD_MAX), BOUNDS_ANSWER);
    assert_int_equal(bounds_answer(UINT32_MAX, 0), BOUNDS_ANSWER);
    assert_int_equal(bounds_answer(UNREAD_MAX + 1, UNREAD_MAX_PER_CLIENT), BOUNDS_ANSWER);
    assert_int_equal(bounds_answer(UNREAD_MAX + 1, UNREAD_MAX_PER_CLIENT + 1), BOUNDS_REFUSE);
    assert_int_equal(bounds_answer(UNREAD_MAX + 1, UNREAD_MAX_REFUSALS), BOUNDS_REFUSE);
    assert_int_equal(bounds_answer(UNREAD_MAX + 1, UNREAD_MAX_REFUSALS + 1), BOUNDS_IGNORE);

    /* All connections that one user can have do not fill what dbus-daemon takes. */
    assert_true(UNREAD_MAX + 256U * UNREAD_MAX_REFUSALS < 127U * 1024U * 1024U);
}

/* The first is told at once, the others together when the time is over. */
static void test_refusals_are_told_at_times(void **state)
{
    struct refusals refusals = {0};
    uint64_t n = 0, begin = 1;

    assert_true(bounds_refused(&refusals, begin, &n));
    assert_int_equal(n, 1);
    for (unsigned i = 0; i < 1000; i++)
        assert_false(bounds_refused(&refusals, begin + i, &n));
    assert_false(bounds_refused(&refusals, begin + REFUSALS_USEC - 1, &n));
    assert_true(bounds_refused(&refusals, begin + REFUSALS_USEC, &n));
    assert_int_equal(n, 1002);
    assert_false(bounds_refused(&refusals, begin + REFUSALS_USEC, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_no_client_has_all),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_refusals_are_told_at_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
