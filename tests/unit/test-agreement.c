/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What clients are told of a map's policy, where what wins over it has a name that is no text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "basic/sanitize.h"
#include "service/model/model.h"
#include "service/view/agreement.h"

static char name[] = "mpatha", entry[] = "multipath {}";

/* Of a map that has its table, and whose entry `override` wins over. */
static void read_with_override(char *override, struct map_agreement *ret)
{
    struct host host = {0};
    const struct host_map map = {
        .host = &host,
        .dev = 1,
        .name = name,
        .state = {.table = TABLE_AGREES, .sync = SYNC_OVERRIDDEN},
        .entry = entry,
        .override = override,
    };

    map_agreement_read(&map, ret);
    assert_int_equal(ret->kernel, AGREEMENT_APPLIED);
    assert_int_equal(ret->mpathd, MPATHD_ALONE);
}

static void test_a_name_that_is_no_text(void **state)
{
    char override[] = "/etc/multipath/conf.d/caf\xe9.conf line 3: path_selector";
    struct map_agreement agreement;

    read_with_override(override, &agreement);
    assert_non_null(strstr(agreement.reason, "/caf?.conf line 3: path_selector wins."));
    assert_true(sink_takes(SINK_BUS, agreement.reason));
}

/* Wherever the name ends, or the reason, a character of two bytes is whole or not there. */
static void test_a_name_that_is_cut(void **state)
{
    struct map_agreement agreement;
    char override[2 * sizeof(agreement.reason)];

    for (size_t n = 1; n < sizeof(override); n++) {
        for (size_t i = 0; i < n; i++)
            override[i] = i % 2 ? '\xa9' : '\xc3';
        override[n] = '\0';
        read_with_override(override, &agreement);
        assert_true(sink_takes(SINK_BUS, agreement.reason));
        assert_non_null(strstr(agreement.reason, n > 1 ? "\xc3\xa9" : ": ? wins."));
    }
}

static void test_the_worse_reason_is_kept_whole(void **state)
{
    char override[] = "caf\xe9";
    struct map_agreement all = {0}, one;

    read_with_override(override, &one);
    map_agreement_merge(&all, &one);
    assert_int_equal(all.mpathd, MPATHD_ALONE);
    assert_string_equal(all.reason, one.reason);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_that_is_no_text),
        cmocka_unit_test(test_a_name_that_is_cut),
        cmocka_unit_test(test_the_worse_reason_is_kept_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
