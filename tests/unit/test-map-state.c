/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The states of a map: each transition from each state, and contests as they go on for a while. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/macros.h"
#include "plan/map-state.h"

#define SECOND UINT64_C(1000000)
#define TABLES (TABLE_CONTESTED + 1U)
#define SYNCS (SYNC_OVERRIDDEN + 1U)
#define HOLDS (HOLD_CLEAR + 1U)

/* How many of a hundred losses, so far apart, are answered by a repair before it is left alone. */
static unsigned rounds(enum map_sync sync, bool deferred, unsigned seconds)
{
    struct map_state state = {.sync = sync};
    uint64_t now = SECOND;
    unsigned n = 0;

    for (unsigned i = 0; i < 100; i++, now += seconds * SECOND) {
        map_state_see(&state, SEEN_OTHER);
        enum map_answer answer = map_state_lose(&state, deferred, now);
        assert_int_equal(answer == ANSWER_LEAVE, state.table == TABLE_CONTESTED);
        if (answer == ANSWER_LEAVE)
            break;
        n += answer == ANSWER_REPAIR;
    }
    return n;
}

static void test_rounds(void **state)
{
    static const struct {
        enum map_sync sync;
        bool deferred;
        unsigned seconds, rounds;
    } cases[] = {
        {SYNC_PENDING, false, 0, 100},
        {SYNC_PENDING, false, 3600, 100},
        {SYNC_RECHECK, false, 1, 100},
        {SYNC_IN_FORCE, false, 0, 3},
        {SYNC_IN_FORCE, false, 60, 3},
        {SYNC_IN_FORCE, false, 61, 100},
        {SYNC_OVERRIDDEN, false, 0, 3},
        {SYNC_OVERRIDDEN, false, 86400, 3},
        {SYNC_IN_FORCE, true, 0, 3},
        {SYNC_INEXPRESSIBLE, false, 0, 3}, /* then it rests, for ever */
        {SYNC_INEXPRESSIBLE, false, 5, 100},
        {SYNC_INEXPRESSIBLE, false, 3600, 100},
        {SYNC_PENDING, true, 0, 3},
        {SYNC_PENDING, true, 5, 100},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        assert_int_equal(rounds(cases[i].sync, cases[i].deferred, cases[i].seconds),
                         cases[i].rounds);
}

/* Whoever cannot be told is answered later, not never: once in the time that it rests. */
static void test_untold_is_no_rival(void **state)
{
    struct map_state map = {.sync = SYNC_INEXPRESSIBLE, .table = TABLE_DIFFERS};
    unsigned n = 0;

    for (uint64_t now = SECOND; now <= 101 * SECOND; now += SECOND) {
        enum map_answer answer = map_state_lose(&map, false, now);
        assert_int_not_equal(answer, ANSWER_LEAVE);
        n += answer == ANSWER_REPAIR;
    }
    assert_in_range(n, 20, 24);
}

static void lose_all(struct map_state *map)
{
    *map = (struct map_state){.sync = SYNC_OVERRIDDEN, .table = TABLE_DIFFERS};
    while (map_state_lose(map, false, SECOND) != ANSWER_LEAVE)
        ;
}

/* Until it is reset, whatever is found out; a table that means the policy is no contest. */
static void test_contested(void **state)
{
    struct map_state map;

    lose_all(&map);
    for (enum map_sync sync = SYNC_NONE; sync < SYNCS; sync++) {
        map.sync = sync;
        map_state_see(&map, SEEN_OTHER);
        assert_int_equal(map.table, TABLE_CONTESTED);
        assert_int_equal(map_state_lose(&map, false, 86400 * SECOND), ANSWER_LEAVE);
    }
    map_state_forget_rounds(&map);
    map_state_see(&map, SEEN_OTHER);
    assert_int_equal(map.table, TABLE_CONTESTED);

    map_state_see(&map, SEEN_SAME);
    assert_int_equal(map.table, TABLE_AGREES);
    map_state_see(&map, SEEN_OTHER);
    assert_int_equal(map.table, TABLE_CONTESTED);

    map_state_reset(&map);
    assert_int_equal(map.table, TABLE_DIFFERS);
    assert_int_equal(map_state_lose(&map, false, SECOND), ANSWER_REPAIR);
}

/* Each of the rounds, and no more; the answer comes late, and the rounds meanwhile have counted. */
static void test_asking(void **state)
{
    static const enum map_sync answers[] = {SYNC_OVERRIDDEN, SYNC_IN_FORCE};

    for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
        struct map_state map = {.table = TABLE_DIFFERS};
        for (unsigned k = 0; k < CONTEST_ROUNDS_MAX; k++) {
            map.sync = SYNC_IN_FORCE;
            assert_true(map_state_is_worth_asking(&map));
            map_state_recheck(&map);
            assert_int_equal(map_state_lose(&map, false, (k + 1) * SECOND), ANSWER_REPAIR);
        }
        map.sync = SYNC_IN_FORCE;
        assert_false(map_state_is_worth_asking(&map));
        map.sync = answers[i];
        assert_int_equal(map_state_lose(&map, false, 5 * SECOND), ANSWER_LEAVE);
    }
}

/* A moment in which multipathd had not been told is no round between two others. */
static void test_untold_does_not_count(void **state)
{
    struct map_state map = {.table = TABLE_DIFFERS};

    for (unsigned i = 1; i <= CONTEST_ROUNDS_MAX; i++) {
        map.sync = SYNC_PENDING;
        assert_int_equal(map_state_lose(&map, false, i * SECOND), ANSWER_REPAIR);
        map.sync = SYNC_IN_FORCE;
        assert_int_equal(map_state_lose(&map, false, i * SECOND), ANSWER_REPAIR);
    }
    map.sync = SYNC_PENDING;
    assert_int_equal(map_state_lose(&map, false, 9 * SECOND), ANSWER_REPAIR);
    map.sync = SYNC_IN_FORCE;
    assert_int_equal(map_state_lose(&map, false, 9 * SECOND), ANSWER_LEAVE);
}

/* From whatever the table was. */
static void test_seen(void **state)
{
    for (enum map_table table = TABLE_OWN; table < TABLES; table++)
        for (unsigned half_way = 0; half_way <= 1; half_way++) {
            struct map_state map = {.table = table, .has_intent = half_way};
            map_state_see(&map, SEEN_NO_POLICY);
            assert_int_equal(map.table, half_way ? TABLE_HALF_WAY : TABLE_OWN);
            assert_int_equal(map_state_agrees(&map), !half_way);
            map.table = table;
            map_state_see(&map, SEEN_SAME);
            assert_int_equal(map.table, TABLE_AGREES);
            assert_true(map_state_agrees(&map));
            map.table = table;
            map_state_see(&map, SEEN_OTHER);
            assert_int_equal(map.table, TABLE_DIFFERS);
            assert_false(map_state_agrees(&map));
        }
}

/* A note changes only what a map without a policy is. */
static void test_note(void **state)
{
    static const enum map_table noted[] = {TABLE_HALF_WAY, TABLE_HALF_WAY, TABLE_AGREES,
                                           TABLE_DIFFERS, TABLE_CONTESTED};
    static const enum map_table deleted[] = {TABLE_OWN, TABLE_OWN, TABLE_AGREES, TABLE_DIFFERS,
                                             TABLE_CONTESTED};

    for (enum map_table table = TABLE_OWN; table < TABLES; table++) {
        struct map_state map = {.table = table};
        map_state_set_intent(&map, true);
        assert_true(map.has_intent);
        assert_int_equal(map.table, noted[table]);
        map.table = table;
        map_state_set_intent(&map, false);
        assert_false(map.has_intent);
        assert_int_equal(map.table, deleted[table]);
    }
}

static void test_told(void **state)
{
    for (enum map_sync sync = SYNC_NONE; sync < SYNCS; sync++) {
        struct map_state map = {.sync = sync};
        map_state_recheck(&map);
        assert_int_equal(map.sync, sync == SYNC_IN_FORCE ? SYNC_RECHECK : sync);

        map_state_set_entry(&map, true, true);
        assert_int_equal(map.sync, SYNC_PENDING);
        map_state_set_entry(&map, false, true);
        assert_int_equal(map.sync, SYNC_INEXPRESSIBLE);
        map_state_set_entry(&map, false, false);
        assert_int_equal(map.sync, SYNC_NONE);

        for (unsigned newer = 0; newer <= 1; newer++) {
            map.sync = sync;
            map_state_take_verdict(&map, true, true, newer);
            assert_int_equal(map.sync, SYNC_OVERRIDDEN);
            map.sync = sync;
            map_state_take_verdict(&map, false, false, newer);
            assert_int_equal(map.sync, SYNC_PENDING);
            map.sync = sync;
            map_state_take_verdict(&map, true, false, newer);
            assert_int_equal(map.sync,
                             newer && sync == SYNC_RECHECK ? SYNC_RECHECK : SYNC_IN_FORCE);
        }
    }
}

/* A map that fails is never left for good, and asked for less and less often. */
static void test_failures(void **state)
{
    struct map_state map = {.table = TABLE_HALF_WAY, .has_intent = true};
    uint64_t now = 1;

    assert_true(map_state_is_due(&map, now));
    for (uint64_t pause = REPAIR_RETRY_USEC; pause <= REPAIR_RETRY_MAX_USEC; pause *= 2) {
        assert_false(map_state_fails_on(&map));
        assert_int_equal(map_state_fail(&map, now), now + pause);
        assert_false(map_state_is_due(&map, now + pause - 1));
        now += pause;
        assert_true(map_state_is_due(&map, now));
    }
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(map_state_fails_on(&map));
        now = map_state_fail(&map, now);
        assert_true(map_state_is_due(&map, now));
    }
    assert_int_equal(now, 1 + (2 * REPAIR_RETRY_MAX_USEC - REPAIR_RETRY_USEC) +
                              1000 * REPAIR_RETRY_MAX_USEC);
}

static void test_end_of_failures(void **state)
{
    static void (*const ends[])(struct map_state *) = {map_state_succeed, map_state_reset};

    for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
        struct map_state map = {0};
        for (unsigned n = 0; n < 9; n++)
            map_state_fail(&map, 1);
        ends[i](&map);
        assert_true(map_state_is_due(&map, 1));
        assert_false(map_state_fails_on(&map));
        assert_int_equal(map_state_fail(&map, 1), 1 + REPAIR_RETRY_USEC);
    }
}

/* Who has not given it its groups has not lost them again. */
static void test_repairs_that_fail_are_no_rounds(void **state)
{
    struct map_state map = {.table = TABLE_DIFFERS, .sync = SYNC_IN_FORCE};

    map_state_void_round(&map);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(map_state_lose(&map, false, i), ANSWER_REPAIR);
        map_state_void_round(&map);
    }
    for (unsigned i = 0; i < CONTEST_ROUNDS_MAX; i++)
        assert_int_equal(map_state_lose(&map, false, 20), ANSWER_REPAIR);
    assert_int_equal(map_state_lose(&map, false, 20), ANSWER_LEAVE);
    map_state_void_round(&map);
    assert_int_equal(map_state_lose(&map, false, 20), ANSWER_LEAVE);
}

/* Nor does one that was none take an earlier one away. */
static void test_repairs_that_were_no_rounds(void **state)
{
    struct map_state map = {.table = TABLE_DIFFERS, .sync = SYNC_IN_FORCE};

    for (unsigned i = 0; i < CONTEST_ROUNDS_MAX; i++)
        assert_int_equal(map_state_lose(&map, false, 20), ANSWER_REPAIR);
    map.sync = SYNC_PENDING;
    assert_int_equal(map_state_lose(&map, false, 20), ANSWER_REPAIR);
    map_state_void_round(&map);
    map.sync = SYNC_IN_FORCE;
    assert_int_equal(map_state_lose(&map, false, 20), ANSWER_LEAVE);
}

static void test_hold(void **state)
{
    static const struct {
        void (*step)(struct map_state *state);
        enum map_hold after[HOLDS]; /* FREE, REPAIR, REPAIR_AWAITED, CHANGE, CLEAR */
    } cases[] = {
        {map_state_begin_repair,
         {HOLD_REPAIR, HOLD_REPAIR, HOLD_REPAIR_AWAITED, HOLD_CHANGE, HOLD_CLEAR}},
        {map_state_end_repair, {HOLD_FREE, HOLD_FREE, HOLD_CHANGE, HOLD_CHANGE, HOLD_CLEAR}},
        {map_state_begin_change,
         {HOLD_CHANGE, HOLD_REPAIR_AWAITED, HOLD_REPAIR_AWAITED, HOLD_CHANGE, HOLD_CLEAR}},
        {map_state_clear_policy,
         {HOLD_FREE, HOLD_REPAIR, HOLD_REPAIR_AWAITED, HOLD_CLEAR, HOLD_CLEAR}},
        {map_state_keep_policy,
         {HOLD_FREE, HOLD_REPAIR, HOLD_REPAIR_AWAITED, HOLD_CHANGE, HOLD_CHANGE}},
        {map_state_end_change, {HOLD_FREE, HOLD_REPAIR, HOLD_REPAIR, HOLD_FREE, HOLD_FREE}},
    };
    static const bool repaired[HOLDS] = {false, true, true, false, false};
    static const bool requested[HOLDS] = {false, false, true, true, true};

    for (enum map_hold hold = HOLD_FREE; hold < HOLDS; hold++) {
        struct map_state map = {.hold = hold};
        assert_int_equal(map_state_is_repaired(&map), repaired[hold]);
        assert_int_equal(map_state_is_requested(&map), requested[hold]);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
            map.hold = hold;
            cases[i].step(&map);
            assert_int_equal(map.hold, cases[i].after[hold]);
        }
    }
}

/* multipathd reads an entry from when it has begun to, until the map has another one. */
static void test_read(void **state)
{
    struct map_state map = {0};

    assert_false(map_state_is_unread(&map)); /* there is none */
    map_state_set_entry(&map, true, true);
    assert_true(map_state_is_unread(&map));
    map_state_begin_reading(&map);
    assert_false(map_state_is_unread(&map));
    map_state_set_entry(&map, true, true);
    assert_true(map_state_is_unread(&map));
    map_state_begin_reading(&map);
    map_state_take_verdict(&map, false, false, false); /* and has lost it */
    assert_true(map_state_is_unread(&map));
    map_state_take_verdict(&map, true, false, false);
    assert_false(map_state_is_unread(&map));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_untold_is_no_rival),
        cmocka_unit_test(test_contested),
        cmocka_unit_test(test_asking),
        cmocka_unit_test(test_seen),
        cmocka_unit_test(test_untold_does_not_count),
        cmocka_unit_test(test_note),
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_end_of_failures),
        cmocka_unit_test(test_repairs_that_fail_are_no_rounds),
        cmocka_unit_test(test_repairs_that_were_no_rounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
