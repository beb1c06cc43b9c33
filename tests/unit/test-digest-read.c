/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Records in a directory of the test's own: which files count, what is watched, and the lock. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/macros.h"
#include "iscsi/digest-read.h"

#define NODE "nodes/iqn.2025-01.com.example:t/192.0.2.1,3260,1/default"
#define RECORD "# BEGIN RECORD 2.1.8\nnode.name = x\n# END RECORD\n"

static char directory[64];
static const uint8_t key[DIGEST_KEY_SIZE] = {9};

static int remove_entry(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
    return ftw->level > 0 ? remove(name) : 0;
}

static int setup(void **state)
{
    return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* In memory, where there is such a place, for there are many records. */
static int group_setup(void **state)
{
    snprintf(directory, sizeof(directory), "%s/iscsi-wmi-records-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(directory) ? setenv("ISCSI_WMI_RECORDS", directory, 1) : -1;
}

static int group_teardown(void **state)
{
    setup(state);
    return rmdir(directory);
}

/* Writes a file below the directory, which gets the directories that it needs. */
static void put(const char *name, const char *text)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    for (char *p = path + strlen(directory) + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = '\0';
        if (mkdir(path, 0770) < 0)
            assert_int_equal(errno, EEXIST);
    }
    _cleanup_fclose_ FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
}

static void assert_read(int watch_fd, size_t wanted)
{
    _cleanup_(digest_set_clear) struct digest_set set = {0};

    assert_int_equal(digests_read(watch_fd, key, &set), 0);
    assert_int_equal(set.n, wanted);
    assert_false(set.too_many);
    assert_false(set.unwatched);
}

static void test_no_open_iscsi(void **state)
{
    assert_int_equal(setenv("ISCSI_WMI_RECORDS", "/nonexistent", 1), 0);
    assert_read(-1, 0);
    assert_int_equal(setenv("ISCSI_WMI_RECORDS", directory, 1), 0);
}

static void test_which_files(void **state)
{
    char from[128], to[128];

    assert_read(-1, 0);
    put(NODE, RECORD);
    put("nodes/iqn.2025-01.com.example:t/192.0.2.1,3260,1/eth1", RECORD);
    put("nodes/iqn.2025-01.com.example:t/192.0.2.2,3260", RECORD);
    put("ifaces/eth1", "iface.mtu = 1\n");
    put("send_targets/192.0.2.1,3260/st_config", "discovery.type = sendtargets\n");
    put("isns/192.0.2.1,3205/isns_config", "discovery.type = isns\n");
    assert_read(-1, 6);

    /* None of these is a record. */
    put("ifaces/iface.example", "# iface.mtu = 1\n");
    put("nodes/iqn.2025-01.com.example:t/no-portal", RECORD);
    put("nodes/file", RECORD);
    put("static/x", RECORD);
    put("send_targets/192.0.2.1,3260/more", RECORD);
    put("iscsid.conf", "node.startup = manual\n");
    snprintf(from, sizeof(from), "%s/send_targets/192.0.2.1,3260/link", directory);
    snprintf(to, sizeof(to), "%s/ifaces/eth1", directory);
    assert_int_equal(symlink(to, from), 0);
    assert_read(-1, 6);
}

static void test_too_many(void **state)
{
    _cleanup_(digest_set_clear) struct digest_set set = {0};
    char name[32];

    for (unsigned i = 0; i < DIGEST_RECORDS_MAX; i++) {
        snprintf(name, sizeof(name), "ifaces/%u", i);
        put(name, "iface.mtu = 1\n");
    }
    assert_read(-1, DIGEST_RECORDS_MAX);
    put("ifaces/more", "iface.mtu = 1\n");
    assert_int_equal(digests_read(-1, key, &set), 0);
    assert_true(set.too_many);
    assert_int_equal(set.n, DIGEST_RECORDS_MAX);
}

static bool has_event(int fd)
{
    char data[4096];
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (poll(&p, 1, 0) <= 0)
        return false;
    while (read(fd, data, sizeof(data)) > 0)
        ;
    return true;
}

/* Whatever comes or changes where records are shows; each new directory after it was read. */
static void test_watched(void **state)
{
    static const char *const names[] = {
        "nodes/x",
        NODE,
        "nodes/iqn.2025-01.com.example:u/192.0.2.1,3260,1/default",
        "nodes/iqn.2025-01.com.example:u/192.0.2.2,3260,1/default",
        "ifaces/a",
        "send_targets/192.0.2.1,3260/st_config",
        "isns/192.0.2.1,3205/isns_config",
    };
    char path[256];
    _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    assert_true(fd >= 0);
    assert_read(fd, 0);
    (void)has_event(fd); /* of the lock's directory, the first time */
    assert_read(fd, 0);
    assert_false(has_event(fd)); /* reading is no change */
    for (size_t i = 0; i < ELEMENTSOF(names); i++) {
        put(names[i], RECORD);
        assert_true(has_event(fd));
        assert_read(fd, i);
        assert_false(has_event(fd));
        put(names[i], RECORD);
        assert_true(has_event(fd));
    }
    for (size_t i = 1; i < ELEMENTSOF(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        assert_int_equal(unlink(path), 0);
        assert_true(has_event(fd));
    }
    assert_read(fd, 0);
}

/* Another process holds the lock for a while: it is waited for, and given back. */
static void test_lock(void **state)
{
    char lock[128], taken[128];

    put(NODE, RECORD);
    put("lock/lock", "");
    snprintf(lock, sizeof(lock), "%s/lock/lock", directory);
    snprintf(taken, sizeof(taken), "%s/lock/lock.write", directory);
    assert_int_equal(link(lock, taken), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        usleep(300000);
        _exit(unlink(taken));
    }
    assert_read(-1, 1);
    assert_int_equal(access(taken, F_OK), -1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* One that is being written is read when it is whole. */
static void test_unfinished(void **state)
{
    char path[256];

    put(NODE, "");
    snprintf(path, sizeof(path), "%s/%s", directory, NODE);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        usleep(120000);
        FILE *file = fopen(path, "we");
        _exit(!file || fputs(RECORD, file) < 0 || fclose(file) != 0);
    }
    assert_read(-1, 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* ---- whose the lock's directory is ---- */

static void assert_not_read(int error)
{
    struct digest_set set;
    assert_int_equal(digests_read(-1, key, &set), error);
}

static void path_of(char path[128], const char *name)
{
    snprintf(path, 128, "%s/%s", directory, name);
}

static void put_link(const char *name, const char *to)
{
    char from[128], target[128];

    path_of(from, name);
    path_of(target, to);
    assert_int_equal(symlink(target, from), 0);
}

/* Root would make a file, or open another's, where the link leads. */
static void test_lock_is_a_link(void **state)
{
    char path[128];

    put(NODE, RECORD);
    put("lock/x", "");
    put_link("lock/lock", "elsewhere");
    assert_not_read(-ELOOP);
    path_of(path, "elsewhere");
    assert_int_equal(access(path, F_OK), -1);
}

static void test_lock_directory_is_a_link(void **state)
{
    char path[128];

    put(NODE, RECORD);
    put("elsewhere/x", "");
    put_link("lock", "elsewhere");
    assert_not_read(-ENOTDIR);
    path_of(path, "elsewhere/lock");
    assert_int_equal(access(path, F_OK), -1);
}

static void test_lock_directory_of_others(void **state)
{
    char path[128];

    put(NODE, RECORD);
    put("lock/x", "");
    path_of(path, "lock");
    assert_read(-1, 1);
    assert_int_equal(chmod(path, 0777), 0);
    assert_not_read(-EPERM);
    assert_int_equal(chmod(path, 0755), 0);
    assert_read(-1, 1);
    if (geteuid() != 0)
        return;
    assert_int_equal(chown(path, 0, 65534), 0);
    assert_read(-1, 1);
    assert_int_equal(chmod(path, 0770), 0);
    assert_not_read(-EPERM);
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(chown(path, 65534, 0), 0);
    assert_not_read(-EPERM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    static const struct CMUnitTest tests[] = {
        TEST(test_no_open_iscsi),
        TEST(test_which_files),
        TEST(test_too_many),
        TEST(test_watched),
        TEST(test_lock),
        TEST(test_unfinished),
        TEST(test_lock_is_a_link),
        TEST(test_lock_directory_is_a_link),
        TEST(test_lock_directory_of_others),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
