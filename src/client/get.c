/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The classes, one at a time. */

#include "client/classes.h"
#include "client/client.h"

/* Reads all properties of an object's class; ret_record is the address of a pointer to such. */
static int get_class(struct iscsiwmi_client *client, const char *path, const struct class *class,
                     void *ret_record)
{
    _cleanup_message_ sd_bus_message *message = NULL;
    char interface[64];
    int r = call_new(client, path, "org.freedesktop.DBus.Properties", "GetAll", &message);

    if (r < 0)
        return r;
    snprintf(interface, sizeof(interface), INTERFACE("%s"), class->name);
    r = sd_bus_message_append(message, "s", interface);
    return call_class(client, message, r, class, class_read_properties, ret_record);
}

static int get_by_id(struct iscsiwmi_client *client, const char *prefix, uint64_t id,
                     const struct class *class, void *ret_record)
{
    char path[OBJECT_PATH_MAX];

    object_path(prefix, id, path);
    return get_class(client, path, class, ret_record);
}

int iscsiwmi_get_hba_information(struct iscsiwmi_client *client, uint64_t adapter_id,
                                 struct iscsiwmi_hba_information **ret_information)
{
    return get_by_id(client, ADAPTER_PREFIX, adapter_id, &class_hba_information, ret_information);
}

int iscsiwmi_get_hba_session_config(struct iscsiwmi_client *client, uint64_t adapter_id,
                                    struct iscsiwmi_hba_session_config **ret_config)
{
    return get_by_id(client, ADAPTER_PREFIX, adapter_id, &class_hba_session_config, ret_config);
}

int iscsiwmi_get_initiator_session_info(struct iscsiwmi_client *client, uint64_t adapter_id,
                                        struct iscsiwmi_initiator_session_info **ret_info)
{
    return get_by_id(client, ADAPTER_PREFIX, adapter_id, &class_initiator_session_info, ret_info);
}

int iscsiwmi_get_portal_info_class(struct iscsiwmi_client *client, uint64_t adapter_id,
                                   struct iscsiwmi_portal_info_class **ret_portals)
{
    return get_by_id(client, ADAPTER_PREFIX, adapter_id, &class_portal_info_class, ret_portals);
}

int iscsiwmi_get_query_lb_policy(struct iscsiwmi_client *client, uint64_t adapter_id,
                                 struct iscsiwmi_query_lb_policy **ret_policies)
{
    return get_by_id(client, ADAPTER_PREFIX, adapter_id, &class_query_lb_policy, ret_policies);
}

int iscsiwmi_get_connection_statistics(struct iscsiwmi_client *client, uint64_t connection_id,
                                       struct iscsiwmi_connection_statistics **ret_statistics)
{
    return get_by_id(client, CONNECTION_PREFIX, connection_id, &class_connection_statistics,
                     ret_statistics);
}

int iscsiwmi_get_session(struct iscsiwmi_client *client, uint64_t session_id,
                         struct iscsiwmi_session **ret_session)
{
    return get_by_id(client, SESSION_PREFIX, session_id, &class_session, ret_session);
}

static int get_by_wwid(struct iscsiwmi_client *client, const char *wwid, const struct class *class,
                       void *ret_record)
{
    _cleanup_free_ char *path = client_disk_path(wwid);

    return path ? get_class(client, path, class, ret_record) : fail_memory(client);
}

int iscsiwmi_get_disk(struct iscsiwmi_client *client, const char *wwid,
                      struct iscsiwmi_disk **ret_disk)
{
    return get_by_wwid(client, wwid, &class_disk, ret_disk);
}

int iscsiwmi_get_dsm_query_lb_policy(struct iscsiwmi_client *client, const char *wwid,
                                     struct iscsiwmi_dsm_query_lb_policy **ret_policy)
{
    return get_by_wwid(client, wwid, &class_dsm_query_lb_policy, ret_policy);
}

int iscsiwmi_get_dsm_query_supported_lb_policies(
    struct iscsiwmi_client *client, const char *wwid,
    struct iscsiwmi_dsm_query_supported_lb_policies **ret_policies)
{
    return get_by_wwid(client, wwid, &class_dsm_query_supported_lb_policies, ret_policies);
}

int iscsiwmi_get_manager(struct iscsiwmi_client *client, struct iscsiwmi_manager **ret_manager)
{
    return get_class(client, ROOT_PATH, &class_manager, ret_manager);
}
