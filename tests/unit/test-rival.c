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
#include "plan/entry.h"
#include "plan/rival.h"
#include "prng.h"

#define WWID "36001405aaaa"
#define VENDOR "LIO-ORG "
#define PRODUCT "lun0            "

/* Where a file stands, and what the map needs. */
#define LATER true
#define BEFORE false
#define DETECTS true
#define PLAIN false

/* Sections around lines of a test. The lines begin on line 3 of the first two, on 2 of the last. */
#define MULTIPATH(lines) "multipaths {\n multipath {\n" lines " }\n}\n"
#define DEVICE(lines) "devices {\n device {\n" lines " }\n}\n"
#define OVERRIDES(lines) "overrides {\n" lines "}\n"

static const char our_entry[] = "    multipath {\n"
                                "        wwid \"" WWID "\"\n"
                                "        path_grouping_policy group_by_prio\n"
                                "        path_selector \"round-robin 0\"\n"
                                "        prio weightedpath\n"
                                "        prio_args \"hbtl ^7:0:0:1$ 20 .* 10\"\n"
                                "        failback immediate\n"
                                "        rr_weight uniform\n"
                                "        rr_min_io_rq 1\n"
                                "    }\n";

static void assert_rival(const char *text, bool later, bool detects, const char *section,
                         const char *keyword, const char *value, unsigned line)
{
    _cleanup_(rival_done) struct rival rival = {0};

    assert_int_equal(rival_find(text, later, WWID, our_entry, detects, VENDOR, PRODUCT, &rival), 1);
    assert_string_equal(rival.section, section);
    assert_string_equal(rival.keyword, keyword);
    assert_string_equal(rival.value, value);
    assert_int_equal(rival.line, line);
}

static void assert_none(const char *text, bool later, bool detects)
{
    struct rival rival = {.line = 4711};

    assert_int_equal(rival_find(text, later, WWID, our_entry, detects, VENDOR, PRODUCT, &rival), 0);
    assert_null(rival.value);
    assert_int_equal(rival.line, 4711);
}

static void assert_none_anywhere(const char *text)
{
    assert_none(text, LATER, DETECTS);
    assert_none(text, LATER, PLAIN);
    assert_none(text, BEFORE, DETECTS);
    assert_none(text, BEFORE, PLAIN);
}

/* A file as administrators have it. */
static const char usual[] = "# ours since 2019\n"
                            "defaults {\n"
                            "\tuser_friendly_names yes\n"
                            "\tdetect_prio yes ! the default\n"
                            "\tpath_selector \"service-time 0\"\n"
                            "}\n"
                            "blacklist {\n"
                            "\tdevnode \"^(ram|loop)[0-9]*\"\n"
                            "\tdevice {\n"
                            "\t\tvendor \".*\"\n"
                            "\t\tproduct \".*\"\n"
                            "\t}\n"
                            "}\n"
                            "multipaths {\n"
                            "\tmultipath {\n"
                            "\t\twwid 3600140bbbb\n"
                            "\t\tprio alua\n"
                            "\t}\n"
                            "\tmultipath {\n"
                            "\t\talias data\n"
                            "\t\tfailback 30 # seconds\n"
                            "\t\tprio \"alua\"\n"
                            "\t\twwid \"36001405aaaa\"\n"
                            "\t}\n"
                            "}\n";

static void test_golden(void **state)
{
    assert_rival(usual, LATER, PLAIN, "multipaths", "failback", "30", 21);
    assert_rival(usual, LATER, DETECTS, "multipaths", "failback", "30", 21);
    assert_none(usual, BEFORE, PLAIN);
    assert_none(usual, BEFORE, DETECTS);
}

static void test_each_keyword(void **state)
{
    static const char *const keywords[] = {
        "path_grouping_policy", "path_selector", "prio", "prio_args", "failback", "rr_weight",
        "rr_min_io_rq"};

    for (size_t i = 0; i < ELEMENTSOF(keywords); i++) {
        _cleanup_free_ char *text = NULL;

        assert_true(asprintf(&text, MULTIPATH(" wwid " WWID "\n %s other\n"), keywords[i]) > 0);
        assert_rival(text, LATER, PLAIN, "multipaths", keywords[i], "other", 4);
        assert_none(text, BEFORE, DETECTS);
    }
}

static void test_same_values(void **state)
{
    static const char quoted[] = MULTIPATH("wwid \"" WWID "\"\n"
                                           "path_grouping_policy \"group_by_prio\"\n"
                                           "path_selector \"round-robin 0\"\n"
                                           "prio \"weightedpath\"\n"
                                           "prio_args \"hbtl ^7:0:0:1$ 20 .* 10\"\n"
                                           "failback \"immediate\"\n"
                                           "rr_weight \"uniform\"\n"
                                           "rr_min_io_rq \"1\"\n");
    _cleanup_free_ char *ours = NULL;

    assert_none_anywhere(quoted);
    assert_true(asprintf(&ours, "multipaths {\n%s}\n", our_entry) > 0);
    assert_none_anywhere(ours);
    /* without quotes a value ends at the first blank */
    assert_rival(MULTIPATH("wwid " WWID "\npath_selector round-robin 0\n"), LATER, PLAIN,
                 "multipaths", "path_selector", "round-robin", 4);
}

/* Only what our entry says can lose. */
static void test_other_keywords(void **state)
{
    static const char text[] = MULTIPATH("wwid " WWID "\nalias data\nno_path_retry fail\n"
                                         "rr_min_io 100\nprio alua\n");
    struct rival rival;

    assert_rival(text, LATER, PLAIN, "multipaths", "prio", "alua", 7);
    assert_int_equal(rival_find(text, LATER, WWID,
                                "    multipath {\n        failback manual\n    }\n", PLAIN, NULL,
                                NULL, &rival),
                     0);
    assert_int_equal(rival_find(text, LATER, WWID, "", PLAIN, NULL, NULL, &rival), 0);
}

static void test_wwid(void **state)
{
    assert_none_anywhere(MULTIPATH("wwid " WWID "0\nprio alua\n"));
    assert_none_anywhere(MULTIPATH("wwid 36001405aaa\nprio alua\n"));
    assert_none_anywhere(MULTIPATH("wwid \".*\"\nprio alua\n")); /* not a regex here */
    assert_none_anywhere(MULTIPATH("prio alua\n"));
    assert_none_anywhere(MULTIPATH("wwid\nprio alua\n"));
    assert_none_anywhere("wwid " WWID "\n" MULTIPATH("prio alua\n"));
    /* in the next section, not in this one */
    assert_none_anywhere("multipaths {\n multipath {\n prio alua\n }\n multipath {\n wwid " WWID
                         "\n }\n}\n");
    assert_rival(MULTIPATH("prio alua\nwwid " WWID "\n"), LATER, PLAIN, "multipaths", "prio",
                 "alua", 3);
    assert_rival(MULTIPATH("wwid x\nprio alua\nwwid " WWID "\n"), LATER, PLAIN, "multipaths",
                 "prio", "alua", 4);
}

/* The same section elsewhere, or the keywords of another, mean nothing. */
static void test_place_of_sections(void **state)
{
    assert_none_anywhere("multipath {\n wwid " WWID "\n prio alua\n}\n");
    assert_none_anywhere("defaults {\n multipath {\n wwid " WWID "\n prio alua\n }\n}\n");
    assert_none_anywhere("multipaths {\n wwid " WWID "\n prio alua\n}\n");
    assert_none_anywhere("device {\n vendor .*\n product .*\n detect_prio yes\n}\n");
    assert_none_anywhere(
        "blacklist {\n device {\n vendor .*\n product .*\n detect_prio yes\n }\n}\n");
    assert_none_anywhere("blacklist_exceptions {\n device {\n vendor .*\n product .*\n"
                         " detect_prio yes\n }\n}\n");
    assert_none_anywhere("defaults {\n detect_prio yes\n}\n");
    assert_none_anywhere("detect_prio yes\n");
    assert_none_anywhere(OVERRIDES("prio alua\nfailback manual\n"));
    assert_none_anywhere(DEVICE("vendor .*\nproduct .*\nprio alua\nfailback manual\n"));
    assert_none_anywhere(MULTIPATH("wwid " WWID "\ndetect_prio yes\n"));
}

/* multipathd's value is the last one. */
static void test_last_one_counts(void **state)
{
    assert_none_anywhere(MULTIPATH("wwid " WWID "\nprio alua\nprio weightedpath\n"));
    assert_rival(MULTIPATH("wwid " WWID "\nprio weightedpath\nprio alua\n"), LATER, PLAIN,
                 "multipaths", "prio", "alua", 5);
    assert_none_anywhere(MULTIPATH("wwid " WWID "\nprio alua\n")
                             MULTIPATH("wwid " WWID "\nprio weightedpath\n"));
    /* a section about another map takes nothing back, and one of two keywords stays */
    assert_rival(MULTIPATH("wwid " WWID "\nprio alua\n") MULTIPATH("wwid x\nprio weightedpath\n"),
                 LATER, PLAIN, "multipaths", "prio", "alua", 4);
    assert_rival(MULTIPATH("wwid " WWID "\nprio alua\nfailback manual\n")
                     MULTIPATH("wwid " WWID "\nprio weightedpath\n"),
                 LATER, PLAIN, "multipaths", "failback", "manual", 5);
    assert_none_anywhere(OVERRIDES("detect_prio yes\ndetect_prio no\n"));
    assert_none_anywhere(OVERRIDES("detect_prio yes\n") OVERRIDES("detect_prio no\n"));
    assert_none_anywhere(DEVICE("vendor LIO\nproduct .*\ndetect_prio yes\n")
                             DEVICE("vendor LIO-ORG\nproduct .*\ndetect_prio no\n"));
}

static void test_first_one_is_told(void **state)
{
    static const char text[] =
        DEVICE("vendor .*\nproduct .*\ndetect_prio yes\n")            /* its keyword in line 5 */
        MULTIPATH("rr_weight priorities\nprio alua\nwwid " WWID "\n") /* 10 and 11 */
        OVERRIDES("detect_prio yes\n");                               /* 16 */

    assert_rival(text, LATER, DETECTS, "devices", "detect_prio", "yes", 5);
    assert_rival(text, LATER, PLAIN, "multipaths", "rr_weight", "priorities", 10);
    assert_rival(text, BEFORE, DETECTS, "overrides", "detect_prio", "yes", 16);
    assert_none(text, BEFORE, PLAIN);
}

static void test_overrides(void **state)
{
    static const char *const values[] = {"yes", "\"yes\"", "1"};
    static const char *const others[] = {"no", "\"no\"", "0", "maybe", "YES", "\"\"", ""};

    for (size_t i = 0; i < ELEMENTSOF(values); i++) {
        _cleanup_free_ char *text = NULL;
        const char *value = i == 2 ? "1" : "yes";

        assert_true(asprintf(&text, OVERRIDES("detect_prio %s\n"), values[i]) > 0);
        assert_rival(text, BEFORE, DETECTS, "overrides", "detect_prio", value, 2);
        assert_rival(text, LATER, DETECTS, "overrides", "detect_prio", value, 2);
        assert_none(text, LATER, PLAIN);
    }
    for (size_t i = 0; i < ELEMENTSOF(others); i++) {
        _cleanup_free_ char *text = NULL;

        assert_true(asprintf(&text, OVERRIDES("detect_prio %s\n"), others[i]) > 0);
        assert_none_anywhere(text);
    }
    /* what multipathd does not understand leaves what was there */
    assert_rival(OVERRIDES("detect_prio yes\ndetect_prio maybe\n"), BEFORE, DETECTS, "overrides",
                 "detect_prio", "yes", 2);
}

static void test_devices(void **state)
{
    static const char *const matching[] = {
        "vendor \"LIO-ORG\"\nproduct \"lun0\"\n",
        "vendor \"^LIO-ORG$\"\nproduct \"^lun0$\"\n",
        "product \"^lun[0-9]+$\"\nvendor \"(EMC|LIO.ORG)\"\n",
        "vendor \"\"\nproduct \"\"\n",
    };
    static const char *const others[] = {
        "vendor \"LIO-ORG\"\nproduct \"lun1\"\n",
        "vendor \"EMC\"\nproduct \"lun0\"\n",
        "vendor \"LIO-ORG\"\nproduct \"^un0\"\n",
        "vendor \"^LIO-ORG $\"\nproduct \"lun0\"\n",
        "vendor \"LIO-ORG\"\nproduct \"(\"\n",
        "vendor \"[\"\nproduct \"lun0\"\n",
        "vendor \"LIO-ORG\"\n",
        "product \"lun0\"\n",
    };

    for (size_t i = 0; i < ELEMENTSOF(matching); i++) {
        _cleanup_free_ char *text = NULL;

        assert_true(asprintf(&text, DEVICE("%sdetect_prio yes\n"), matching[i]) > 0);
        assert_rival(text, LATER, DETECTS, "devices", "detect_prio", "yes", 5);
        assert_none(text, LATER, PLAIN);
        assert_none(text, BEFORE, DETECTS);
    }
    for (size_t i = 0; i < ELEMENTSOF(others); i++) {
        _cleanup_free_ char *text = NULL;

        assert_true(asprintf(&text, DEVICE("%sdetect_prio yes\n"), others[i]) > 0);
        assert_none_anywhere(text);
    }
    assert_none_anywhere(DEVICE("vendor .*\nproduct .*\ndetect_prio no\n"));
}

/* A disk of which nothing is known may be any. */
static void test_unknown_product(void **state)
{
    static const char text[] = DEVICE("vendor EMC\nproduct lun0\ndetect_prio yes\n");
    struct rival rival;

    assert_int_equal(rival_find(text, LATER, WWID, our_entry, DETECTS, NULL, "lun0", &rival), 1);
    rival_done(&rival);
    assert_int_equal(rival_find(text, LATER, WWID, our_entry, DETECTS, NULL, NULL, &rival), 1);
    rival_done(&rival);
    assert_int_equal(rival_find(text, LATER, WWID, our_entry, DETECTS, NULL, "lun1", &rival), 0);
    assert_int_equal(rival_find(text, LATER, WWID, our_entry, DETECTS, "LIO", NULL, &rival), 0);
}

static void test_values(void **state)
{
    static const struct {
        const char *line;
        const char *value;
    } lines[] = {
        {"prio alua", "alua"},
        {"prio alua#comment", "alua"},
        {"prio alua!comment", "alua"},
        {"prio\talua\t# prio const", "alua"},
        {"   prio   alua   }", "alua"},
        {"prio \"alua\"", "alua"},
        {"prio\"alua\"", "alua"},
        {"prio \"alua\" extra", "alua"},
        {"prio \"alua\"# comment", "alua"},
        {"prio \"a # b ! c { d }\"", "a # b ! c { d }"},
        {"prio \"a \"\"b\"\" c\"", "a \"b\" c"},
        {"prio \"\"\"\"", "\""},
        {"prio \"\"", ""},
        {"prio \"", ""},
        {"prio \"open", "open"},
        {"prio \" alua \"", " alua "},
        {"prio \"a\\\"b", "a\\"},
        {"prio }", "}"},
        {"\xc2\xa0prio alua", "alua"}, /* what is not ASCII is a blank */
        {"prio alua\r", "alua"},
    };

    for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
        _cleanup_free_ char *text = NULL;

        assert_true(asprintf(&text, MULTIPATH("wwid " WWID "\n%s\n"), lines[i].line) > 0);
        assert_rival(text, LATER, PLAIN, "multipaths", "prio", lines[i].value, 4);
    }
}

static void test_no_values(void **state)
{
    static const char *const lines[] = {
        "prio",          "prio # alua",       "#prio alua",      "!prio alua",
        "\"prio\" alua", "{ prio alua",       "prios alua",      "pri alua",
        "PRIO alua",     "alias x prio alua", "alias prio alua", "-prio alua",
    };

    for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
        _cleanup_free_ char *text = NULL;

        assert_true(asprintf(&text, MULTIPATH("wwid " WWID "\n%s\n"), lines[i]) > 0);
        assert_none_anywhere(text);
    }
}

static void test_braces(void **state)
{
    /* never closed, closed too often, opened on a line of its own, or closed with more behind */
    assert_rival("multipaths {\nmultipath {\nwwid " WWID "\nprio alua", LATER, PLAIN, "multipaths",
                 "prio", "alua", 4);
    assert_rival("}\n}\n" MULTIPATH("wwid " WWID "\nprio alua\n") "}\n", LATER, PLAIN, "multipaths",
                 "prio", "alua", 6);
    assert_rival("multipaths\n{\nmultipath\n{\nwwid " WWID "\nprio alua\n}\n}\n", LATER, PLAIN,
                 "multipaths", "prio", "alua", 6);
    assert_rival("defaults {\n} multipaths {\n" MULTIPATH("wwid " WWID "\nprio alua\n"), LATER,
                 PLAIN, "multipaths", "prio", "alua", 6);
    assert_rival("overrides{\ndetect_prio yes\n", BEFORE, DETECTS, "overrides", "detect_prio",
                 "yes", 2);
    /* what follows the brace in its line is lost on multipathd */
    assert_none_anywhere("multipaths { multipath { wwid " WWID "\nprio alua\n}\n}\n");
    assert_none_anywhere("multipaths {\nmultipath { wwid " WWID "\nprio alua\n}\n}\n");
    /* a section that was left is over */
    assert_none_anywhere(MULTIPATH("wwid " WWID "\n") "prio alua\n");
    assert_none_anywhere(MULTIPATH("wwid " WWID "\n}\nprio alua\n"));
}

static void test_nested_sections(void **state)
{
    static const char protocol[] = "protocol {\ntype \"scsi:iscsi\"\nfast_io_fail_tmo 5\n"
                                   "detect_prio yes\n}\n";
    static const char unknown[] = "new {\ndetect_prio yes\nprio const\ndeeper {\n}\n}\n";
    _cleanup_free_ char *known = NULL;
    _cleanup_free_ char *skipped = NULL;
    _cleanup_free_ char *inside = NULL;
    _cleanup_free_ char *alone = NULL;

    assert_true(asprintf(&known, OVERRIDES("%sdetect_prio yes\n"), protocol) > 0);
    assert_rival(known, BEFORE, DETECTS, "overrides", "detect_prio", "yes", 7);
    assert_true(asprintf(&alone, OVERRIDES("%s"), protocol) > 0);
    assert_none_anywhere(alone);
    assert_true(asprintf(&skipped, OVERRIDES("%sdetect_prio yes\n"), unknown) > 0);
    assert_rival(skipped, BEFORE, DETECTS, "overrides", "detect_prio", "yes", 8);
    assert_true(asprintf(&inside, MULTIPATH("wwid " WWID "\n%sprio alua\n"), unknown) > 0);
    assert_rival(inside, LATER, PLAIN, "multipaths", "prio", "alua", 10);
    assert_none_anywhere("new {\n" MULTIPATH("wwid " WWID "\nprio alua\n") "}\n");
}

static void test_trivial_texts(void **state)
{
    static const char *const texts[] = {
        "",     "\n",         "\n\n\n",       "}",           "{",  "\"", "#", "!", " ",
        "\r\n", "multipaths", "multipaths {", "overrides {", "x {"};

    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        assert_none_anywhere(texts[i]);
}

/* What the service writes does not win over itself. */
static void test_our_own_file(void **state)
{
    _cleanup_free_ char *device = NULL;
    _cleanup_free_ char *file = NULL;

    assert_int_equal(entry_device(VENDOR, PRODUCT, "sysfs", &device), 0);
    assert_int_equal(entry_file((const char *[]){device}, 1, (const char *[]){our_entry}, 1, &file),
                     0);
    assert_none_anywhere(file);
}

static void mutate(char *text, size_t size, struct prng *prng)
{
    static const char bytes[] = "{}\"#! \n\r\t\\yn10x.*([\xff";
    size_t n = 1 + prng_below(prng, 12);

    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(text);
        size_t at = prng_below(prng, length + 1);
        char byte = bytes[prng_below(prng, sizeof(bytes) - 1)];

        switch (prng_below(prng, 4)) {
        case 0: /* another byte */
            if (at < length)
                text[at] = byte;
            break;
        case 1: /* one more */
            if (length + 1 < size) {
                memmove(text + at + 1, text + at, length - at + 1);
                text[at] = byte;
            }
            break;
        case 2: /* a few less */
            length = prng_below(prng, length - at + 1) % 16;
            memmove(text + at, text + at + length, strlen(text + at + length) + 1);
            break;
        default: /* nothing from there on, now and then */
            if (prng_below(prng, 20) == 0)
                text[at] = '\0';
            break;
        }
    }
}

/* Whatever it says, a rival is one of those that there are, in a line that there is. */
static void test_garbage(void **state)
{
    static const char *const seeds[] = {
        usual,
        MULTIPATH("prio alua\nwwid \"" WWID "\"\npath_selector \"queue-length 0\"\n"),
        DEVICE("vendor \"^LIO\"\nproduct \".*\"\ndetect_prio yes\n")
            OVERRIDES("protocol {\ntype \"scsi:iscsi\"\n}\ndetect_prio \"yes\"\n"),
    };
    struct prng prng = {77};
    size_t n_found = 0;

    for (unsigned i = 0; i < 6000; i++) {
        char buffer[1024];
        _cleanup_free_ char *text = NULL;
        struct rival rival;
        unsigned n_lines = 1;

        snprintf(buffer, sizeof(buffer), "%s", seeds[i % ELEMENTSOF(seeds)]);
        mutate(buffer, sizeof(buffer), &prng);
        text = strdup(buffer); /* so that ASan sees its end */
        assert_non_null(text);
        for (const char *at = text; (at = strchr(at, '\n')); at++)
            n_lines++;
        if (rival_find(text, LATER, WWID, our_entry, DETECTS, VENDOR, PRODUCT, &rival) == 0)
            continue;
        n_found++;
        assert_true(rival.line >= 1 && rival.line <= n_lines);
        assert_non_null(strstr(text, rival.keyword));
        assert_non_null(rival.value);
        rival_done(&rival);
    }
    assert_true(n_found > 1000);
    assert_true(n_found < 6000);
}

static void test_random_bytes(void **state)
{
    static const char *const words[] = {
        "multipaths", "multipath", "devices", "device", "overrides", "protocol",    "wwid", WWID,
        "vendor",     "product",   ".*",      "prio",   "alua",      "detect_prio", "yes",  "{",
        "}",          "\"",        "\n",      " ",      "#",         "\n",          " {\n", "\n}\n",
    };
    struct prng prng = {99};

    for (unsigned i = 0; i < 4000; i++) {
        char buffer[1024] = "";
        _cleanup_free_ char *text = NULL;
        struct rival rival = {0};
        size_t length = 0;
        int r;

        while (length < 400)
            length += (size_t)snprintf(buffer + length, sizeof(buffer) - length, "%s ",
                                       words[prng_below(&prng, ELEMENTSOF(words))]);
        text = strdup(buffer);
        assert_non_null(text);
        r = rival_find(text, LATER, WWID, our_entry, DETECTS, VENDOR, PRODUCT, &rival);
        assert_true(r == 0 || r == 1);
        rival_done(&rival);
    }
}

/* As "show config" prints it. */
#define IN_FORCE(policy, more)                                                                     \
    MULTIPATH("\t\twwid \"" WWID "\"\n\t\tpath_grouping_policy \"" policy                          \
              "\"\n\t\tpath_selector \"round-robin 0\"\n\t\tprio \"weightedpath\"\n"               \
              "\t\tprio_args \"hbtl ^7:0:0:1$ 20 .* 10\"\n\t\tfailback \"immediate\"\n"            \
              "\t\trr_weight \"uniform\"\n" more)

static void test_in_force(void **state)
{
    static const char all[] = IN_FORCE("group_by_prio", "\t\trr_min_io_rq 1\n");
    static const char lacking[] = IN_FORCE("group_by_prio", "");
    static const char other[] = IN_FORCE("multibus", "\t\trr_min_io_rq 1\n");

    assert_int_equal(rival_in_force(all, WWID, our_entry), 1);
    assert_int_equal(rival_in_force(our_entry, WWID, our_entry), 0); /* not in its section */
    assert_int_equal(rival_in_force(all, "another", our_entry), 0);
    assert_int_equal(rival_in_force(lacking, WWID, our_entry), 0);
    assert_int_equal(rival_in_force(other, WWID, our_entry), 0);
    assert_int_equal(rival_in_force("", WWID, our_entry), 0);
    assert_int_equal(rival_in_force("defaults {\n}\n", WWID, our_entry), 0);
}

static int detection(const char *config)
{
    _cleanup_free_ char *ours = NULL;

    assert_int_equal(entry_device(VENDOR, PRODUCT, "sysfs", &ours), 0);
    return rival_detection(config, VENDOR, PRODUCT, ours);
}

static void test_detection(void **state)
{
    static const char defaults_no[] = "defaults {\n detect_prio \"no\"\n}\n";
    static const char device_no[] = DEVICE("vendor LIO\nproduct .*\ndetect_prio no\n");
    static const char device_yes[] = DEVICE("vendor LIO\nproduct .*\ndetect_prio yes\n");
    static const char other_no[] = DEVICE("vendor EMC\nproduct .*\ndetect_prio no\n");
    static const char ours_no[] =
        DEVICE("vendor \"^LIO-ORG$\"\nproduct \"^lun0$\"\ndetect_prio no\nprio sysfs\n");
    char text[512];

    assert_int_equal(detection(""), 1);
    assert_int_equal(detection(defaults_no), 0);
    assert_int_equal(detection(device_no), 0);
    assert_int_equal(detection(other_no), 1);
    assert_int_equal(detection(ours_no), 1);
    snprintf(text, sizeof(text), "%s%s", defaults_no, device_yes);
    assert_int_equal(detection(text), 1);
    snprintf(text, sizeof(text), "%s%s", device_no, ours_no);
    assert_int_equal(detection(text), 0);
    snprintf(text, sizeof(text), "%s%s", device_yes, OVERRIDES("detect_prio no\n"));
    assert_int_equal(detection(text), 0);
    snprintf(text, sizeof(text), "%s%s", device_no, OVERRIDES("detect_prio yes\n"));
    assert_int_equal(detection(text), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_each_keyword),
        cmocka_unit_test(test_same_values),
        cmocka_unit_test(test_other_keywords),
        cmocka_unit_test(test_wwid),
        cmocka_unit_test(test_place_of_sections),
        cmocka_unit_test(test_last_one_counts),
        cmocka_unit_test(test_first_one_is_told),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_in_force),
        cmocka_unit_test(test_detection),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_unknown_product),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_no_values),
        cmocka_unit_test(test_braces),
        cmocka_unit_test(test_nested_sections),
        cmocka_unit_test(test_trivial_texts),
        cmocka_unit_test(test_our_own_file),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
