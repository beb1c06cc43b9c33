/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A SCSI disk as a path of a multipath map: whose it is, where it is, and its access state. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan/access.h"

#define NO_SID UINT32_MAX

struct scsi_disk {
    uint32_t sid; /* kernel iSCSI session, NO_SID: another transport */
    enum access_state access;
    bool has_access; /* the kernel knows an access state: a device handler (ALUA) is attached */
    bool has_address;
    unsigned host, channel, target; /* the SCSI address, which a new login changes */
    uint64_t lun;
};

/*
 * Reads it from sysfs. A device that is gone is one of no session, ACCESS_OPTIMIZED, without an
 * address: its map still lists it. -ENOMEM.
 */
int scsi_disk_read(dev_t dev, struct scsi_disk *ret);

/* Vendor and product of its INQUIRY data, trailing blanks dropped. -ENOENT: gone. */
int scsi_disk_product(dev_t dev, char **ret_vendor, char **ret_product);
