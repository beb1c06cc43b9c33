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
#include "refuse-sync.h"
#include "service/multipathd/sync-attempt.h"

static char top[PATH_MAX], conf_d[PATH_MAX + 32];

/* A multipathd that is only counted. */
static unsigned n_reconfigured;

int __wrap_mpathd_version(int timeout_ms, unsigned *ret);
int __wrap_mpathd_config(int timeout_ms, char **ret);
int __wrap_mpathd_reconfigure(int timeout_ms);

int __wrap_mpathd_version(int timeout_ms, unsigned *ret)
{
    *ret = 909;
    return 0;
}

int __wrap_mpathd_config(int timeout_ms, char **ret)
{
    *ret = strdup("");
    return *ret ? 0 : -ENOMEM;
}

int __wrap_mpathd_reconfigure(int timeout_ms)
{
    n_reconfigured++;
    return 0;
}

static int set_up(void **state)
{
    refuse_sync = false;
    n_reconfigured = 0;
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

/* One attempt that has nothing to tell but that there is nothing left. */
static struct sync_outcome publish_nothing(bool owed)
{
    struct sync_attempt attempt = {.schedule = {.running = ATTEMPT_SYNC, .owed = owed}};
    struct sync_outcome outcome;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(sync_attempt_run(fds[1], &attempt), 0);
    assert_int_equal(read(fds[0], &outcome, sizeof(outcome)), sizeof(outcome));
    close(fds[0]);
    close(fds[1]);
    return outcome;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_last_entry_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_last_entry_goes_but_for_the_disk, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
