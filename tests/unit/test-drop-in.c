/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fileio.h"
#include "basic/macros.h"
#include "multipath/drop-in.h"
#include "refuse-sync.h"

/* A directory that stands for /etc, with multipath/conf.d not made yet. */
static char top[PATH_MAX], conf_d[PATH_MAX + 32];

static const char *path_of(const char *name)
{
    static char paths[2][PATH_MAX + 64]; /* rename() wants two */
    static unsigned i;
    char *path = paths[i++ % 2];

    snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
    return path;
}

static void put(const char *name, const char *text)
{
    _cleanup_fclose_ FILE *file = fopen(path_of(name), "we");
    assert_non_null(file);
    fputs(text, file);
}

static void assert_content(const char *expected)
{
    _cleanup_free_ char *text = NULL;
    assert_int_equal(read_text(path_of("multipath/conf.d/" DROP_IN_NAME), 4096, &text), 0);
    assert_string_equal(text, expected);
}

/* 1: it was changed, 0: it was so already. */
static int write_drop_in(const char *text)
{
    bool changed = false;
    int r = drop_in_write(text, &changed);

    if (r < 0)
        assert_false(changed);
    return r < 0 ? r : changed;
}

static int set_up(void **state)
{
    refuse_sync = false;
    snprintf(top, sizeof(top), "/tmp/test-drop-in-XXXXXX");
    assert_non_null(mkdtemp(top));
    snprintf(conf_d, sizeof(conf_d), "%s/multipath/conf.d", top);
    setenv("CONFIGURATION_DIRECTORY", conf_d, 1);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int tear_down(void **state)
{
    return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_write_and_remove(void **state)
{
    struct stat before, after;

    assert_int_equal(write_drop_in(NULL), 0); /* nothing there, nothing made */
    assert_int_equal(access(conf_d, F_OK), -1);

    assert_int_equal(write_drop_in("one\n"), 1);
    assert_content("one\n");
    assert_int_equal(stat(path_of("multipath/conf.d/" DROP_IN_NAME), &before), 0);
    assert_int_equal(before.st_mode & 0777, 0644);
    assert_int_equal(write_drop_in("one\n"), 0);
    assert_int_equal(stat(path_of("multipath/conf.d/" DROP_IN_NAME), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(write_drop_in("two\n"), 1);
    assert_content("two\n");

    assert_int_equal(write_drop_in(NULL), 1);
    assert_int_equal(access(path_of("multipath/conf.d/" DROP_IN_NAME), F_OK), -1);
    assert_int_equal(write_drop_in(NULL), 0);
}

/* The directory that multipathd watches never sees a half-written file, nor one of another name. */
static void test_nothing_is_left_beside_it(void **state)
{
    assert_int_equal(write_drop_in("one\n"), 1);
    put("multipath/." DROP_IN_NAME ".abcdef", "left behind by one that was killed");
    assert_int_equal(write_drop_in("two\n"), 1);
    assert_int_equal(access(path_of("multipath/." DROP_IN_NAME ".abcdef"), F_OK), -1);

    /* only conf.d is in the directory above, and only the file in conf.d */
    assert_int_equal(unlink(path_of("multipath/conf.d/" DROP_IN_NAME)), 0);
    assert_int_equal(rmdir(conf_d), 0);
    assert_int_equal(rmdir(path_of("multipath")), 0);
}

/* Whatever fails, the old file stays whole. The directory stands for a file system that is full. */
static void test_failure(void **state)
{
    assert_int_equal(write_drop_in("one\n"), 1);
    assert_int_equal(rename(path_of("multipath"), path_of("moved")), 0);
    put("multipath", "a file where the directory should be");
    assert_int_equal(write_drop_in("two\n"), -ENOTDIR);
    assert_int_equal(write_drop_in(NULL), 0);
    assert_int_equal(unlink(path_of("multipath")), 0);
    assert_int_equal(rename(path_of("moved"), path_of("multipath")), 0);
    assert_content("one\n");
}

/* The change that does not reach the disk is there for all to read. */
static void test_failure_at_the_end(void **state)
{
    bool changed = false;

    assert_int_equal(write_drop_in("one\n"), 1);
    refuse_sync = true;
    assert_int_equal(drop_in_write("two\n", &changed), -EIO);
    assert_true(changed);
    assert_content("two\n");

    changed = false;
    assert_int_equal(drop_in_write(NULL, &changed), -EIO);
    assert_true(changed);
    assert_int_equal(access(path_of("multipath/conf.d/" DROP_IN_NAME), F_OK), -1);
    assert_int_equal(write_drop_in(NULL), 0); /* nothing left to do */
}

/* Which file the alias of a map comes from, and with `text` in place of ours. */
static void assert_alias_from(const char *wwid, const char *text, const char *file)
{
    const struct mpath_release release = mpath_release_of(1101);
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = NULL;
    const struct mpath_value *values;
    uint64_t digest;

    assert_int_equal(drop_in_read(&release, text, &conf, &digest), 0);
    values = mpath_conf_multipath(conf, wwid);
    if (!file) {
        assert_null(values);
        return;
    }
    assert_non_null(values);
    assert_string_equal(values[MPATH_ALIAS].file, path_of(file));
}

#define SECTION(wwid) "multipaths {\nmultipath {\nwwid " wwid "\nalias x\n}\n}\n"

/* Each file as if it were the last one that says something. */
static void test_order_of_files(void **state)
{
    static const char *const files[] = {
        "multipath.conf",
        "multipath/conf.d/.old.conf",
        "multipath/conf.d/10-admin.conf",
        "multipath/conf.d/95-admin.conf",
        "multipath/conf.d/a.conf",
    };

    assert_alias_from("w", "", NULL);
    assert_alias_from("w", SECTION("w"), "multipath/conf.d/" DROP_IN_NAME);
    assert_int_equal(write_drop_in(SECTION("old")), 1);
    for (size_t i = 0; i < ELEMENTSOF(files); i++) {
        put(files[i], SECTION("w"));
        assert_alias_from("w", "", files[i]);
        assert_alias_from("w", SECTION("w"), i < 3 ? "multipath/conf.d/" DROP_IN_NAME : files[i]);
    }
    put("multipath/conf.d/99-admin.conf.bak", SECTION("bak"));
    assert_alias_from("bak", "", NULL);
    assert_alias_from("old", "", NULL); /* what is there of ours does not count */
}

/* A file that cannot be read for want of a descriptor may say something all the same. */
static void test_no_descriptor(void **state)
{
    const struct mpath_release release = mpath_release_of(1101);
    struct mpath_conf *conf;
    struct rlimit limit;
    uint64_t digest;

    put("multipath.conf", SECTION("w"));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int r = drop_in_read(&release, "", &conf, &digest);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(r, -EMFILE);
}

static uint64_t digest_of_files(const char *text)
{
    const struct mpath_release release = mpath_release_of(1101);
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = NULL;
    uint64_t digest;

    assert_int_equal(drop_in_read(&release, text, &conf, &digest), 0);
    return digest;
}

static void test_digest(void **state)
{
    uint64_t none = digest_of_files(""), one, moved, other;

    assert_int_equal(write_drop_in("ours"), 1);
    assert_true(digest_of_files("another") == none);
    put("multipath/conf.d/10-admin.conf", "a\n");
    one = digest_of_files("");
    assert_true(one != none);
    assert_true(digest_of_files("") == one);
    put("multipath/conf.d/10-admin.conf", "b\n");
    other = digest_of_files("");
    assert_true(other != one);
    assert_int_equal(unlink(path_of("multipath/conf.d/10-admin.conf")), 0);
    assert_true(digest_of_files("") == none);
    put("multipath/conf.d/11-admin.conf", "a\n");
    moved = digest_of_files("");
    assert_true(moved != one && moved != none);
}

static void test_main_file(void **state)
{
    char path[PATH_MAX];

    assert_int_equal(drop_in_main_file(path), 0);
    assert_string_equal(path, path_of("multipath.conf"));
    setenv("CONFIGURATION_DIRECTORY", "relative", 1); /* not from systemd: the build's own */
    assert_int_equal(drop_in_main_file(path), 0);
    assert_string_equal(path, "/etc/multipath.conf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_and_remove, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_left_beside_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failure_at_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order_of_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_descriptor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_digest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_main_file, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
