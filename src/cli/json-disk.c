/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * iscsi-wmi disk list --json          {"disks": [DISK]}, by name
 * iscsi-wmi disk get DISK --json      {"disks": [DISK]}, that one alone
 * iscsi-wmi policy default --json
 *   {"default_policy": 0 (none), 1, 2, 4 or 6, "default_policy_name": "NONE", "FAILOVER", ...}
 *
 * DISK:
 *   "wwid": TEXT, "name": TEXT (empty: it has had no map), "size_bytes": N (0 likewise),
 *   "active": BOOL: whether it has a map now,
 *   "policy": 1 to 7, the one in force, or 0 where none is known, in MPIO's numbers,
 *   "policy_name": "FAILOVER", ..., "LEAST_BLOCKS", or null,
 *   "chosen_policy": 1 to 6, or 0: the map is the host's own,
 *   "provenance": "disk", "session", "default" or "host": where the chosen one comes from,
 *   "agreement": TEXT, "multipathd": TEXT, "reason": TEXT (may be empty), "reapplications": N,
 *   "supported_policies": [N],
 *   "paths": [PATH], in table order
 *
 * PATH:
 *   "path_id": ID, of a path by iSCSI the connection's,
 *   "portal": TEXT, "iface": TEXT: null, both, where it is no connection of this host's,
 *   "weight": N, "primary": BOOL, "optimized": BOOL, "preferred": BOOL, "failed": BOOL,
 *   "state": "optimized", "unoptimized", "standby" or "unavailable": what primary and optimized
 * say, "access_state": 0 (optimized), 1 (unoptimized), 2 (standby), 3 (unavailable) or 16 (no
 * ALUA), "alua": 0 (none), 1 (implicit), 2 (explicit) or 3 (both), "symmetric": BOOL, "group": N,
 * "group_preferred": BOOL, "port": N: of the target's ports
 */

#include "cli/json-add.h"
#include "cli/json.h"

static void add_facts(struct json_object *object, const struct iscsiwmi_dsm_path_v2 *path)
{
    add_number(object, "access_state", path->TargetPortGroup_State);
    add_number(object, "alua", path->ALUASupport);
    add_bool(object, "symmetric", path->SymmetricLUA != 0);
    add_number(object, "group", path->TargetPortGroup_Identifier);
    add_bool(object, "group_preferred", path->TargetPortGroup_Preferred != 0);
    add_number(object, "port", path->TargetPort_Identifier);
}

static struct json_object *new_path(const struct iscsiwmi_dsm_path_v2 *path,
                                    const struct report_connection *connection)
{
    struct json_object *object = json_object_new_object();
    bool known = *connection->address;
    _cleanup_free_ char *portal = text_portal(connection->address, connection->port);

    add(object, "path_id", new_id(path->DsmPathId));
    add_text(object, "portal", known ? portal : NULL);
    add_text(object, "iface", known ? connection->iface : NULL);
    add_number(object, "weight", path->PathWeight);
    add_bool(object, "primary", path->PrimaryPath != 0);
    add_bool(object, "optimized", path->OptimizedPath != 0);
    add_bool(object, "preferred", path->PreferredPath != 0);
    add_bool(object, "failed", path->FailedPath != 0);
    add_text(object, "state", text_path_state(path));
    add_facts(object, path);
    return object;
}

static struct json_object *new_supported(const struct report_disk *disk)
{
    struct json_object *array = json_object_new_array();
    uint32_t n = disk->supported ? disk->supported->SupportedLBPoliciesCount : 0;

    for (uint32_t i = 0; i < n; i++)
        json_object_array_add(
            array,
            json_object_new_uint64(disk->supported->Supported_LB_Policies[i].LoadBalancePolicy));
    return array;
}

static struct json_object *new_paths(const struct report_disk *disk)
{
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < disk->connections.n; i++)
        json_object_array_add(array,
                              new_path(&disk->policy->DSM_Paths[i], &disk->connections.items[i]));
    return array;
}

static struct json_object *new_disk(const struct report_disk *disk)
{
    struct json_object *object = json_object_new_object();
    uint32_t policy = disk->policy ? disk->policy->LoadBalancePolicy : ISCSIWMI_DSM_NONE;

    add_text(object, "wwid", disk->wwid);
    add_text(object, "name", disk->name);
    add_number(object, "size_bytes", disk->info->SizeBytes);
    add_bool(object, "active", disk->active);
    add_number(object, "policy", policy);
    add_text(object, "policy_name", policy ? iscsiwmi_dsm_policy_name(policy) : NULL);
    add_number(object, "chosen_policy", disk->info->LoadBalancePolicy);
    add_text(object, "provenance", disk->info->Provenance);
    add_text(object, "agreement", disk->info->Agreement);
    add_text(object, "multipathd", disk->info->MultipathdAgreement);
    add_text(object, "reason", disk->info->Reason);
    add_number(object, "reapplications", disk->info->Reapplications);
    add(object, "supported_policies", new_supported(disk));
    add(object, "paths", new_paths(disk));
    return object;
}

struct json_object *json_disks(const struct report *report, const struct report_disk *only)
{
    struct json_object *object = json_object_new_object();
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < report->n_disks; i++)
        if (!only || only == &report->disks[i])
            json_object_array_add(array, new_disk(&report->disks[i]));
    add(object, "disks", array);
    return object;
}

void json_add_default(struct json_object *object, const struct iscsiwmi_manager *manager)
{
    uint32_t policy = manager->DefaultLoadBalancePolicy;

    add_number(object, "default_policy", policy);
    add_text(object, "default_policy_name", iscsiwmi_dsm_policy_name(policy));
}

struct json_object *json_default(const struct iscsiwmi_manager *manager)
{
    struct json_object *object = json_object_new_object();

    json_add_default(object, manager);
    return object;
}
