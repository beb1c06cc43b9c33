/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "wmi/status.h"

#define N_STATUSES 105

struct line {
    uint32_t code;
    char symbol[80];
};

static struct line lines[N_STATUSES];

/* Reads isdsc-status.tsv, the list that the table must match. */
static int read_list(void **state)
{
    const char *dir = getenv("TEST_DATA_DIR");
    _cleanup_fclose_ FILE *file = NULL;
    char path[4096];
    char text[256];
    size_t n = 0;

    assert_non_null(dir);
    snprintf(path, sizeof(path), "%s/isdsc-status.tsv", dir);
    file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(text, sizeof(text), file)) {
        if (text[0] == '#')
            continue;
        assert_true(n < N_STATUSES);
        assert_int_equal(sscanf(text, "%" SCNx32 " %79s", &lines[n].code, lines[n].symbol), 2);
        n++;
    }
    assert_int_equal(n, N_STATUSES);
    return 0;
}

static void test_every_code(void **state)
{
    for (size_t i = 0; i < N_STATUSES; i++) {
        const struct status_info *info = status_find(lines[i].code);

        assert_non_null(info);
        assert_int_equal(info->code, lines[i].code);
        assert_string_equal(info->symbol, lines[i].symbol);
        assert_string_equal(status_symbol(lines[i].code), lines[i].symbol);
    }
}

static void test_no_other_code(void **state)
{
    size_t n = 0;

    for (uint32_t high = 0; high <= 0xFFFF; high += 0x5) /* has 0, 0xAFFF and 0xEFFF's neighbours */
        for (uint32_t low = 0; low <= 0x80; low++)
            if (high != 0 && high != 0xAFFF && high != 0xEFFF)
                assert_null(status_find(high << 16 | low));
    for (uint32_t low = 0; low <= 0xFFFF; low++) {
        n += status_find(low) != NULL;
        n += status_find(UINT32_C(0xAFFF0000) | low) != NULL;
        n += status_find(UINT32_C(0xEFFF0000) | low) != NULL;
    }
    assert_int_equal(n, N_STATUSES);
    assert_null(status_find(UINT32_MAX));
    assert_string_equal(status_symbol(0xEFFF0069), "UNKNOWN_STATUS");
    /* Windows' documentation prints these with an E. */
    assert_null(status_find(0xEFFF002E));
    assert_null(status_find(0xEFFF003B));
    assert_null(status_find(0xEFFF0048));
}

/* Those of DSM_LB_Operations, which the list of iSCSI's does not have. */
static void test_ntstatus(void **state)
{
    static const struct {
        uint32_t code;
        const char *symbol;
    } codes[] = {
        {0x80000011, "STATUS_DEVICE_BUSY"},
        {0xC000000D, "STATUS_INVALID_PARAMETER"},
        {0xC000000E, "STATUS_NO_SUCH_DEVICE"},
        {0xC0000023, "STATUS_BUFFER_TOO_SMALL"},
        {0xC000009A, "STATUS_INSUFFICIENT_RESOURCES"},
        {0xC00000BB, "STATUS_NOT_SUPPORTED"},
        {0xC0000185, "STATUS_IO_DEVICE_ERROR"},
    };
    uint32_t parsed;

    for (size_t i = 0; i < ELEMENTSOF(codes); i++) {
        assert_string_equal(status_symbol(codes[i].code), codes[i].symbol);
        assert_int_equal(status_parse(codes[i].symbol, &parsed), 0);
        assert_int_equal(parsed, codes[i].code);
    }
    /* Without its prefix a symbol is iSCSI's. */
    assert_int_equal(status_parse("invalid_parameter", &parsed), 0);
    assert_int_equal(parsed, ISDSC_INVALID_PARAMETER);
    assert_int_equal(status_parse("device_busy", &parsed), -EINVAL);
    assert_null(status_find(0xC000000C));
    assert_null(status_find(0x80000012));
}

static void test_texts_are_sentences(void **state)
{
    for (size_t i = 0; i < N_STATUSES; i++) {
        const char *text = status_find(lines[i].code)->text;
        size_t length = strlen(text);

        assert_true(length > 10);
        assert_true(isupper((unsigned char)text[0]));
        assert_int_equal(text[length - 1], '.');
        for (size_t j = 0; j + 2 < length; j++)
            assert_false(text[j] == '.' && isupper((unsigned char)text[j + 2]));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(text, status_find(lines[j].code)->text);
    }
}

static void assert_parses(const char *text, uint32_t code)
{
    uint32_t parsed = ~code;

    assert_int_equal(status_parse(text, &parsed), 0);
    assert_int_equal(parsed, code);
}

static void lower(char *text)
{
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

static void test_parse_every_code(void **state)
{
    for (size_t i = 0; i < N_STATUSES; i++) {
        char text[80];

        assert_parses(lines[i].symbol, lines[i].code);
        strcpy(text, lines[i].symbol);
        lower(text);
        assert_parses(text, lines[i].code);
        if (strncmp(text, "isdsc_", 6) == 0)
            assert_parses(text + 6, lines[i].code);

        snprintf(text, sizeof(text), "0x%08" PRIX32, lines[i].code);
        assert_parses(text, lines[i].code);
        lower(text);
        assert_parses(text, lines[i].code);
        snprintf(text, sizeof(text), "%" PRIu32, lines[i].code);
        assert_parses(text, lines[i].code);
    }
    assert_parses("0x0", STATUS_SUCCESS);
    assert_parses("Isdsc_Session_Busy", ISDSC_SESSION_BUSY);
}

static void test_parse_garbage(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "0x",
        "x",
        "-1",
        "+0",
        " 0",
        "0 ",
        "0x 1",
        "EFFF0058",
        "0xEFFF",
        "0xEFFF002E",
        "0xEFFF00580",
        "4294967296",
        "18446744073709551616",
        "99999999999999999999999999",
        "0x10000000000000000",
        "ISDSC_",
        "ISDSC_ISDSC_NOT_FOUND",
        "ISDSC_NOT_FOUND ",
        "ISDSC_NOT_FOUN",
        "NOT-FOUND",
        "SUCCESS",
        "UNKNOWN_STATUS",
        "0b0",
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        uint32_t code = 4711;

        assert_int_equal(status_parse(texts[i], &code), -EINVAL);
        assert_int_equal(code, 4711);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code),       cmocka_unit_test(test_no_other_code),
        cmocka_unit_test(test_ntstatus),         cmocka_unit_test(test_texts_are_sentences),
        cmocka_unit_test(test_parse_every_code), cmocka_unit_test(test_parse_garbage),
    };

    return cmocka_run_group_tests(tests, read_list, NULL);
}
