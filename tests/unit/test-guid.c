/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "basic/macros.h"
#include "prng.h"
#include "wmi/guid.h"

#define SAMPLE_TEXT "33221100-5544-7766-8899-aabbccddeeff"

static const uint8_t sample[GUID_SIZE] = {
    0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
};

static void test_sample(void **state)
{
    uint8_t guid[GUID_SIZE] = {0};
    char text[GUID_TEXT_SIZE];

    guid_format(sample, text);
    assert_string_equal(text, SAMPLE_TEXT);
    assert_int_equal(guid_parse(SAMPLE_TEXT, guid), 0);
    assert_memory_equal(guid, sample, GUID_SIZE);
}

static void test_zeros_and_ones(void **state)
{
    uint8_t guid[GUID_SIZE] = {0};
    char text[GUID_TEXT_SIZE];

    guid_format(guid, text);
    assert_string_equal(text, "00000000-0000-0000-0000-000000000000");
    memset(guid, 0xFF, sizeof(guid));
    guid_format(guid, text);
    assert_string_equal(text, "ffffffff-ffff-ffff-ffff-ffffffffffff");
}

static void test_round_trip(void **state)
{
    struct prng prng = {1};

    for (int i = 0; i < 10000; i++) {
        uint8_t guid[GUID_SIZE];
        uint8_t parsed[GUID_SIZE];
        char text[GUID_TEXT_SIZE];
        char braced[GUID_TEXT_SIZE + 2];

        for (size_t j = 0; j < GUID_SIZE; j++)
            guid[j] = (uint8_t)(prng_next(&prng) >> 32);
        guid_format(guid, text);
        assert_int_equal(strlen(text), GUID_TEXT_SIZE - 1);
        assert_int_equal(guid_parse(text, parsed), 0);
        assert_memory_equal(parsed, guid, GUID_SIZE);

        snprintf(braced, sizeof(braced), "{%s}", text);
        for (char *c = braced; *c; c++)
            if (prng_next(&prng) >> 63)
                *c = (char)toupper((unsigned char)*c);
        assert_int_equal(guid_parse(braced, parsed), 0);
        assert_memory_equal(parsed, guid, GUID_SIZE);
    }
}

static void assert_refused(const char *text)
{
    uint8_t guid[GUID_SIZE];
    uint8_t before[GUID_SIZE];

    memset(before, 0x5A, sizeof(before));
    memcpy(guid, before, sizeof(guid));
    assert_int_equal(guid_parse(text, guid), -EINVAL);
    assert_memory_equal(guid, before, GUID_SIZE);
}

static void test_garbage(void **state)
{
    static const char *const texts[] = {
        "",
        "{}",
        "-",
        SAMPLE_TEXT "0",
        SAMPLE_TEXT " ",
        " " SAMPLE_TEXT,
        "{" SAMPLE_TEXT,
        SAMPLE_TEXT "}",
        "{{" SAMPLE_TEXT "}}",
        "(" SAMPLE_TEXT ")",
        "}" SAMPLE_TEXT "{",
        "33221100554477668899aabbccddeeff",
        "3322110-05544-7766-8899-aabbccddeeff",
        "33221100-5544-77668-899-aabbccddeeff",
        "332211005-544-7766-8899-aabbccddeeff",
        "0x221100-5544-7766-8899-aabbccddeeff",
        "33221100-5544-7766-8899-aabbccddee",
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        assert_refused(texts[i]);
}

/* Every place with every byte that does not belong there. */
static void test_each_place(void **state)
{
    for (size_t i = 0; i < GUID_TEXT_SIZE - 1; i++) {
        for (int c = 0; c <= 0xFF; c++) {
            char text[] = SAMPLE_TEXT;

            if (SAMPLE_TEXT[i] == '-' ? c == '-' : isxdigit(c))
                continue;
            text[i] = (char)c;
            assert_refused(text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),     cmocka_unit_test(test_zeros_and_ones),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_each_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
