/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "basic/macros.h"
#include "bus/getters.h"
#include "bus/interfaces/interfaces.h"
#include "bus/ip-address.h"
#include "iscsi/session-info.h"
#include "service/model/connection-read.h"
#include "service/model/freshness.h"
#include "service/model/model.h"

#define PORTAL "uyyyy(uuayuus)uq"
#define PORTAL_INITIATOR 0U
#define PROTOCOL_TCP 6U

struct portals {
    struct ip_address *addresses; /* different ones, in the order of the sessions' IDs */
    size_t n;
};

static void portals_done(struct portals *portals)
{
    free(portals->addresses);
}

static int portal_info_add_portal(struct portals *portals, const struct ip_address *address)
{
    if (address->type == IP_ADDRESS_EMPTY)
        return 0;
    for (size_t i = 0; i < portals->n; i++)
        if (portals->addresses[i].scope == address->scope &&
            ip_address_equal(&portals->addresses[i], address))
            return 0;

    struct ip_address *more =
        reallocarray(portals->addresses, portals->n + 1, sizeof(*portals->addresses));
    if (!more)
        return -ENOMEM;
    portals->addresses = more;
    portals->addresses[portals->n++] = *address;
    return 0;
}

/* The initiator's ends of the adapter's connections. */
static int portal_info_read_portals(const struct adapter *adapter, struct portals *portals)
{
    const struct host *host = adapter->host;
    int r = 0;

    for (size_t i = 0; i < host->n_sessions; i++) {
        const struct session *session = host->sessions[i];
        if (!is_live_session(adapter, session))
            continue;
        for (size_t k = 0; k < session->n_connections && r >= 0; k++) {
            struct ip_address local;
            connection_local_address(connection_read_ends(session->connections[k]),
                                     freshness_moment(host), &local);
            r = portal_info_add_portal(portals, &local);
        }
    }
    return r;
}

static int portal_info_get_count(sd_bus *bus, const char *path, const char *interface,
                                 const char *property, sd_bus_message *reply, void *userdata,
                                 sd_bus_error *error)
{
    _cleanup_(portals_done) struct portals portals = {0};

    int r = portal_info_read_portals(userdata, &portals);
    return r < 0 ? r : sd_bus_message_append(reply, "u", (uint32_t)portals.n);
}

static int portal_info_append_portal(sd_bus_message *reply, uint32_t index,
                                     const struct ip_address *address)
{
    int r = sd_bus_message_open_container(reply, 'r', PORTAL);
    if (r >= 0)
        r = sd_bus_message_append(reply, "uyyyy", index, PORTAL_INITIATOR, PROTOCOL_TCP, 0U, 0U);
    if (r >= 0)
        r = append_ip_address(reply, address);
    if (r >= 0)
        r = sd_bus_message_append(reply, "uq", 0U, 0U);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int portal_info_get_portals(sd_bus *bus, const char *path, const char *interface,
                                   const char *property, sd_bus_message *reply, void *userdata,
                                   sd_bus_error *error)
{
    _cleanup_(portals_done) struct portals portals = {0};

    int r = portal_info_read_portals(userdata, &portals);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "(" PORTAL ")");
    for (size_t i = 0; i < portals.n && r >= 0; i++)
        r = portal_info_append_portal(reply, (uint32_t)i, &portals.addresses[i]);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

const sd_bus_vtable portal_info_class_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("InstanceName", "s", NULL, offsetof(struct adapter, initiator),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_true, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("PortalInfoCount", "u", portal_info_get_count, 0,
                    SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
    SD_BUS_PROPERTY("PortalInformation", "a(" PORTAL ")", portal_info_get_portals, 0,
                    SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
    SD_BUS_VTABLE_END,
};
