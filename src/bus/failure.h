/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

/* A D-Bus error for a failure that no Status covers: the service's own trouble. */
int bus_failure(sd_bus_error *error, int r, const char *what);
