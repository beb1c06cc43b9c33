/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/report.h"

#include <string.h>

#include "basic/sanitize.h"

/* ---- texts that a terminal can have ---- */

static void clean_connection(const struct iscsiwmi_session_connection *connection)
{
    sanitize(connection->Iface, SINK_TERMINAL);
    sanitize(connection->PersistentAddress, SINK_TERMINAL);
    sanitize(connection->CurrentAddress, SINK_TERMINAL);
    sanitize(connection->State, SINK_TERMINAL);
    sanitize(connection->GenerationalGuid, SINK_TERMINAL);
    for (uint32_t i = 0; i < connection->DiskCount; i++)
        sanitize(connection->Disks[i], SINK_TERMINAL);
}

static void clean_map(const struct iscsiwmi_map *map)
{
    sanitize(map->Name, SINK_TERMINAL);
    sanitize(map->Wwid, SINK_TERMINAL);
    for (uint32_t i = 0; i < map->GroupCount; i++) {
        sanitize(map->Groups[i]->Selector, SINK_TERMINAL);
        sanitize(map->Groups[i]->State, SINK_TERMINAL);
    }
}

static void clean_session(const struct iscsiwmi_session *session)
{
    sanitize(session->InitiatorName, SINK_TERMINAL);
    sanitize(session->TargetName, SINK_TERMINAL);
    sanitize(session->Provenance, SINK_TERMINAL);
    sanitize(session->Agreement, SINK_TERMINAL);
    sanitize(session->MultipathdAgreement, SINK_TERMINAL);
    sanitize(session->Reason, SINK_TERMINAL);
    for (uint32_t i = 0; i < session->ConnectionCount; i++)
        clean_connection(session->Connections[i]);
    for (uint32_t i = 0; i < session->MapCount; i++)
        clean_map(session->Maps[i]);
}

static void clean_session_infos(const struct iscsiwmi_initiator_session_info *infos)
{
    for (uint32_t i = 0; infos && i < infos->SessionCount; i++) {
        const struct iscsiwmi_session_static_info *info = &infos->SessionsList[i];

        sanitize(info->InitiatoriSCSIName, SINK_TERMINAL);
        sanitize(info->TargetiSCSIName, SINK_TERMINAL);
        for (uint32_t k = 0; k < info->ConnectionCount; k++) {
            sanitize(info->ConnectionsList[k].LocalAddr.TextAddress, SINK_TERMINAL);
            sanitize(info->ConnectionsList[k].RemoteAddr.TextAddress, SINK_TERMINAL);
        }
    }
}

static void clean_adapter(const struct iscsiwmi_adapter *adapter)
{
    sanitize(adapter->HBAInformation->InstanceName, SINK_TERMINAL);
    sanitize(adapter->HBAInformation->DriverName, SINK_TERMINAL);
    sanitize(adapter->HBAInformation->VendorVersion, SINK_TERMINAL);
    clean_session_infos(adapter->InitiatorSessionInfo);
}

static void clean_disk(const struct iscsiwmi_disk *disk)
{
    sanitize(disk->WWID, SINK_TERMINAL);
    sanitize(disk->Name, SINK_TERMINAL);
    sanitize(disk->Provenance, SINK_TERMINAL);
    sanitize(disk->Agreement, SINK_TERMINAL);
    sanitize(disk->MultipathdAgreement, SINK_TERMINAL);
    sanitize(disk->Reason, SINK_TERMINAL);
}

/* ---- sorted and linked ---- */

static int compare_adapters(const void *a, const void *b)
{
    const struct report_adapter *left = a, *right = b;

    return strcmp(left->name, right->name);
}

static int compare_sessions(const void *a, const void *b)
{
    const struct report_session *left = a, *right = b;
    int order = strcmp(left->target, right->target);

    return order ? order : strcmp(left->initiator, right->initiator);
}

static int compare_connections(const void *a, const void *b)
{
    const struct report_connection *left = a, *right = b;

    return (left->id > right->id) - (left->id < right->id);
}

static int compare_disks(const void *a, const void *b)
{
    const struct report_disk *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    return order ? order : strcmp(left->wwid, right->wwid);
}

static void sort(void *items, size_t n, size_t size, int (*compare)(const void *, const void *))
{
    if (n > 1)
        qsort(items, n, size, compare);
}

struct report_connection *report_session_connection(const struct report_session *session,
                                                    uint64_t id)
{
    for (size_t i = 0; i < session->connections.n; i++)
        if (session->connections.items[i].id == id)
            return &session->connections.items[i];
    return NULL;
}

const struct report_adapter *report_find_adapter(const struct report *report,
                                                 const struct report_session *session)
{
    for (size_t i = 0; i < report->n_adapters; i++)
        if (report->adapters[i].id == session->adapter_id)
            return &report->adapters[i];
    return NULL;
}

const struct report_disk *report_find_disk(const struct report *report, const char *wwid)
{
    for (size_t i = 0; i < report->n_disks; i++)
        if (strcmp(report->disks[i].wwid, wwid) == 0)
            return &report->disks[i];
    return NULL;
}

static void take_policy(struct report_session *session, const struct iscsiwmi_lb_policies *live)
{
    session->policy = live->LoadBalancePolicy;
    for (uint32_t i = 0; i < live->iSCSI_PathCount; i++) {
        const struct iscsiwmi_path *path = &live->iSCSI_Paths[i];
        struct report_connection *connection =
            report_session_connection(session, path->UniqueConnectionId);

        if (!connection)
            continue;
        connection->in_policy = true;
        connection->path = *path;
    }
}

static void link_session(struct report_session *session, const struct report *report)
{
    const struct report_adapter *adapter = report_find_adapter(report, session);

    for (uint32_t i = 0; adapter && adapter->policies && i < adapter->policies->SessionCount; i++)
        if (adapter->policies->LoadBalancePolicies[i].UniqueSessionId == session->id)
            take_policy(session, &adapter->policies->LoadBalancePolicies[i]);
}

static void fill_connection(struct report_connection *connection,
                            const struct iscsiwmi_session_connection *info)
{
    *connection = (struct report_connection){
        .id = info->UniqueConnectionId,
        .iface = info->Iface,
        .address = info->PersistentAddress,
        .port = info->PersistentPort,
        .current_address = info->CurrentAddress,
        .current_port = info->CurrentPort,
        .info = info,
    };
}

static int add_session(struct report *report, const struct iscsiwmi_session *info)
{
    struct report_session *session = &report->sessions[report->n_sessions];

    clean_session(info);
    *session = (struct report_session){
        .id = info->UniqueSessionId,
        .adapter_id = info->UniqueAdapterId,
        .initiator = info->InitiatorName,
        .target = info->TargetName,
        .connections = {.items = calloc((size_t)info->ConnectionCount + 1,
                                        sizeof(struct report_connection)),
                        .n = info->ConnectionCount},
        .info = info,
    };
    if (!session->connections.items)
        return -1;
    report->n_sessions++;
    for (uint32_t i = 0; i < info->ConnectionCount; i++)
        fill_connection(&session->connections.items[i], info->Connections[i]);
    sort(session->connections.items, session->connections.n, sizeof(struct report_connection),
         compare_connections);
    link_session(session, report);
    return 0;
}

static void add_adapter(struct report *report, const struct iscsiwmi_adapter *classes)
{
    if (!classes->HBAInformation)
        return;
    clean_adapter(classes);
    report->adapters[report->n_adapters++] = (struct report_adapter){
        .id = classes->UniqueAdapterId,
        .name = classes->HBAInformation->InstanceName,
        .info = classes->HBAInformation,
        .policies = classes->QueryLBPolicy,
        .session_infos = classes->InitiatorSessionInfo,
    };
}

static const struct report_connection *report_find_connection(const struct report *report,
                                                              uint64_t id)
{
    const struct report_connection *found = NULL;

    for (size_t i = 0; i < report->n_sessions && !found; i++)
        found = report_session_connection(&report->sessions[i], id);
    return found;
}

static int add_disk(struct report *report, const struct iscsiwmi_disk_classes *classes)
{
    struct report_disk *disk = &report->disks[report->n_disks];
    uint32_t n =
        classes->QueryLBPolicy ? classes->QueryLBPolicy->LoadBalancePolicy.DSMPathCount : 0;

    if (!classes->Disk)
        return 0;
    clean_disk(classes->Disk);
    *disk = (struct report_disk){
        .wwid = classes->Disk->WWID,
        .key = classes->WWID,
        .name = classes->Disk->Name,
        .active = classes->QueryLBPolicy && classes->QueryLBPolicy->Active,
        .info = classes->Disk,
        .policy = classes->QueryLBPolicy ? &classes->QueryLBPolicy->LoadBalancePolicy : NULL,
        .supported = classes->QuerySupportedLBPolicies,
        .connections = {.items = calloc((size_t)n + 1, sizeof(struct report_connection)), .n = n},
    };
    if (!disk->connections.items)
        return -1;
    report->n_disks++;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t id = disk->policy->DSM_Paths[i].DsmPathId;
        const struct report_connection *connection = report_find_connection(report, id);

        disk->connections.items[i] =
            connection ? *connection
                       : (struct report_connection){
                             .id = id, .iface = "", .address = "", .current_address = ""};
    }
    return 0;
}

static int report_fill(struct report *report)
{
    const struct iscsiwmi_host *objects = report->objects;

    report->adapters = calloc((size_t)objects->AdapterCount + 1, sizeof(*report->adapters));
    report->sessions = calloc((size_t)objects->SessionCount + 1, sizeof(*report->sessions));
    report->disks = calloc((size_t)objects->DiskCount + 1, sizeof(*report->disks));
    if (!report->adapters || !report->sessions || !report->disks)
        return -1;
    for (uint32_t i = 0; i < objects->AdapterCount; i++)
        add_adapter(report, objects->Adapters[i]);
    for (uint32_t i = 0; i < objects->SessionCount; i++)
        if (add_session(report, objects->Sessions[i]) < 0)
            return -1;
    for (uint32_t i = 0; i < objects->DiskCount; i++)
        if (add_disk(report, objects->Disks[i]) < 0)
            return -1;
    sort(report->adapters, report->n_adapters, sizeof(*report->adapters), compare_adapters);
    sort(report->sessions, report->n_sessions, sizeof(*report->sessions), compare_sessions);
    sort(report->disks, report->n_disks, sizeof(*report->disks), compare_disks);
    return 0;
}

struct report *report_new(struct iscsiwmi_host *objects)
{
    _cleanup_report_ struct report *report = calloc(1, sizeof(*report));

    if (!report) {
        iscsiwmi_free(objects);
        return NULL;
    }
    report->objects = objects;
    return report_fill(report) < 0 ? NULL : TAKE_PTR(report);
}

struct report *report_free(struct report *report)
{
    if (!report)
        return NULL;
    for (size_t i = 0; i < report->n_sessions; i++)
        free(report->sessions[i].connections.items);
    for (size_t i = 0; i < report->n_disks; i++)
        free(report->disks[i].connections.items);
    free(report->adapters);
    free(report->sessions);
    free(report->disks);
    iscsiwmi_free(report->objects);
    free(report);
    return NULL;
}

void statistics_clear(struct statistics *statistics)
{
    for (size_t i = 0; i < statistics->n; i++)
        iscsiwmi_free(statistics->items[i].counters);
    free(statistics->items);
}

const struct iscsiwmi_connection_statistics *statistics_find(const struct statistics *statistics,
                                                             uint64_t connection_id)
{
    for (size_t i = 0; i < statistics->n; i++)
        if (statistics->items[i].connection_id == connection_id)
            return statistics->items[i].counters;
    return NULL;
}
