/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The methods, one function each. */

#include "client/classes.h"
#include "client/client.h"

int iscsiwmi_describe_status(struct iscsiwmi_client *client, uint32_t status,
                             struct iscsiwmi_status_description **ret_description)
{
    _cleanup_message_ sd_bus_message *message = NULL;
    int r = call_new(client, ROOT_PATH, INTERFACE("Manager"), "DescribeStatus", &message);

    if (r < 0)
        return r;
    r = sd_bus_message_append(message, "u", status);
    return call_class(client, message, r, &class_status_description, class_read_members,
                      ret_description);
}

static int new_adapter_call(struct iscsiwmi_client *client, uint64_t adapter_id,
                            const char *interface, const char *method, sd_bus_message **ret_message)
{
    char path[OBJECT_PATH_MAX];

    object_path(ADAPTER_PREFIX, adapter_id, path);
    return call_new(client, path, interface, method, ret_message);
}

int iscsiwmi_list_changed_records(struct iscsiwmi_client *client, uint64_t adapter_id,
                                  struct iscsiwmi_changed_records **ret_records)
{
    _cleanup_message_ sd_bus_message *message = NULL;
    int r =
        new_adapter_call(client, adapter_id, INTERFACE("Adapter"), "ListChangedRecords", &message);

    if (r < 0)
        return r;
    return call_class(client, message, 0, &class_changed_records, class_read_members, ret_records);
}

int iscsiwmi_set_path_weight_order(struct iscsiwmi_client *client, const char *order)
{
    _cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
    int r = call_new(client, ROOT_PATH, "org.freedesktop.DBus.Properties", "Set", &message);

    if (r < 0)
        return r;
    r = sd_bus_message_append(message, "ssv", INTERFACE("Manager"), "PathWeightOrder", "s", order);
    return call_change(client, message, r, &reply);
}

int iscsiwmi_set_default_load_balance_policy(struct iscsiwmi_client *client, uint32_t policy)
{
    _cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
    int r = call_new(client, ROOT_PATH, "org.freedesktop.DBus.Properties", "Set", &message);

    if (r < 0)
        return r;
    r = sd_bus_message_append(message, "ssv", INTERFACE("Manager"), "DefaultLoadBalancePolicy", "u",
                              policy);
    return call_change(client, message, r, &reply);
}

/* For a method whose one answer is a Status. `r`: how filling in the message went. */
static int change(struct iscsiwmi_client *client, sd_bus_message *message, int r,
                  uint32_t *ret_status)
{
    _cleanup_message_ sd_bus_message *reply = NULL;
    uint32_t status;

    r = call_change(client, message, r, &reply);
    if (r < 0)
        return r;
    r = sd_bus_message_read(reply, "u", &status);
    if (r < 0)
        return fail_reading(client, r);
    *ret_status = status;
    return 0;
}

int iscsiwmi_set_load_balance_policy(struct iscsiwmi_client *client, uint64_t adapter_id,
                                     const struct iscsiwmi_lb_policies *policies,
                                     uint32_t *ret_status)
{
    _cleanup_message_ sd_bus_message *message = NULL;
    int r = new_adapter_call(client, adapter_id, INTERFACE("MSiSCSI_LB_Operations"),
                             "SetLoadBalancePolicy", &message);

    if (r < 0)
        return r;
    r = class_append(message, &class_lb_policies, policies);
    return change(client, message, r, ret_status);
}

static int set_disk_policy(struct iscsiwmi_client *client, const char *wwid, const char *method,
                           const struct class *class, const void *policy, uint32_t *ret_status)
{
    _cleanup_message_ sd_bus_message *message = NULL;
    _cleanup_free_ char *path = client_disk_path(wwid);
    int r = path ? call_new(client, path, INTERFACE("DSM_LB_Operations"), method, &message)
                 : fail_memory(client);

    if (r < 0)
        return r;
    r = class_append(message, class, policy);
    return change(client, message, r, ret_status);
}

int iscsiwmi_dsm_set_load_balance_policy(struct iscsiwmi_client *client, const char *wwid,
                                         const struct iscsiwmi_dsm_lb_policy *policy,
                                         uint32_t *ret_status)
{
    return set_disk_policy(client, wwid, "DsmSetLoadBalancePolicy", &class_dsm_lb_policy, policy,
                           ret_status);
}

int iscsiwmi_dsm_set_load_balance_policy_alua(struct iscsiwmi_client *client, const char *wwid,
                                              const struct iscsiwmi_dsm_lb_policy_v2 *policy,
                                              uint32_t *ret_status)
{
    return set_disk_policy(client, wwid, "DsmSetLoadBalancePolicyALUA", &class_dsm_lb_policy_v2,
                           policy, ret_status);
}

int iscsiwmi_set_generational_guid(struct iscsiwmi_client *client, uint64_t adapter_id,
                                   const uint8_t guid[16], uint32_t *ret_status)
{
    _cleanup_message_ sd_bus_message *message = NULL;
    int r = new_adapter_call(client, adapter_id, INTERFACE("MSiSCSI_SecurityConfigOperations"),
                             "SetGenerationalGuid", &message);

    if (r < 0)
        return r;
    r = sd_bus_message_append_array(message, 'y', guid, 16);
    return change(client, message, r, ret_status);
}

int iscsiwmi_clear_cache(struct iscsiwmi_client *client, uint64_t adapter_id, uint32_t *ret_status)
{
    _cleanup_message_ sd_bus_message *message = NULL;
    int r = new_adapter_call(client, adapter_id, INTERFACE("MSiSCSI_SecurityConfigOperations"),
                             "ClearCache", &message);

    return r < 0 ? r : change(client, message, r, ret_status);
}

int iscsiwmi_ping_ip_address(struct iscsiwmi_client *client, uint64_t adapter_id, uint32_t count,
                             uint32_t size, uint32_t timeout_msec,
                             const struct iscsiwmi_ip_address *address, uint32_t *ret_status,
                             uint32_t *ret_responses)
{
    _cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
    uint32_t status, responses;
    int r = new_adapter_call(client, adapter_id, INTERFACE("MSiSCSI_ManagementOperations"),
                             "PingIPAddress", &message);

    if (r < 0)
        return r;
    r = sd_bus_message_append(message, "uuu", count, size, timeout_msec);
    if (r >= 0)
        r = class_append(message, &class_ip_address, address);
    r = call_change(client, message, r, &reply);
    if (r < 0)
        return r;
    r = sd_bus_message_read(reply, "uu", &status, &responses);
    if (r < 0)
        return fail_reading(client, r);
    *ret_status = status;
    *ret_responses = responses;
    return 0;
}
