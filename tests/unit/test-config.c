/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "iscsi/config.h"
#include "prng.h"

#define BURST "node.session.iscsi.MaxBurstLength"
#define FIRST "node.session.iscsi.FirstBurstLength"
#define R2T "node.session.iscsi.InitialR2T"

static const struct session_defaults own = {
    .immediate_data = true,
    .max_recv_segment = 262144,
    .max_burst_length = 16776192,
    .first_burst_length = 262144,
    .max_outstanding_r2t = 1,
};

static struct session_defaults parse(const char *text)
{
    struct session_defaults found;
    _cleanup_fclose_ FILE *file = tmpfile();

    assert_non_null(file);
    fputs(text, file);
    rewind(file);
    session_defaults_parse(file, &found);
    return found;
}

static void assert_same(const struct session_defaults *found, const struct session_defaults *wanted)
{
    assert_int_equal(found->initial_r2t, wanted->initial_r2t);
    assert_int_equal(found->immediate_data, wanted->immediate_data);
    assert_int_equal(found->max_recv_segment, wanted->max_recv_segment);
    assert_int_equal(found->max_burst_length, wanted->max_burst_length);
    assert_int_equal(found->first_burst_length, wanted->first_burst_length);
    assert_int_equal(found->max_outstanding_r2t, wanted->max_outstanding_r2t);
}

static void test_no_file(void **state)
{
    struct session_defaults found;

    session_defaults_parse(NULL, &found);
    assert_same(&found, &own);
}

static void test_all_keys(void **state)
{
    struct session_defaults found =
        parse("# node.session.iscsi.InitialR2T = No\n"
              "node.session.auth.password = secret\n"
              "node.session.iscsi.InitialR2T = Yes\n"
              "\tnode.session.iscsi.ImmediateData =No  \n"
              "node.session.iscsi.FirstBurstLength = 65536\n"
              "node.session.iscsi.MaxBurstLength = 1048576\n"
              "node.conn[0].iscsi.MaxRecvDataSegmentLength = 131072\n"
              "node.session.iscsi.MaxOutstandingR2T = 8\n"
              "discovery.sendtargets.iscsi.MaxRecvDataSegmentLength = 32768\n");
    static const struct session_defaults wanted = {true, false, 131072, 1048576, 65536, 8};

    assert_same(&found, &wanted);
}

/* What open-iscsi passes over, with a warning or without. */
static void test_lines_that_do_not_count(void **state)
{
    static const char *const texts[] = {
        "",
        "\n\n \n",
        R2T "\n",
        R2T " =\n",
        R2T "=\n",
        R2T "=Yes\n",  /* a blank must be before the '=' */
        R2T "= Yes\n", /* likewise */
        R2T " : Yes\n",
        R2T " = yes\n", /* only these words, in this case */
        R2T " = 1\n",
        R2T " = Yes # for the old array\n",
        "#" R2T " = Yes\n",
        "x" R2T " = Yes\n",
        R2T " = Yes", /* no newline at its end */
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        struct session_defaults found = parse(texts[i]);
        assert_same(&found, &own);
    }
}

static void test_the_last_line_counts(void **state)
{
    assert_false(parse(R2T " = Yes\n" R2T " = No\n").initial_r2t);
    assert_true(parse(R2T " = No\n" R2T "   =   Yes\r\n").initial_r2t);
    assert_true(parse(R2T " = Yes\n" R2T " = maybe\n").initial_r2t);
}

static void test_lengths_that_a_login_would_not_use(void **state)
{
    static const struct {
        const char *value;
        uint32_t wanted;
    } cases[] = {
        {"512", 512},           {"511", 16776192},      {"0", 16776192},
        {"-4", 16776192},       {"many", 16776192},     {"1027", 1024},
        {"16777215", 16777212}, {"16777216", 16776192}, {"8192k", 8192},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        char text[128];
        snprintf(text, sizeof(text), BURST " = %s\n", cases[i].value);
        assert_int_equal(parse(text).max_burst_length, cases[i].wanted);
    }
}

static void test_first_burst_is_no_longer_than_a_burst(void **state)
{
    assert_int_equal(parse(BURST " = 4096\n").first_burst_length, 4096);
    assert_int_equal(parse(FIRST " = 8192\n" BURST " = 4096\n").first_burst_length, 4096);
    assert_int_equal(parse(FIRST " = 1024\n" BURST " = 4096\n").first_burst_length, 1024);
}

/* A line longer than open-iscsi's buffer counts as several: its last part, for one. */
static void test_long_lines(void **state)
{
    char text[4096];

    memset(text, ' ', sizeof(text));
    strcpy(text + 2047, R2T " = Yes\n");
    assert_true(parse(text).initial_r2t);
    memset(text, 'x', 2047);
    assert_true(parse(text).initial_r2t);
    memset(text, 'x', 2048);
    strcpy(text + 2048, R2T " = Yes\n");
    assert_false(parse(text).initial_r2t);
}

/* Whatever the file is, what comes out is usable. */
static void test_random(void **state)
{
    static const char *const words[] = {R2T,   BURST,   FIRST, " ", "=",  "\n", " = ",
                                        "Yes", "77777", "-1",  "#", "\r", "x"};
    struct prng prng = {7};

    for (int i = 0; i < 2000; i++) {
        char text[2048] = "";
        for (size_t k = prng_below(&prng, 30); k > 0; k--)
            strcat(text, words[prng_below(&prng, ELEMENTSOF(words))]);
        struct session_defaults found = parse(text);
        assert_in_range(found.max_burst_length, 512, 16777215);
        assert_in_range(found.first_burst_length, 512, found.max_burst_length);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_lines_that_do_not_count),
        cmocka_unit_test(test_the_last_line_counts),
        cmocka_unit_test(test_lengths_that_a_login_would_not_use),
        cmocka_unit_test(test_first_burst_is_no_longer_than_a_burst),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
