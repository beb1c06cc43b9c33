/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Answers that clients do not read stay with the bus, and count as the service's: dbus-daemon reads
 * nothing more from a service that has too much with it, so that one client that never reads would
 * keep the answers from all others. So the bus is asked now and then how much that is (its
 * interface Debug.Stats, which root may use), and where it is much, a client that has not read its
 * own answers gets no more of them. A bus without that interface (dbus-broker) has quotas of its
 * own.
 *
 * Signals go to whoever has asked for them, read or not. Where those are too much, the service has
 * to begin anew: another connection has nothing with the bus, and clients hear that what they have
 * read may be old.
 */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "basic/macros.h"

struct requests;
struct unread;

/* Sees each call from now on, before those whose filter is there already. */
int unread_new(sd_bus *bus, struct requests *requests, struct unread **ret);
void unread_free(struct unread *unread);

/* Whether it is that much. The journal says whose it is. Asks once a second. */
bool unread_is_too_much(struct unread *unread, sd_bus *bus);

DEFINE_CLEANUP(struct unread *, unread_free);
