/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/rules.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "basic/macros.h"
#include "basic/sanitize.h"
#include "bus/names.h"
#include "bus/paths.h"
#include "service/model/find.h"
#include "service/model/model.h"
#include "wmi/dsm.h"
#include "wmi/guid.h"
#include "wmi/policy.h"
#include "wmi/status.h"

static void rules_append(struct details *details, const char *key, const char *value)
{
    assert(details->n < DETAILS_MAX);
    struct detail *detail = &details->items[details->n++];

    detail->key = key;
    snprintf(detail->value, sizeof(detail->value), "%s", value);
    sanitize(detail->value, SINK_POLKIT);
}

static const char *known(const char *name)
{
    return name ?: "unknown";
}

static int describe_adapter(sd_bus_message *arguments, struct host *host, struct details *details)
{
    const struct adapter *adapter = adapter_of_path(host, sd_bus_message_get_path(arguments));
    if (!adapter)
        return -ENOENT;
    rules_append(details, "adapter", adapter->initiator);
    return 0;
}

static int describe_guid(sd_bus_message *arguments, struct host *host, struct details *details)
{
    char text[GUID_TEXT_SIZE] = "unknown";
    const void *guid;
    size_t size;

    int r = describe_adapter(arguments, host, details);
    if (r >= 0)
        r = sd_bus_message_read_array(arguments, 'y', &guid, &size);
    if (r < 0)
        return r;
    if (size == GUID_SIZE)
        guid_format(guid, text);
    rules_append(details, "guid", text);
    return 0;
}

static int describe_session(sd_bus_message *arguments, struct host *host, struct details *details)
{
    char id_text[17];
    uint64_t id;
    uint32_t policy;

    int r = describe_adapter(arguments, host, details);
    if (r >= 0)
        r = sd_bus_message_enter_container(arguments, 'r', "tuua(ttuuuu)");
    if (r >= 0)
        r = sd_bus_message_read(arguments, "tu", &id, &policy);
    if (r < 0)
        return r;
    const struct session *session = host_session(host, id);
    snprintf(id_text, sizeof(id_text), "%016" PRIx64, id);
    rules_append(details, "session", id_text);
    rules_append(details, "target", known(session ? session->target : NULL));
    rules_append(details, "policy", known(lb_policy_name(policy)));
    return 0;
}

static int describe_disk(sd_bus_message *arguments, struct host *host, struct details *details)
{
    const char *contents = NULL;
    struct host_map *map;
    uint32_t policy;

    int r = disk_of_path(host, sd_bus_message_get_path(arguments), &map);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    r = sd_bus_message_peek_type(arguments, NULL, &contents);
    if (r >= 0)
        r = sd_bus_message_enter_container(arguments, 'r', contents);
    if (r >= 0)
        r = sd_bus_message_read(arguments, "uu", NULL, &policy); /* the version, first */
    if (r < 0)
        return r;
    rules_append(details, "disk", map->wwid);
    rules_append(details, "policy", known(dsm_policy_name(policy)));
    return 0;
}

static bool is_manager(sd_bus_message *message)
{
    return strcmp(sd_bus_message_get_path(message), BUS_PATH) == 0;
}

static int describe_default(sd_bus_message *value, struct host *host, struct details *details)
{
    uint32_t policy;
    int r = is_manager(value) ? sd_bus_message_read(value, "u", &policy) : -ENOENT;
    if (r < 0)
        return r;
    rules_append(details, "policy", known(dsm_policy_name(policy)));
    return 0;
}

static int describe_order(sd_bus_message *value, struct host *host, struct details *details)
{
    const char *order;
    int r = is_manager(value) ? sd_bus_message_read(value, "s", &order) : -ENOENT;
    if (r < 0)
        return r;
    bool is_known = strcmp(order, "lowest-first") == 0 || strcmp(order, "highest-first") == 0;
    rules_append(details, "order", known(is_known ? order : NULL));
    return 0;
}

const struct rule rules[] = {
    /* Reading, which any user may. */
    {.interface = "org.freedesktop.DBus.Introspectable", .member = "Introspect"},
    {.interface = "org.freedesktop.DBus.ObjectManager", .member = "GetManagedObjects"},
    {.interface = "org.freedesktop.DBus.Peer", .member = "GetMachineId"},
    {.interface = "org.freedesktop.DBus.Peer", .member = "Ping"},
    {.interface = PROPERTIES_INTERFACE, .member = "Get"},
    {.interface = PROPERTIES_INTERFACE, .member = "GetAll"},
    {.interface = BUS_INTERFACE("Manager"), .member = "DescribeStatus"},

    /* Changes, one action a kind. */
    {
        .interface = BUS_INTERFACE("MSiSCSI_LB_Operations"),
        .member = "SetLoadBalancePolicy",
        .action = ACTION("set-load-balance-policy"),
        .signature = "(tuua(ttuuuu))",
        .answer = "u",
        .out_of_resources = ISDSC_OUT_OF_RESOURCES,
        .describe = describe_session,
    },
    {
        .interface = BUS_INTERFACE("DSM_LB_Operations"),
        .member = "DsmSetLoadBalancePolicy",
        .action = ACTION("set-disk-policy"),
        .signature = "(uuuua(ttuu))",
        .answer = "u",
        .out_of_resources = STATUS_INSUFFICIENT_RESOURCES,
        .describe = describe_disk,
    },
    {
        .interface = BUS_INTERFACE("DSM_LB_Operations"),
        .member = "DsmSetLoadBalancePolicyALUA",
        .action = ACTION("set-disk-policy"),
        .signature = "(uuuua(ttuuuuuuuyyquut))",
        .answer = "u",
        .out_of_resources = STATUS_INSUFFICIENT_RESOURCES,
        .describe = describe_disk,
    },
    {
        .interface = BUS_INTERFACE("MSiSCSI_SecurityConfigOperations"),
        .member = "SetGenerationalGuid",
        .action = ACTION("set-generational-guid"),
        .signature = "ay",
        .answer = "u",
        .out_of_resources = ISDSC_OUT_OF_RESOURCES,
        .describe = describe_guid,
    },
    {
        .interface = BUS_INTERFACE("MSiSCSI_SecurityConfigOperations"),
        .member = "ClearCache",
        .action = ACTION("clear-cache"),
        .signature = "",
        .answer = "u",
        .out_of_resources = ISDSC_OUT_OF_RESOURCES,
        .describe = describe_adapter,
    },
    {
        .interface = BUS_INTERFACE("Manager"),
        .member = "DefaultLoadBalancePolicy",
        .is_property = true,
        .action = ACTION("set-default-policy"),
        .signature = "u",
        .describe = describe_default,
    },
    {
        .interface = BUS_INTERFACE("Manager"),
        .member = "PathWeightOrder",
        .is_property = true,
        .action = ACTION("set-path-weight-order"),
        .signature = "s",
        .describe = describe_order,
    },

    /* Changes nothing, but says what the modes of open-iscsi's files keep for root. */
    {
        .interface = BUS_INTERFACE("Adapter"),
        .member = "ListChangedRecords",
        .action = ACTION("read-records"),
        .signature = "",
        .describe = describe_adapter,
    },

    /* Likewise, but sends packets in root's name, and few can run at a time. */
    {
        .interface = BUS_INTERFACE("MSiSCSI_ManagementOperations"),
        .member = "PingIPAddress",
        .action = ACTION("ping"),
        .signature = "uuu(uuayuus)",
        .answer = "uu",
        .out_of_resources = ISDSC_OUT_OF_RESOURCES,
        .describe = describe_adapter,
    },
};
const size_t n_rules = ELEMENTSOF(rules);

static const struct rule *find(const char *interface, const char *member, bool is_property)
{
    for (size_t i = 0; i < n_rules; i++)
        if (strcmp(rules[i].interface, interface) == 0 && strcmp(rules[i].member, member) == 0 &&
            rules[i].is_property == is_property)
            return &rules[i];
    return NULL;
}

static int find_property(sd_bus_message *message, const struct rule **ret, sd_bus_error *error)
{
    const char *interface, *member;

    if (strcmp(sd_bus_message_get_signature(message, true), "ssv") != 0 ||
        sd_bus_message_read(message, "ss", &interface, &member) < 0)
        return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                                "Set expects an interface, a property and its value.");
    *ret = find(interface, member, true);
    if (!*ret)
        return sd_bus_error_set(error, SD_BUS_ERROR_PROPERTY_READ_ONLY,
                                "There is no such property that can be set.");
    return 0;
}

int rules_find(sd_bus_message *message, const struct rule **ret, sd_bus_error *error)
{
    const char *interface = sd_bus_message_get_interface(message);
    const char *member = sd_bus_message_get_member(message);
    const struct rule *rule = NULL;

    if (sd_bus_message_is_method_call(message, PROPERTIES_INTERFACE, "Set")) {
        int r = find_property(message, &rule, error);
        if (r < 0)
            return r;
    } else if (interface && member)
        rule = find(interface, member, false);
    if (!rule)
        return sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_METHOD,
                                 "There is no method %s of interface %s.", member ?: "without name",
                                 interface ?: "without name");
    *ret = rule;
    return sd_bus_message_rewind(message, true) < 0 ? -EBADMSG : 0;
}
