/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a disk says of the target port that it is reached through, in MPIO's terms. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wmi/dsm.h"

struct target_port {
    enum dsm_state state; /* of its group; DSM_STATE_NOT_USED: no ALUA */
    enum dsm_alua alua;   /* DSM_ALUA_NONE where `state` is not used */
    bool preferred;       /* the array prefers the group */
    uint16_t group;       /* its number, 0: not told */
    uint32_t port;        /* relative target port, 0: not told */
};

/*
 * Reads it from sysfs: access_state and preferred_path, inquiry and vpd_pg83. A disk that is gone,
 * says nothing, or whose access state is not followed, is one without ALUA.
 */
void target_port_read(dev_t dev, struct target_port *ret);

/*
 * Whether the kernel's access state is what the array says: scsi_dh_alua follows it. Other device
 * handlers (rdac, emc) note one when they attach or activate a path, rdac for all LUNs of a
 * controller at once; hp_sw notes none. 1: it is, 0: not, or the disk is gone. -ENOMEM.
 */
int target_port_is_followed(dev_t dev);

/* The kernel's word in access_state. NULL, or none that is known: DSM_STATE_NOT_USED. Pure. */
enum dsm_state target_port_state(const char *text);

/* TPGS of standard INQUIRY data (SPC-4, 6.4.2: byte 5, bits 5 and 4). Too short: none. Pure. */
enum dsm_alua target_port_alua(const uint8_t *inquiry, size_t size);

/*
 * Target port group and relative target port from a Device Identification page (SPC-4, 7.8.6):
 * designators of type 5 and 4 that belong to the target port. 0 for one that is not there; what is
 * no such page, or is cut short, has those that are whole. Pure.
 */
void target_port_ids(const uint8_t *page, size_t size, uint16_t *ret_group, uint32_t *ret_port);
