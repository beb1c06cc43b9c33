/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "plan/mpath-line.h"

/* Reads a text of one line. */
static struct mpath_line read_line(const char *text, size_t size)
{
    struct mpath_line line = {0};
    const char *at = text;

    assert_true(mpath_line_next(&at, text + size, &line));
    assert_ptr_equal(at, text + size);
    assert_false(mpath_line_next(&at, text + size, &line));
    return line;
}

static void assert_line(const char *text, const char *word, const char *value)
{
    struct mpath_line line = read_line(text, strlen(text));
    _cleanup_free_ char *read = NULL;

    assert_true(mpath_line_is(&line, word));
    assert_int_equal(line.number, 1);
    assert_int_equal(!line.value, !value);
    if (!value)
        return;
    read = mpath_line_value(&line);
    assert_string_equal(read, value);
}

static void test_values(void **state)
{
    assert_line("prio alua", "prio", "alua");
    assert_line("prio alua#comment", "prio", "alua");
    assert_line("prio alua!comment", "prio", "alua");
    assert_line("prio\talua\t# prio const", "prio", "alua");
    assert_line("   prio   alua   }", "prio", "alua");
    assert_line("prio alua const", "prio", "alua");
    assert_line("prio\"alua\"", "prio", "alua");
    assert_line("prio \"alua\" extra", "prio", "alua");
    assert_line("prio \"alua\"# comment", "prio", "alua");
    assert_line("prio \"a # b ! c { d }\"", "prio", "a # b ! c { d }");
    assert_line("prio \" alua \"", "prio", " alua ");
    assert_line("prio }", "prio", "}");
    assert_line("prio {", "prio", "{");
    assert_line("prio{ alua", "prio", "{");
    assert_line("detect-prio yes\n", "detect-prio", "yes");
}

static void test_quotes(void **state)
{
    assert_line("prio \"alua\"", "prio", "alua");
    assert_line("prio \"a \"\"b\"\" c\"", "prio", "a \"b\" c");
    assert_line("prio \"\"\"\"", "prio", "\"");
    assert_line("prio \"\"\"", "prio", "\"");
    assert_line("prio \"\"\"\"\"\"", "prio", "\"\"");
    assert_line("prio \"\"", "prio", "");
    assert_line("prio \"", "prio", "");
    assert_line("prio \"open", "prio", "open");
    assert_line("prio \"a\\\"b", "prio", "a\\");
    assert_line("prio \"\xc2\xa0\"", "prio", "\xc2\xa0");
    /* of a second string in the line nothing counts */
    assert_line("prio \"a\" \"b\"", "prio", "a");
    assert_line("prio a\"b\"", "prio", "a");
}

static void test_no_values(void **state)
{
    assert_line("prio", "prio", NULL);
    assert_line("prio # alua", "prio", NULL);
    assert_line("prio ! alua", "prio", NULL);
    assert_line("prio \xff\xfe", "prio", NULL);
    assert_line("#prio alua", "", NULL);
    assert_line("!prio alua", "", NULL);
    assert_line("\"prio\" alua", "", NULL);
    assert_line("{ prio alua", "", NULL);
    assert_line("} prio alua", "}", NULL);
    assert_line("  }", "}", NULL);
    assert_line("\n", "", NULL);
    assert_line(" \t ", "", NULL);
}

/* What is not ASCII is a blank, a byte-order mark among others; a line ends at a carriage return.
 */
static void test_other_bytes(void **state)
{
    static const char nul[] = "prio al\0ua", nul_first[] = "\0prio alua";
    struct mpath_line line;

    assert_line("\xef\xbb\xbf"
                "prio alua",
                "prio", "alua");
    assert_line("prio\xc2\xa0"
                "alua",
                "prio", "alua");
    assert_line("prio al\xfc"
                "a",
                "prio", "al");
    assert_line("prio alua\r\n", "prio", "alua");
    assert_line("prio alua\r const\r\n", "prio", "alua");
    assert_line("prio\r alua\n", "prio", NULL);
    assert_line("\r\rprio alua\r\n", "prio", "alua");

    line = read_line(nul, sizeof(nul) - 1);
    assert_int_equal(line.value_length, 2);
    line = read_line(nul_first, sizeof(nul_first) - 1);
    assert_int_equal(line.word_length, 0);
}

static void test_numbers(void **state)
{
    static const char text[] = "a\n\nb\n\r\nc";
    const char *at = text, *end = text + strlen(text);
    struct mpath_line line = {0};

    for (unsigned number = 1; number <= 5; number++) {
        assert_true(mpath_line_next(&at, end, &line));
        assert_int_equal(line.number, number);
        assert_int_equal(line.word_length, number % 2);
    }
    assert_false(mpath_line_next(&at, end, &line));
    at = "";
    assert_false(mpath_line_next(&at, at, &line));
}

/* multipathd's buffer has room for 1023 bytes: what comes then is another line to it. */
static void test_long_lines(void **state)
{
    char text[4096];
    const char *at = text;
    struct mpath_line line = {0};

    snprintf(text, sizeof(text), "prio \"%01017d\" x\nfailback %01100d\nwwid a\n", 7, 8);
    assert_true(mpath_line_next(&at, text + strlen(text), &line));
    assert_true(mpath_line_is(&line, "prio"));
    assert_int_equal(line.value_length, 1017);
    assert_true(mpath_line_next(&at, text + strlen(text), &line));
    assert_int_equal(line.number, 1);
    assert_int_equal(line.word_length, 0); /* the quote that closes it */
    assert_true(mpath_line_next(&at, text + strlen(text), &line));
    assert_true(mpath_line_is(&line, "failback"));
    assert_int_equal(line.value_length, 1014);
    assert_true(mpath_line_next(&at, text + strlen(text), &line));
    assert_int_equal(line.number, 2);
    assert_int_equal(line.word_length, 86);
    assert_true(mpath_line_next(&at, text + strlen(text), &line));
    assert_int_equal(line.number, 3);
    assert_true(mpath_line_is(&line, "wwid"));

    /* the newline behind 1023 bytes is an empty line */
    memset(text, 'x', 1023);
    strcpy(text + 1023, "\ny\n");
    at = text;
    line = (struct mpath_line){0};
    assert_true(mpath_line_next(&at, text + strlen(text), &line));
    assert_int_equal(line.word_length, 1023);
    assert_true(mpath_line_next(&at, text + strlen(text), &line));
    assert_int_equal(line.word_length, 0);
    assert_int_equal(line.number, 1);
    assert_true(mpath_line_next(&at, text + strlen(text), &line));
    assert_int_equal(line.number, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),    cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_no_values), cmocka_unit_test(test_other_bytes),
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_long_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
