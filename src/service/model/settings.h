/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The few settings of the service, kept in the store. */

#include <stdint.h>

#define BOOT_SIZE 33U /* of a boot's ID, as a text */

struct host;
struct host_map;
struct store_disk_policy;

/* This boot's ID. A negative errno: it cannot be told. */
int settings_boot(char ret[BOOT_SIZE]);

/* Reads them, and whether the service has run in this boot before. */
int settings_load(struct host *host);

/* It has, from now on. */
void settings_note_boot(struct host *host);

/* "lowest-first" or "highest-first". */
const char *settings_weight_order(const struct host *host);

/* Sets and saves it. -EINVAL: another text. Errors of the store: nothing has changed. */
int settings_set_weight_order(struct host *host, const char *order);

/* The same for the policy of maps that appear (offers_set_policy()). */
int settings_set_default_policy(struct host *host, uint32_t policy);

/*
 * The default policy for the disk of a map that is there. NULL: there is none, or none that this
 * kernel or its hardware handler can do, which knows better than a policy that names no path which
 * controller is to have the LUN.
 */
struct store_disk_policy *settings_default_for(const struct host_map *map);
