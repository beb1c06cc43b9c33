/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* When multipathd is told: each state, with each of what can happen in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/macros.h"
#include "service/multipathd/sync-schedule.h"

/* Of what runs, what is to be proved, what is wished for and whether a check is: in that order. */
static void test_next(void **state)
{
    for (enum sync_kind running = ATTEMPT_NONE; running <= ATTEMPT_PROVE; running++)
        for (enum sync_wish wish = WISH_NOTHING; wish <= WISH_SYNC_SOON; wish++)
            for (unsigned bits = 0; bits < 4; bits++) {
                bool check = bits & 1, prove = bits & 2;
                struct sync_schedule schedule = {.running = running,
                                                 .wish = wish,
                                                 .check_wished = check,
                                                 .to_prove = prove,
                                                 .begun = 5};
                enum sync_kind expected = running != ATTEMPT_NONE ? ATTEMPT_NONE
                                          : prove                 ? ATTEMPT_PROVE
                                          : check                 ? ATTEMPT_CHECK
                                          : wish != WISH_NOTHING  ? ATTEMPT_SYNC
                                                                  : ATTEMPT_NONE;
                assert_int_equal(sync_schedule_next(&schedule), expected);

                sync_schedule_begin(&schedule, 9);
                assert_int_equal(schedule.running, running != ATTEMPT_NONE ? running : expected);
                assert_int_equal(schedule.wish, expected == ATTEMPT_SYNC ? WISH_NOTHING : wish);
                assert_int_equal(schedule.check_wished, expected == ATTEMPT_CHECK ? 0 : check);
                assert_int_equal(schedule.to_prove, expected == ATTEMPT_PROVE ? 0 : prove);
                assert_int_equal(schedule.begun, expected == ATTEMPT_SYNC ? 9 : 5);
            }
}

/* Who waits is not forgotten by a wish that does not. */
static void test_wish(void **state)
{
    struct sync_schedule schedule = {0};

    sync_schedule_wish(&schedule, false);
    assert_int_equal(schedule.wish, WISH_SYNC);
    sync_schedule_wish(&schedule, true);
    assert_int_equal(schedule.wish, WISH_SYNC_SOON);
    sync_schedule_wish(&schedule, false);
    assert_int_equal(schedule.wish, WISH_SYNC_SOON);
}

/* A sync that multipathd has begun to read has not ended with that. */
static void test_end(void **state)
{
    for (enum sync_kind running = ATTEMPT_CHECK; running <= ATTEMPT_PROVE; running++)
        for (unsigned bits = 0; bits < 16; bits++) {
            const struct sync_end end = {
                .failed = bits & 1, .again = bits & 2, .reconfigured = bits & 4};
            bool awaited = bits & 8;
            bool to_prove = running == ATTEMPT_SYNC && end.reconfigured && !end.failed;
            bool over = end.reconfigured && !to_prove;
            struct sync_schedule schedule = {.running = running,
                                             .awaited = awaited,
                                             .failures = 3,
                                             .begun = 6,
                                             .last_reconfigure = 7,
                                             .took = 2};

            assert_int_equal(sync_schedule_end(&schedule, &end, 9), running);
            assert_int_equal(schedule.running, ATTEMPT_NONE);
            assert_int_equal(schedule.to_prove, to_prove);
            assert_int_equal(schedule.failures, to_prove ? 3 : !end.failed ? 0 : awaited ? 3 : 4);
            assert_int_equal(schedule.last_reconfigure, over ? 9 : 7);
            assert_int_equal(schedule.took, over ? 3 : 2);
            assert_int_equal(schedule.wish,
                             !to_prove && (end.failed || end.again) ? WISH_SYNC : WISH_NOTHING);
        }
}

/* What has changed is owed until it is told, and proved where it had to be read. */
static void test_owed(void **state)
{
    for (enum sync_kind running = ATTEMPT_CHECK; running <= ATTEMPT_PROVE; running++)
        for (unsigned bits = 0; bits < 16; bits++) {
            const struct sync_end end = {
                .failed = bits & 1, .changed = bits & 2, .reconfigured = bits & 8};
            bool owed = bits & 4;
            bool done = !end.failed && !(running == ATTEMPT_SYNC && end.reconfigured);
            struct sync_schedule schedule = {.running = running, .owed = owed};

            sync_schedule_end(&schedule, &end, 9);
            assert_int_equal(schedule.owed,
                             running == ATTEMPT_CHECK ? owed : !done && (owed || end.changed));
        }
}

/* A reconfigure in vain counts at its proof, a failed one; its beginning proves nothing. */
static void test_unproved_at_the_proof(void **state)
{
    static const struct sync_end begun = {.reconfigured = true, .digest = 11};
    static const struct sync_end vain = {.failed = true, .reconfigured = true, .unproved = true};
    struct sync_schedule schedule = {.digest = 11};

    for (unsigned i = 1; i <= SYNC_TRIES; i++) {
        schedule.running = ATTEMPT_SYNC;
        sync_schedule_end(&schedule, &begun, 9);
        schedule.running = ATTEMPT_PROVE;
        sync_schedule_end(&schedule, &vain, 10);
        assert_int_equal(schedule.unproved, i);
    }
    assert_false(sync_schedule_may_reconfigure(&schedule, false, 11));
    schedule.running = ATTEMPT_PROVE;
    sync_schedule_end(&schedule, &begun, 11);
    assert_int_equal(schedule.unproved, 0);
}

#define OLD_DIGEST 11
#define NEW_DIGEST 12

/* Of each count of vain attempts, and what is new since: whether one more is worth it. */
static void test_may_reconfigure(void **state)
{
    for (unsigned unproved = 0; unproved <= SYNC_TRIES + 1; unproved++) {
        const struct sync_schedule schedule = {.unproved = unproved, .digest = OLD_DIGEST};
        bool may = unproved < SYNC_TRIES;

        assert_int_equal(sync_schedule_may_reconfigure(&schedule, false, OLD_DIGEST), may);
        assert_int_equal(sync_schedule_may_reconfigure(&schedule, false, 0), may);
        assert_true(sync_schedule_may_reconfigure(&schedule, true, OLD_DIGEST));
        assert_true(sync_schedule_may_reconfigure(&schedule, false, NEW_DIGEST));
    }
}

/* What each end of an attempt makes of the count of vain ones. */
static void test_unproved(void **state)
{
    for (unsigned before = 0; before <= SYNC_TRIES; before++)
        for (unsigned bits = 0; bits < 32; bits++) {
            bool failed = bits & 1, changed = bits & 4, other = bits & 8, checks = bits & 16;
            const struct sync_end end = {
                .failed = failed,
                .unproved = failed && (bits & 2),
                .changed = changed,
                .digest = other ? NEW_DIGEST : OLD_DIGEST,
            };
            struct sync_schedule schedule = {.running = checks ? ATTEMPT_CHECK : ATTEMPT_SYNC,
                                             .unproved = before,
                                             .digest = OLD_DIGEST};
            unsigned kept = failed && !changed && !other ? before : 0;

            sync_schedule_end(&schedule, &end, 9);
            assert_int_equal(schedule.unproved, checks ? before : kept + end.unproved);
            assert_int_equal(schedule.digest, checks ? OLD_DIGEST : end.digest);
        }
}

/* An attempt that has not come as far as to read the files knows nothing new of them. */
static void test_unknown_digest(void **state)
{
    const struct sync_end end = {.failed = true};
    struct sync_schedule schedule = {
        .running = ATTEMPT_SYNC, .unproved = SYNC_TRIES, .digest = OLD_DIGEST};

    sync_schedule_end(&schedule, &end, 9);
    assert_int_equal(schedule.unproved, SYNC_TRIES);
    assert_int_equal(schedule.digest, OLD_DIGEST);
}

/* The first failure puts off the next attempt, whoever waited for it; those of many do not add up.
 */
static void test_awaited_failures(void **state)
{
    static const struct sync_end failed = {.failed = true};
    struct sync_schedule schedule = {0};

    for (unsigned i = 0; i < 5; i++) {
        sync_schedule_wish(&schedule, true);
        sync_schedule_begin(&schedule, 9);
        assert_true(schedule.awaited);
        sync_schedule_end(&schedule, &failed, 10);
        assert_int_equal(schedule.failures, 1);
    }
    sync_schedule_begin(&schedule, 11);
    assert_false(schedule.awaited);
    sync_schedule_end(&schedule, &failed, 12);
    assert_int_equal(schedule.failures, 2);
}

static void test_due(void **state)
{
    static const struct {
        enum sync_wish wish;
        unsigned failures;
        uint64_t last, took, due; /* seconds; it is 100 */
        uint64_t until;           /* 0: for ever */
    } cases[] = {
        {WISH_SYNC, 0, 0, 0, 101},
        {WISH_SYNC, 1, 0, 0, 105},
        {WISH_SYNC, 2, 0, 0, 110},
        {WISH_SYNC, 4, 0, 0, 140},
        {WISH_SYNC, 5, 0, 0, 160},
        {WISH_SYNC, 1000, 0, 0, 160},
        {WISH_SYNC, 0, 99, 0, 104},
        {WISH_SYNC, 0, 90, 0, 101},
        {WISH_SYNC, 0, 99, 9, 104},
        {WISH_SYNC, 5, 99, 0, 160},
        {WISH_SYNC_SOON, 0, 0, 0, 100},
        {WISH_SYNC_SOON, 9, 0, 0, 100},
        {WISH_SYNC_SOON, 0, 98, 0, 100},
        {WISH_SYNC_SOON, 0, 98, 1, 100},
        {WISH_SYNC_SOON, 0, 98, 4, 102},
        {WISH_SYNC_SOON, 0, 98, 9, 103},
        {WISH_SYNC_SOON, 0, 98, 9, 103, 106},
        {WISH_SYNC_SOON, 0, 98, 9, 102, 105},
        {WISH_SYNC_SOON, 0, 98, 9, 100, 103},
        {WISH_SYNC_SOON, 0, 98, 9, 100, 101},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        const struct sync_schedule schedule = {
            .wish = cases[i].wish,
            .failures = cases[i].failures,
            .last_reconfigure = cases[i].last * SYNC_SECOND,
            .took = cases[i].took * SYNC_SECOND,
        };
        uint64_t until = cases[i].until ? cases[i].until * SYNC_SECOND : UINT64_MAX;
        assert_int_equal(sync_schedule_due(&schedule, 100 * SYNC_SECOND, until),
                         cases[i].due * SYNC_SECOND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_wish),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_owed),
        cmocka_unit_test(test_unproved_at_the_proof),
        cmocka_unit_test(test_may_reconfigure),
        cmocka_unit_test(test_unproved),
        cmocka_unit_test(test_unknown_digest),
        cmocka_unit_test(test_awaited_failures),
        cmocka_unit_test(test_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
