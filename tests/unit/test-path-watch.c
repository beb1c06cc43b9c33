/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/macros.h"
#include "service/base/path-watch.h"

static struct {
    sd_event *event;
    char top[64];
    struct path_watch *watch;
    unsigned n_news;
    sd_event_inotify_handler_t handler; /* of the last place, */
    void *place;                        /* and its userdata */
} world;

int __real_sd_event_add_inotify(sd_event *event, sd_event_source **ret, const char *path,
                                uint32_t mask, sd_event_inotify_handler_t handler, void *userdata);
int __wrap_sd_event_add_inotify(sd_event *event, sd_event_source **ret, const char *path,
                                uint32_t mask, sd_event_inotify_handler_t handler, void *userdata);

int __wrap_sd_event_add_inotify(sd_event *event, sd_event_source **ret, const char *path,
                                uint32_t mask, sd_event_inotify_handler_t handler, void *userdata)
{
    int r = __real_sd_event_add_inotify(event, ret, path, mask, handler, userdata);

    if (r >= 0) {
        world.handler = handler;
        world.place = userdata;
    }
    return r;
}

/* --- Files ---------------------------------------------------------------------------------- */

static const char *at(const char *name)
{
    static char paths[2][PATH_MAX]; /* some calls take two */
    static unsigned i;
    char *path = paths[i++ % 2];

    snprintf(path, sizeof(paths[0]), "%s/%s", world.top, name);
    return path;
}

static void make_directory(const char *name)
{
    assert_int_equal(mkdir(at(name), 0700), 0);
}

static void put(const char *name)
{
    _cleanup_fclose_ FILE *file = fopen(at(name), "we");

    assert_non_null(file);
    fputs("text\n", file);
}

static void move(const char *from, const char *to)
{
    assert_int_equal(rename(at(from), at(to)), 0);
}

static void point(const char *link, const char *to)
{
    assert_int_equal(symlink(to, at(link)), 0);
}

static void take_away(const char *name)
{
    assert_int_equal(remove(at(name)), 0);
}

/* --- What is told --------------------------------------------------------------------------- */

static void on_news(void *userdata)
{
    world.n_news++;
}

static bool is_conf(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && strcmp(dot, ".conf") == 0;
}

static void watch_file(const char *name)
{
    assert_int_equal(path_watch_file(world.event, at(name), on_news, NULL, &world.watch), 0);
}

static void watch_directory(const char *name)
{
    assert_int_equal(
        path_watch_directory(world.event, at(name), is_conf, on_news, NULL, &world.watch), 0);
}

/* All that there is to hear is heard. */
static unsigned news(void)
{
    world.n_news = 0;
    while (sd_event_run(world.event, 0) > 0)
        ;
    return world.n_news;
}

static void assert_news(void)
{
    assert_true(news() > 0);
}

static void assert_no_news(void)
{
    assert_int_equal(news(), 0);
}

/* --- Tests ---------------------------------------------------------------------------------- */

static int begin(void **state)
{
    memset(&world, 0, sizeof(world));
    strcpy(world.top, "/tmp/test-path-watch-XXXXXX");
    return mkdtemp(world.top) && sd_event_new(&world.event) >= 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int end(void **state)
{
    path_watch_free(world.watch);
    sd_event_unref(world.event);
    return nftw(world.top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_a_file(void **state)
{
    watch_file("name");
    put("other");
    assert_no_news();
    put("name");
    assert_news();
    put("name");
    assert_news();
    put("new");
    move("new", "name");
    assert_news();
    take_away("name");
    assert_news();
    put("name");
    assert_news();
}

/* The directory comes later, goes, is another one. */
static void test_a_file_of_a_directory(void **state)
{
    watch_file("a/b/name");
    make_directory("a");
    assert_news();
    make_directory("a/b");
    assert_news();
    put("a/b/name");
    assert_news();
    move("a", "old");
    assert_news();
    put("old/b/name");
    assert_no_news();
    make_directory("a");
    make_directory("a/b");
    put("a/b/name");
    assert_news();
    put("a/b/name");
    assert_news();
    take_away("a/b/name");
    take_away("a/b");
    assert_news();
    make_directory("a/b");
    assert_news();
    put("a/b/name");
    assert_news();
}

static void test_a_directory(void **state)
{
    watch_directory("a/conf.d");
    make_directory("a");
    make_directory("a/conf.d");
    assert_news();
    put("a/conf.d/text");
    assert_no_news();
    put("a/conf.d/1.conf");
    assert_news();
    assert_int_equal(link(at("a/conf.d/1.conf"), at("a/conf.d/2.conf")), 0);
    assert_news();
    take_away("a/conf.d/1.conf");
    assert_news();
    take_away("a/conf.d/2.conf");
    assert_news();
    take_away("a/conf.d/text");
    assert_no_news();
    take_away("a/conf.d");
    assert_news();
    make_directory("a/conf.d");
    assert_news();
    put("a/conf.d/1.conf");
    assert_news();
}

/* Links on the way, and at its end. */
static void test_links(void **state)
{
    make_directory("one");
    make_directory("two");
    make_directory("etc");
    point("now", "one");
    point("etc/name", "../now/./name");
    watch_file("etc/name");
    assert_no_news();
    put("two/name");
    assert_no_news();
    put("one/name");
    assert_news();
    put("one/name");
    assert_news();
    point("new", at("two"));
    move("new", "now");
    assert_news();
    put("one/name");
    assert_no_news();
    put("two/name");
    assert_news();
}

static void test_links_of_a_directory(void **state)
{
    make_directory("conf.d");
    make_directory("else");
    watch_directory("conf.d");
    point("conf.d/1.conf", "../else/file");
    assert_news();
    put("else/file");
    assert_news();
    point("conf.d/text", "../else/text");
    assert_no_news();
    put("else/text");
    assert_no_news();
    take_away("conf.d/1.conf");
    assert_news();
    put("else/file");
    assert_no_news();
}

static void test_a_circle(void **state)
{
    point("a", "b");
    point("b", "a");
    watch_file("a");
    assert_no_news();
    take_away("b");
    assert_news();
    put("b");
    assert_news();
    put("b");
    assert_news();
}

/* More than inotify has room for: one of them can have been of the file. */
static void test_files_lost(void **state)
{
    struct inotify_event lost = {.mask = IN_Q_OVERFLOW};

    watch_file("name");
    assert_int_equal(world.handler(NULL, &lost, world.place), 0);
    assert_int_equal(world.n_news, 1);
    put("name");
    assert_news();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_file, begin, end),
        cmocka_unit_test_setup_teardown(test_a_file_of_a_directory, begin, end),
        cmocka_unit_test_setup_teardown(test_a_directory, begin, end),
        cmocka_unit_test_setup_teardown(test_links, begin, end),
        cmocka_unit_test_setup_teardown(test_links_of_a_directory, begin, end),
        cmocka_unit_test_setup_teardown(test_a_circle, begin, end),
        cmocka_unit_test_setup_teardown(test_files_lost, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
