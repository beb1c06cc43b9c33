/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The counters come of a child process, and a getter of sd-bus cannot wait for one: so Get of a
 * counter, and GetAll, are answered here, before sd-bus does. The vtable has the counters for the
 * introspection, as such that GetManagedObjects leaves out.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "bus/failure.h"
#include "bus/interfaces/interfaces.h"
#include "bus/names.h"
#include "bus/paths.h"
#include "bus/requests.h"
#include "service/jobs/statistics.h"
#include "service/model/find.h"
#include "service/model/model.h"

#define INTERFACE_NAME BUS_INTERFACE("MSiSCSI_ConnectionStatistics")

/* Appends a member's value; `counted` is NULL for those of a connection's identity. */
typedef int (*append_t)(sd_bus_message *reply, const struct connection *connection,
                        const struct iscsi_statistics *counted);

static int connection_statistics_append_instance_name(sd_bus_message *reply,
                                                      const struct connection *connection,
                                                      const struct iscsi_statistics *counted)
{
    char name[17];
    snprintf(name, sizeof(name), "%016" PRIx64, connection->id);
    return sd_bus_message_append(reply, "s", name);
}

static int connection_statistics_append_active(sd_bus_message *reply,
                                               const struct connection *connection,
                                               const struct iscsi_statistics *counted)
{
    return sd_bus_message_append(reply, "b", 1);
}

static int connection_statistics_append_iscsi_name(sd_bus_message *reply,
                                                   const struct connection *connection,
                                                   const struct iscsi_statistics *counted)
{
    return sd_bus_message_append(reply, "s", connection->session->initiator);
}

static int connection_statistics_append_cid(sd_bus_message *reply,
                                            const struct connection *connection,
                                            const struct iscsi_statistics *counted)
{
    return sd_bus_message_append(reply, "q", 0);
}

static int connection_statistics_append_usid(sd_bus_message *reply,
                                             const struct connection *connection,
                                             const struct iscsi_statistics *counted)
{
    return sd_bus_message_append(reply, "t", connection->session->id);
}

static int connection_statistics_append_adapter_id(sd_bus_message *reply,
                                                   const struct connection *connection,
                                                   const struct iscsi_statistics *counted)
{
    return sd_bus_message_append(reply, "t", connection->session->adapter_id);
}

static int connection_statistics_append_bytes_sent(sd_bus_message *reply,
                                                   const struct connection *connection,
                                                   const struct iscsi_statistics *counted)
{
    return sd_bus_message_append(reply, "t", counted->bytes_sent);
}

static int connection_statistics_append_bytes_received(sd_bus_message *reply,
                                                       const struct connection *connection,
                                                       const struct iscsi_statistics *counted)
{
    return sd_bus_message_append(reply, "t", counted->bytes_received);
}

static int connection_statistics_append_commands(sd_bus_message *reply,
                                                 const struct connection *connection,
                                                 const struct iscsi_statistics *counted)
{
    return sd_bus_message_append(reply, "t", counted->commands_sent);
}

static int connection_statistics_append_responses(sd_bus_message *reply,
                                                  const struct connection *connection,
                                                  const struct iscsi_statistics *counted)
{
    return sd_bus_message_append(reply, "t", counted->responses_received);
}

static const struct statistics_member {
    const char *name, *type;
    append_t append;
    bool is_counter;
} members[] = {
    {"InstanceName", "s", connection_statistics_append_instance_name, false},
    {"Active", "b", connection_statistics_append_active, false},
    {"iSCSIName", "s", connection_statistics_append_iscsi_name, false},
    {"CID", "q", connection_statistics_append_cid, false},
    {"USID", "t", connection_statistics_append_usid, false},
    {"UniqueAdapterId", "t", connection_statistics_append_adapter_id, false},
    {"BytesSent", "t", connection_statistics_append_bytes_sent, true},
    {"BytesReceived", "t", connection_statistics_append_bytes_received, true},
    {"PDUCommandsSent", "t", connection_statistics_append_commands, true},
    {"PDUResponsesReceived", "t", connection_statistics_append_responses, true},
};

static const struct statistics_member *connection_statistics_find_member(const char *name)
{
    for (size_t i = 0; i < ELEMENTSOF(members); i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

static int connection_statistics_get_identity(sd_bus *bus, const char *path, const char *interface,
                                              const char *property, sd_bus_message *reply,
                                              void *userdata, sd_bus_error *error)
{
    const struct statistics_member *member = connection_statistics_find_member(property);
    return member->is_counter ? -EOPNOTSUPP : member->append(reply, userdata, NULL);
}

#define CONST SD_BUS_VTABLE_PROPERTY_CONST
#define COUNTER SD_BUS_VTABLE_PROPERTY_EXPLICIT

const sd_bus_vtable connection_statistics_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("InstanceName", "s", connection_statistics_get_identity, 0, CONST),
    SD_BUS_PROPERTY("Active", "b", connection_statistics_get_identity, 0, CONST),
    SD_BUS_PROPERTY("iSCSIName", "s", connection_statistics_get_identity, 0, CONST),
    SD_BUS_PROPERTY("CID", "q", connection_statistics_get_identity, 0, CONST),
    SD_BUS_PROPERTY("USID", "t", connection_statistics_get_identity, 0, CONST),
    SD_BUS_PROPERTY("UniqueAdapterId", "t", connection_statistics_get_identity, 0, CONST),
    SD_BUS_PROPERTY("BytesSent", "t", connection_statistics_get_identity, 0, COUNTER),
    SD_BUS_PROPERTY("BytesReceived", "t", connection_statistics_get_identity, 0, COUNTER),
    SD_BUS_PROPERTY("PDUCommandsSent", "t", connection_statistics_get_identity, 0, COUNTER),
    SD_BUS_PROPERTY("PDUResponsesReceived", "t", connection_statistics_get_identity, 0, COUNTER),
    SD_BUS_VTABLE_END,
};

/* A call that waits for the counters. */
struct call {
    struct request *request;
    struct host *host;
    uint64_t connection_id;
    const struct statistics_member *member; /* NULL: all */
};

static void call_free(struct call *call)
{
    request_end(call->request);
    free(call);
}

DEFINE_CLEANUP(struct call *, call_free);

static int connection_statistics_append_all(sd_bus_message *reply,
                                            const struct connection *connection,
                                            const struct iscsi_statistics *counted)
{
    int r = sd_bus_message_open_container(reply, 'a', "{sv}");
    for (size_t i = 0; i < ELEMENTSOF(members) && r >= 0; i++) {
        r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r >= 0)
            r = sd_bus_message_append(reply, "s", members[i].name);
        if (r >= 0)
            r = sd_bus_message_open_container(reply, 'v', members[i].type);
        if (r >= 0)
            r = members[i].append(reply, connection, counted);
        if (r >= 0)
            r = sd_bus_message_close_container(reply);
        if (r >= 0)
            r = sd_bus_message_close_container(reply);
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int connection_statistics_reply_values(const struct call *call,
                                              const struct connection *connection,
                                              const struct iscsi_statistics *counted)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

    int r = sd_bus_message_new_method_return(request_message(call->request), &reply);
    if (r >= 0 && !call->member)
        r = connection_statistics_append_all(reply, connection, counted);
    else if (r >= 0) {
        r = sd_bus_message_open_container(reply, 'v', call->member->type);
        if (r >= 0)
            r = call->member->append(reply, connection, counted);
        if (r >= 0)
            r = sd_bus_message_close_container(reply);
    }
    return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static void connection_statistics_on_statistics(int error, const struct iscsi_statistics *counted,
                                                void *userdata)
{
    _cleanup_(call_freep) struct call *call = userdata;
    const struct connection *connection = host_connection(call->host, call->connection_id);
    sd_bus_message *message = request_message(call->request);

    if (!connection) {
        (void)sd_bus_reply_method_errorf(message, SD_BUS_ERROR_UNKNOWN_OBJECT,
                                         "The connection has ended.");
        return;
    }
    int r = error < 0 ? error : connection_statistics_reply_values(call, connection, counted);
    if (r < 0)
        (void)sd_bus_reply_method_errnof(message, r, "The counters cannot be had: %s",
                                         strerror(-r));
}

/* Whether a message asks for counters; the member, or NULL for all. */
static bool connection_statistics_asks_for_counters(sd_bus_message *message,
                                                    const struct statistics_member **ret_member)
{
    const char *interface = NULL, *name = NULL;

    *ret_member = NULL;
    if (sd_bus_message_is_method_call(message, PROPERTIES_INTERFACE, "GetAll"))
        return sd_bus_message_read(message, "s", &interface) > 0 &&
               strcmp(interface, INTERFACE_NAME) == 0;
    if (!sd_bus_message_is_method_call(message, PROPERTIES_INTERFACE, "Get") ||
        sd_bus_message_read(message, "ss", &interface, &name) <= 0 ||
        strcmp(interface, INTERFACE_NAME) != 0)
        return false;
    *ret_member = connection_statistics_find_member(name);
    return *ret_member && (*ret_member)->is_counter;
}

/* Nobody is there to be answered any more. */
static void connection_statistics_cancel(struct request *request, void *userdata)
{
    struct call *call = userdata;
    statistics_cancel(call->host, call);
}

/* Begins to read; > 0: refused, and answered so. */
static int connection_statistics_read_counters(struct host *host, sd_bus_message *message,
                                               const struct connection *connection,
                                               const struct statistics_member *member)
{
    struct request *request;
    struct call *call;

    int r = request_begin(host->requests, message, REQUEST_COUNTERS, &request);
    if (r != 0)
        return r;
    call = malloc(sizeof(*call));
    if (!call) {
        request_end(request);
        return -ENOMEM;
    }
    *call = (struct call){request, host, connection->id, member};
    request_set_cancel(request, connection_statistics_cancel, call);
    r = statistics_read(host, connection->kernel->sid, connection_statistics_on_statistics, call);
    if (r < 0)
        call_free(call);
    return r;
}

int connection_statistics_filter(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct host *host = userdata;
    const struct statistics_member *member;
    const char *path = sd_bus_message_get_path(message);
    const struct connection *connection;
    uint64_t id;

    if (!path || !connection_id_of_path(path, &id) || !(connection = host_connection(host, id)))
        return 0;
    if (!connection_statistics_asks_for_counters(message, &member))
        return sd_bus_message_rewind(message, true) < 0 ? -EBADMSG : 0;

    int r = connection_statistics_read_counters(host, message, connection, member);
    return r < 0 ? bus_failure(error, r, "The counters cannot be had") : 1;
}
