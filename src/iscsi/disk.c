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
#include "iscsi/target-port.h"

#define DISK_PATH "/sys/dev/block/%u:%u"
#define INQUIRY_SIZE 36U /* of the standard data */

/* ".../target2:0:0/2:0:0:1/block/sda": the address is the device below "block". */
static bool address_of_path(const char *path, struct scsi_disk *disk)
{
    const char *end = strstr(path, "/block/");
    const char *start = end ? memrchr(path, '/', (size_t)(end - path)) : NULL;
    return start && sscanf(start, "/%u:%u:%u:%" SCNu64, &disk->host, &disk->channel, &disk->target,
                           &disk->lun) == 4;
}

/* Whose word a state is, is looked at where it makes a difference: this is read for each path. */
static int read_access(dev_t dev, struct scsi_disk *disk)
{
    _cleanup_free_ char *access = NULL;

    int r = read_first_linef(&access, DISK_PATH "/device/access_state", major(dev), minor(dev));
    if (is_shortage(r))
        return r;
    disk->has_access = r >= 0;
    if (access_state_parse(access) == ACCESS_OPTIMIZED)
        return 0;
    r = target_port_is_followed(dev);
    if (r > 0)
        disk->access = access_state_parse(access);
    return r;
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
    r = read_access(dev, &disk);
    if (r < 0)
        return r;
    *ret = disk;
    return 0;
}

static void trim(char *text)
{
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == ' ')
        text[--n] = '\0';
}

int scsi_disk_detection(dev_t dev, bool has_access, struct detection_disk *ret)
{
    _cleanup_free_ char *vendor = NULL, *product = NULL;
    uint8_t inquiry[INQUIRY_SIZE];
    char path[64];
    size_t n;

    snprintf(path, sizeof(path), DISK_PATH "/device/inquiry", major(dev), minor(dev));
    int r = read_bytes(path, inquiry, sizeof(inquiry), &n);
    if (r < 0)
        return r;
    enum dsm_alua alua = target_port_alua(inquiry, n);
    if (alua == DSM_ALUA_NONE) {
        *ret = (struct detection_disk){.has_access = has_access};
        return 0;
    }
    r = read_first_linef(&vendor, DISK_PATH "/device/vendor", major(dev), minor(dev));
    if (r >= 0)
        r = read_first_linef(&product, DISK_PATH "/device/model", major(dev), minor(dev));
    if (r >= 0)
        r = target_port_is_followed(dev);
    if (r < 0)
        return r;
    trim(vendor);
    trim(product);
    *ret = (struct detection_disk){TAKE_PTR(vendor), TAKE_PTR(product), alua, has_access, r > 0};
    return 0;
}
