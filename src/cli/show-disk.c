/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/show.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/table.h"
#include "cli/text.h"

#define POLICY_TEXT_SIZE 48U

static void show_disk_policy_text(uint32_t policy, char ret_text[POLICY_TEXT_SIZE])
{
    const char *name = iscsiwmi_dsm_policy_name(policy);

    if (policy == ISCSIWMI_DSM_NONE)
        snprintf(ret_text, POLICY_TEXT_SIZE, "none");
    else
        snprintf(ret_text, POLICY_TEXT_SIZE, "%" PRIu32 " %s", policy, name ? name : "(unknown)");
}

static uint32_t policy_in_force(const struct report_disk *disk)
{
    return disk->policy ? disk->policy->LoadBalancePolicy : ISCSIWMI_DSM_NONE;
}

void show_default_policy(const struct iscsiwmi_manager *manager)
{
    char policy[POLICY_TEXT_SIZE];

    show_disk_policy_text(manager->DefaultLoadBalancePolicy, policy);
    puts(policy);
}

/* ---- all ---- */

static void show_disk_add(struct table *table, const struct report_disk *disk)
{
    bool is_named = *disk->name && strcmp(disk->name, disk->wwid) != 0;
    char policy[POLICY_TEXT_SIZE], size[SIZE_TEXT_SIZE];

    show_disk_policy_text(policy_in_force(disk), policy);
    text_size(disk->info->SizeBytes, size);
    table_add(table, TONE_PLAIN, is_named ? disk->name : "-");
    table_add(table, TONE_PLAIN, disk->wwid);
    table_add(table, TONE_PLAIN, disk->active ? size : "no map");
    table_add(table, TONE_PLAIN, policy);
    table_add(table, TONE_PLAIN, disk->info->Provenance);
    table_add(table, show_agreement_tone(disk->info->Agreement), disk->info->Agreement);
}

int show_disks(const struct report *report)
{
    static const struct column columns[] = {
        {.title = "NAME", .rank = 3, .min_width = 8},
        {.title = "WWID", .rank = 2, .min_width = 17},
        {.title = "SIZE", .right = true},
        {.title = "POLICY", .rank = 1, .min_width = 12},
        {.title = "FROM"},
        {.title = "STATE"},
    };
    _cleanup_table_ struct table *table = table_new(columns, ELEMENTSOF(columns));

    if (!table)
        return -ENOMEM;
    for (size_t i = 0; i < report->n_disks; i++)
        show_disk_add(table, &report->disks[i]);
    return table_print(table);
}

/* ---- one ---- */

static void show_supported(const struct report_disk *disk)
{
    uint32_t n = disk->supported ? disk->supported->SupportedLBPoliciesCount : 0;
    char line[80] = "";
    size_t used = 0;

    for (uint32_t i = 0; i < n && used < sizeof(line); i++)
        used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%" PRIu32, i ? " " : "",
                                 disk->supported->Supported_LB_Policies[i].LoadBalancePolicy);
    if (n > 0)
        output_field("Can have", TONE_PLAIN, line);
}

/* What the array does, by its first path, whose words are those of all but in a strange array. */
static void show_access(const struct report_disk *disk)
{
    const struct iscsiwmi_dsm_path_v2 *path = disk->connections.n ? disk->policy->DSM_Paths : NULL;
    char line[64];

    if (!path)
        return;
    snprintf(line, sizeof(line), "ALUA %s, %s", text_alua(path->ALUASupport),
             path->SymmetricLUA ? "all paths alike" : "paths differ");
    output_field("Access", TONE_PLAIN, line);
}

static void show_size(const struct report_disk *disk)
{
    char size[SIZE_TEXT_SIZE];

    text_size(disk->info->SizeBytes, size);
    if (disk->active)
        output_field("Size", TONE_PLAIN, size);
    else
        output_field("Size", TONE_DOUBTFUL, "no map now");
}

int show_disk(const struct report_disk *disk)
{
    const struct iscsiwmi_disk *info = disk->info;
    uint32_t in_force = policy_in_force(disk);
    _cleanup_free_ char *line = NULL;
    char policy[POLICY_TEXT_SIZE];

    show_disk_policy_text(in_force, policy);
    if (asprintf(&line, "%s, from %s, %s", policy, info->Provenance, info->Agreement) < 0) {
        line = NULL;
        return -ENOMEM;
    }
    output_heading("Disk", *disk->name ? disk->name : disk->wwid);
    output_field("WWID", TONE_PLAIN, disk->wwid);
    show_size(disk);
    output_field("Policy", show_agreement_tone(info->Agreement), line);
    if (info->LoadBalancePolicy)
        output_field("multipathd", show_multipathd_tone(info->MultipathdAgreement),
                     info->MultipathdAgreement);
    if (info->LoadBalancePolicy && info->LoadBalancePolicy != in_force) {
        show_disk_policy_text(info->LoadBalancePolicy, policy);
        output_field("Chosen", TONE_PLAIN, policy);
    }
    if (*info->Reason)
        output_field("Reason", TONE_PLAIN, info->Reason);
    show_supported(disk);
    show_access(disk);
    return 0;
}

static void show_disk_add_path(struct table *table, const struct report_disk *disk, size_t i)
{
    const struct iscsiwmi_dsm_path_v2 *path = &disk->policy->DSM_Paths[i];
    const struct report_connection *connection = &disk->connections.items[i];
    _cleanup_free_ char *portal = text_portal(connection->address, connection->port);
    char id[ID_TEXT_SIZE], role[ROLE_TEXT_SIZE], group[16], port[16];

    text_id(path->DsmPathId, id);
    text_path_role(policy_in_force(disk), path, role);
    snprintf(group, sizeof(group), "%u%s", path->TargetPortGroup_Identifier,
             path->TargetPortGroup_Preferred ? "*" : " ");
    snprintf(port, sizeof(port), "%" PRIu32, path->TargetPort_Identifier);
    table_add(table, TONE_PLAIN, id);
    table_add(table, TONE_PLAIN, *connection->address ? portal : "(other)");
    table_add(table, path->FailedPath ? TONE_BAD : TONE_GOOD,
              path->FailedPath ? "failed" : "usable");
    table_add(table, TONE_PLAIN, role);
    table_add(table, TONE_PLAIN, text_access_state(path->TargetPortGroup_State));
    table_add(table, TONE_PLAIN, group);
    table_add(table, TONE_PLAIN, port);
}

int show_disk_paths(const struct report_disk *disk)
{
    static const struct column columns[] = {
        {.title = "ID", .cut = true, .rank = 1, .min_width = 8},
        {.title = "PORTAL", .rank = 3, .min_width = 14},
        {.title = "STATE"},
        {.title = "ROLE", .rank = 2, .min_width = 11},
        {.title = "ACCESS"},
        {.title = "GROUP", .right = true},
        {.title = "PORT", .right = true},
    };
    _cleanup_table_ struct table *table = table_new(columns, ELEMENTSOF(columns));

    if (!table)
        return -ENOMEM;
    if (disk->connections.n == 0) {
        puts("  No path.");
        return 0;
    }
    for (size_t i = 0; i < disk->connections.n; i++)
        show_disk_add_path(table, disk, i);
    return table_print(table);
}
