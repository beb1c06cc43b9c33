/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * iscsi-wmi status --json
 *
 *   {
 *     "service":  {"version": "0.1.0", "path_weight_order": "lowest-first", "conditions": [TEXT],
 *                  "default_policy": N, "default_policy_name": TEXT: as those of policy default},
 *     "adapters": [ADAPTER],
 *     "sessions": [SESSION]
 *   }
 *
 * iscsi-wmi policy get [SESSION] --json     {"sessions": [SESSION]}
 * iscsi-wmi guid get --json                 ADAPTER
 * iscsi-wmi guid check [ADAPTER] --json     CHANGES
 *
 * ADAPTER:
 *   "adapter_id": ID, "initiator_name": TEXT, "status": 0 (working) or 1 (degraded),
 *   "driver": TEXT, "driver_version": TEXT, "ports": N,
 *   "generational_guid": GUID, "cache_valid": BOOL
 *
 * CHANGES:
 *   "adapter_id": ID, "initiator_name": TEXT, "generational_guid": GUID,
 *   "cache_valid": BOOL, "reason": TEXT, empty where it is valid,
 *   "records": [{"kind": "node", "iface" or "discovery", "name": TEXT,
 *                "connection_id": ID of a node's session, or null,
 *                "difference": "changed", "added" or "removed", "fields": [TEXT]}]
 *
 * SESSION:
 *   "session_id": ID, "adapter_id": ID, "initiator_name": TEXT, "target_name": TEXT,
 *   "policy": 1 to 6, the one in force, or 0 where none is known,
 *   "policy_name": "FAILOVER", ..., or null,
 *   "chosen_policy": 1 to 5, or 0: the maps are the host's own,
 *   "provenance": TEXT, "agreement": TEXT, "multipathd": TEXT,
 *   "reason": TEXT (may be empty),
 *   "connections": [CONNECTION], by ascending ID,
 *   "maps": [MAP],
 *   "changed_records": [ID of a connection whose node record has changed since the GUID was set]
 *
 * CONNECTION:
 *   "connection_id": ID, "iface": TEXT,
 *   "portal": "ADDR:PORT" or "[v6]:PORT", "address": TEXT, "port": N: those of the node record,
 *   "current_address": TEXT (may be empty), "current_port": N (may be 0),
 *   "status": 1 (connected), 2 (disconnected) or 3 (reconnecting), "kernel_state": TEXT,
 *   "role": "primary", "standby", "weight N" or "-",
 *   "primary": BOOL, "weight": N, "link_speed_mbps": N, "offload": BOOL: null, all four, where the
 *   policy in force does not have this connection,
 *   "disks": [TEXT], "generational_guid": GUID or null
 *
 * MAP:
 *   "name": TEXT, "wwid": TEXT, "size_bytes": N,
 *   "provenance": "disk", "session", "default" or "host": where its policy comes from; or null,
 *   "groups": [{"selector": TEXT, "state": TEXT, "active": BOOL,
 *               "connections": [ID, or null for a path that is not the session's]}], in table order
 *
 * iscsi-wmi sessions [--statistics] --json     {"sessions": [NEGOTIATED]}
 *
 * NEGOTIATED, of a session that is logged in:
 *   "session_id": ID, "adapter_id": ID, "initiator_name": TEXT, "target_name": TEXT,
 *   "tsid": N, "isid": 12 hex digits, "type": 2 (data) or 3 (boot),
 *   "initial_r2t": BOOL, "immediate_data": BOOL,
 *   "data_sequence_in_order": BOOL, "data_pdu_in_order": BOOL, "error_recovery_level": N,
 *   "max_outstanding_r2t": N, "first_burst_length": N, "max_burst_length": N, in bytes,
 *   "max_connections": N,
 *   "connections": [{
 *     "connection_id": ID, "cid": N, "state": 0 (login), 1 (full feature phase) or 2 (logout),
 *     "header_digest": BOOL, "data_digest": BOOL, "max_recv_data_segment_length": N,
 *     "auth": 0 (none), 1 (CHAP) or 2 (mutual CHAP),
 *     "local_address": TEXT (may be empty), "local_port": N,
 *     "remote_address": TEXT, "remote_port": N,
 *     "bytes_per_second": N, "mtu": N: of the network interface, 0 where unknown,
 *     "statistics": {"bytes_sent": N, "bytes_received": N, "commands_sent": N,
 *                    "responses_received": N}, or null where they were not asked for
 *   }]
 *
 * An ID is a text of 16 hex digits, because many readers of JSON cannot hold 64 bits.
 */

#include "cli/json.h"

#include <string.h>

#include "basic/sanitize.h"
#include "cli/cli.h"
#include "cli/json-add.h"

static struct json_object *new_id_list(const uint64_t *items, size_t n)
{
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < n; i++)
        json_object_array_add(array, new_id_or_null(items[i]));
    return array;
}

static struct json_object *new_text_list(char *const *items, size_t n)
{
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < n; i++)
        json_object_array_add(array, json_object_new_string(items[i]));
    return array;
}

struct json_object *json_adapter(const struct report_adapter *adapter)
{
    struct json_object *object = json_object_new_object();
    const struct iscsiwmi_hba_information *info = adapter->info;
    char guid[ISCSIWMI_GUID_TEXT_SIZE];

    iscsiwmi_guid_format(info->GenerationalGuid, guid);
    add(object, "adapter_id", new_id(adapter->id));
    add_text(object, "initiator_name", adapter->name);
    add_number(object, "status", info->Status);
    add_text(object, "driver", info->DriverName);
    add_text(object, "driver_version", info->VendorVersion);
    add_number(object, "ports", info->NumberOfPorts);
    add_text(object, "generational_guid", guid);
    add_bool(object, "cache_valid", info->CacheValid);
    return object;
}

static void add_role(struct json_object *object, uint32_t policy,
                     const struct report_connection *connection)
{
    const struct iscsiwmi_path *path = &connection->path;
    bool known = connection->in_policy;
    char role[ROLE_TEXT_SIZE];

    text_role(policy, connection, role);
    add_text(object, "role", role);
    add(object, "primary", known ? json_object_new_boolean(path->PrimaryPath != 0) : NULL);
    add(object, "weight", known ? json_object_new_uint64(path->PathWeight) : NULL);
    add(object, "link_speed_mbps", known ? json_object_new_uint64(path->EstimatedLinkSpeed) : NULL);
    add(object, "offload", known ? json_object_new_boolean(path->TCPOffLoadAvailable != 0) : NULL);
}

static struct json_object *new_connection(uint32_t policy,
                                          const struct report_connection *connection)
{
    const char *tag = connection->info->GenerationalGuid;
    struct json_object *object = json_object_new_object();
    _cleanup_free_ char *portal = text_portal(connection->address, connection->port);

    add(object, "connection_id", new_id(connection->id));
    add_text(object, "iface", connection->iface);
    add_text(object, "portal", portal);
    add_text(object, "address", connection->address);
    add_number(object, "port", connection->port);
    add_text(object, "current_address", connection->current_address);
    add_number(object, "current_port", connection->current_port);
    add_number(object, "status", connection->info->ConnectionStatus);
    add_text(object, "kernel_state", connection->info->State);
    add_role(object, policy, connection);
    add(object, "disks", new_text_list(connection->info->Disks, connection->info->DiskCount));
    add_text(object, "generational_guid", *tag ? tag : NULL);
    return object;
}

static struct json_object *new_group(const struct iscsiwmi_map_group *group)
{
    struct json_object *object = json_object_new_object();

    add_text(object, "selector", group->Selector);
    add_text(object, "state", group->State);
    add_bool(object, "active", strcmp(group->State, "active") == 0);
    add(object, "connections", new_id_list(group->Paths, group->PathCount));
    return object;
}

static struct json_object *new_map(const struct report *report, const struct iscsiwmi_map *map)
{
    const struct report_disk *disk = report_find_disk(report, map->Wwid);
    struct json_object *object = json_object_new_object();
    struct json_object *groups = json_object_new_array();

    for (size_t i = 0; i < map->GroupCount; i++)
        json_object_array_add(groups, new_group(map->Groups[i]));
    add_text(object, "name", map->Name);
    add_text(object, "wwid", map->Wwid);
    add_number(object, "size_bytes", map->Size);
    add_text(object, "provenance", disk ? disk->info->Provenance : NULL);
    add(object, "groups", groups);
    return object;
}

static struct json_object *new_session(const struct report *report,
                                       const struct report_session *session)
{
    struct json_object *object = json_object_new_object();
    struct json_object *connections = json_object_new_array();
    struct json_object *maps = json_object_new_array();

    for (size_t i = 0; i < session->connections.n; i++)
        json_object_array_add(connections,
                              new_connection(session->policy, &session->connections.items[i]));
    for (size_t i = 0; i < session->info->MapCount; i++)
        json_object_array_add(maps, new_map(report, session->info->Maps[i]));
    add(object, "session_id", new_id(session->id));
    add(object, "adapter_id", new_id(session->adapter_id));
    add_text(object, "initiator_name", session->initiator);
    add_text(object, "target_name", session->target);
    add_number(object, "policy", session->policy);
    add_text(object, "policy_name", iscsiwmi_lb_policy_name(session->policy));
    add_number(object, "chosen_policy", session->info->LoadBalancePolicy);
    add_text(object, "provenance", session->info->Provenance);
    add_text(object, "agreement", session->info->Agreement);
    add_text(object, "multipathd", session->info->MultipathdAgreement);
    add_text(object, "reason", session->info->Reason);
    add(object, "connections", connections);
    add(object, "maps", maps);
    add(object, "changed_records",
        new_id_list(session->info->ChangedRecords, session->info->ChangedRecordCount));
    return object;
}

static struct json_object *new_session_array(const struct report *report,
                                             const struct report_session *only)
{
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < report->n_sessions; i++)
        if (!only || only == &report->sessions[i])
            json_object_array_add(array, new_session(report, &report->sessions[i]));
    return array;
}

struct json_object *json_sessions(const struct report *report, const struct report_session *only)
{
    struct json_object *object = json_object_new_object();

    add(object, "sessions", new_session_array(report, only));
    return object;
}

static struct json_object *new_counters(const struct iscsiwmi_connection_statistics *counters)
{
    struct json_object *object = counters ? json_object_new_object() : NULL;

    if (!object)
        return NULL;
    add_number(object, "bytes_sent", counters->BytesSent);
    add_number(object, "bytes_received", counters->BytesReceived);
    add_number(object, "commands_sent", counters->PDUCommandsSent);
    add_number(object, "responses_received", counters->PDUResponsesReceived);
    return object;
}

static struct json_object *
new_negotiated_connection(const struct iscsiwmi_connection_static_info *info,
                          const struct statistics *statistics)
{
    struct json_object *object = json_object_new_object();

    add(object, "connection_id", new_id(info->UniqueConnectionId));
    add_number(object, "cid", info->CID);
    add_number(object, "state", info->State);
    add_bool(object, "header_digest", info->HeaderIntegrity != 0);
    add_bool(object, "data_digest", info->DataIntegrity != 0);
    add_number(object, "max_recv_data_segment_length", info->MaxRecvDataSegmentLength);
    add_number(object, "auth", info->AuthType);
    add_text(object, "local_address", info->LocalAddr.TextAddress);
    add_number(object, "local_port", info->LocalPort);
    add_text(object, "remote_address", info->RemoteAddr.TextAddress);
    add_number(object, "remote_port", info->RemotePort);
    add_number(object, "bytes_per_second", info->EstimatedThroughput);
    add_number(object, "mtu", info->MaxDatagramSize);
    add(object, "statistics", new_counters(statistics_find(statistics, info->UniqueConnectionId)));
    return object;
}

static void add_negotiated(struct json_object *object,
                           const struct iscsiwmi_session_static_info *info)
{
    char isid[13];

    for (size_t i = 0; i < sizeof(info->ISID); i++)
        snprintf(isid + 2 * i, 3, "%02x", info->ISID[i]);
    add_number(object, "tsid", info->TSID);
    add_text(object, "isid", isid);
    add_number(object, "type", info->Type);
    add_bool(object, "initial_r2t", info->InitialR2t);
    add_bool(object, "immediate_data", info->ImmediateData);
    add_bool(object, "data_sequence_in_order", info->DataSequenceInOrder);
    add_bool(object, "data_pdu_in_order", info->DataPduInOrder);
    add_number(object, "error_recovery_level", info->ErrorRecoveryLevel);
    add_number(object, "max_outstanding_r2t", info->MaxOutstandingR2t);
    add_number(object, "first_burst_length", info->FirstBurstLength);
    add_number(object, "max_burst_length", info->MaxBurstLength);
    add_number(object, "max_connections", info->MaxConnections);
}

static struct json_object *new_negotiated(const struct report_adapter *adapter,
                                          const struct iscsiwmi_session_static_info *info,
                                          const struct statistics *statistics)
{
    struct json_object *object = json_object_new_object();
    struct json_object *connections = json_object_new_array();

    for (uint16_t i = 0; i < info->ConnectionCount; i++)
        json_object_array_add(connections,
                              new_negotiated_connection(&info->ConnectionsList[i], statistics));
    add(object, "session_id", new_id(info->UniqueSessionId));
    add(object, "adapter_id", new_id(adapter->id));
    add_text(object, "initiator_name", info->InitiatoriSCSIName);
    add_text(object, "target_name", info->TargetiSCSIName);
    add_negotiated(object, info);
    add(object, "connections", connections);
    return object;
}

struct json_object *json_session_infos(const struct report *report,
                                       const struct statistics *statistics)
{
    struct json_object *object = json_object_new_object();
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < report->n_adapters; i++) {
        const struct report_adapter *adapter = &report->adapters[i];
        uint32_t n = adapter->session_infos ? adapter->session_infos->SessionCount : 0;

        for (uint32_t k = 0; k < n; k++)
            json_object_array_add(
                array,
                new_negotiated(adapter, &adapter->session_infos->SessionsList[k], statistics));
    }
    add(object, "sessions", array);
    return object;
}

struct json_object *json_host(const struct report *report, const struct iscsiwmi_manager *manager)
{
    struct json_object *object = json_object_new_object();
    struct json_object *service = json_object_new_object();
    struct json_object *adapters = json_object_new_array();

    add_text(service, "version", manager->Version);
    add_text(service, "path_weight_order", manager->PathWeightOrder);
    add(service, "conditions", new_text_list(manager->Conditions, manager->ConditionCount));
    json_add_default(service, manager);
    for (size_t i = 0; i < report->n_adapters; i++)
        json_object_array_add(adapters, json_adapter(&report->adapters[i]));
    add(object, "service", service);
    add(object, "adapters", adapters);
    add(object, "sessions", new_session_array(report, NULL));
    return object;
}

static struct json_object *new_changed_record(const struct iscsiwmi_changed_record *record)
{
    struct json_object *object = json_object_new_object();

    add_text(object, "kind", record->Kind);
    add_text(object, "name", record->Name);
    add(object, "connection_id", new_id_or_null(record->UniqueConnectionId));
    add_text(object, "difference", record->Difference);
    add(object, "fields", new_text_list(record->Fields, record->FieldCount));
    return object;
}

struct json_object *json_changes(const struct report_adapter *adapter,
                                 const struct iscsiwmi_changed_records *changes)
{
    struct json_object *object = json_object_new_object();
    struct json_object *records = json_object_new_array();
    char guid[ISCSIWMI_GUID_TEXT_SIZE];

    iscsiwmi_guid_format(adapter->info->GenerationalGuid, guid);
    add(object, "adapter_id", new_id(adapter->id));
    add_text(object, "initiator_name", adapter->name);
    add_text(object, "generational_guid", guid);
    add_bool(object, "cache_valid", !*changes->Reason);
    add_text(object, "reason", changes->Reason);
    for (uint32_t i = 0; i < changes->RecordCount; i++)
        json_object_array_add(records, new_changed_record(changes->Records[i]));
    add(object, "records", records);
    return object;
}

static int print(struct json_object *object, int flags)
{
    const char *text =
        json_object_to_json_string_ext(object, flags | JSON_C_TO_STRING_NOSLASHESCAPE);
    _cleanup_free_ char *copy = text ? strdup(text) : NULL;

    json_object_put(object);
    if (!copy)
        return cli_fail_memory();
    puts(sanitize(copy, SINK_JSON));
    return EXIT_OK;
}

int json_print(struct json_object *object)
{
    return print(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
}

int json_print_line(struct json_object *object)
{
    return print(object, JSON_C_TO_STRING_PLAIN);
}
