/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/asker.h"

static sd_bus *asking;

void bus_set_asker(sd_bus *bus)
{
    asking = bus;
}

sd_bus *bus_asker(void)
{
    return asking;
}

void bus_drain_asker(void)
{
    uint64_t n;

    while (sd_bus_get_n_queued_read(asking, &n) >= 0 && n > 0)
        if (sd_bus_process(asking, NULL) <= 0)
            return;
}

void bus_hear_of_leavers(void)
{
    (void)sd_bus_call_method(asking, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                             "org.freedesktop.DBus.Peer", "Ping", NULL, NULL, NULL);
    bus_drain_asker();
    (void)sd_bus_process(asking, NULL); /* what the last message has led to: sd_bus_track's part */
}
