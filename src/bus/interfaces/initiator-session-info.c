/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include "basic/macros.h"
#include "bus/getters.h"
#include "bus/interfaces/interfaces.h"
#include "bus/ip-address.h"
#include "iscsi/session-info.h"
#include "service/model/connection-read.h"
#include "service/model/freshness.h"
#include "service/model/model.h"
#include "service/model/states.h"

#define IP_ADDRESS "(uuayuus)"
#define CONNECTION "tqyyyyquu" IP_ADDRESS "u" IP_ADDRESS "utu"
#define SESSION "tssqaybbybbyuuuuqa(" CONNECTION ")"

#define CID 0U             /* open-iscsi has one connection for each kernel session */
#define MAX_CONNECTIONS 1U /* likewise, and so it negotiates */
#define PROTOCOL_TCP 6U

static int initiator_session_info_append_connection(sd_bus_message *reply,
                                                    struct connection *connection)
{
    struct kernel_session_state state;
    struct connection_info info;

    states_read(connection, &state);
    connection_info_read(connection->kernel->sid, connection_read_ends(connection),
                         freshness_moment(connection->session->host), &info);
    int r = sd_bus_message_open_container(reply, 'r', CONNECTION);
    if (r >= 0)
        r = sd_bus_message_append(reply, "tqyyyyquu", connection->id, CID,
                                  value_connection_state(state.text), PROTOCOL_TCP,
                                  info.header_digest, info.data_digest, 0U, info.max_recv_segment,
                                  (uint32_t)info.auth);
    if (r >= 0)
        r = append_ip_address(reply, &info.local);
    if (r >= 0)
        r = sd_bus_message_append(reply, "u", (uint32_t)info.local_port);
    if (r >= 0)
        r = append_ip_address(reply, &info.remote);
    if (r >= 0)
        r = sd_bus_message_append(reply, "utu", (uint32_t)info.remote_port, info.throughput,
                                  info.max_datagram);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* The kernel session that came first: its values stand for those of all, which Windows has once. */
static uint32_t initiator_session_info_leading_sid(const struct session *session)
{
    uint32_t sid = session->connections[0]->kernel->sid;

    for (size_t i = 1; i < session->n_connections; i++)
        if (session->connections[i]->kernel->sid < sid)
            sid = session->connections[i]->kernel->sid;
    return sid;
}

static int initiator_session_info_append_values(sd_bus_message *reply,
                                                const struct session *session)
{
    struct session_info info;

    session_info_read(initiator_session_info_leading_sid(session), &info);
    int r = sd_bus_message_append(reply, "tssq", session->id, session->initiator, session->target,
                                  info.tsid);
    if (r >= 0)
        r = sd_bus_message_append_array(reply, 'y', info.isid, sizeof(info.isid));
    if (r >= 0)
        r = sd_bus_message_append(reply, "bbybbyuuuuq", info.initial_r2t, info.immediate_data,
                                  info.type, info.data_sequence_in_order, info.data_pdu_in_order,
                                  info.error_recovery_level, info.max_outstanding_r2t,
                                  info.first_burst_length, info.max_burst_length, MAX_CONNECTIONS,
                                  (unsigned)session->n_connections);
    return r;
}

static int initiator_session_info_append_session(sd_bus_message *reply,
                                                 const struct session *session)
{
    int r = sd_bus_message_open_container(reply, 'r', SESSION);
    if (r >= 0)
        r = initiator_session_info_append_values(reply, session);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "(" CONNECTION ")");
    for (size_t i = 0; i < session->n_connections && r >= 0; i++)
        r = initiator_session_info_append_connection(reply, session->connections[i]);
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int initiator_session_info_get_sessions(sd_bus *bus, const char *path, const char *interface,
                                               const char *property, sd_bus_message *reply,
                                               void *userdata, sd_bus_error *error)
{
    const struct adapter *adapter = userdata;
    const struct host *host = adapter->host;

    int r = sd_bus_message_open_container(reply, 'a', "(" SESSION ")");
    for (size_t i = 0; i < host->n_sessions && r >= 0; i++)
        if (is_live_session(adapter, host->sessions[i]))
            r = initiator_session_info_append_session(reply, host->sessions[i]);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

const sd_bus_vtable initiator_session_info_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("InstanceName", "s", NULL, offsetof(struct adapter, initiator),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_true, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("UniqueAdapterId", "t", NULL, offsetof(struct adapter, id),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("SessionCount", "u", get_session_count, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("SessionsList", "a(" SESSION ")", initiator_session_info_get_sessions, 0,
                    SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
    SD_BUS_VTABLE_END,
};
