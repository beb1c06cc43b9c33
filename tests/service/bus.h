/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The buses that tests have of their own. */

#include <sys/types.h>

enum bus_kind {
    BUS_OPEN,   /* dbus-daemon, and everybody may do everything: tests may then own any name */
    BUS_DAEMON, /* dbus-daemon with the distribution's policy of the system bus, and the service's
                 */
    BUS_BROKER, /* dbus-broker with the same two; for root only */
};

/*
 * Starts one that listens on the socket, and has its configuration in the directory. 0: it, or the
 * distribution's policy, is not on this machine, or nothing for this user.
 */
pid_t bus_start(enum bus_kind kind, const char *directory, const char *socket);

/* A child that does not outlive a test that crashes. */
pid_t fork_bound(void);
