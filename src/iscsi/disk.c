/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "basic/fileio.h"
#include "basic/macros.h"
#include "iscsi/disk.h"
#include "iscsi/kernel-session.h"

#define DISK_PATH "/sys/dev/block/%u:%u"

/* ".../target2:0:0/2:0:0:1/block/sda": the address is the device below "block". */
static bool address_of_path(const char *path, struct scsi_disk *disk)
{
    const char *end = strstr(path, "/block/");
    const char *start = end ? memrchr(path, '/', (size_t)(end - path)) : NULL;
    return start && sscanf(start, "/%u:%u:%u:%" SCNu64, &disk->host, &disk->channel, &disk->target,
                           &disk->lun) == 4;
}

int scsi_disk_read(dev_t dev, struct scsi_disk *ret)
{
    char path[64];
    struct scsi_disk disk = {.sid = NO_SID, .access = ACCESS_OPTIMIZED};

    snprintf(path, sizeof(path), DISK_PATH, major(dev), minor(dev));
    _cleanup_free_ char *device = NULL;
    int r = read_link(path, &device); /* "../../devices/..." */
    if (r == -ENOMEM)
        return r;
    if (r >= 0) {
        (void)kernel_session_sid_of_path(device, &disk.sid);
        disk.has_address = address_of_path(device, &disk);
    }

    _cleanup_free_ char *access = NULL;
    r = read_first_linef(&access, "%s/device/access_state", path);
    if (r == -ENOMEM)
        return r;
    disk.has_access = r >= 0;
    if (r >= 0)
        disk.access = access_state_parse(access);

    *ret = disk;
    return 0;
}

static void trim(char *text)
{
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == ' ')
        text[--n] = '\0';
}

int scsi_disk_product(dev_t dev, char **ret_vendor, char **ret_product)
{
    _cleanup_free_ char *vendor = NULL, *product = NULL;

    int r = read_first_linef(&vendor, DISK_PATH "/device/vendor", major(dev), minor(dev));
    if (r >= 0)
        r = read_first_linef(&product, DISK_PATH "/device/model", major(dev), minor(dev));
    if (r < 0)
        return r;
    trim(vendor);
    trim(product);
    *ret_vendor = TAKE_PTR(vendor);
    *ret_product = TAKE_PTR(product);
    return 0;
}
