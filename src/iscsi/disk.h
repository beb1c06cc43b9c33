/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A SCSI disk as a path of a multipath map: whose it is and its access state. */

#include <stdint.h>
#include <sys/types.h>

#include "plan/access.h"

#define NO_SID UINT32_MAX

struct scsi_disk {
    uint32_t sid; /* kernel iSCSI session, NO_SID: another transport */
    enum access_state access;
};

/*
 * Reads it from sysfs. A device that is gone is one of no session, ACCESS_OPTIMIZED: its map
 * still lists it. -ENOMEM.
 */
int scsi_disk_read(dev_t dev, struct scsi_disk *ret);
