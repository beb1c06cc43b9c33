/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
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

static int file_path(char ret[PATH_MAX])
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

int drop_in_write(const char *text, bool *changed)
{
    char path[PATH_MAX];
    _cleanup_free_ char *old = NULL;

    int r = file_path(path);
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
    const char *directory = drop_in_directory();
    size_t length = strlen(directory);

    if (strncmp(path, directory, length) != 0 || path[length] != '/')
        return -1; /* multipath.conf */
    return strcmp(path + length + 1, DROP_IN_NAME);
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

int drop_in_each_other(int (*func)(const char *path, bool later, const char *text, void *userdata),
                       void *userdata)
{
    char pattern[PATH_MAX];
    _cleanup_(globfree) glob_t found = {0};

    int r = drop_in_main_file(pattern);
    if (r < 0)
        return r;
    if (glob(pattern, 0, NULL, &found) == GLOB_NOSPACE)
        return -ENOMEM;
    if (snprintf(pattern, sizeof(pattern), "%s/*.conf", drop_in_directory()) >= PATH_MAX)
        return -ENAMETOOLONG;
    if (glob(pattern, GLOB_APPEND | GLOB_PERIOD, NULL, &found) == GLOB_NOSPACE)
        return -ENOMEM;

    r = 0;
    for (size_t i = 0; i < found.gl_pathc && r == 0; i++) {
        _cleanup_free_ char *text = NULL;
        int order = compare_with_ours(found.gl_pathv[i]);
        int read = order == 0 ? -EEXIST : read_text(found.gl_pathv[i], FILE_MAX, &text);
        if (read == -ENOMEM)
            return read;
        if (read >= 0)
            r = func(found.gl_pathv[i], order > 0, text, userdata);
    }
    return r;
}
