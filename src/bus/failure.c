/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/failure.h"

#include <string.h>

int bus_failure(sd_bus_error *error, int r, const char *what)
{
    return sd_bus_error_set_errnof(error, r, "%s: %s", what, strerror(-r));
}
