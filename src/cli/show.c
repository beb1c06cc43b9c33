/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/show.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/table.h"
#include "cli/text.h"

#define POLICY_TEXT_SIZE 48U

static void policy_text(uint32_t policy, char ret_text[POLICY_TEXT_SIZE])
{
    const char *name = iscsiwmi_lb_policy_name(policy);

    if (policy == 0)
        snprintf(ret_text, POLICY_TEXT_SIZE, "none");
    else
        snprintf(ret_text, POLICY_TEXT_SIZE, "%" PRIu32 " %s", policy, name ? name : "(unknown)");
}

enum tone show_agreement_tone(const char *agreement)
{
    if (strcmp(agreement, "Applied") == 0)
        return TONE_GOOD;
    return strcmp(agreement, "Pending") == 0 ? TONE_DOUBTFUL : TONE_BAD;
}

enum tone show_multipathd_tone(const char *agreement)
{
    return strcmp(agreement, "Agrees") == 0 ? TONE_GOOD : TONE_DOUBTFUL;
}

static enum tone status_tone(uint32_t status)
{
    if (status == ISCSIWMI_CONNECTED)
        return TONE_GOOD;
    return status == ISCSIWMI_RECONNECTING ? TONE_DOUBTFUL : TONE_BAD;
}

static const char *adapter_status(uint32_t status)
{
    static const char *const words[] = {"working", "degraded", "critical", "failed"};

    return status < ELEMENTSOF(words) ? words[status] : "unknown";
}

int show_adapter(const struct report_adapter *adapter)
{
    const struct iscsiwmi_hba_information *info = adapter->info;
    _cleanup_free_ char *state = NULL;
    char id[ID_TEXT_SIZE], guid[ISCSIWMI_GUID_TEXT_SIZE];

    if (asprintf(&state, "%s, %s%s%s, %" PRIu32 " %s", adapter_status(info->Status),
                 info->DriverName, *info->VendorVersion ? " " : "", info->VendorVersion,
                 info->NumberOfPorts, info->NumberOfPorts == 1 ? "port" : "ports") < 0) {
        state = NULL;
        return -ENOMEM;
    }
    text_id(adapter->id, id);
    iscsiwmi_guid_format(info->GenerationalGuid, guid);
    output_heading("Adapter", adapter->name);
    output_field("ID", TONE_PLAIN, id);
    output_field("Status", info->Status == 0 ? TONE_GOOD : TONE_DOUBTFUL, state);
    output_field("GUID", TONE_PLAIN, guid);
    if (!info->CacheValid)
        output_field("", TONE_DOUBTFUL, "does not hold any more: iscsi-wmi guid check");
    return 0;
}

int show_session(const struct report_session *session)
{
    _cleanup_free_ char *line = NULL;
    char id[ID_TEXT_SIZE], policy[POLICY_TEXT_SIZE];

    policy_text(session->policy, policy);
    if (asprintf(&line, "%s, from %s, %s", policy, session->info->Provenance,
                 session->info->Agreement) < 0) {
        line = NULL;
        return -ENOMEM;
    }
    text_id(session->id, id);
    output_heading("Session", session->target);
    output_field("ID", TONE_PLAIN, id);
    output_field("Policy", show_agreement_tone(session->info->Agreement), line);
    if (session->info->LoadBalancePolicy)
        output_field("multipathd", show_multipathd_tone(session->info->MultipathdAgreement),
                     session->info->MultipathdAgreement);
    if (session->info->LoadBalancePolicy && session->info->LoadBalancePolicy != session->policy) {
        policy_text(session->info->LoadBalancePolicy, policy);
        output_field("Chosen", TONE_PLAIN, policy);
    }
    if (*session->info->Reason)
        output_field("Reason", TONE_PLAIN, session->info->Reason);
    return 0;
}

static char *join(char *const *items, size_t n)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%s", i ? " " : "", items[i]);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

int show_changes(const struct report_adapter *adapter,
                 const struct iscsiwmi_changed_records *changes)
{
    static const struct column columns[] = {
        {.title = "KIND"},
        {.title = "RECORD", .rank = 2, .min_width = 20},
        {.title = "CHANGE"},
        {.title = "FIELDS", .rank = 1, .min_width = 20},
    };
    _cleanup_table_ struct table *table = table_new(columns, ELEMENTSOF(columns));

    if (!table)
        return -ENOMEM;
    if (changes->RecordCount == 0)
        return 0;
    output_heading("Adapter", adapter->name);
    for (uint32_t i = 0; i < changes->RecordCount; i++) {
        const struct iscsiwmi_changed_record *record = changes->Records[i];
        _cleanup_free_ char *fields = join(record->Fields, record->FieldCount);

        table_add(table, TONE_PLAIN, record->Kind);
        table_add(table, TONE_PLAIN, record->Name);
        table_add(table, TONE_DOUBTFUL, record->Difference);
        table_add(table, TONE_PLAIN, fields);
    }
    return table_print(table);
}

static void show_add_connection(struct table *table, const struct report_session *session,
                                const struct report_connection *connection)
{
    _cleanup_free_ char *portal = text_portal(connection->address, connection->port);
    _cleanup_free_ char *disks = join(connection->info->Disks, connection->info->DiskCount);
    char id[ID_TEXT_SIZE], role[ROLE_TEXT_SIZE];

    text_id(connection->id, id);
    text_role(session->policy, connection, role);
    table_add(table, TONE_PLAIN, id);
    table_add(table, TONE_PLAIN, connection->iface);
    table_add(table, TONE_PLAIN, portal);
    table_add(table, status_tone(connection->info->ConnectionStatus),
              text_connection_status(connection->info->ConnectionStatus));
    table_add(table, TONE_PLAIN, role);
    table_add(table, TONE_PLAIN, disks);
}

int show_connections(const struct report_session *session)
{
    static const struct column columns[] = {
        {.title = "ID", .cut = true, .rank = 2, .min_width = 8},
        {.title = "IFACE", .rank = 4},
        {.title = "PORTAL", .rank = 4, .min_width = 14},
        {.title = "STATE"},
        {.title = "ROLE", .rank = 3, .min_width = 7},
        {.title = "DISKS", .rank = 1},
    };
    _cleanup_table_ struct table *table = table_new(columns, ELEMENTSOF(columns));

    if (!table)
        return -ENOMEM;
    if (session->connections.n == 0) {
        puts("  Not logged in.");
        return 0;
    }
    for (size_t i = 0; i < session->connections.n; i++)
        show_add_connection(table, session, &session->connections.items[i]);
    return table_print(table);
}

static char *group_paths(const struct report_session *session,
                         const struct iscsiwmi_map_group *group)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    for (size_t i = 0; i < group->PathCount; i++) {
        const struct report_connection *connection =
            report_session_connection(session, group->Paths[i]);
        _cleanup_free_ char *name =
            connection ? text_connection(&session->connections, connection) : NULL;

        fprintf(out, "%s%s", i ? " " : "", connection ? (name ? name : "?") : "(other)");
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void show_add_group(struct table *table, const struct report_session *session,
                           const struct iscsiwmi_map *map, const struct iscsiwmi_map_group *group,
                           size_t i, const char *provenance)
{
    _cleanup_free_ char *paths = group_paths(session, group);
    bool active = strcmp(group->State, "active") == 0;
    enum tone tone = active ? TONE_GOOD : TONE_PLAIN;
    char size[SIZE_TEXT_SIZE], number[24];

    text_size(map->Size, size);
    snprintf(number, sizeof(number), "%zu%s", i + 1, active ? "*" : " ");
    table_add(table, TONE_PLAIN, i == 0 ? map->Name : "");
    table_add(table, TONE_PLAIN, i == 0 ? size : "");
    table_add(table, TONE_PLAIN, i == 0 ? provenance : "");
    table_add(table, tone, number);
    table_add(table, tone, group->Selector);
    table_add(table, tone, group->State);
    table_add(table, tone, paths);
}

static void add_map(struct table *table, const struct report_session *session,
                    const struct iscsiwmi_map *map, const char *provenance)
{
    static const struct iscsiwmi_map_group none = {.Selector = (char *)"",
                                                   .State = (char *)"no path"};

    if (map->GroupCount == 0)
        show_add_group(table, session, map, &none, 0, provenance);
    for (size_t i = 0; i < map->GroupCount; i++)
        show_add_group(table, session, map, map->Groups[i], i, provenance);
}

int show_maps(const struct report *report, const struct report_session *session)
{
    static const struct column columns[] = {
        {.title = "MAP", .rank = 3, .min_width = 8},
        {.title = "SIZE", .right = true},
        {.title = "FROM"},
        {.title = "GROUP", .right = true},
        {.title = "SELECTOR", .rank = 2},
        {.title = "STATE"},
        {.title = "PATHS", .rank = 1, .min_width = 14},
    };
    _cleanup_table_ struct table *table = table_new(columns, ELEMENTSOF(columns));

    if (!table)
        return -ENOMEM;
    if (session->info->MapCount == 0) {
        puts("  No multipath map.");
        return 0;
    }
    for (size_t i = 0; i < session->info->MapCount; i++) {
        const struct iscsiwmi_map *map = session->info->Maps[i];
        const struct report_disk *disk = report_find_disk(report, map->Wwid);

        add_map(table, session, map, disk ? disk->info->Provenance : "");
    }
    return table_print(table);
}

int show_policies(const struct report *report)
{
    static const struct column columns[] = {
        {.title = "SESSION", .cut = true, .rank = 1, .min_width = 8},
        {.title = "TARGET", .rank = 2, .min_width = 16},
        {.title = "POLICY", .rank = 2, .min_width = 12},
        {.title = "FROM"},
        {.title = "STATE"},
    };
    _cleanup_table_ struct table *table = table_new(columns, ELEMENTSOF(columns));

    if (!table)
        return -ENOMEM;
    for (size_t i = 0; i < report->n_sessions; i++) {
        const struct report_session *session = &report->sessions[i];
        char id[ID_TEXT_SIZE], policy[POLICY_TEXT_SIZE];

        text_id(session->id, id);
        policy_text(session->policy, policy);
        table_add(table, TONE_PLAIN, id);
        table_add(table, TONE_PLAIN, session->target);
        table_add(table, TONE_PLAIN, policy);
        table_add(table, TONE_PLAIN, session->info->Provenance);
        table_add(table, show_agreement_tone(session->info->Agreement), session->info->Agreement);
    }
    return table_print(table);
}

/* ---- what sessions have negotiated ---- */

static const char *yes(bool truth)
{
    return truth ? "yes" : "no";
}

static const char *type_word(uint8_t type)
{
    static const char *const words[] = {"discovery", "informational", "data", "boot"};

    return type < ELEMENTSOF(words) ? words[type] : "unknown";
}

static const char *state_word(uint8_t state)
{
    static const char *const words[] = {"login", "full feature", "logout"};

    return state < ELEMENTSOF(words) ? words[state] : "unknown";
}

static const char *auth_word(uint32_t auth)
{
    static const char *const words[] = {"none", "CHAP", "mutual CHAP"};

    return auth < ELEMENTSOF(words) ? words[auth] : "other";
}

static const char *digest_word(const struct iscsiwmi_connection_static_info *connection)
{
    if (connection->HeaderIntegrity && connection->DataIntegrity)
        return "both";
    if (connection->HeaderIntegrity)
        return "header";
    return connection->DataIntegrity ? "data" : "none";
}

static char *end_text(const struct iscsiwmi_ip_address *address, uint32_t port)
{
    return *address->TextAddress ? text_portal(address->TextAddress, (uint16_t)port) : strdup("-");
}

static void show_transfer(const struct iscsiwmi_session_static_info *session)
{
    char line[80], first[SIZE_TEXT_SIZE], most[SIZE_TEXT_SIZE];

    snprintf(line, sizeof(line), "InitialR2T %s, ImmediateData %s, ErrorRecoveryLevel %u",
             yes(session->InitialR2t), yes(session->ImmediateData), session->ErrorRecoveryLevel);
    output_field("Transfer", TONE_PLAIN, line);
    text_size(session->FirstBurstLength, first);
    text_size(session->MaxBurstLength, most);
    snprintf(line, sizeof(line), "%s first, %s at most, %" PRIu32 " R2T at a time", first, most,
             session->MaxOutstandingR2t);
    output_field("Bursts", TONE_PLAIN, line);
}

static void add_link(struct table *table, const struct iscsiwmi_connection_static_info *connection)
{
    char speed[24] = "-", mtu[16] = "-";

    if (connection->EstimatedThroughput > 0)
        snprintf(speed, sizeof(speed), "%" PRIu64, connection->EstimatedThroughput / 125000);
    if (connection->MaxDatagramSize > 0)
        snprintf(mtu, sizeof(mtu), "%" PRIu32, connection->MaxDatagramSize);
    table_add(table, TONE_PLAIN, speed);
    table_add(table, TONE_PLAIN, mtu);
}

static void add_static_info(struct table *table,
                            const struct iscsiwmi_connection_static_info *connection)
{
    _cleanup_free_ char *local = end_text(&connection->LocalAddr, connection->LocalPort);
    _cleanup_free_ char *remote = end_text(&connection->RemoteAddr, connection->RemotePort);
    char id[ID_TEXT_SIZE];

    text_id(connection->UniqueConnectionId, id);
    table_add(table, TONE_PLAIN, id);
    table_add(table, TONE_PLAIN, local);
    table_add(table, TONE_PLAIN, remote);
    table_add(table, connection->State == 1 ? TONE_GOOD : TONE_DOUBTFUL,
              state_word(connection->State));
    table_add(table, TONE_PLAIN, auth_word(connection->AuthType));
    table_add(table, TONE_PLAIN, digest_word(connection));
    add_link(table, connection);
}

static int show_static_infos(const struct iscsiwmi_session_static_info *session)
{
    static const struct column columns[] = {
        {.title = "ID", .cut = true, .rank = 1, .min_width = 8},
        {.title = "LOCAL", .rank = 2, .min_width = 14},
        {.title = "REMOTE", .rank = 2, .min_width = 14},
        {.title = "STATE", .rank = 3},
        {.title = "AUTH", .rank = 3},
        {.title = "DIGESTS"},
        {.title = "MBIT/S", .right = true},
        {.title = "MTU", .right = true},
    };
    _cleanup_table_ struct table *table = table_new(columns, ELEMENTSOF(columns));

    if (!table)
        return -ENOMEM;
    for (uint16_t i = 0; i < session->ConnectionCount; i++)
        add_static_info(table, &session->ConnectionsList[i]);
    return table_print(table);
}

int show_session_info(const struct iscsiwmi_session_static_info *session)
{
    char id[ID_TEXT_SIZE], numbers[48];
    const uint8_t *isid = session->ISID;

    text_id(session->UniqueSessionId, id);
    snprintf(numbers, sizeof(numbers), "%02x%02x%02x%02x%02x%02x, TSID %u", isid[0], isid[1],
             isid[2], isid[3], isid[4], isid[5], session->TSID);
    output_heading("Session", session->TargetiSCSIName);
    output_field("ID", TONE_PLAIN, id);
    output_field("From", TONE_PLAIN, session->InitiatoriSCSIName);
    output_field("Type", TONE_PLAIN, type_word(session->Type));
    output_field("ISID", TONE_PLAIN, numbers);
    show_transfer(session);
    putchar('\n');
    return show_static_infos(session);
}

static void add_number(struct table *table, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    table_add(table, TONE_PLAIN, text);
}

static void add_bytes(struct table *table, uint64_t bytes)
{
    char text[SIZE_TEXT_SIZE];

    text_size(bytes, text);
    table_add(table, TONE_PLAIN, text);
}

static void add_counters(struct table *table, uint64_t connection,
                         const struct iscsiwmi_connection_statistics *counters)
{
    char id[ID_TEXT_SIZE];

    text_id(connection, id);
    table_add(table, TONE_PLAIN, id);
    add_bytes(table, counters->BytesSent);
    add_bytes(table, counters->BytesReceived);
    add_number(table, counters->PDUCommandsSent);
    add_number(table, counters->PDUResponsesReceived);
}

int show_statistics(const struct iscsiwmi_session_static_info *session,
                    const struct statistics *statistics)
{
    static const struct column columns[] = {
        {.title = "ID", .cut = true, .rank = 1, .min_width = 8},
        {.title = "SENT", .right = true},
        {.title = "RECEIVED", .right = true},
        {.title = "COMMANDS", .right = true},
        {.title = "RESPONSES", .right = true},
    };
    _cleanup_table_ struct table *table = table_new(columns, ELEMENTSOF(columns));

    if (!table)
        return -ENOMEM;
    for (uint16_t i = 0; i < session->ConnectionCount; i++) {
        uint64_t id = session->ConnectionsList[i].UniqueConnectionId;
        const struct iscsiwmi_connection_statistics *counters = statistics_find(statistics, id);

        if (counters)
            add_counters(table, id, counters);
    }
    return table_print(table);
}
