/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "bus/interfaces/interfaces.h"
#include "service/model/connection-read.h"
#include "service/model/freshness.h"
#include "service/model/map-snapshot.h"
#include "service/model/model.h"
#include "service/model/session-maps.h"
#include "service/model/states.h"
#include "service/view/agreement.h"
#include "service/view/views.h"

static int session_append_connection(sd_bus_message *reply, struct connection *connection,
                                     uint64_t serial)
{
    const struct kernel_session *kernel = connection->kernel;
    struct kernel_session_state state;
    const struct kernel_session_ends *ends = connection_read_ends(connection);
    char **disks = NULL;
    char tag[GUID_TEXT_SIZE] = "";

    states_read(connection, &state);
    (void)connection_read_disks(connection, serial, &disks);
    if (connection->has_tag)
        guid_format(connection->tag, tag);

    int r = sd_bus_message_open_container(reply, 'r', "tussqsqsass");
    if (r >= 0)
        r = sd_bus_message_append(reply, "tussqsqs", connection->id, (uint32_t)state.status,
                                  kernel->iface, kernel->address, kernel->port, ends->peer ?: "",
                                  ends->peer_port, state.text);
    if (r >= 0)
        r = sd_bus_message_append_strv(reply, disks);
    if (r >= 0)
        r = sd_bus_message_append(reply, "s", tag);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int session_get_connections(sd_bus *bus, const char *path, const char *interface,
                                   const char *property, sd_bus_message *reply, void *userdata,
                                   sd_bus_error *error)
{
    const struct session *session = userdata;
    uint64_t serial = freshness_session_serial(session->host);

    int r = sd_bus_message_open_container(reply, 'a', "(tussqsqsass)");
    for (size_t i = 0; i < session->n_connections && r >= 0; i++)
        r = session_append_connection(reply, session->connections[i], serial);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static const char *session_group_state(const struct mp_status *status, size_t group)
{
    char letter = group < status->n_groups ? status->group_states[group] : 'E';
    return letter == 'A' ? "active" : letter == 'D' ? "disabled" : "enabled";
}

/* UniqueConnectionId of a path, 0 where it is not this session's. */
static uint64_t session_connection_of_path(const struct session *session,
                                           const struct map_snapshot *snapshot, dev_t dev)
{
    const struct map_path *path = map_snapshot_path(snapshot, dev);
    const struct connection *connection = path ? path->connection : NULL;
    return connection && connection->session == session ? connection->id : 0;
}

static int session_append_group(sd_bus_message *reply, const struct session *session,
                                const struct map_snapshot *snapshot, size_t index)
{
    const struct mp_group *group = &snapshot->map->table->groups[index];

    int r = sd_bus_message_open_container(reply, 'r', "ssat");
    if (r >= 0)
        r = sd_bus_message_append(reply, "ss", group->selector,
                                  session_group_state(snapshot->map->status, index));
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "t");
    for (size_t i = 0; i < group->n_paths && r >= 0; i++)
        r = sd_bus_message_append(reply, "t",
                                  session_connection_of_path(session, snapshot, group->paths[i]));
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int session_append_map(sd_bus_message *reply, const struct session *session,
                              const struct map_snapshot *snapshot)
{
    const struct dm_map *map = snapshot->map;

    int r = sd_bus_message_open_container(reply, 'r', "ssta(ssat)");
    if (r >= 0)
        r = sd_bus_message_append(reply, "sst", map->name, dm_map_wwid(map), map->sectors * 512);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "(ssat)");
    for (size_t i = 0; i < map->table->n_groups && r >= 0; i++)
        r = session_append_group(reply, session, snapshot, i);
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int session_get_maps(sd_bus *bus, const char *path, const char *interface,
                            const char *property, sd_bus_message *reply, void *userdata,
                            sd_bus_error *error)
{
    struct session *session = userdata;
    _cleanup_(session_maps_done) struct session_maps maps = {0};

    int r = session_maps_read_some(session, &maps);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "(ssta(ssat))");
    for (size_t i = 0; i < maps.n && r >= 0; i++)
        r = session_append_map(reply, session, &maps.snapshots[i]);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int session_get_policy(sd_bus *bus, const char *path, const char *interface,
                              const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *error)
{
    struct session_view view;

    views_show(userdata, &view);
    return sd_bus_message_append(reply, "u", (uint32_t)view.policy);
}

static int session_get_provenance(sd_bus *bus, const char *path, const char *interface,
                                  const char *property, sd_bus_message *reply, void *userdata,
                                  sd_bus_error *error)
{
    struct session_view view;

    views_show(userdata, &view);
    return sd_bus_message_append(reply, "s", view.policy ? "session" : "host");
}

static int session_get_agreement(sd_bus *bus, const char *path, const char *interface,
                                 const char *property, sd_bus_message *reply, void *userdata,
                                 sd_bus_error *error)
{
    struct session_view view;

    views_show(userdata, &view);
    return sd_bus_message_append(reply, "s", agreement_word(view.agreement));
}

static int session_get_mpathd_agreement(sd_bus *bus, const char *path, const char *interface,
                                        const char *property, sd_bus_message *reply, void *userdata,
                                        sd_bus_error *error)
{
    struct session_view view;

    views_show(userdata, &view);
    return sd_bus_message_append(reply, "s", mpathd_agreement_word(view.mpathd));
}

static int session_get_reason(sd_bus *bus, const char *path, const char *interface,
                              const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *error)
{
    struct session_view view;

    views_show(userdata, &view);
    return sd_bus_message_append(reply, "s", view.reason);
}

static int session_get_changed_records(sd_bus *bus, const char *path, const char *interface,
                                       const char *property, sd_bus_message *reply, void *userdata,
                                       sd_bus_error *error)
{
    const struct session *session = userdata;

    int r = sd_bus_message_open_container(reply, 'a', "t");
    for (size_t i = 0; i < session->n_connections && r >= 0; i++)
        if (session->connections[i]->record_changed)
            r = sd_bus_message_append(reply, "t", session->connections[i]->id);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

#define EMITS SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define INVALIDATES SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION

const sd_bus_vtable session_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("UniqueSessionId", "t", NULL, offsetof(struct session, id),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("UniqueAdapterId", "t", NULL, offsetof(struct session, adapter_id),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("InitiatorName", "s", NULL, offsetof(struct session, initiator),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("TargetName", "s", NULL, offsetof(struct session, target),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Connections", "a(tussqsqsass)", session_get_connections, 0, INVALIDATES),
    SD_BUS_PROPERTY("Maps", "a(ssta(ssat))", session_get_maps, 0, INVALIDATES),
    SD_BUS_PROPERTY("LoadBalancePolicy", "u", session_get_policy, 0, EMITS),
    SD_BUS_PROPERTY("Provenance", "s", session_get_provenance, 0, EMITS),
    SD_BUS_PROPERTY("Agreement", "s", session_get_agreement, 0, EMITS),
    SD_BUS_PROPERTY("MultipathdAgreement", "s", session_get_mpathd_agreement, 0, EMITS),
    SD_BUS_PROPERTY("Reason", "s", session_get_reason, 0, EMITS),
    SD_BUS_PROPERTY("Reapplications", "u", NULL, offsetof(struct session, n_reapplied), EMITS),
    SD_BUS_PROPERTY("ChangedRecords", "at", session_get_changed_records, 0, EMITS),
    SD_BUS_VTABLE_END,
};
