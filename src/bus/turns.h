/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One thread answers all, in the order in which the bus has their calls: so whoever is not trusted
 * gets a share of its time only, and others' calls pass by. What comes when the share is spent
 * waits here, each user's calls for their turn; those of a client that has left go unanswered.
 */

#include <systemd/sd-bus.h>

#include "basic/macros.h"

struct requests;
struct strangers;
struct turns;

/* Sees each call from now on, before those whose filter is there already. */
int turns_new(sd_bus *bus, struct requests *requests, struct strangers *strangers,
              struct turns **ret);

/* What waits is not answered any more. */
void turns_free(struct turns *turns);

DEFINE_CLEANUP(struct turns *, turns_free);

/* The bus has no message in hand: what the last one has cost is known. */
void turns_settle(struct turns *turns);
