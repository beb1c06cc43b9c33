/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "iscsi/records.h"
#include "prng.h"

#define WHOLE                                                                                      \
    "iface\0default\0\0"                                                                           \
    "iface\0eth1\0iqn.2025-01.com.example:other\0"                                                 \
    "end\0"

DEFINE_CLEANUP(struct iscsi_records *, records_free);

/* From memory of just that size, so that reading past its end shows. */
static int parse(const char *data, size_t size, struct iscsi_records **ret)
{
    _cleanup_free_ char *copy = malloc(size ?: 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    return records_parse(copy, size, ret);
}

static void test_whole(void **state)
{
    _cleanup_(records_freep) struct iscsi_records *records = NULL;

    assert_int_equal(parse(WHOLE, sizeof(WHOLE) - 1, &records), 0);
    assert_int_equal(records->n_ifaces, 2);
    assert_string_equal(records->ifaces[0].name, "default");
    assert_string_equal(records->ifaces[0].initiator, "");
    assert_string_equal(records->ifaces[1].name, "eth1");
    assert_string_equal(records->ifaces[1].initiator, "iqn.2025-01.com.example:other");
}

static void test_none(void **state)
{
    _cleanup_(records_freep) struct iscsi_records *records = NULL;

    assert_int_equal(parse("end", 4, &records), 0);
    assert_int_equal(records->n_ifaces, 0);
}

/* Such an iface would be an adapter that no D-Bus message can name. */
static void test_not_utf8(void **state)
{
    static const char data[] = "iface\0default\0\0iface\0eth1\0iqn.\xff\0end";
    _cleanup_(records_freep) struct iscsi_records *records = NULL;

    assert_int_equal(parse(data, sizeof(data), &records), 0);
    assert_int_equal(records->n_ifaces, 1);
    assert_string_equal(records->ifaces[0].name, "default");
}

/* What a child that died has written: never taken for the whole. */
static void test_cut(void **state)
{
    for (size_t size = 0; size < sizeof(WHOLE) - 1; size++) {
        struct iscsi_records *records = NULL;
        assert_int_equal(parse(WHOLE, size, &records), -EINVAL);
        assert_null(records);
    }
}

static void test_nothing_written(void **state)
{
    struct iscsi_records *records = NULL;
    assert_int_equal(records_parse(NULL, 0, &records), -EINVAL);
    assert_null(records);
}

static void test_hostile(void **state)
{
#define TEXT(text) {text, sizeof(text) - 1}
    static const struct {
        const char *data;
        size_t size;
    } bad[] = {
        TEXT("\0"),
        TEXT("\0end\0"),
        TEXT("endx\0"),
        TEXT("End\0"),
        TEXT("portal\0a\0end\0"),
        TEXT("iface\0end\0"),
        TEXT("iface\0a\0"),
        TEXT("node\0t\0a\0003260\0default\0end\0"),
        TEXT("iface\0a\0b\0c\0end\0"),
        TEXT("\xff\xff\xff\xff"),
    };
#undef TEXT
    for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
        struct iscsi_records *records = NULL;
        assert_int_equal(parse(bad[i].data, bad[i].size, &records), -EINVAL);
        assert_null(records);
    }
}

/* What comes behind the end does not count. */
static void test_more_behind_the_end(void **state)
{
    static const char data[] = "iface\0a\0b\0end\0portal\0iface\0\0";
    _cleanup_(records_freep) struct iscsi_records *records = NULL;

    assert_int_equal(parse(data, sizeof(data) - 1, &records), 0);
    assert_int_equal(records->n_ifaces, 1);
}

static void test_many(void **state)
{
    enum { N = 5000 };
    char *data = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&data, &size);
    assert_non_null(out);
    for (unsigned i = 0; i < N; i++)
        fprintf(out, "iface%ceth%u%ciqn.%u%c", 0, i, 0, i, 0);
    fprintf(out, "end%c", 0);
    assert_int_equal(fclose(out), 0);
    _cleanup_free_ char *written = data;

    _cleanup_(records_freep) struct iscsi_records *records = NULL;
    assert_int_equal(parse(written, size, &records), 0);
    assert_int_equal(records->n_ifaces, N);
    assert_string_equal(records->ifaces[N - 1].name, "eth4999");
    assert_string_equal(records->ifaces[N - 1].initiator, "iqn.4999");
}

/* Words of the protocol in any order: no result but "not whole", or one with all it says. */
static void test_random(void **state)
{
    static const char *const words[] = {"iface", "end", "", "eth1", "default"};
    struct prng prng = {99};
    unsigned n_good = 0, n_bad = 0;

    for (int i = 0; i < 20000; i++) {
        char data[256];
        size_t size = 0, n_words = prng_below(&prng, 16);
        for (size_t k = 0; k < n_words; k++) {
            const char *word = words[prng_below(&prng, ELEMENTSOF(words))];
            memcpy(data + size, word, strlen(word) + 1);
            size += strlen(word) + 1;
        }
        if (size > 0 && prng_below(&prng, 4) == 0)
            size -= 1 + prng_below(&prng, size);

        _cleanup_(records_freep) struct iscsi_records *records = NULL;
        int r = parse(data, size, &records);
        if (r == 0) {
            assert_true(3 * records->n_ifaces < n_words);
            n_good++;
        } else {
            assert_int_equal(r, -EINVAL);
            assert_null(records);
            n_bad++;
        }
    }
    assert_true(n_good > 100 && n_bad > 100);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_nothing_written),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_more_behind_the_end),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
