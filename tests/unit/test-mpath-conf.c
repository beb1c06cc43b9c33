/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Configurations as multipathd reads them. What stands here was tried with `multipath -t` of 0.8.5,
 * 0.9.4, 0.11.1 and 0.15.1; tests/configuration compares with whatever release is there.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "plan/mpath-conf.h"

#define W "36001405aaaa"

/* Debian 11, 12, 13 and testing. */
static const unsigned releases[] = {805, 904, 1101, 1501};

static struct mpath_conf *read_files(unsigned version, const char *const *texts, size_t n)
{
    struct mpath_release release = mpath_release_of(version);
    struct mpath_conf *conf;

    assert_int_equal(mpath_conf_new(&release, &conf), 0);
    for (size_t i = 0; i < n; i++) {
        char name[] = {(char)('a' + i), '\0'};
        assert_int_equal(mpath_conf_read(conf, name, i == 0, texts[i], strlen(texts[i])), 0);
    }
    return conf;
}

static struct mpath_conf *read_one(unsigned version, const char *text)
{
    return read_files(version, &text, 1);
}

static void assert_value(const struct mpath_value *value, const char *text)
{
    if (text) {
        assert_non_null(value->text);
        assert_string_equal(value->text, text);
    } else
        assert_null(value->text);
}

/* What the section for W has for a keyword in each release; NULL: nothing, be there a section or
 * not. */
static void assert_multipath(const char *text, enum mpath_keyword keyword, const char *value)
{
    for (size_t i = 0; i < ELEMENTSOF(releases); i++) {
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_one(releases[i], text);
        const struct mpath_value *values = mpath_conf_multipath(conf, W);

        if (values)
            assert_value(&values[keyword], value);
        else
            assert_null(value);
    }
}

static void assert_override(const char *text, enum mpath_keyword keyword, const char *value)
{
    for (size_t i = 0; i < ELEMENTSOF(releases); i++) {
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_one(releases[i], text);
        assert_value(mpath_conf_override(conf, keyword), value);
    }
}

/* --- Sections ------------------------------------------------------------------------------- */

static void test_usual_file(void **state)
{
    static const char text[] = "# ours since 2019\n"
                               "defaults {\n"
                               "\tuser_friendly_names yes\n"
                               "\tdetect_prio no ! not ALUA\n"
                               "}\n"
                               "blacklist {\n"
                               "\tdevnode \"^(ram|loop)[0-9]*\"\n"
                               "\tdevice {\n"
                               "\t\tvendor \".*\"\n"
                               "\t}\n"
                               "}\n"
                               "devices {\n"
                               "\tdevice {\n"
                               "\t\tvendor \"NETAPP\"\n"
                               "\t\tproduct \"LUN.*\"\n"
                               "\t\tprio ontap\n"
                               "\t}\n"
                               "}\n"
                               "multipaths {\n"
                               "\tmultipath {\n"
                               "\t\twwid 3600140bbbb\n"
                               "\t\tprio alua\n"
                               "\t}\n"
                               "\tmultipath {\n"
                               "\t\tfailback 30 # seconds\n"
                               "\t\twwid \"36001405aaaa\"\n"
                               "\t}\n"
                               "}\n";
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_one(1101, text);
    const struct mpath_value *values = mpath_conf_multipath(conf, W);
    struct mpath_refusal refusal;

    assert_value(mpath_conf_default(conf, MPATH_DETECT_PRIO), "no");
    assert_int_equal(mpath_conf_default(conf, MPATH_DETECT_PRIO)->line, 4);
    assert_value(&values[MPATH_FAILBACK], "30");
    assert_string_equal(values[MPATH_FAILBACK].file, "a");
    assert_int_equal(values[MPATH_FAILBACK].line, 25);
    assert_value(&values[MPATH_PRIO], NULL);
    assert_int_equal(mpath_conf_n_multipaths(conf), 2);
    assert_int_equal(mpath_conf_n_devices(conf), 1);
    assert_value(&mpath_conf_device(conf, 0)[MPATH_PRIO], "ontap");
    assert_null(mpath_conf_device(conf, 1));
    assert_null(mpath_conf_multipath(conf, "36001405aaa"));
    assert_int_equal(mpath_conf_refusal(conf, &refusal), 0);
}

/* A section with its keyword in one line stays open, and what follows is read as its keywords. */
static void test_one_liners(void **state)
{
    static const char cloud_init[] = "defaults { user_friendly_names yes }\n"
                                     "blacklist {\n"
                                     "  devnode \"^sd\"\n"
                                     "}\n"
                                     "multipaths {\n"
                                     "  multipath {\n"
                                     "    wwid " W "\n"
                                     "    path_grouping_policy multibus\n";
    static const char guide[] = "blacklist { devnode \"^sd[a-z0-9]+\" }\n"
                                "devices { device {\nvendor .*\nproduct .*\ndetect_prio yes\n}\n}\n"
                                "overrides {\ndetect_prio yes\n}\n";

    assert_multipath(cloud_init, MPATH_PATH_GROUPING_POLICY, "multibus");
    for (size_t i = 0; i < ELEMENTSOF(releases); i++) {
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_one(releases[i], cloud_init);
        assert_int_equal(mpath_conf_multipath(conf, W)[MPATH_PATH_GROUPING_POLICY].line, 8);
    }
    assert_override(guide, MPATH_DETECT_PRIO, "yes");
    assert_multipath("multipaths { multipath { wwid " W "\nprio alua\n}\n}\n", MPATH_PRIO, NULL);
    assert_multipath("multipaths {\nmultipath { wwid " W "\nprio alua\n}\n}\n", MPATH_PRIO, NULL);
}

/* What multipathd does not know begins no section, and so its brace closes the one around. */
static void test_unknown_sections(void **state)
{
    assert_override("overrides {\nnew {\ndetect_prio yes\n}\n}\n", MPATH_DETECT_PRIO, "yes");
    assert_override("overrides {\nnew {\n}\ndetect_prio yes\n}\n", MPATH_DETECT_PRIO, NULL);
    assert_multipath("new {\nmultipaths {\nmultipath {\nwwid " W "\nprio alua\n}\n}\n}\n",
                     MPATH_PRIO, "alua");
    assert_multipath("default {\nmultipath {\nwwid " W "\nprio alua\n}\n}\n", MPATH_PRIO, NULL);
    assert_multipath("multipaths {\nmultipath {\nwwid " W
                     "\nnew {\nprio const\n}\nprio alua\n}\n}\n",
                     MPATH_PRIO, "const");
    assert_multipath("MULTIPATHS {\nmultipath {\nwwid " W "\nprio alua\n}\n}\n", MPATH_PRIO, NULL);
}

static void test_forgotten_braces(void **state)
{
    /* one section, of the second WWID */
    assert_multipath("multipaths {\nmultipath {\nwwid A\nalias a\nmultipath {\nwwid " W
                     "\nprio const\n}\n}\n",
                     MPATH_PRIO, "const");
    /* the device's closes the multipaths */
    assert_multipath("multipaths {\ndevice {\nvendor X\n}\nmultipath {\nwwid " W
                     "\nprio const\n}\n}\n",
                     MPATH_PRIO, NULL);
    /* never closed, closed too often, or with more behind */
    assert_multipath("multipaths {\nmultipath {\nwwid " W "\nprio alua", MPATH_PRIO, "alua");
    assert_multipath("}\n}\nmultipaths {\nmultipath {\nwwid " W "\nprio alua\n}\n}\n}\n",
                     MPATH_PRIO, "alua");
    assert_multipath("defaults {\n} multipaths {\nmultipaths {\nmultipath {\nwwid " W
                     "\nprio alua\n",
                     MPATH_PRIO, "alua");
    assert_multipath("multipaths {\nmultipath {\nwwid " W "\n}\nprio alua\n}\n", MPATH_PRIO, NULL);
}

/* Sections that their line only names; but overrides and protocols are read as any keyword. */
static void test_braces_of_their_own(void **state)
{
    assert_multipath("multipaths\n{\nmultipath\n{\nwwid " W "\nprio alua\n}\n}\n", MPATH_PRIO,
                     "alua");
    assert_multipath("multipaths x\nmultipath \"\nwwid " W "\nprio alua\n}\n}\n", MPATH_PRIO,
                     "alua");
    assert_override("overrides\n{\ndetect_prio yes\n}\n", MPATH_DETECT_PRIO, NULL);
    assert_override("overrides{\ndetect_prio yes\n}\n", MPATH_DETECT_PRIO, "yes");
    assert_override("overrides x\ndetect_prio yes\n}\n", MPATH_DETECT_PRIO, "yes");
}

static void test_place_of_sections(void **state)
{
    assert_multipath("multipath {\nwwid " W "\nprio alua\n}\n", MPATH_PRIO, NULL);
    assert_multipath("multipaths {\nwwid " W "\nprio alua\n}\n", MPATH_PRIO, NULL);
    assert_multipath("defaults {\nmultipath {\nwwid " W "\nprio alua\n}\n}\n", MPATH_PRIO, NULL);
    assert_multipath("multipaths {\nmultipath {\nprio alua\n}\nmultipath {\nwwid " W "\n}\n}\n",
                     MPATH_PRIO, NULL);
    for (size_t i = 0; i < ELEMENTSOF(releases); i++) {
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf =
            read_one(releases[i], "device {\nvendor A\nproduct B\n}\n"
                                  "blacklist {\ndevice {\nvendor A\nproduct B\n}\n}\n"
                                  "blacklist_exceptions {\ndevice {\nvendor A\nproduct B\n}\n}\n");
        assert_int_equal(mpath_conf_n_devices(conf), 0);
    }
}

/* Releases before 0.9.0 know no protocols in the overrides. */
static void test_protocols(void **state)
{
    static const char text[] = "overrides {\nprotocol {\ntype \"scsi:iscsi\"\nprio const\n}\n"
                               "detect_prio yes\n}\n";

    for (size_t i = 0; i < ELEMENTSOF(releases); i++) {
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_one(releases[i], text);
        bool knows = releases[i] >= 900;

        assert_value(mpath_conf_override(conf, MPATH_PRIO), knows ? NULL : "const");
        assert_value(mpath_conf_override(conf, MPATH_DETECT_PRIO), knows ? "yes" : NULL);
    }
}

/* --- Merging -------------------------------------------------------------------------------- */

static void test_last_one_counts(void **state)
{
    assert_multipath("multipaths {\nmultipath {\nwwid x\nwwid " W "\nprio alua\nprio const\n}\n}\n",
                     MPATH_PRIO, "const");
    assert_override("overrides {\ndetect_prio yes\n}\noverrides {\ndetect_prio no\n}\n",
                    MPATH_DETECT_PRIO, "no");
    assert_override("overrides {\ndetect_prio yes\n}\noverrides {\nprio const\n}\n",
                    MPATH_DETECT_PRIO, "yes");
}

static void test_files_are_merged(void **state)
{
    static const char *const texts[] = {
        "multipaths {\nmultipath {\nwwid " W "\nprio alua\nfailback manual\n}\n}\n",
        "multipaths {\nmultipath {\nwwid 1\n}\nmultipath {\nwwid " W "\nprio const\n}\n}\n",
        "multipaths {\nmultipath {\nwwid " W "\nrr_weight priorities\n}\n}\n",
    };

    for (size_t i = 0; i < ELEMENTSOF(releases); i++) {
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf =
            read_files(releases[i], texts, ELEMENTSOF(texts));
        const struct mpath_value *values = mpath_conf_multipath(conf, W);

        assert_int_equal(mpath_conf_n_multipaths(conf), 2);
        assert_value(&values[MPATH_PRIO], "const");
        assert_string_equal(values[MPATH_PRIO].file, "b");
        assert_int_equal(values[MPATH_PRIO].line, 7);
        assert_value(&values[MPATH_FAILBACK], "manual");
        assert_string_equal(values[MPATH_FAILBACK].file, "a");
        assert_value(&values[MPATH_RR_WEIGHT], releases[i] >= 1500 ? NULL : "priorities");
    }
}

/* An empty text is one where it comes last; it does not survive a later section without it. */
static void test_empty_texts(void **state)
{
    static const char text[] =
        "multipaths {\nmultipath {\nwwid " W "\nprio \"\"\nfailback manual\n}\n"
        "multipath {\nwwid " W "\n}\n}\n";

    assert_multipath("multipaths {\nmultipath {\nwwid " W "\nprio const\n}\n"
                     "multipath {\nwwid " W "\nprio \"\"\n}\n}\n",
                     MPATH_PRIO, "");
    assert_multipath(text, MPATH_PRIO, NULL);
    for (size_t i = 0; i < ELEMENTSOF(releases); i++) {
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_one(releases[i], text);
        assert_value(&mpath_conf_multipath(conf, W)[MPATH_FAILBACK],
                     releases[i] >= 900 ? "manual" : NULL);
    }
}

/* Sections for the same devices are one, which stands where the last of them does. */
static void test_devices(void **state)
{
    static const char first[] = "devices {\n"
                                "device {\nvendor A\nproduct B\nprio const\n}\n"
                                "device {\nvendor .*\nproduct .*\nprio alua\nfailback manual\n}\n"
                                "device {\nvendor A\n}\n"
                                "}\n",
                      second[] = "devices {\n"
                                 "device {\nvendor A\nproduct B\nrevision 1\n}\n"
                                 "device {\nproduct \"B\"\nvendor \"A\"\nfailback 5\n}\n"
                                 "}\n";
    static const char *const texts[] = {first, second};

    for (size_t i = 0; i < ELEMENTSOF(releases); i++) {
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_files(releases[i], texts, 2);

        assert_int_equal(mpath_conf_n_devices(conf), 3);
        assert_value(&mpath_conf_device(conf, 0)[MPATH_PRIO], "alua");
        assert_value(&mpath_conf_device(conf, 1)[MPATH_REVISION], "1");
        assert_value(&mpath_conf_device(conf, 2)[MPATH_PRIO], "const");
        assert_string_equal(mpath_conf_device(conf, 2)[MPATH_PRIO].file, "a");
        assert_value(&mpath_conf_device(conf, 2)[MPATH_FAILBACK], "5");
    }
}

static int matches(const char *vendor_regex, const char *product_regex, const char *vendor,
                   const char *product)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = NULL;

    assert_true(asprintf(&text, "devices {\ndevice {\nvendor \"%s\"\nproduct \"%s\"\n}\n}\n",
                         vendor_regex, product_regex) > 0);
    conf = read_one(1101, text);
    return mpath_device_matches(mpath_conf_device(conf, 0), vendor, product);
}

static void test_device_matches(void **state)
{
    assert_int_equal(matches("LIO-ORG", "lun0", "LIO-ORG ", "lun0            "), 1);
    assert_int_equal(matches("^LIO-ORG$", "^lun0$", "LIO-ORG ", "lun0            "), 1);
    assert_int_equal(matches("(EMC|LIO.ORG)", "^lun[0-9]+$", "LIO-ORG ", "lun0"), 1);
    assert_int_equal(matches("", "", "LIO-ORG ", "lun0"), 1);
    assert_int_equal(matches("LIO-ORG", "lun1", "LIO-ORG ", "lun0"), 0);
    assert_int_equal(matches("EMC", "lun0", "LIO-ORG ", "lun0"), 0);
    assert_int_equal(matches("^LIO-ORG $", "lun0", "LIO-ORG ", "lun0"), 0);
    assert_int_equal(matches("LIO-ORG", "(", "LIO-ORG ", "lun0"), 0);
    assert_int_equal(matches("[", "lun0", "LIO-ORG ", "lun0"), 0);
    /* of a disk of which nothing is known */
    assert_int_equal(matches("EMC", "lun0", NULL, "lun0"), 1);
    assert_int_equal(matches("EMC", "lun0", NULL, "lun1"), 0);
    assert_int_equal(matches("EMC", "lun0", NULL, NULL), 1);
}

/* A regex whose compilation would take gigabytes, or minutes, is about no device, and none to
 * refuse a file for.
 */
static void test_excessive_regexes(void **state)
{
    static const char *const regexes[] = {
        "((((a{1,200}){1,200}){1,200}){1,200})",
        "a++++++++++++++++++++++++++++++++++++++++",
        "(((|||||||||||||||||||||||||||||||||||||||||||||||a+)+)+)+",
    };

    for (size_t i = 0; i < ELEMENTSOF(regexes); i++) {
        _cleanup_free_ char *text = NULL;
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf = NULL;
        struct mpath_refusal refusal;

        assert_int_equal(matches(regexes[i], "", "a", "b"), 0);
        assert_true(asprintf(&text, "blacklist {\ndevnode \"%s\"\n}\n", regexes[i]) > 0);
        conf = read_one(1101, text);
        assert_int_equal(mpath_conf_refusal(conf, &refusal), 0);
    }
    assert_int_equal(
        matches("^(LIO|DELL|EMC)[-A-Z]+$", "^(lun|disk)[0-9]{1,4}$", "LIO-ORG", "lun0"), 1);
}

/* --- Values --------------------------------------------------------------------------------- */

/* What a second line makes of a first one, before 0.8.8 and since. NULL: it is not set. */
struct value_case {
    enum mpath_keyword keyword;
    const char *first, *second, *before, *since;
};

static void test_values(void **state)
{
    static const struct value_case cases[] = {
        {MPATH_DETECT_PRIO, "no", "yes", "yes", "yes"},
        {MPATH_DETECT_PRIO, "no", "1", "yes", "yes"},
        {MPATH_DETECT_PRIO, "yes", "0", "no", "no"},
        {MPATH_DETECT_PRIO, "yes", "maybe", NULL, "yes"},
        {MPATH_DETECT_PRIO, "yes", "NO", NULL, "yes"},
        {MPATH_FAILBACK, "5", "manual", "manual", "manual"},
        {MPATH_FAILBACK, "manual", "followover", "followover", "followover"},
        {MPATH_FAILBACK, "manual", " 10 ", "10", "10"},
        {MPATH_FAILBACK, "manual", "10s", "10", "manual"},
        {MPATH_FAILBACK, "manual", "0", NULL, NULL},
        {MPATH_FAILBACK, "manual", "later", NULL, "manual"},
        {MPATH_FAILBACK, "manual", "-2", "immediate", NULL},
        {MPATH_FAILBACK, "manual", "-9", "-9", NULL},
        {MPATH_FAILBACK, "manual", "99999999999", "1215752191", "2147483647"},
        {MPATH_RR_WEIGHT, "uniform", "priorities", "priorities", "priorities"},
        {MPATH_RR_WEIGHT, "uniform", "heavy", "uniform", "uniform"},
        {MPATH_RR_MIN_IO_RQ, "5", "010", "10", "10"},
        {MPATH_RR_MIN_IO_RQ, "5", "0", NULL, NULL},
        {MPATH_RR_MIN_IO_RQ, "5", "x", "5", "5"},
        {MPATH_RR_MIN_IO_RQ, "5", "-1", "-1", NULL},
        {MPATH_PATH_GROUPING_POLICY, "multibus", "failover", "failover", "failover"},
        {MPATH_PATH_GROUPING_POLICY, "multibus", "failovers", "failover", "failover"},
        {MPATH_PATH_GROUPING_POLICY, "multibus", "group_by", NULL, "multibus"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        const struct value_case *c = &cases[i];
        _cleanup_free_ char *text = NULL;
        _cleanup_(mpath_conf_freep) struct mpath_conf *old = NULL, *new = NULL;

        assert_true(asprintf(&text, "overrides {\n%s \"%s\"\n%s \"%s\"\n}\n",
                             mpath_keyword_name(c->keyword), c->first,
                             mpath_keyword_name(c->keyword), c->second) > 0);
        old = read_one(805, text);
        assert_value(mpath_conf_override(old, c->keyword), c->before);
        new = read_one(1101, text);
        assert_value(mpath_conf_override(new, c->keyword), c->since);
    }
}

/* Since 0.9.4 a selector has to say how many arguments it has. */
static void test_selectors(void **state)
{
    static const struct {
        const char *selector;
        bool counted;
    } cases[] = {
        {"round-robin 0", true},
        {" service-time  1 x ", true},
        {"x 2 900 0", true},
        {"round-robin", false},
        {"service-time 1", false},
        {"service-time 0 1", false},
        {"round-robin 0x0", false},
        {"x -1", false},
        {"", false},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_free_ char *text = NULL;
        _cleanup_(mpath_conf_freep) struct mpath_conf *old = NULL, *new = NULL;

        assert_true(asprintf(&text, "overrides {\npath_selector \"%s\"\n}\n", cases[i].selector) >
                    0);
        old = read_one(805, text);
        assert_value(mpath_conf_override(old, MPATH_PATH_SELECTOR), cases[i].selector);
        new = read_one(904, text);
        assert_value(mpath_conf_override(new, MPATH_PATH_SELECTOR),
                     cases[i].counted ? cases[i].selector : NULL);
    }
}

static void test_marginal_pathgroups(void **state)
{
    static const struct {
        const char *value, *meaning;
    } cases[] = {{"yes", "on"},  {"on", "on"}, {"no", "off"},
                 {"off", "off"}, {"1", "on"},  {"x", NULL}};

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_free_ char *text = NULL;
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf = NULL;

        assert_true(asprintf(&text, "defaults {\nmarginal_pathgroups %s\n}\n", cases[i].value) > 0);
        conf = read_one(1101, text);
        assert_value(mpath_conf_default(conf, MPATH_MARGINAL_PATHGROUPS), cases[i].meaning);
    }
}

/* --- Releases ------------------------------------------------------------------------------- */

static void test_keywords_of_releases(void **state)
{
    static const char text[] = "overrides {\nrr_weight priorities\nrr_min_io_rq 5\n"
                               "detect_pgpolicy no\ndetect_pgpolicy_use_tpg yes\n"
                               "path_grouping_policy group_by_tpg\n}\n";

    for (size_t i = 0; i < ELEMENTSOF(releases); i++) {
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_one(releases[i], text);
        bool weighs = releases[i] < 1500, has_tpg = releases[i] >= 906;

        assert_value(mpath_conf_override(conf, MPATH_RR_WEIGHT), weighs ? "priorities" : NULL);
        assert_value(mpath_conf_override(conf, MPATH_RR_MIN_IO_RQ), weighs ? "5" : NULL);
        assert_value(mpath_conf_override(conf, MPATH_DETECT_PGPOLICY), has_tpg ? "no" : NULL);
        assert_value(mpath_conf_override(conf, MPATH_DETECT_PGPOLICY_USE_TPG),
                     has_tpg ? "yes" : NULL);
        assert_value(mpath_conf_override(conf, MPATH_PATH_GROUPING_POLICY),
                     has_tpg ? "group_by_tpg" : NULL);
    }
}

/* What a multipathd has is what it shows, whatever its number. */
static void test_shown(void **state)
{
    _cleanup_(mpath_conf_freep) struct mpath_conf *old = NULL, *new = NULL;
    const struct mpath_release *release;

    assert_int_equal(mpath_conf_shown(1501,
                                      "defaults {\n\tverbosity 2\n\trr_min_io_rq 1\n"
                                      "\trr_weight \"uniform\"\n\tdetect_prio \"yes\"\n}\n",
                                      &old),
                     0);
    release = mpath_conf_release(old);
    assert_false(release->lacks[MPATH_RR_WEIGHT] || release->lacks[MPATH_RR_MIN_IO_RQ]);
    assert_true(release->lacks[MPATH_DETECT_PGPOLICY]);
    assert_true(release->lacks[MPATH_DETECT_PGPOLICY_USE_TPG]);
    assert_false(release->lacks[MPATH_PRIO]);

    assert_int_equal(mpath_conf_shown(904,
                                      "defaults {\n\tverbosity 2\n\tdetect_pgpolicy \"yes\"\n"
                                      "\tdetect_pgpolicy_use_tpg \"no\"\n}\n",
                                      &new),
                     0);
    release = mpath_conf_release(new);
    assert_true(release->lacks[MPATH_RR_WEIGHT] && release->lacks[MPATH_RR_MIN_IO_RQ]);
    assert_false(release->lacks[MPATH_DETECT_PGPOLICY]);
    assert_true(release->counts_arguments);
}

/* --- What is refused ------------------------------------------------------------------------ */

/* In the main file; in any other the line alone counts for nothing. */
static void assert_refused(unsigned version, const char *text, unsigned line, const char *keyword)
{
    const char *const texts[] = {"", text};
    _cleanup_(mpath_conf_freep) struct mpath_conf *main_file = read_one(version, text);
    _cleanup_(mpath_conf_freep) struct mpath_conf *other = read_files(version, texts, 2);
    struct mpath_refusal refusal = {0};

    assert_int_equal(mpath_conf_refusal(other, &refusal), 0);
    assert_int_equal(mpath_conf_refusal(main_file, &refusal), line > 0);
    if (line == 0)
        return;
    assert_string_equal(refusal.file, "a");
    assert_int_equal(refusal.line, line);
    assert_string_equal(refusal.keyword, keyword);
}

static void test_refused(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(releases); i++) {
        unsigned v = releases[i];

        assert_refused(v, "blacklist {\n wwid \"*\"\n}\n", 2, "wwid");
        assert_refused(v, "blacklist {\n wwid \".*\"\n devnode \"!*\"\n}\n", 3, "devnode");
        assert_refused(v, "blacklist_exceptions {\n property \"(\"\n protocol \"*\"\n}\n", 2,
                       "property");
        assert_refused(v, "blacklist {\n protocol {\n}\n", 2, "protocol"); /* a brace is no regex */
        assert_refused(v, "blacklist {\n device {\n product [\n", 3, "product");
        assert_refused(v, "blacklist {\n devnode \"\\!x\"\n wwid \"\"\n devnode \"^sd\"\n}\n", 0,
                       NULL);
        assert_refused(v, "blacklist {\n}\n wwid \"*\"\n", 0, NULL);
        assert_refused(v, "defaults {\n reservation_key 0x123\n}\n", 0, NULL);
        assert_refused(v, "defaults {\n reservation_key abc:aptpl\n}\n", 0, NULL);
        assert_refused(v, "defaults {\n reservation_key file\n}\n", 0, NULL);
        assert_refused(v, "defaults {\n reservation_key mine\n}\n", 2, "reservation_key");
        assert_refused(v, "defaults {\n reservation_key 0x00112233445566778\n}\n", 2,
                       "reservation_key");
        assert_refused(v, "devices {\n device {\n vendor \"*\"\n product \"*\"\n}\n}\n", 0, NULL);
    }
}

/* Releases before 0.8.8 refuse a number that is none. */
static void test_refused_numbers(void **state)
{
    static const char *const texts[] = {
        "defaults {\n verbosity x\n}\n",
        "defaults {\n max_polling_interval -5\n}\n",
        "multipaths {\n rr_min_io_rq 5x\nmultipath {\n wwid " W "\n rr_min_io_rq \"\"\n",
        "overrides {\n rr_min_io 99999999999\n}\n",
    };
    static const unsigned lines[] = {2, 2, 5, 2};
    static const char *const keywords[] = {"verbosity", "max_polling_interval", "rr_min_io_rq",
                                           "rr_min_io"};

    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        assert_refused(805, texts[i], lines[i], keywords[i]);
        assert_refused(904, texts[i], 0, NULL);
    }
}

/* That goes into the blacklist once all files are read, and so is refused in each. */
static void test_refused_in_any_file(void **state)
{
    static const char *const texts[] = {
        "", "devices {\ndevice {\nvendor A\nproduct B\nproduct_blacklist \"*\"\n}\n}\n"};

    for (size_t i = 0; i < ELEMENTSOF(releases); i++) {
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_files(releases[i], texts, 2);
        struct mpath_refusal refusal;

        assert_int_equal(mpath_conf_refusal(conf, &refusal), 1);
        assert_string_equal(refusal.file, "b");
        assert_int_equal(refusal.line, 5);
        assert_string_equal(refusal.keyword, "product_blacklist");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual_file),
        cmocka_unit_test(test_one_liners),
        cmocka_unit_test(test_unknown_sections),
        cmocka_unit_test(test_forgotten_braces),
        cmocka_unit_test(test_braces_of_their_own),
        cmocka_unit_test(test_place_of_sections),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_last_one_counts),
        cmocka_unit_test(test_files_are_merged),
        cmocka_unit_test(test_empty_texts),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_device_matches),
        cmocka_unit_test(test_excessive_regexes),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_marginal_pathgroups),
        cmocka_unit_test(test_keywords_of_releases),
        cmocka_unit_test(test_shown),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_numbers),
        cmocka_unit_test(test_refused_in_any_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
