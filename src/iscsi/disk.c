/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "basic/fileio.h"
#include "basic/macros.h"
#include "iscsi/disk.h"
#include "iscsi/kernel-session.h"

int scsi_disk_read(dev_t dev, struct scsi_disk *ret)
{
    char path[64];
    struct scsi_disk disk = {.sid = NO_SID, .access = ACCESS_OPTIMIZED};

    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
    _cleanup_free_ char *real = realpath(path, NULL);
    if (!real && errno == ENOMEM)
        return -ENOMEM;
    if (real)
        (void)kernel_session_sid_of_path(real, &disk.sid);

    _cleanup_free_ char *access = NULL;
    int r = read_first_linef(&access, "%s/device/access_state", path);
    if (r == -ENOMEM)
        return r;
    if (r >= 0)
        disk.access = access_state_parse(access);

    *ret = disk;
    return 0;
}
