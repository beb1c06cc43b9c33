/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/macros.h"
#include "service/base/bounds.h"

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
    assert_int_equal(ELEMENTSOF(kinds), REQUEST_KINDS);
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

static void test_turns(void **state)
{
    assert_true(bounds_may_wait(TURNS_MAX - 1, TURNS_MAX_PER_CLIENT - 1));
    assert_false(bounds_may_wait(TURNS_MAX, 0));
    assert_false(bounds_may_wait(0, TURNS_MAX_PER_CLIENT));
    assert_true(TURN_ARGUMENTS_MAX <= ARGUMENTS_MAX);
}

/* What was saved is there at once, and then so much of the time as there is of it. */
static void test_spending(void **state)
{
    struct spending spending = {0};
    uint64_t now = 1000000000, begin = now;

    assert_int_equal(bounds_spent_until(&spending), 0);
    while (bounds_spent_until(&spending) <= now) {
        bounds_spend(&spending, now, now + 1000);
        now += 1000;
    }
    /* The share of this time comes in meanwhile. */
    assert_in_range((now - begin) * (100 - TURNS_PERCENT) / 100, TURNS_SAVED_USEC - 1000,
                    TURNS_SAVED_USEC + 1000);

    bounds_spend(&spending, now, now + 5000);
    assert_in_range(bounds_spent_until(&spending), now + 5000 * 100 / TURNS_PERCENT - 2000,
                    now + 5000 * 100 / TURNS_PERCENT + 2000);

    /* However long nobody asked, no more is saved. */
    now += UINT64_C(3600000000);
    bounds_spend(&spending, now, now + 1);
    assert_true(bounds_spent_until(&spending) <= now);
    bounds_spend(&spending, now, now + TURNS_SAVED_USEC);
    assert_true(bounds_spent_until(&spending) > now);
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
    static const bool trusted[] = {false, true};

    for (size_t i = 0; i < ELEMENTSOF(trusted); i++) {
        bool t = trusted[i];
        assert_int_equal(bounds_answer(UNREAD_MAX, UNREAD_MAX, t), BOUNDS_ANSWER);
        assert_int_equal(bounds_answer(UNREAD_MAX + 1, UNREAD_MAX_PER_CLIENT, t), BOUNDS_ANSWER);
        assert_int_equal(bounds_answer(UNREAD_MAX + 1, UNREAD_MAX_PER_CLIENT + 1, t),
                         BOUNDS_REFUSE);
        assert_int_equal(bounds_answer(UNREAD_MAX + 1, UNREAD_MAX_REFUSALS, t), BOUNDS_REFUSE);
        assert_int_equal(bounds_answer(UNREAD_MAX + 1, UNREAD_MAX_REFUSALS + 1, t), BOUNDS_IGNORE);
    }
}

/* Any number of clients that read nothing leave room for those that are trusted. */
static void test_unread_of_others(void **state)
{
    assert_int_equal(bounds_answer(UNREAD_MAX_OTHERS, 0, false), BOUNDS_ANSWER);
    assert_int_equal(bounds_answer(UNREAD_MAX_OTHERS + 1, 0, false), BOUNDS_REFUSE);
    assert_int_equal(bounds_answer(UNREAD_MAX_OTHERS_REFUSALS, 0, false), BOUNDS_REFUSE);
    assert_int_equal(bounds_answer(UNREAD_MAX_OTHERS_REFUSALS + 1, 0, false), BOUNDS_IGNORE);
    assert_int_equal(bounds_answer(UINT32_MAX, 0, true), BOUNDS_ANSWER);
    assert_int_equal(bounds_answer(UINT32_MAX, UNREAD_MAX_PER_CLIENT, true), BOUNDS_ANSWER);
    assert_int_equal(bounds_answer(UINT32_MAX, UNREAD_MAX_REFUSALS, true), BOUNDS_REFUSE);
    assert_int_equal(bounds_answer(UNREAD_MAX_OTHERS + 1, UINT32_MAX, false), BOUNDS_IGNORE);

    assert_true(UNREAD_MAX < UNREAD_MAX_OTHERS);
    assert_true(UNREAD_MAX_OTHERS_REFUSALS < UNREAD_MAX_ALL);
    assert_true(UNREAD_MAX_ALL <= 112U * 1024U * 1024U); /* dbus-daemon takes 127 MiB */
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
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_spending),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_unread_of_others),
        cmocka_unit_test(test_refusals_are_told_at_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
