/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/getters.h"

#include <inttypes.h>
#include <string.h>

#include "basic/clock.h"
#include "basic/log.h"
#include "service/base/bounds.h"
#include "service/model/model.h"

void log_unreadable(const char *subject, int error)
{
    static struct refusals told;
    uint64_t n;

    if (bounds_refused(&told, monotonic_usec(), &n))
        log_warning("The policy of %s cannot be read: %s. (%" PRIu64 " times since the last line "
                    "like this one, of this or another.)",
                    subject, strerror(-error), n);
}

int get_true(sd_bus *bus, const char *path, const char *interface, const char *property,
             sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    return sd_bus_message_append(reply, "b", 1);
}

int get_zero(sd_bus *bus, const char *path, const char *interface, const char *property,
             sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    return sd_bus_message_append(reply, "u", 0U);
}

bool is_live_session(const struct adapter *adapter, const struct session *session)
{
    return session->adapter_id == adapter->id && session->n_connections > 0;
}

int get_session_count(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    const struct adapter *adapter = userdata;
    uint32_t n = 0;

    for (size_t i = 0; i < adapter->host->n_sessions; i++)
        n += is_live_session(adapter, adapter->host->sessions[i]);
    return sd_bus_message_append(reply, "u", n);
}

int get_disk_active(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    const struct host_map *map = userdata;
    return sd_bus_message_append(reply, "b", map->dev != 0);
}
