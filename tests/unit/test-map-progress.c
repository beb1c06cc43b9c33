/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The progress of a map of a transaction: each transition, from each error at each stage. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "basic/macros.h"
#include "service/tables/map-progress.h"

static const int errors[] = {0, -ENXIO, -ESTALE, -EINVAL, -ENOMEM, -EIO, -EBUSY, -ETIMEDOUT};

#define STAGES (SWAP_GIVE_BACK + 1U)
#define N_PROGRESS (MAP_LOST + 1U)

static enum map_progress expect_after_swap(int error, bool untouched)
{
    switch (error) {
    case 0:
        return MAP_CHANGED;
    case -ENXIO:
        return MAP_GONE;
    case -ESTALE:
        return untouched ? MAP_STALE : MAP_STALE_LATE;
    default:
        return untouched ? MAP_AS_BEFORE : MAP_UNKNOWN;
    }
}

static void test_after_swap(void **state)
{
    static const bool untouched[STAGES] = {
        [SWAP_READ] = true,
        [SWAP_SUSPENDED] = true,
        [SWAP_LOAD] = true,
        [SWAP_RESUME] = true,
    };

    for (size_t i = 0; i < ELEMENTSOF(errors); i++)
        for (unsigned stage = 0; stage < STAGES; stage++)
            assert_int_equal(map_progress_after_swap((struct swap_result){errors[i], stage}),
                             expect_after_swap(errors[i], untouched[stage]));
}

/* Where it failed does not matter then: a map has its old table, or has not. */
static void test_after_putting_back(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(errors); i++)
        for (unsigned stage = 0; stage < STAGES; stage++) {
            int error = errors[i];
            enum map_progress expected = error == 0 || error == -ESTALE ? MAP_AS_BEFORE
                                         : error == -ENXIO              ? MAP_GONE
                                                                        : MAP_LOST;
            assert_int_equal(map_progress_after_putting_back((struct swap_result){error, stage}),
                             expected);
        }
}

static void test_after_death(void **state)
{
    assert_int_equal(map_progress_after_death(false), MAP_UNKNOWN);
    assert_int_equal(map_progress_after_death(true), MAP_LOST);
}

/* Whatever was touched is to be put back, and nothing else; a map that is gone stays so. */
static void test_to_undo(void **state)
{
    static const enum map_progress expected[N_PROGRESS] = {
        [MAP_TO_DO] = MAP_AS_BEFORE,     [MAP_SENT] = MAP_AS_BEFORE, [MAP_CHANGED] = MAP_TO_DO,
        [MAP_AS_BEFORE] = MAP_AS_BEFORE, [MAP_GONE] = MAP_GONE,      [MAP_STALE] = MAP_AS_BEFORE,
        [MAP_STALE_LATE] = MAP_TO_DO,    [MAP_UNKNOWN] = MAP_TO_DO,  [MAP_LOST] = MAP_LOST,
    };

    for (unsigned progress = 0; progress < N_PROGRESS; progress++)
        assert_int_equal(map_progress_to_undo(progress), expected[progress]);
}

static void test_questions(void **state)
{
    for (unsigned progress = 0; progress < N_PROGRESS; progress++) {
        assert_int_equal(map_progress_is_stale(progress),
                         progress == MAP_STALE || progress == MAP_STALE_LATE);
        assert_int_equal(map_progress_is_failure(progress),
                         progress != MAP_CHANGED && progress != MAP_GONE);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after_swap),  cmocka_unit_test(test_after_putting_back),
        cmocka_unit_test(test_after_death), cmocka_unit_test(test_to_undo),
        cmocka_unit_test(test_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
