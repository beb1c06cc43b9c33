/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A SCSI disk as a path of a multipath map: whose it is, where it is, and its access state. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan/access.h"
#include "plan/detection.h"

#define NO_SID UINT32_MAX

struct scsi_disk {
    uint32_t sid;             /* kernel iSCSI session, NO_SID: another transport */
    enum access_state access; /* where the kernel's is worth something, else ACCESS_OPTIMIZED */
    bool has_access;          /* the kernel shows one: a device handler is attached */
    bool has_address;
    unsigned host, channel, target; /* the SCSI address, which a new login changes */
    uint64_t lun;
};

/*
 * Reads it from sysfs. A device that is gone is one of no session, ACCESS_OPTIMIZED, without an
 * address: its map still lists it. -ENOMEM.
 */
int scsi_disk_read(dev_t dev, struct scsi_disk *ret);

/*
 * What multipathd detects a prio by, of a disk of which scsi_disk_read() has found `has_access`;
 * vendor and product, to be freed, only where it does: of asymmetric access. -ENOENT: it is gone.
 */
int scsi_disk_detection(dev_t dev, bool has_access, struct detection_disk *ret);
