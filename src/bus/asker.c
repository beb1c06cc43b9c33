/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/asker.h"

#include <string.h>

static sd_bus *asking;

/*
 * Anybody can send to this connection, too, and sd-bus takes a signal of anybody for one that a
 * match has the bus send: that somebody has left, say. As a sender, nobody can be the bus.
 */
static int asker_pass_over_others(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    const char *sender = sd_bus_message_get_sender(message);
    return !sender || strcmp(sender, "org.freedesktop.DBus") != 0;
}

int bus_set_asker(sd_bus *bus)
{
    asking = bus;
    return sd_bus_add_filter(bus, NULL, asker_pass_over_others, NULL);
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
