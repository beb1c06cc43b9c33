/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fileio.h"
#include "basic/macros.h"
#include "build-config.h"
#include "multipath/drop-in.h"

#define FILE_MAX (16U * 1024U * 1024U)

const char *drop_in_directory(void)
{
    const char *directory = getenv("CONFIGURATION_DIRECTORY");
    return directory && directory[0] == '/' ? directory : MULTIPATH_CONF_DIR;
}

/* "/etc/multipath/conf.d" -> "/etc/multipath" */
static int parent_directory(char ret[PATH_MAX])
{
    const char *directory = drop_in_directory();
    const char *end = strrchr(directory, '/');

    if (end == directory || (size_t)(end - directory) >= PATH_MAX)
        return -EINVAL;
    memcpy(ret, directory, (size_t)(end - directory));
    ret[end - directory] = '\0';
    return 0;
}

int drop_in_path(char ret[PATH_MAX])
{
    int n = snprintf(ret, PATH_MAX, "%s/" DROP_IN_NAME, drop_in_directory());
    return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int make_directories(const char *parent)
{
    if ((mkdir(parent, 0755) < 0 && errno != EEXIST) ||
        (mkdir(drop_in_directory(), 0755) < 0 && errno != EEXIST))
        return -errno;
    return 0;
}

/* A rename is there after a crash only when its directory has reached the disk. */
static int sync_directory(void)
{
    _cleanup_close_ int fd = open(drop_in_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text += n;
        left -= (size_t)n;
    }
    return fchmod(fd, 0644) < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int replace(const char *path, const char *text, bool *changed)
{
    char parent[PATH_MAX], temporary[PATH_MAX];

    int r = parent_directory(parent);
    if (r >= 0)
        r = make_directories(parent);
    if (r < 0)
        return r;
    if (snprintf(temporary, sizeof(temporary), "%s/." DROP_IN_NAME ".XXXXXX", parent) >= PATH_MAX)
        return -ENAMETOOLONG;

    _cleanup_close_ int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = write_all(fd, text);
    if (r >= 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(temporary);
        return r;
    }
    *changed = true;
    return sync_directory();
}

/* What a process killed between writing and renaming has left. */
static void remove_leftovers(void)
{
    char pattern[PATH_MAX];
    _cleanup_(globfree) glob_t found = {0};

    if (parent_directory(pattern) < 0 || strlen(pattern) + 32 > sizeof(pattern))
        return;
    strcat(pattern, "/." DROP_IN_NAME ".??????");
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        (void)unlink(found.gl_pathv[i]);
}

int drop_in_read_ours(char **ret)
{
    char path[PATH_MAX];

    int r = drop_in_path(path);
    return r < 0 ? r : read_text(path, FILE_MAX, ret);
}

int drop_in_write(const char *text, bool *changed)
{
    char path[PATH_MAX];
    _cleanup_free_ char *old = NULL;

    int r = drop_in_path(path);
    if (r < 0)
        return r;
    remove_leftovers();

    r = read_text(path, FILE_MAX, &old);
    if (r == -ENOMEM)
        return r;
    if (!text) {
        if (unlink(path) < 0)
            return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        *changed = true;
        return sync_directory();
    }
    if (r >= 0 && strcmp(old, text) == 0)
        return 0;
    return replace(path, text, changed);
}

/* How a file of the directory stands to ours: below 0 read before it, above 0 after. */
static int compare_with_ours(const char *path)
{
    return strcmp(path + strlen(drop_in_directory()) + 1, DROP_IN_NAME);
}

/* "/etc/multipath/conf.d" -> "/etc/multipath.conf" */
int drop_in_main_file(char ret[PATH_MAX])
{
    int r = parent_directory(ret);
    if (r < 0)
        return r;
    if (strlen(ret) + strlen(".conf") >= PATH_MAX)
        return -ENAMETOOLONG;
    strcat(ret, ".conf");
    return 0;
}

/* Tells contents and names of files apart from others (FNV-1a, 64 bits). */
static uint64_t digest(uint64_t so_far, const void *data, size_t size)
{
    for (const unsigned char *at = data, *end = at + size; at < end; at++)
        so_far = (so_far ^ *at) * UINT64_C(0x100000001b3);
    return so_far;
}

struct reading {
    struct mpath_conf *conf;
    const char *ours; /* NULL: its turn has been */
    uint64_t digest;
};

static int read_ours(struct reading *reading)
{
    const char *text = TAKE_PTR(reading->ours);
    char path[PATH_MAX];
    int r;

    if (!text)
        return 0;
    r = drop_in_path(path);
    return r < 0 ? r : mpath_conf_read(reading->conf, path, false, text, strlen(text));
}

/* One that cannot be read is left out. */
static int read_other(struct reading *reading, const char *path, bool is_main)
{
    _cleanup_free_ char *text = NULL;
    size_t size;

    int r = read_whole(path, FILE_MAX, &text, &size);
    if (r < 0)
        return is_shortage(r) ? r : 0;
    reading->digest = digest(reading->digest, path, strlen(path) + 1);
    reading->digest = digest(reading->digest, text, size);
    return mpath_conf_read(reading->conf, path, is_main, text, size);
}

/* What is in a directory that could not be read for that is not known. */
static int on_glob_error(const char *path, int error)
{
    return is_shortage(-error);
}

static int read_directory(struct reading *reading)
{
    char pattern[PATH_MAX];
    _cleanup_(globfree) glob_t found = {0};
    int r = 0;

    if (snprintf(pattern, sizeof(pattern), "%s/*.conf", drop_in_directory()) >= PATH_MAX)
        return -ENAMETOOLONG;
    int listed = glob(pattern, GLOB_PERIOD, on_glob_error, &found);
    if (listed == GLOB_NOSPACE || listed == GLOB_ABORTED)
        return listed == GLOB_NOSPACE ? -ENOMEM : -EMFILE;
    for (size_t i = 0; i < found.gl_pathc && r >= 0; i++) {
        int order = compare_with_ours(found.gl_pathv[i]);
        if (order >= 0)
            r = read_ours(reading);
        if (r >= 0 && order != 0)
            r = read_other(reading, found.gl_pathv[i], false);
    }
    return r < 0 ? r : read_ours(reading);
}

int drop_in_read(const struct mpath_release *release, const char *text, struct mpath_conf **ret,
                 uint64_t *ret_digest)
{
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = NULL;
    struct reading reading = {.ours = text, .digest = UINT64_C(0xcbf29ce484222325)};
    char path[PATH_MAX];

    int r = mpath_conf_new(release, &conf);
    if (r >= 0)
        r = drop_in_main_file(path);
    if (r < 0)
        return r;
    reading.conf = conf;
    r = read_other(&reading, path, true);
    if (r >= 0)
        r = read_directory(&reading);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(conf);
    *ret_digest = reading.digest;
    return 0;
}
