/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What prio multipathd detects for a disk, and what a device section of ours would do to others. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "basic/macros.h"
#include "plan/detection.h"

#define OURS "ours"
#define MAIN "main"
#define LATER "later"

#define DEVICE(lines) "devices {\ndevice {\nvendor LIO\nproduct .*\n" lines "}\n}\n"
#define OVERRIDES(lines) "overrides {\n" lines "}\n"
#define DEFAULTS(lines) "defaults {\n" lines "}\n"

/* Sections that multipathd has built in, as it shows them. */
#define BUILT_IN                                                                                   \
    "devices {\n"                                                                                  \
    "device {\nvendor \"(NETAPP|LSI|ENGENIO)\"\nproduct \"INF-01-00\"\nprio \"rdac\"\n}\n"         \
    "device {\nvendor \"PURE\"\nproduct \"FlashArray\"\nprio \"alua\"\ndetect_prio \"no\"\n}\n"

static char lio_vendor[] = "LIO-ORG", lio_product[] = "lun0";
static const struct detection_disk lio = {lio_vendor, lio_product, DSM_ALUA_BOTH, true, true};

static const struct mpath_value nowhere;

struct files {
    const char *main, *later; /* NULL: there is none */
    const char *shown;        /* what stands there besides what is built in */
    unsigned version;         /* 0: 0.11.1 */
};

/* Not freed before the values that are looked at. */
static struct mpath_conf *conf, *shown;

static int tear_down(void **state)
{
    mpath_conf_freep(&conf);
    mpath_conf_freep(&shown);
    conf = shown = NULL;
    return 0;
}

static void read_file(const char *name, const char *text)
{
    if (text)
        assert_int_equal(mpath_conf_read(conf, name, strcmp(name, MAIN) == 0, text, strlen(text)),
                         0);
}

static struct detection find(const struct files *files, const struct detection_disk *disk)
{
    const struct mpath_release release = mpath_release_of(files->version ?: 1101);
    struct detection found = {.prio = "untouched", .insists = &nowhere};
    char text[2048];

    tear_down(NULL);
    assert_int_equal(mpath_conf_new(&release, &conf), 0);
    read_file(MAIN, files->main);
    read_file(OURS, "");
    read_file(LATER, files->later);
    snprintf(text, sizeof(text), BUILT_IN "%s}\n", files->shown ?: "");
    assert_int_equal(mpath_conf_shown(files->version ?: 1101, text, &shown), 0);
    assert_int_equal(detection_find(conf, shown, OURS, disk, &found), 0);
    return found;
}

static void assert_prio(const struct detection *found, const char *prio)
{
    if (!prio) {
        assert_null(found->prio);
        return;
    }
    assert_non_null(found->prio);
    assert_string_equal(found->prio, prio);
}

static void assert_place(const struct mpath_value *value, const char *file, unsigned line)
{
    if (!file) {
        assert_null(value);
        return;
    }
    assert_non_null(value);
    assert_string_equal(value->file, file);
    assert_int_equal(value->line, line);
}

/* By what the disk is, as multipathd's detect_prio() has it. */
static void test_disks(void **state)
{
    static char netapp[] = "NETAPP", inf[] = "INF-01-00";
    static const struct {
        struct detection_disk disk;
        const char *prio;
    } cases[] = {
        {{lio_vendor, lio_product, DSM_ALUA_NONE, true, true}, NULL},
        {{lio_vendor, lio_product, DSM_ALUA_NONE, false, false}, NULL},
        {{netapp, inf, DSM_ALUA_NONE, true, false}, NULL}, /* by its own rdac handler */
        {{lio_vendor, lio_product, DSM_ALUA_IMPLICIT, true, true}, "sysfs"},
        {{lio_vendor, lio_product, DSM_ALUA_EXPLICIT, true, true}, "sysfs"},
        {{lio_vendor, lio_product, DSM_ALUA_BOTH, true, true}, "sysfs"},
        {{lio_vendor, lio_product, DSM_ALUA_BOTH, false, false},
         "alua"}, /* a kernel without the handler */
        {{netapp, inf, DSM_ALUA_IMPLICIT, true, true}, "alua"},
        {{netapp, inf, DSM_ALUA_EXPLICIT, true, true}, "sysfs"},
        {{netapp, inf, DSM_ALUA_BOTH, true, true}, "alua"},
        {{lio_vendor, lio_product, DSM_ALUA_BOTH, true, false},
         "sysfs"}, /* with a handler that somebody insists on */
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct detection found = find(&(struct files){0}, &cases[i].disk);

        assert_prio(&found, cases[i].prio);
        assert_int_equal(detection_needs_section(&found, true), cases[i].prio != NULL);
        assert_int_equal(detection_needs_section(&found, false),
                         cases[i].prio && !cases[i].disk.is_followed);
    }
}

/* Overrides before devices before defaults, of which the last one counts that matches. */
static void test_switched_off(void **state)
{
    static const char no[] = DEVICE("detect_prio no\n"), yes[] = DEVICE("detect_prio yes\n");
    static const struct {
        struct files files;
        bool detects;
        unsigned line; /* of what insists, in the later file; 0: nothing does */
    } cases[] = {
        {{.main = DEFAULTS("detect_prio no\n")}, false, 0},
        {{.later = DEFAULTS("detect_prio no\n")}, false, 0},
        {{.main = no}, false, 0},
        {{.later = no}, false, 0},
        {{.main = yes}, true, 0},
        {{.later = yes}, true, 5},
        {{.main = DEFAULTS("detect_prio no\n"), .later = yes}, true, 5},
        {{.main = no, .later = yes}, true, 5},
        {{.main = yes, .later = no}, false, 0},
        {{.main = OVERRIDES("detect_prio no\n"), .later = yes}, false, 0},
        {{.main = no, .later = OVERRIDES("detect_prio yes\n")}, true, 2},
        {{.later = OVERRIDES("detect_prio perhaps\n")}, true, 0},
        {{.later = "devices {\ndevice {\nvendor EMC\nproduct .*\ndetect_prio no\n}\n}\n"}, true, 0},
        {{.later = "devices {\ndevice {\nvendor [\nproduct .*\ndetect_prio no\n}\n}\n"}, true, 0},
        {{.shown = "device {\nvendor \"^LIO-ORG$\"\nproduct \"^lun0$\"\ndetect_prio \"no\"\n}\n"},
         true,
         0}, /* ours */
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct detection found = find(&cases[i].files, &lio);

        assert_int_equal(found.prio != NULL, cases[i].detects);
        assert_place(found.insists, cases[i].line ? LATER : NULL, cases[i].line);
    }
}

/* What is built in counts where no file says anything. */
static void test_built_in(void **state)
{
    static char vendor[] = "PURE", product[] = "FlashArray";
    const struct detection_disk pure = {vendor, product, DSM_ALUA_BOTH, true, true};
    struct detection found = find(&(struct files){0}, &pure);

    assert_prio(&found, NULL);
    found = find(&(struct files){.main = DEFAULTS("detect_prio yes\n")}, &pure);
    assert_prio(&found, NULL);
    found = find(&(struct files){.main = "devices {\ndevice {\nvendor PURE\nproduct F.*\n"
                                         "detect_prio yes\n}\n}\n"},
                 &pure);
    assert_prio(&found, "sysfs");
}

/* Somebody's prio, which has no effect as long as one is detected. */
static void test_prio_of_others(void **state)
{
    static const struct {
        struct files files;
        const char *file;
        unsigned line;
    } cases[] = {
        {{.main = DEVICE("prio const\n")}, NULL, 0}, /* ours is read later */
        {{.main = DEFAULTS("prio const\n"), .later = DEFAULTS("prio const\n")}, NULL, 0},
        {{.later = DEVICE("path_grouping_policy failover\nprio const\n")}, LATER, 6},
        {{.later = DEVICE("prio sysfs\n")}, NULL, 0},
        {{.main = OVERRIDES("prio const\n")}, MAIN, 2},
        {{.main = OVERRIDES("prio sysfs\n"), .later = DEVICE("prio const\n")}, NULL, 0},
        {{.later = "devices {\ndevice {\nvendor EMC\nproduct .*\nprio const\n}\n}\n"}, NULL, 0},
    };
    enum mpath_keyword keyword;

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct detection found = find(&cases[i].files, &lio);

        assert_prio(&found, "sysfs");
        assert_place(found.other, cases[i].file, cases[i].line);
        assert_int_equal(detection_needs_section(&found, true), cases[i].file == NULL);
        assert_place(detection_override(&found, true, &keyword), cases[i].file, cases[i].line);
        if (cases[i].file)
            assert_int_equal(keyword, MPATH_PRIO);
        assert_null(detection_override(&found, false, &keyword));
    }
}

/* Groups by target port group: a single group of ours needs a section, too, or loses. */
static void test_by_target(void **state)
{
    static const struct {
        struct files files;
        bool by_target;
    } cases[] = {
        {{.main = DEFAULTS("detect_pgpolicy_use_tpg yes\n")}, true},
        {{.main = DEFAULTS("detect_pgpolicy_use_tpg yes\n"), .version = 904}, false},
        {{.main = OVERRIDES("detect_pgpolicy_use_tpg yes\n")}, true},
        {{.main = DEVICE("detect_pgpolicy_use_tpg yes\n")}, true},
        {{.main = DEVICE("detect_pgpolicy_use_tpg yes\ndetect_pgpolicy no\n")}, false},
        {{.main = DEFAULTS("detect_pgpolicy_use_tpg yes\n"),
          .later = DEVICE("detect_pgpolicy_use_tpg no\n")},
         false},
    };
    enum mpath_keyword keyword;

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct detection found = find(&cases[i].files, &lio);

        assert_int_equal(detection_matters(&found, false), cases[i].by_target);
        assert_int_equal(detection_needs_section(&found, false), cases[i].by_target);
        assert_null(detection_override(&found, false, &keyword));
    }
}

static void test_by_target_has_a_name(void **state)
{
    static const struct files insisting = {
        .main = DEFAULTS("detect_pgpolicy_use_tpg yes\n"),
        .later = OVERRIDES("detect_prio yes\n"),
    };
    struct detection found = find(&insisting, &lio);
    enum mpath_keyword keyword;

    assert_place(detection_override(&found, false, &keyword), MAIN, 2);
    assert_int_equal(keyword, MPATH_DETECT_PGPOLICY_USE_TPG);
    assert_place(detection_override(&found, true, &keyword), LATER, 2);
    assert_int_equal(keyword, MPATH_DETECT_PRIO);
}

/* A multipathd that does not answer cannot say what is built in. */
static void test_without_an_answer(void **state)
{
    struct detection found = find(&(struct files){0}, &lio);

    assert_int_equal(detection_find(conf, NULL, OURS, &lio, &found), 0);
    assert_prio(&found, "sysfs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_disks, tear_down),
        cmocka_unit_test_teardown(test_switched_off, tear_down),
        cmocka_unit_test_teardown(test_built_in, tear_down),
        cmocka_unit_test_teardown(test_prio_of_others, tear_down),
        cmocka_unit_test_teardown(test_by_target, tear_down),
        cmocka_unit_test_teardown(test_by_target_has_a_name, tear_down),
        cmocka_unit_test_teardown(test_without_an_answer, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
