/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel's and udev's events that the model of the host follows. */

#include "service/model/model.h"

struct events;

/* Listens from now on. A session that already carries a tag's record is tagged if it is not. */
int events_new(struct host *host, struct events **ret);
struct events *events_free(struct events *events); /* NULL */
