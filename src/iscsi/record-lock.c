/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsi/record-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/macros.h"

/* As open-iscsi waits for it. */
#define LOCK_TRIES 3000U
#define LOCK_WAIT_USEC 10000U

#define LOCK_FILE "lock"
#define LOCK_TAKEN "lock.write"

static bool record_lock_is_ours(const struct stat *st)
{
    bool group_is_ours = st->st_gid == 0 || st->st_gid == getegid();

    return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & S_IWOTH) &&
           (group_is_ours || !(st->st_mode & S_IWGRP));
}

int record_lock_open(const char *directory)
{
    struct stat st;

    if (mkdir(directory, 0770) < 0 && errno != EEXIST)
        return -errno;
    _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    return record_lock_is_ours(&st) ? TAKE_FD(fd) : -EPERM;
}

int record_lock_take(int directory)
{
    int fd = openat(directory, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    close(fd);

    for (unsigned i = 0; i < LOCK_TRIES; i++) {
        if (linkat(directory, LOCK_FILE, directory, LOCK_TAKEN, 0) == 0)
            return 0;
        if (errno != EEXIST)
            return -errno;
        usleep(LOCK_WAIT_USEC);
    }
    return -ETIMEDOUT;
}

void record_lock_release(int directory)
{
    (void)unlinkat(directory, LOCK_TAKEN, 0);
}

const char *record_lock_error(int error)
{
    switch (error) {
    case -ETIMEDOUT:
        return "its lock is held";
    case -EPERM:
    case -ELOOP:
    case -ENOTDIR:
        return "the directory of its lock is not root's alone";
    default:
        return strerror(-error);
    }
}
