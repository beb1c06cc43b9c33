/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What multipathd is owed where the file for it changed and more could not be done: the last entry
 * goes, after which a file that is not there cannot tell of it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/macros.h"
#include "multipath/drop-in.h"
#include "plan/entry.h"
#include "refuse-sync.h"
#include "service/multipathd/sync-attempt.h"

static char top[PATH_MAX], conf_d[PATH_MAX + 32];

/* A multipathd that is only counted. What it shows, and what it will when it has read its files. */
static unsigned n_reconfigured;
static const char *shown, *shown_then;
static bool runs;

int __wrap_mpathd_version(int timeout_ms, unsigned *ret);
int __wrap_mpathd_config(int timeout_ms, char **ret);
int __wrap_mpathd_begin_reconfigure(int timeout_ms);

int __wrap_mpathd_version(int timeout_ms, unsigned *ret)
{
    if (!runs)
        return -ENOTCONN;
    *ret = 909;
    return 0;
}

int __wrap_mpathd_config(int timeout_ms, char **ret)
{
    *ret = strdup(shown);
    return *ret ? 0 : -ENOMEM;
}

int __wrap_mpathd_begin_reconfigure(int timeout_ms)
{
    n_reconfigured++;
    shown = shown_then;
    return 0;
}

static int set_up(void **state)
{
    refuse_sync = false;
    runs = true;
    n_reconfigured = 0;
    shown = shown_then = "";
    snprintf(top, sizeof(top), "/tmp/test-attempt-XXXXXX");
    assert_non_null(mkdtemp(top));
    snprintf(conf_d, sizeof(conf_d), "%s/conf.d", top);
    return setenv("CONFIGURATION_DIRECTORY", conf_d, 1);
}

/* The file is gone by then. */
static int tear_down(void **state)
{
    return rmdir(conf_d) < 0 || rmdir(top) < 0 ? -1 : 0;
}

static struct sync_outcome run(struct sync_attempt *attempt)
{
    struct {
        struct sync_verdict verdict;
        struct sync_outcome outcome;
    } both;
    struct sync_outcome outcome;
    int fds[2];
    ssize_t n;

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(sync_attempt_run(fds[1], attempt), 0);
    n = read(fds[0], &both, sizeof(both));
    close(fds[0]);
    close(fds[1]);
    if (n == sizeof(both))
        return both.outcome;
    assert_int_equal(n, sizeof(outcome));
    memcpy(&outcome, &both, sizeof(outcome));
    return outcome;
}

/* One attempt that has nothing to tell but that there is nothing left. */
static struct sync_outcome publish_nothing(bool owed)
{
    struct sync_attempt attempt = {.schedule = {.running = ATTEMPT_SYNC, .owed = owed}};

    return run(&attempt);
}

static void write_file(void)
{
    bool changed = false;

    assert_int_equal(drop_in_write("one\n", &changed), 0);
    assert_true(changed);
}

static void test_last_entry_goes(void **state)
{
    write_file();
    struct sync_outcome outcome = publish_nothing(false);
    assert_int_equal(outcome.error, 0);
    assert_true(outcome.changed && outcome.reconfigured);
    assert_int_equal(n_reconfigured, 1);

    outcome = publish_nothing(false);
    assert_false(outcome.changed || outcome.reconfigured);
    assert_int_equal(n_reconfigured, 1);
}

/* The file is gone, only not from the disk: the next attempt has to know that. */
static void test_last_entry_goes_but_for_the_disk(void **state)
{
    write_file();
    refuse_sync = true;
    struct sync_outcome outcome = publish_nothing(false);
    assert_int_equal(outcome.error, -EIO);
    assert_true(outcome.changed);
    assert_int_equal(n_reconfigured, 0);

    outcome = publish_nothing(outcome.changed);
    assert_int_equal(outcome.error, 0);
    assert_true(outcome.reconfigured);
    assert_int_equal(n_reconfigured, 1);
}

#define ENTRY(wwid)                                                                                \
    "    multipath {\n        wwid \"" wwid "\"\n        prio_args \"hbtl .* 10\"\n    }\n"

/* One attempt to tell of one entry, after that many in vain. */
static struct sync_outcome publish_entry(char *wwid, char *entry, unsigned unproved,
                                         uint64_t digest)
{
    struct sync_part part = {.wwid = wwid, .entry = entry};
    struct sync_attempt attempt = {
        .parts = &part,
        .n = 1,
        .has_seen = true,
        .schedule = {.running = ATTEMPT_SYNC, .unproved = unproved, .digest = digest},
    };

    shown = "";
    return run(&attempt);
}

static void put_other_file(const char *text)
{
    char path[PATH_MAX + 64];
    FILE *file;

    snprintf(path, sizeof(path), "%s/99-admin.conf", conf_d);
    if (!text) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* It is asked once more where there is something new to read, and else only looked at. */
static void test_in_vain(void **state)
{
    static char a[] = "a", b[] = "b", entry_a[] = ENTRY("a"), entry_b[] = ENTRY("b");

    shown_then = "multipaths {\n" ENTRY("a") "}\n";
    struct sync_outcome outcome = publish_entry(a, entry_a, 0, 0);
    assert_int_equal(outcome.error, 0);
    assert_true(outcome.changed && outcome.reconfigured && !outcome.unproved);
    uint64_t digest = outcome.digest;
    assert_true(digest != 0);

    outcome = publish_entry(a, entry_a, SYNC_TRIES - 1, digest);
    assert_int_equal(outcome.error, 0);
    assert_true(outcome.reconfigured);

    outcome = publish_entry(a, entry_a, SYNC_TRIES, digest);
    assert_int_equal(outcome.error, -ETIMEDOUT);
    assert_false(outcome.reconfigured || outcome.unproved);
    assert_non_null(strstr(outcome.text, conf_d));

    put_other_file("defaults {\n}\n");
    outcome = publish_entry(a, entry_a, SYNC_TRIES, digest);
    assert_int_equal(outcome.error, 0);
    assert_true(outcome.reconfigured && outcome.digest != digest);
    put_other_file(NULL);

    shown_then = "multipaths {\n" ENTRY("b") "}\n";
    outcome = publish_entry(b, entry_b, SYNC_TRIES, digest);
    assert_int_equal(outcome.error, 0);
    assert_true(outcome.changed && outcome.reconfigured);
    assert_int_equal(n_reconfigured, 4);
    (void)publish_nothing(false);
}

static void assert_in_file(const char *text, bool is_there)
{
    _cleanup_free_ char *file = NULL;

    assert_int_equal(drop_in_read_ours(&file), 0);
    assert_int_equal(strstr(file, text) != NULL, is_there);
}

/*
 * Maps that are expected: their products' sections stay, as the disks decide that are there; and
 * multipathd is told of nothing that it has read when it started.
 */
static void test_expected(void **state)
{
    static char a[] = "a", entry[] = ENTRY("a"), vendor[] = "LIO", product[] = "one";
    struct sync_part part = {.wwid = a, .entry = entry};
    char *devices[2];
    struct sync_attempt attempt = {
        .parts = &part,
        .n = 1,
        .devices = (const char *const *)devices,
        .n_devices = 2,
        .schedule = {.running = ATTEMPT_SYNC},
    };

    assert_int_equal(entry_device("LIO", "one", "alua", &devices[0]), 0);
    assert_int_equal(entry_device("LIO", "two", "alua", &devices[1]), 0);
    shown = shown_then = "multipaths {\n" ENTRY("a") "}\n";
    assert_int_equal(run(&attempt).error, 0);
    assert_in_file(devices[0], true);
    assert_in_file(devices[1], true);
    shown = ""; /* it was told at its start, or will be */
    struct sync_outcome outcome = run(&attempt);
    assert_false(outcome.error < 0 || outcome.changed || outcome.reconfigured);

    attempt.has_seen = true;
    part.disk = (struct detection_disk){vendor, product, DSM_ALUA_BOTH, true, true};
    shown = shown_then;
    assert_true(run(&attempt).changed);
    assert_in_file("product \"^one$\"\n        detect_prio no\n        prio sysfs\n", true);
    assert_in_file(devices[0], false);
    assert_in_file(devices[1], true);

    part.disk.alua = DSM_ALUA_NONE;
    assert_true(run(&attempt).changed);
    assert_in_file("^one$", false);
    assert_in_file(devices[1], true);
    free(devices[0]);
    free(devices[1]);
    (void)publish_nothing(false);
}

/* It has to have heard that there is nothing, though the file says so already. */
static void test_nothing_must_be_told(void **state)
{
    static char a[] = "a", entry[] = ENTRY("a");
    struct sync_part part = {.wwid = a, .entry = entry};
    const struct sync_attempt previous = {.parts = &part, .n = 1};
    struct sync_attempt attempt = {
        .previous = &previous,
        .schedule = {.running = ATTEMPT_SYNC},
    };

    write_file();
    (void)publish_nothing(false);
    n_reconfigured = 0;
    shown = "multipaths {\n" ENTRY("a") "}\n";
    assert_int_equal(run(&attempt).error, 0);
    assert_int_equal(n_reconfigured, 0);

    attempt.must_tell = true;
    runs = false;
    assert_int_equal(run(&attempt).error, -ENOTCONN);
    runs = true;
    struct sync_outcome outcome = run(&attempt);
    assert_int_equal(outcome.error, 0);
    assert_true(outcome.reconfigured && !outcome.changed);
    assert_int_equal(n_reconfigured, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_last_entry_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_in_vain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_expected, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_must_be_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_last_entry_goes_but_for_the_disk, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
