/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The first calls of connections of which the bus has not said yet whose they are. They wait for
 * that here, and others' calls do not wait for them: a bus that many keep busy takes its time for
 * each answer, and many can come at once.
 */

#include <systemd/sd-bus.h>

#include "basic/macros.h"

struct requests;
struct strangers;

/* Sees each call from now on, before those whose filter is there already. */
int strangers_new(sd_bus *bus, struct requests *requests, struct strangers **ret);

/* What waits is not answered any more. */
void strangers_free(struct strangers *strangers);

DEFINE_CLEANUP(struct strangers *, strangers_free);
