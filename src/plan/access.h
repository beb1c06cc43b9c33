/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * ALUA access states as Linux prints them in /sys/block/sdX/device/access_state
 * (drivers/scsi/scsi_sysfs.c, sdev_access_states), in the order in which paths are used.
 */
enum access_state {
    ACCESS_OPTIMIZED, /* also a path whose device has no access state that anybody goes by */
    ACCESS_NON_OPTIMIZED,
    ACCESS_OTHER, /* standby, unavailable, lba-dependent, offline, transitioning */
};

/* The state named by text, a trailing newline allowed; NULL or empty: ACCESS_OPTIMIZED. */
enum access_state access_state_parse(const char *text);
