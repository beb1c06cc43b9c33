/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For a test that wraps fsync(): directories that cannot be brought to the disk. */

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>

static bool refuse_sync;

int __wrap_fsync(int fd);
int __real_fsync(int fd);

int __wrap_fsync(int fd)
{
    struct stat st;

    if (refuse_sync && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        errno = EIO;
        return -1;
    }
    return __real_fsync(fd);
}
