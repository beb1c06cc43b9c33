/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "basic/macros.h"
#include "plan/access.h"
#include "plan/table.h"
#include "prng.h"

/* A table as kernels print it, and what is in it. */
struct sample {
    const char *text;
    const char *features;
    const char *hwhandler;
    unsigned current;
    size_t n_groups;
    size_t n_paths;
    const char *selector; /* of the first group */
    const char *printed;  /* NULL: the same as `text` */
};

static const struct sample samples[] = {
    /* Debian 12 and 13 with LIO, before and after a swap of ours */
    {"2 queue_if_no_path retain_attached_hw_handler 1 alua 1 1 service-time 0 4 2 8:0 1 1 8:16 1 1 "
     "8:32 1 1 8:48 1 1 ",
     "2 queue_if_no_path retain_attached_hw_handler", "1 alua", 1, 1, 4, "service-time 0",
     "2 queue_if_no_path retain_attached_hw_handler 1 alua 1 1 service-time 0 4 1 8:0 1 8:16 1 "
     "8:32 1 8:48 1"},
    {"1 queue_if_no_path 1 alua 3 1 round-robin 0 1 1 8:0 1 round-robin 0 2 1 8:16 1 8:32 1 "
     "round-robin 0 1 1 8:48 1 ",
     "1 queue_if_no_path", "1 alua", 1, 3, 4, "round-robin 0",
     "1 queue_if_no_path 1 alua 3 1 round-robin 0 1 1 8:0 1 round-robin 0 2 1 8:16 1 8:32 1 "
     "round-robin 0 1 1 8:48 1"},
    /* 4.18 prints the queue mode mq, newer ones only bio */
    {"3 queue_if_no_path queue_mode mq 0 2 2 round-robin 0 2 1 65:0 1000 65:16 1000 queue-length 0 "
     "1 1 8:80 1 ",
     "3 queue_if_no_path queue_mode mq", "0", 2, 2, 3, "round-robin 0",
     "3 queue_if_no_path queue_mode mq 0 2 2 round-robin 0 2 1 65:0 1 65:16 1 queue-length 0 1 1 "
     "8:80 1"},
    {"2 queue_mode bio 0 1 1 queue-length 0 1 1 8:0 1", "2 queue_mode bio", "0", 1, 1, 1,
     "queue-length 0", NULL},
    {"8 queue_if_no_path pg_init_retries 50 pg_init_delay_msecs 60000 "
     "retain_attached_hw_handler queue_mode bio 0 1 1 round-robin 0 1 1 8:0 1",
     "8 queue_if_no_path pg_init_retries 50 pg_init_delay_msecs 60000 "
     "retain_attached_hw_handler queue_mode bio",
     "0", 1, 1, 1, "round-robin 0", NULL},
    {"2 pg_init_retries 3 1 rdac 2 1 service-time 0 1 2 8:0 1 0 service-time 0 1 2 8:16 1 100 ",
     "2 pg_init_retries 3", "1 rdac", 1, 2, 2, "service-time 0",
     "2 pg_init_retries 3 1 rdac 2 1 service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1"},
    /* a hardware handler with arguments of its own */
    {"0 3 hp_sw retries 5 1 1 round-robin 0 1 1 253:1048575 1", "0", "3 hp_sw retries 5", 1, 1, 1,
     "round-robin 0", NULL},
    /* selectors with arguments */
    {"0 1 alua 1 1 historical-service-time 2 972 0 2 1 8:0 0 8:16 0 ", "0", "1 alua", 1, 1, 2,
     "historical-service-time 2 972 0",
     "0 1 alua 1 1 historical-service-time 2 972 0 2 1 8:0 1 8:16 1"},
    {"0 0 1 1 io-affinity 0 2 1 8:0 f 8:16 f0", "0", "0", 1, 1, 2, "io-affinity 0",
     "0 0 1 1 io-affinity 0 2 1 8:0 1 8:16 1"},
    /* no argument behind the paths, as somebody may have loaded it */
    {"0 0 1 1 round-robin 0 2 0 8:0 8:16", "0", "0", 1, 1, 2, "round-robin 0",
     "0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1"},
    /* no path left */
    {"1 queue_if_no_path 0 0 0 ", "1 queue_if_no_path", "0", 0, 0, 0, NULL,
     "1 queue_if_no_path 0 0 0"},
    {"  0\t0  1 1\nround-robin  0 1 1 4095:0 1\n", "0", "0", 1, 1, 1, "round-robin 0",
     "0 0 1 1 round-robin 0 1 1 4095:0 1"},
};

static struct mp_table *parse(const char *text)
{
    struct mp_table *table = NULL;

    assert_int_equal(mp_table_parse(text, &table), 0);
    assert_non_null(table);
    return table;
}

static void assert_prints(const struct mp_table *table, const char *expected)
{
    _cleanup_free_ char *text = NULL;

    assert_int_equal(mp_table_format(table, &text), 0);
    assert_string_equal(text, expected);
}

static void test_samples(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(samples); i++) {
        const struct sample *sample = &samples[i];
        const char *printed = sample->printed ? sample->printed : sample->text;
        _cleanup_(mp_table_freep) struct mp_table *table = parse(sample->text);
        _cleanup_(mp_table_freep) struct mp_table *again = parse(printed);

        assert_string_equal(table->features, sample->features);
        assert_string_equal(table->hwhandler, sample->hwhandler);
        assert_int_equal(table->current, sample->current);
        assert_int_equal(table->n_groups, sample->n_groups);
        assert_int_equal(mp_table_n_paths(table), sample->n_paths);
        if (sample->selector)
            assert_string_equal(table->groups[0].selector, sample->selector);
        assert_prints(table, printed);
        assert_prints(again, printed);
        assert_true(mp_table_same_meaning(table, again, NULL));
    }
}

static void test_groups_in_order(void **state)
{
    _cleanup_(mp_table_freep) struct mp_table *table =
        parse("0 0 2 2 round-robin 0 2 1 8:32 1 8:0 1 queue-length 0 1 1 259:65536 1");

    assert_int_equal(table->groups[0].n_paths, 2);
    assert_true(table->groups[0].paths[0] == makedev(8, 32));
    assert_true(table->groups[0].paths[1] == makedev(8, 0));
    assert_string_equal(table->groups[1].selector, "queue-length 0");
    assert_int_equal(table->groups[1].n_paths, 1);
    assert_true(table->groups[1].paths[0] == makedev(259, 65536));
}

static void assert_no_table(const char *text)
{
    struct mp_table *table = (struct mp_table *)text;

    assert_int_equal(mp_table_parse(text, &table), -EINVAL);
    assert_ptr_equal(table, text);
}

static void test_table_garbage(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "x",
        "0",
        "0 0",
        "0 0 1",
        "0 0 0",
        "0 0 0 1",
        "0 0 0 0 0",
        "0 0 1 0 round-robin 0 1 1 8:0 1",
        "0 0 1 2 round-robin 0 1 1 8:0 1",
        "0 0 2 1 round-robin 0 1 1 8:0 1",
        "0 0 1 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1",
        "0 0 1 1 round-robin 0 0 1",
        "0 0 1 1 round-robin 0 2 1 8:0 1",
        "0 0 1 1 round-robin 0 1 1 8:0 1 1",
        "0 0 1 1 round-robin 0 1 2 8:0 1",
        "0 0 1 1 round-robin 1 1 1 8:0 1",
        "0 0 1 1 0 0 1 1 8:0 1",
        "1 0 1 1 round-robin 0 1 1 8:0 1",
        "-1 0 0 0",
        "+0 0 0 0",
        "0x0 0 0 0",
        "0 0 0 0 ;",
        "1025 0 0 0",
        "4294967296 0 0 0",
        "18446744073709551616 0 0 0",
        "99999999999999999999999999999999999999999999 0 0 0",
        "4294967295 queue_if_no_path 0 0 0",
        "0 4294967295 0 0",
        "0 0 4294967295 1 round-robin 0 1 1 8:0 1",
        "0 0 1024 1 round-robin 0 1 1 8:0 1",
        "0 0 1025 1 round-robin 0 1 1 8:0 1",
        "0 0 1 1 round-robin 4294967295 1 1 8:0 1",
        "0 0 1 1 round-robin 0 4294967295 1 8:0 1",
        "0 0 1 1 round-robin 0 1024 1 8:0 1",
        "0 0 1 1 round-robin 0 1 4294967295 8:0 1",
        "0 0 1 1 round-robin 0 1 1 8 1",
        "0 0 1 1 round-robin 0 1 1 8: 1",
        "0 0 1 1 round-robin 0 1 1 :0 1",
        "0 0 1 1 round-robin 0 1 1 : 1",
        "0 0 1 1 round-robin 0 1 1 8:0:0 1",
        "0 0 1 1 round-robin 0 1 1 8:x 1",
        "0 0 1 1 round-robin 0 1 1 -8:0 1",
        "0 0 1 1 round-robin 0 1 1 sda 1",
        "0 0 1 1 round-robin 0 1 1 /dev/sda 1",
        "0 0 1 1 round-robin 0 1 1 4096:0 1",
        "0 0 1 1 round-robin 0 1 1 8:1048576 1",
        "0 0 1 1 round-robin 0 1 1 8:18446744073709551632 1",
        /* other targets, and this one's status */
        "8:0 2048",
        "8:0 0 1 1 round-robin 0 1 1 8:0 1",
        "2 0 0 0 1 1 A 0 1 0 8:0 A 0",
        "2 0 0 0 1 1 A 0 1 2 8:0 A 0 0 1",
        "2 0 0 0 2 1 A 0 1 1 8:0 A 0 0 E 0 1 1 8:16 A 0 0",
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        assert_no_table(texts[i]);
}

/* A text that ends behind fewer words than it has is never a table. */
static void test_table_cut_off(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(samples); i++) {
        _cleanup_(mp_table_freep) struct mp_table *table = parse(samples[i].text);
        _cleanup_free_ char *text = NULL;

        assert_int_equal(mp_table_format(table, &text), 0);
        for (char *blank = strrchr(text, ' '); blank; blank = strrchr(text, ' ')) {
            *blank = '\0';
            assert_no_table(text);
        }
    }
}

/* 1024 groups of one path, and one group of 1024, are the most that the kernel takes. */
static void test_largest_counts(void **state)
{
    _cleanup_(mp_table_freep) struct mp_table *like = parse("0 0 0 0");
    _cleanup_(mp_table_freep) struct mp_table *tall = mp_table_new_like(like);
    _cleanup_(mp_table_freep) struct mp_table *wide = mp_table_new_like(like);
    _cleanup_(mp_table_freep) struct mp_table *again = NULL;
    struct mp_group *group;
    _cleanup_free_ char *tall_text = NULL;
    _cleanup_free_ char *wide_text = NULL;

    for (unsigned i = 0; i < 1024; i++) {
        assert_int_equal(mp_table_add_group(tall, "round-robin 0", &group), 0);
        assert_int_equal(mp_group_add_path(group, makedev(8, i)), 0);
    }
    assert_int_equal(mp_table_add_group(wide, "round-robin 0", &group), 0);
    for (unsigned i = 0; i < 1024; i++)
        assert_int_equal(mp_group_add_path(group, makedev(8, i)), 0);

    assert_int_equal(mp_table_format(tall, &tall_text), 0);
    again = parse(tall_text);
    assert_true(mp_table_same_meaning(tall, again, NULL));
    mp_table_free(again);
    assert_int_equal(mp_table_format(wide, &wide_text), 0);
    again = parse(wide_text);
    assert_true(mp_table_same_meaning(wide, again, NULL));
    assert_false(mp_table_same_meaning(tall, wide, NULL));
}

static void mutate(struct prng *prng, char *text)
{
    static const char letters[] = "0123456789 :-x";

    for (size_t n = 1 + prng_below(prng, 3); n > 0 && *text; n--)
        text[prng_below(prng, strlen(text))] = letters[prng_below(prng, sizeof(letters))];
}

/* What still parses after some bytes were changed must print and parse to the same again. */
static void test_table_mutations(void **state)
{
    struct prng prng = {20260101};
    size_t n_parsed = 0;

    for (int i = 0; i < 40000; i++) {
        _cleanup_(mp_table_freep) struct mp_table *table = NULL;
        _cleanup_(mp_table_freep) struct mp_table *again = NULL;
        _cleanup_free_ char *printed = NULL;
        char text[512];
        int r;

        strcpy(text, samples[prng_below(&prng, ELEMENTSOF(samples))].text);
        mutate(&prng, text);
        r = mp_table_parse(text, &table);
        if (r < 0) {
            assert_int_equal(r, -EINVAL);
            continue;
        }
        n_parsed++;
        assert_int_equal(mp_table_format(table, &printed), 0);
        again = parse(printed);
        assert_prints(again, printed);
        assert_true(mp_table_same_meaning(table, again, NULL));
    }
    assert_true(n_parsed > 1000);
}

static void test_new_like(void **state)
{
    _cleanup_(mp_table_freep) struct mp_table *table = parse(samples[0].text);
    _cleanup_(mp_table_freep) struct mp_table *copy = mp_table_new_like(table);
    struct mp_group *group = NULL;

    assert_prints(copy, "2 queue_if_no_path retain_attached_hw_handler 1 alua 0 0");
    assert_int_equal(mp_table_add_group(copy, "queue-length 0", &group), 0);
    assert_int_equal(mp_group_add_path(group, makedev(8, 16)), 0);
    assert_prints(copy, "2 queue_if_no_path retain_attached_hw_handler 1 alua 1 1 queue-length 0 1 "
                        "1 8:16 1");
}

static struct mp_status *parse_status(const char *text)
{
    struct mp_status *status = NULL;

    assert_int_equal(mp_status_parse(text, &status), 0);
    assert_non_null(status);
    return status;
}

static const char *const statuses[] = {
    "2 0 0 0 1 1 A 0 4 2 8:0 A 0 0 1 8:16 F 3 0 1 8:32 A 0 512 1 8:48 A 0 0 1 ", /* service-time */
    "2 0 0 0 2 1 E 0 2 0 8:0 A 0 8:16 F 4294967295 E 0 2 0 8:32 A 0 8:48 A 1 ",  /* round-robin */
    "2 1 7 0 3 2 D 0 1 1 8:0 A 0 0 A 0 2 1 8:16 F 1 2 8:32 A 0 4 E 0 1 1 8:48 A 0 0 ",
    "2 0 0 0 1 1 A 2 972 0 4 3 8:0 A 0 5 0 9 8:16 F 1 5 0 9 8:32 A 0 5 0 9 8:48 A 0 5 0 9 ",
    "2 0 0 1 extra 1 1 A 0 4 1 8:0 A 0 0 8:16 F 1 0 8:32 A 0 0 8:48 A 0 0",
};

static void test_statuses(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(statuses); i++) {
        _cleanup_(mp_status_freep) struct mp_status *status = parse_status(statuses[i]);

        assert_int_equal(status->n_paths, 4);
        for (unsigned j = 0; j < 4; j++) {
            assert_true(status->paths[j].dev == makedev(8, 16 * j));
            assert_int_equal(status->paths[j].failed, j == 1);
            assert_int_equal(mp_status_usable(status, makedev(8, 16 * j)), j != 1);
        }
        assert_false(mp_status_usable(status, makedev(8, 64)));
    }
}

static void test_status_of_nothing(void **state)
{
    _cleanup_(mp_status_freep) struct mp_status *status = parse_status("2 0 0 0 0 0 ");

    assert_int_equal(status->n_paths, 0);
    assert_false(mp_status_usable(status, makedev(8, 0)));
    assert_true(mp_status_usable(NULL, makedev(8, 0)));
}

static void assert_no_status(const char *text)
{
    struct mp_status *status = (struct mp_status *)text;

    assert_int_equal(mp_status_parse(text, &status), -EINVAL);
    assert_ptr_equal(status, text);
}

static void test_status_garbage(void **state)
{
    static const char *const texts[] = {
        "",
        "2",
        "2 0 0",
        "2 0 0 0 1 0 A 0 1 0 8:0 A 0",
        "2 0 0 0 1 2 A 0 1 0 8:0 A 0",
        "2 0 0 0 0 1",
        "2 0 0 0 1 1 B 0 1 0 8:0 A 0",
        "2 0 0 0 1 1 AE 0 1 0 8:0 A 0",
        "2 0 0 0 1 1 A 0 1 0 8:0 B 0",
        "2 0 0 0 1 1 A 0 1 0 8:0 AF 0",
        "2 0 0 0 1 1 A 0 1 0 8:0 A",
        "2 0 0 0 1 1 A 0 1 0 8:0 A x",
        "2 0 0 0 1 1 A 0 1 0 8:0 A 4294967296",
        "2 0 0 0 1 1 A 0 0 0",
        "2 0 0 0 1 1 A 0 2 0 8:0 A 0",
        "2 0 0 0 1 1 A 0 1 1 8:0 A 0",
        "2 0 0 0 1 1 A 0 1 0 8:0 A 0 0",
        "2 0 0 0 1024 1 A 0 1 0 8:0 A 0",
        "2 0 0 0 4294967295 1 A 0 1 0 8:0 A 0",
        "2 0 0 0 1 1 A 4294967295 1 0 8:0 A 0",
        "2 0 0 0 1 1 A 0 4294967295 0 8:0 A 0",
        "2 0 0 0 1 1 A 0 1 4294967295 8:0 A 0",
        "4294967295 0 0 0 1 1 A 0 1 0 8:0 A 0",
        "0 1 alua 1 1 round-robin 0 1 1 8:0 1",
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        assert_no_status(texts[i]);
}

static void test_status_cut_off_and_mutated(void **state)
{
    struct prng prng = {4};

    for (size_t i = 0; i < ELEMENTSOF(statuses); i++) {
        char text[512];

        strcpy(text, statuses[i]);
        text[strlen(text) - (text[strlen(text) - 1] == ' ')] = '\0';
        for (char *blank = strrchr(text, ' '); blank; blank = strrchr(text, ' ')) {
            *blank = '\0';
            assert_no_status(text);
        }
        for (int j = 0; j < 5000; j++) {
            _cleanup_(mp_status_freep) struct mp_status *status = NULL;
            int r;

            strcpy(text, statuses[i]);
            mutate(&prng, text);
            r = mp_status_parse(text, &status);
            assert_true(r == 0 || r == -EINVAL);
        }
    }
}

static void assert_meaning(const char *text_a, const char *text_b, const char *status_text,
                           bool same)
{
    _cleanup_(mp_table_freep) struct mp_table *a = parse(text_a);
    _cleanup_(mp_table_freep) struct mp_table *b = parse(text_b);
    _cleanup_(mp_status_freep) struct mp_status *status = NULL;

    if (status_text)
        status = parse_status(status_text);
    assert_int_equal(mp_table_same_meaning(a, b, status), same);
    assert_int_equal(mp_table_same_meaning(b, a, status), same);
    assert_true(mp_table_same_meaning(a, a, status));
    assert_true(mp_table_same_meaning(b, b, status));
}

#define A "round-robin 0 1 1 8:0 1 "
#define B "round-robin 0 1 1 8:16 1 "
#define C "round-robin 0 2 1 8:32 1 8:48 1 "

static void test_meaning(void **state)
{
    /* what does not count */
    assert_meaning("0 0 3 1 " A B C, "0 0 3 1 " A B C, NULL, true);
    assert_meaning("0 0 3 1 " A B C, "1 queue_if_no_path 1 alua 3 3 " A B C, NULL, true);
    assert_meaning("0 0 3 1 " A B C, "0 0 3 1 " A B "round-robin 0 2 1 8:48 1 8:32 1", NULL, true);
    assert_meaning("0 0 3 1 " A B C, "0 0 3 1 " A B "round-robin 0 2 0 8:48 8:32", NULL, true);
    assert_meaning("0 0 0 0", "1 queue_if_no_path 1 alua 0 0", NULL, true);
    /* what does */
    assert_meaning("0 0 3 1 " A B C, "0 0 3 1 " B A C, NULL, false);
    assert_meaning("0 0 3 1 " A B C, "0 0 2 1 " A B, NULL, false);
    assert_meaning("0 0 3 1 " A B C, "0 0 2 1 " A C, NULL, false);
    assert_meaning("0 0 2 1 " A B, "0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1", NULL, false);
    assert_meaning("0 0 1 1 " C, "0 0 1 1 queue-length 0 2 1 8:32 1 8:48 1", NULL, false);
    assert_meaning("0 0 1 1 " C, "0 0 1 1 round-robin 1 x 2 1 8:32 1 8:48 1", NULL, false);
    assert_meaning("0 0 1 1 " C, "0 0 1 1 round-robin 0 3 1 8:32 1 8:48 1 8:64 1", NULL, false);
    assert_meaning("0 0 1 1 " C, "0 0 1 1 round-robin 0 2 1 8:32 1 8:64 1", NULL, false);
    assert_meaning("0 0 0 0", "0 0 1 1 " A, NULL, false);
    assert_meaning("0 0 2 1 " A A, "0 0 2 1 " A B, NULL, false);
}

/* multipathd moves a group without a usable path to the end. */
static void test_meaning_with_failures(void **state)
{
    static const char a_failed[] = "2 0 0 0 3 2 E 0 1 0 8:0 F 1 A 0 1 0 8:16 A 0 "
                                   "E 0 2 0 8:32 F 1 8:48 A 0";
    static const char ab_failed[] = "2 0 0 0 3 3 E 0 1 0 8:0 F 1 E 0 1 0 8:16 F 1 "
                                    "A 0 2 0 8:32 A 0 8:48 A 0";
    static const char all_failed[] = "2 0 0 0 3 3 E 0 1 0 8:0 F 1 E 0 1 0 8:16 F 1 "
                                     "A 0 2 0 8:32 F 1 8:48 F 9";
    static const char c_unknown[] = "2 0 0 0 2 1 A 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0";

    assert_meaning("0 0 3 1 " A B C, "0 0 3 1 " B C A, a_failed, true);
    assert_meaning("0 0 3 1 " A B C, "0 0 3 1 " B A C, a_failed, true);
    assert_meaning("0 0 3 1 " A B C, "0 0 3 1 " C B A, a_failed, false);
    assert_meaning("0 0 3 1 " A B C, "0 0 3 1 " C B A, ab_failed, true);
    assert_meaning("0 0 3 1 " A B C, "0 0 3 1 " C B A, all_failed, true);
    assert_meaning("0 0 3 1 " A B C, "0 0 3 1 " C A B, c_unknown, true);
    assert_meaning("0 0 3 1 " A B C, "0 0 3 1 " B A C, c_unknown, false);
    /* a failed group counts all the same */
    assert_meaning("0 0 3 1 " A B C, "0 0 2 1 " B C, a_failed, false);
    assert_meaning("0 0 3 1 " A B C, "0 0 3 1 queue-length 0 1 1 8:0 1 " B C, a_failed, false);
    assert_meaning("0 0 3 1 " A B C, "0 0 3 1 " B C "round-robin 0 1 1 8:64 1", ab_failed, false);
    assert_meaning("0 0 3 1 " A A B, "0 0 3 1 " A B B, all_failed, false);
}

static void test_access_states(void **state)
{
    static const char *const others[] = {
        "standby",       "unavailable",           "lba-dependent",       "offline",
        "transitioning", "active/optimized\n\n",  " active/optimized",   "active",
        "\n\n",          "active/non-optimized ", "active/optimized\nx", "?",
    };

    assert_int_equal(access_state_parse(NULL), ACCESS_OPTIMIZED);
    assert_int_equal(access_state_parse(""), ACCESS_OPTIMIZED);
    assert_int_equal(access_state_parse("\n"), ACCESS_OPTIMIZED);
    assert_int_equal(access_state_parse("active/optimized"), ACCESS_OPTIMIZED);
    assert_int_equal(access_state_parse("active/optimized\n"), ACCESS_OPTIMIZED);
    assert_int_equal(access_state_parse("active/non-optimized"), ACCESS_NON_OPTIMIZED);
    assert_int_equal(access_state_parse("active/non-optimized\n"), ACCESS_NON_OPTIMIZED);
    for (size_t i = 0; i < ELEMENTSOF(others); i++)
        assert_int_equal(access_state_parse(others[i]), ACCESS_OTHER);
}

static void test_free_nothing(void **state)
{
    mp_table_free(NULL);
    mp_status_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_groups_in_order),
        cmocka_unit_test(test_table_garbage),
        cmocka_unit_test(test_table_cut_off),
        cmocka_unit_test(test_largest_counts),
        cmocka_unit_test(test_table_mutations),
        cmocka_unit_test(test_new_like),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_status_of_nothing),
        cmocka_unit_test(test_status_garbage),
        cmocka_unit_test(test_status_cut_off_and_mutated),
        cmocka_unit_test(test_meaning),
        cmocka_unit_test(test_meaning_with_failures),
        cmocka_unit_test(test_access_states),
        cmocka_unit_test(test_free_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
