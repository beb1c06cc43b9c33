/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/macros.h"
#include "plan/contest.h"

#define SECOND UINT64_C(1000000)

/* How many times in a row, so many seconds apart, a map gets its groups again; 100: without end. */
static unsigned rounds(enum contest_rival rival, unsigned seconds)
{
    struct contest contest = {0};
    uint64_t now = 1000 * SECOND;
    unsigned n = 0;

    while (n < 100 && contest_lose(&contest, rival, now)) {
        now += seconds * SECOND;
        n++;
    }
    assert_int_equal(contest.given_up, n < 100);
    return n;
}

static void test_rounds(void **state)
{
    static const struct {
        enum contest_rival rival;
        unsigned seconds;
        unsigned rounds;
    } cases[] = {
        {RIVAL_UNTOLD, 0, 100}, {RIVAL_UNTOLD, 3600, 100}, {RIVAL_ASKED, 1, 100},
        {RIVAL_UNKNOWN, 0, 3},  {RIVAL_UNKNOWN, 60, 3},    {RIVAL_UNKNOWN, 61, 100},
        {RIVAL_NAMED, 0, 3},    {RIVAL_NAMED, 86400, 3},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        assert_int_equal(rounds(cases[i].rival, cases[i].seconds), cases[i].rounds);
}

static void test_it_stays_given_up(void **state)
{
    struct contest contest = {0};

    for (unsigned i = 0; i < CONTEST_ROUNDS_MAX; i++)
        assert_true(contest_lose(&contest, RIVAL_NAMED, i));
    assert_false(contest_lose(&contest, RIVAL_NAMED, 10));
    for (enum contest_rival rival = RIVAL_UNTOLD; rival <= RIVAL_NAMED; rival++)
        assert_false(contest_lose(&contest, rival, 86400 * SECOND));
}

/* Each of the rounds, and no more. */
static void test_asking(void **state)
{
    struct contest contest = {0};

    for (unsigned i = 0; i < CONTEST_ROUNDS_MAX; i++) {
        assert_true(contest_is_worth_asking(&contest));
        assert_true(contest_lose(&contest, RIVAL_ASKED, i * SECOND));
    }
    assert_false(contest_is_worth_asking(&contest));
}

/* multipathd's answer comes late: the rounds meanwhile have counted. */
static void test_asked_then_named(void **state)
{
    struct contest contest = {0};

    for (unsigned i = 0; i < 5; i++)
        assert_true(contest_lose(&contest, RIVAL_ASKED, i * SECOND));
    assert_false(contest_lose(&contest, RIVAL_NAMED, 5 * SECOND));
}

/* It has said each time that nothing wins over its entry: it is somebody else, who does not stop. */
static void test_asked_then_unknown(void **state)
{
    struct contest contest = {0};

    for (unsigned i = 0; i < CONTEST_ROUNDS_MAX; i++)
        assert_true(contest_lose(&contest, RIVAL_ASKED, i * SECOND));
    assert_false(contest_lose(&contest, RIVAL_UNKNOWN, 5 * SECOND));
}

/* A moment in which multipathd had not been told is no round between two others. */
static void test_untold_does_not_count(void **state)
{
    struct contest contest = {0};

    for (unsigned i = 0; i < CONTEST_ROUNDS_MAX; i++) {
        assert_true(contest_lose(&contest, RIVAL_UNTOLD, i * SECOND));
        assert_true(contest_lose(&contest, RIVAL_UNKNOWN, i * SECOND));
    }
    assert_true(contest_lose(&contest, RIVAL_UNTOLD, 9 * SECOND));
    assert_false(contest_lose(&contest, RIVAL_UNKNOWN, 9 * SECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_it_stays_given_up),
        cmocka_unit_test(test_asking),
        cmocka_unit_test(test_asked_then_named),
        cmocka_unit_test(test_asked_then_unknown),
        cmocka_unit_test(test_untold_does_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
