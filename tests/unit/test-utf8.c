/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "basic/macros.h"
#include "basic/utf8.h"

static void assert_made(const char *text, const char *expected)
{
    char copy[64];

    snprintf(copy, sizeof(copy), "%s", text);
    assert_int_equal(text_is_utf8(text), strcmp(text, expected) == 0);
    assert_string_equal(make_utf8(copy), expected);
    assert_true(text_is_utf8(copy));
}

static void test_characters(void **state)
{
    static const char *const texts[] = {
        "",
        "iqn.2024-01.org.example:disks",
        "caf\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "\xc2\x80\xdf\xbf",
        "\xe0\xa0\x80\xef\xbf\xbf",
        "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        assert_made(texts[i], texts[i]);
}

static void test_others(void **state)
{
    assert_made("caf\xe9", "caf?");
    assert_made("a\xff\xfe z", "a?? z");
    assert_made("\x80", "?");
    assert_made("cut \xe2\x82", "cut ??");
    assert_made("\xc0\xaf", "??");           /* longer than it needs to be */
    assert_made("\xe0\x9f\xbf", "???");      /* likewise */
    assert_made("\xed\xa0\x80", "???");      /* a surrogate */
    assert_made("\xf4\x90\x80\x80", "????"); /* past the end */
    assert_made("\xc3(\xc3\xa9", "?(\xc3\xa9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
