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
#include "plan/override.h"

#define WWID "36001405aaaa"
#define RELEASE 1101U

/* Where a file stands to ours, which is its name as well. */
#define MAIN "main"
#define OURS "ours"
#define LATER "later"

/* Sections around lines of a test, which begin on line 3. */
#define MULTIPATH(lines) "multipaths {\n multipath {\n" lines " }\n}\n"

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

static void read_file(struct mpath_conf *conf, const char *name, const char *text)
{
    bool is_main = strcmp(name, MAIN) == 0;

    assert_int_equal(mpath_conf_read(conf, name, is_main, text, strlen(text)), 0);
}

/* multipathd's files: that one, and ours with the entry. */
static struct mpath_conf *read_files(const char *name, const char *text, unsigned version)
{
    const struct mpath_release release = mpath_release_of(version);
    _cleanup_free_ char *ours = NULL;
    struct mpath_conf *conf;

    assert_true(asprintf(&ours, "multipaths {\n%s}\n", our_entry) > 0);
    assert_int_equal(mpath_conf_new(&release, &conf), 0);
    if (strcmp(name, MAIN) == 0)
        read_file(conf, name, text);
    read_file(conf, OURS, ours);
    if (strcmp(name, LATER) == 0)
        read_file(conf, name, text);
    return conf;
}

static const struct override_map our_map = {WWID, our_entry, OURS, NULL};

static void assert_override_in(const char *file, const char *text, const char *keyword,
                               unsigned line)
{
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_files(file, text, RELEASE);
    struct override override;

    assert_int_equal(override_find(conf, &our_map, &override), 1);
    assert_string_equal(override.file, file);
    assert_string_equal(override.keyword, keyword);
    assert_int_equal(override.line, line);
}

static void assert_override(const char *text, const char *keyword, unsigned line)
{
    assert_override_in(LATER, text, keyword, line);
}

static void assert_none_in(const char *file, const char *text, unsigned version)
{
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_files(file, text, version);
    struct override override = {.line = 4711};

    assert_int_equal(override_find(conf, &our_map, &override), 0);
    assert_int_equal(override.line, 4711);
}

static void assert_none(const char *text)
{
    assert_none_in(MAIN, text, RELEASE);
    assert_none_in(LATER, text, RELEASE);
}

/* A file as administrators have it. */
static const char usual[] = "# ours since 2019\n"
                            "defaults {\n"
                            "\tuser_friendly_names yes\n"
                            "\tdetect_prio yes ! the default\n"
                            "\tpath_selector \"service-time 0\"\n"
                            "}\n"
                            "multipaths {\n"
                            "\tmultipath {\n"
                            "\t\twwid 3600140bbbb\n"
                            "\t\tprio alua\n"
                            "\t}\n"
                            "\tmultipath {\n"
                            "\t\talias data\n"
                            "\t\tfailback 30 # seconds\n"
                            "\t\twwid \"36001405aaaa\"\n"
                            "\t}\n"
                            "}\n";

static void test_usual(void **state)
{
    assert_override(usual, "failback", 14);
    assert_none_in(MAIN, usual, RELEASE);
}

static void test_each_keyword(void **state)
{
    static const struct {
        const char *name, *value;
    } keywords[] = {
        {"path_grouping_policy", "multibus"},
        {"path_selector", "\"queue-length 0\""},
        {"prio", "const"},
        {"prio_args", "other"},
        {"failback", "manual"},
        {"rr_weight", "priorities"},
        {"rr_min_io_rq", "100"},
    };

    for (size_t i = 0; i < ELEMENTSOF(keywords); i++) {
        _cleanup_free_ char *text = NULL;

        assert_true(asprintf(&text, MULTIPATH(" wwid " WWID "\n %s %s\n"), keywords[i].name,
                             keywords[i].value) > 0);
        assert_override(text, keywords[i].name, 4);
        assert_none_in(MAIN, text, RELEASE);
    }
}

static void test_same_values(void **state)
{
    assert_none(MULTIPATH("wwid \"" WWID "\"\n"
                          "path_grouping_policy \"group_by_prio\"\n"
                          "path_selector \"round-robin 0\"\n"
                          "prio \"weightedpath\"\n"
                          "prio_args \"hbtl ^7:0:0:1$ 20 .* 10\"\n"
                          "failback \"immediate\"\n"
                          "rr_weight \"uniform\"\n"
                          "rr_min_io_rq \"1\"\n"));
}

/* Only what our entry says can lose, and only to a section for the same map. */
static void test_what_is_none(void **state)
{
    assert_none("");
    assert_none(MULTIPATH("wwid " WWID "\nalias data\nno_path_retry fail\nrr_min_io 100\n"));
    assert_none(MULTIPATH("wwid " WWID "0\nprio alua\n"));
    assert_none(MULTIPATH("wwid \".*\"\nprio alua\n"));
    assert_none(MULTIPATH("prio alua\n"));
    assert_none("overrides {\nprio alua\nfailback manual\n}\n");
    assert_none("devices {\ndevice {\nvendor .*\nproduct .*\nfailback manual\n}\n}\n");
    assert_none(MULTIPATH("wwid " WWID "\npath_selector round-robin\n")); /* it makes no sense */
}

/* multipathd's value is the last one of each keyword. */
static void test_last_one_counts(void **state)
{
    assert_none(MULTIPATH("wwid " WWID "\nprio alua\nprio weightedpath\n"));
    assert_override(MULTIPATH("wwid " WWID "\nprio weightedpath\nprio alua\n"), "prio", 5);
    assert_none(MULTIPATH("wwid " WWID "\nprio alua\n")
                    MULTIPATH("wwid " WWID "\nprio weightedpath\n"));
    assert_override(MULTIPATH("wwid " WWID "\nprio alua\nfailback manual\n")
                        MULTIPATH("wwid " WWID "\nprio weightedpath\n"),
                    "failback", 5);
}

/* 0.15 takes no rr_weight and no rr_min_io_rq: they do not win, though they stand there. */
static void test_deprecated_keywords(void **state)
{
    static const char text[] = MULTIPATH("wwid " WWID "\nrr_weight priorities\nrr_min_io_rq 9\n");

    assert_none_in(LATER, text, 1501);
    assert_override(text, "rr_weight", 4);
}

/* Values of ours that an earlier reading of our file has are nobody else's. */
static void test_another_entry_of_ours(void **state)
{
    static const char before[] =
        "    multipath {\n        wwid \"" WWID "\"\n        prio x\n    }\n";
    const struct override_map map = {WWID, before, OURS, NULL};
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_files(LATER, "", RELEASE);
    struct override override;

    assert_int_equal(override_find(conf, &map, &override), 0);
}

/* A section that multipathd does not know is none: its lines go to the one around, its brace closes
 * that. */
static void test_nested_sections(void **state)
{
    static const char unknown[] = "new {\ndetect_prio yes\nprio const\n}\n";
    _cleanup_free_ char *inside = NULL, *behind = NULL;

    assert_true(asprintf(&inside, MULTIPATH("wwid " WWID "\n%s"), unknown) > 0);
    assert_override(inside, "prio", 6);
    assert_true(asprintf(&behind, MULTIPATH("wwid " WWID "\nnew {\n}\nprio const\n")) > 0);
    assert_none(behind);
    assert_override("new {\n" MULTIPATH("wwid " WWID "\nprio alua\n") "}\n", "prio", 5);
}

/* One-liners stay open; what they hold goes on until a brace closes them. */
static void test_one_liners(void **state)
{
    static const char cloud[] = "defaults { user_friendly_names yes }\n"
                                "blacklist {\n"
                                "  devnode \"^sd\"\n"
                                "}\n"
                                "multipaths {\n"
                                "  multipath {\n"
                                "    wwid " WWID "\n"
                                "    path_grouping_policy multibus\n"
                                "  }\n"
                                "}\n";
    static const char braces[] = "multipaths {\n"
                                 "multipath { wwid " WWID "\n"
                                 "prio const\n"
                                 "}\n"
                                 "}\n";

    assert_override(cloud, "path_grouping_policy", 8);
    assert_none(braces); /* it has no wwid */
}

/* --- Detection ------------------------------------------------------------------------------ */

static const struct mpath_value place = {NULL, LATER, 7};

static void test_detection(void **state)
{
    const struct detection insists = {.prio = "sysfs", .insists = &place};
    const struct detection none = {.prio = "sysfs"};
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_files(LATER, "", RELEASE);
    struct override_map map = our_map;
    struct override override;

    map.detection = &none;
    assert_int_equal(override_find(conf, &map, &override), 0);
    assert_false(override_in_detection(&map, &override));
    map.detection = &insists;
    assert_int_equal(override_find(conf, &map, &override), 1);
    assert_string_equal(override.keyword, "detect_prio");
    assert_string_equal(override.file, LATER);
    assert_int_equal(override.line, 7);
    assert_true(override_in_detection(&map, &override));
    map.entry =
        "    multipath {\n        wwid \"" WWID "\"\n        prio_args \"hbtl .* 10\"\n    }\n";
    assert_false(override_in_detection(&map, &override));
}

static void test_marginal(void **state)
{
    static const struct {
        const char *text;
        unsigned version;
        bool found;
    } cases[] = {
        {"", RELEASE, false},
        {"defaults {\nmarginal_pathgroups yes\n}\n", RELEASE, true},
        {"defaults {\nmarginal_pathgroups yes\n}\n", 805, true},
        {"defaults {\nmarginal_pathgroups fpin\n}\n", RELEASE, true},
        {"defaults {\nmarginal_pathgroups no\n}\n", RELEASE, false},
        {"defaults {\nmarginal_pathgroups perhaps\n}\n", RELEASE, false},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf =
            read_files(MAIN, cases[i].text, cases[i].version);
        struct override override;

        assert_int_equal(override_marginal(conf, &override), cases[i].found);
        if (!cases[i].found)
            continue;
        assert_string_equal(override.keyword, "marginal_pathgroups");
        assert_string_equal(override.file, MAIN);
        assert_int_equal(override.line, 2);
    }
}

/* --- In force ------------------------------------------------------------------------------- */

#define DEFAULTS "defaults {\n\trr_weight \"uniform\"\n\trr_min_io_rq 1\n}\n"

/* As "show config" prints it. */
#define SHOWN(policy, more)                                                                        \
    MULTIPATH("\t\twwid \"" WWID "\"\n\t\tpath_grouping_policy \"" policy                          \
              "\"\n\t\tpath_selector \"round-robin 0\"\n\t\tprio \"weightedpath\"\n"               \
              "\t\tprio_args \"hbtl ^7:0:0:1$ 20 .* 10\"\n\t\tfailback \"immediate\"\n" more)

static int in_force(const char *answer, const char *wwid)
{
    _cleanup_(mpath_conf_freep) struct mpath_conf *shown = NULL;

    assert_int_equal(mpath_conf_shown(RELEASE, answer, &shown), 0);
    return override_entry_in_force(shown, wwid, our_entry);
}

static void test_in_force(void **state)
{
    static const char more[] = "\t\trr_weight \"uniform\"\n\t\trr_min_io_rq 1\n";
    _cleanup_free_ char *all = NULL, *other = NULL;

    assert_true(asprintf(&all, DEFAULTS SHOWN("group_by_prio", "%s"), more) > 0);
    assert_true(asprintf(&other, DEFAULTS SHOWN("multibus", "%s"), more) > 0);
    assert_int_equal(in_force(all, WWID), 1);
    assert_int_equal(in_force(all, "another"), 0);
    assert_int_equal(in_force(other, WWID), 0);
    assert_int_equal(in_force(DEFAULTS SHOWN("group_by_prio", ""), WWID), 0);
    assert_int_equal(in_force(our_entry, WWID), 0); /* not in its section */
    assert_int_equal(in_force("", WWID), 0);
}

/* One whose defaults do not know them does not know them elsewhere. */
static void test_in_force_without_keywords(void **state)
{
    assert_int_equal(in_force("defaults {\n}\n" SHOWN("group_by_prio", ""), WWID), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual),
        cmocka_unit_test(test_each_keyword),
        cmocka_unit_test(test_same_values),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_last_one_counts),
        cmocka_unit_test(test_deprecated_keywords),
        cmocka_unit_test(test_another_entry_of_ours),
        cmocka_unit_test(test_nested_sections),
        cmocka_unit_test(test_one_liners),
        cmocka_unit_test(test_detection),
        cmocka_unit_test(test_marginal),
        cmocka_unit_test(test_in_force),
        cmocka_unit_test(test_in_force_without_keywords),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
