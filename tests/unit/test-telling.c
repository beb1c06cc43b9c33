/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* When multipathd is told: each state, with each of what can happen in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/macros.h"
#include "service/multipathd/telling.h"

/* Of what runs, what is wished for and whether a check is: a check goes first, one at a time. */
static void test_next(void **state)
{
    for (enum telling_attempt running = ATTEMPT_NONE; running <= ATTEMPT_TELL; running++)
        for (enum telling_wish wish = WISH_NOTHING; wish <= WISH_TELL_SOON; wish++)
            for (unsigned check = 0; check <= 1; check++) {
                struct telling telling = {running, wish, check};
                enum telling_attempt expected = running != ATTEMPT_NONE ? ATTEMPT_NONE
                                                : check                 ? ATTEMPT_CHECK
                                                : wish != WISH_NOTHING  ? ATTEMPT_TELL
                                                                        : ATTEMPT_NONE;
                assert_int_equal(telling_next(&telling), expected);

                telling_begin(&telling);
                assert_int_equal(telling.running, running != ATTEMPT_NONE ? running : expected);
                assert_int_equal(telling.wish, expected == ATTEMPT_TELL ? WISH_NOTHING : wish);
                assert_int_equal(telling.check_wished, expected == ATTEMPT_CHECK ? 0 : check);
            }
}

/* Who waits is not forgotten by a wish that does not. */
static void test_wish(void **state)
{
    struct telling telling = {0};

    telling_wish(&telling, false);
    assert_int_equal(telling.wish, WISH_TELL);
    telling_wish(&telling, true);
    assert_int_equal(telling.wish, WISH_TELL_SOON);
    telling_wish(&telling, false);
    assert_int_equal(telling.wish, WISH_TELL_SOON);
}

static void test_end(void **state)
{
    for (enum telling_attempt running = ATTEMPT_CHECK; running <= ATTEMPT_TELL; running++)
        for (unsigned bits = 0; bits < 8; bits++) {
            bool failed = bits & 1, again = bits & 2, reconfigured = bits & 4;
            struct telling telling = {.running = running, .failures = 3, .last_reconfigure = 7};
            assert_int_equal(telling_end(&telling, failed, again, reconfigured, 9), running);
            assert_int_equal(telling.running, ATTEMPT_NONE);
            assert_int_equal(telling.failures, failed ? 4 : 0);
            assert_int_equal(telling.last_reconfigure, reconfigured ? 9 : 7);
            assert_int_equal(telling.wish, failed || again ? WISH_TELL : WISH_NOTHING);
        }
}

static void test_due(void **state)
{
    static const struct {
        enum telling_wish wish;
        unsigned failures;
        uint64_t last, due; /* seconds; it is 100 */
    } cases[] = {
        {WISH_TELL, 0, 0, 101},    {WISH_TELL_SOON, 0, 0, 100},  {WISH_TELL, 1, 0, 105},
        {WISH_TELL, 2, 0, 110},    {WISH_TELL, 4, 0, 140},       {WISH_TELL, 5, 0, 160},
        {WISH_TELL, 1000, 0, 160}, {WISH_TELL_SOON, 9, 0, 100},  {WISH_TELL, 0, 99, 104},
        {WISH_TELL, 0, 90, 101},   {WISH_TELL_SOON, 0, 98, 103}, {WISH_TELL, 5, 99, 160},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        const struct telling telling = {
            .wish = cases[i].wish,
            .failures = cases[i].failures,
            .last_reconfigure = cases[i].last * TELLING_SECOND,
        };
        assert_int_equal(telling_due(&telling, 100 * TELLING_SECOND),
                         cases[i].due * TELLING_SECOND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_wish),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
