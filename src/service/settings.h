/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The few settings of the service, kept in the store. */

struct host;

int settings_load(struct host *host);

/* "lowest-first" or "highest-first". */
const char *settings_weight_order(const struct host *host);

/* Sets and saves it. -EINVAL: another text. Errors of the store: nothing has changed. */
int settings_set_weight_order(struct host *host, const char *order);
