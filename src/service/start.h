/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Makes the parts of the service, ties them to each other, and frees them. */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "service/model/model.h"

/*
 * Everything that there is now, from kernel and store, and whoever follows it from here on. The
 * journal has said what failed. -EUCLEAN: the store cannot be read.
 */
int service_new(sd_event *event, struct store *store, struct host **ret);
struct host *service_free(struct host *host); /* NULL */

/* Whether open-iscsi's records have been read, and compared: clients find all adapters then. */
bool service_is_settled(const struct host *host);

/* Whether something runs that is carried to its end before the service ends. */
bool service_is_busy(const struct host *host);

/* Ends what clients wait for, and tells nobody of anything any more: the service ends. */
void service_end(struct host *host);
