/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* All objects of the service in one call. */

#include <errno.h>
#include <string.h>

#include "client/classes.h"
#include "client/client.h"

/* A class of an object that has several, and where it goes. */
struct object_class {
    const struct class *class;
    size_t offset; /* of a pointer in the structure of the object */
};

static const struct object_class adapter_classes[] = {
    {&class_hba_information, offsetof(struct iscsiwmi_adapter, HBAInformation)},
    {&class_hba_session_config, offsetof(struct iscsiwmi_adapter, HBASessionConfig)},
    {&class_initiator_session_info, offsetof(struct iscsiwmi_adapter, InitiatorSessionInfo)},
    {&class_portal_info_class, offsetof(struct iscsiwmi_adapter, PortalInfoClass)},
    {&class_query_lb_policy, offsetof(struct iscsiwmi_adapter, QueryLBPolicy)},
    {0},
};

static const struct object_class disk_classes[] = {
    {&class_disk, offsetof(struct iscsiwmi_disk_classes, Disk)},
    {&class_dsm_query_lb_policy, offsetof(struct iscsiwmi_disk_classes, QueryLBPolicy)},
    {&class_dsm_query_supported_lb_policies,
     offsetof(struct iscsiwmi_disk_classes, QuerySupportedLBPolicies)},
    {0},
};

/* Reads a class into a record of the host's, whose address goes to ret_record. */
static int read_class(sd_bus_message *message, const struct class *class,
                      struct iscsiwmi_host *host, void *ret_record)
{
    void *record = result_alloc(host, 1, class->size);
    int r = record ? class_init(class, record, host) : -ENOMEM;

    if (r < 0)
        return r;
    r = class_read_properties(message, class, record, host);
    if (r < 0)
        return r;
    memcpy(ret_record, &record, sizeof(record));
    return 0;
}

/* The same for the class of that name, if it is one of the object's; others are passed over. */
static int read_object_class(sd_bus_message *message, const struct object_class *classes,
                             const char *name, struct iscsiwmi_host *host, void *object)
{
    for (const struct object_class *c = classes; c->class; c++)
        if (strcmp(c->class->name, name) == 0)
            return read_class(message, c->class, host, (char *)object + c->offset);
    return sd_bus_message_skip(message, "a{sv}");
}

/* The adapter of that number, made where it is new. NULL: out of memory. */
static struct iscsiwmi_adapter *take_adapter(struct iscsiwmi_host *host, uint64_t id)
{
    struct iscsiwmi_adapter **item, *adapter;

    for (uint32_t i = 0; i < host->AdapterCount; i++)
        if (host->Adapters[i]->UniqueAdapterId == id)
            return host->Adapters[i];
    adapter = result_alloc(host, 1, sizeof(*adapter));
    item = adapter ? array_append(host, &host->Adapters, host->AdapterCount, sizeof(*item)) : NULL;
    if (!item)
        return NULL;
    adapter->UniqueAdapterId = id;
    *item = adapter;
    host->AdapterCount++;
    return adapter;
}

static int read_adapter(sd_bus_message *message, struct iscsiwmi_host *host, uint64_t id,
                        const char *class_name)
{
    struct iscsiwmi_adapter *adapter = take_adapter(host, id);

    if (!adapter)
        return -ENOMEM;
    return read_object_class(message, adapter_classes, class_name, host, adapter);
}

/* The disk of that name, made where it is new: all of an object comes together. NULL: no memory. */
static struct iscsiwmi_disk_classes *take_disk(struct iscsiwmi_host *host, const char *wwid)
{
    uint32_t n = host->DiskCount;
    struct iscsiwmi_disk_classes **item, *disk;

    if (n > 0 && strcmp(host->Disks[n - 1]->WWID, wwid) == 0)
        return host->Disks[n - 1];
    disk = result_alloc(host, 1, sizeof(*disk));
    if (!disk || !(disk->WWID = result_text(host, wwid)))
        return NULL;
    item = array_append(host, &host->Disks, n, sizeof(*item));
    if (!item)
        return NULL;
    *item = disk;
    host->DiskCount++;
    return disk;
}

static int read_disk(sd_bus_message *message, struct iscsiwmi_host *host, const char *wwid,
                     const char *class_name)
{
    struct iscsiwmi_disk_classes *disk = take_disk(host, wwid);

    if (!disk)
        return -ENOMEM;
    return read_object_class(message, disk_classes, class_name, host, disk);
}

static int read_session(sd_bus_message *message, struct iscsiwmi_host *host)
{
    struct iscsiwmi_session **item =
        array_append(host, &host->Sessions, host->SessionCount, sizeof(*item));
    int r = item ? read_class(message, &class_session, host, item) : -ENOMEM;

    if (r >= 0)
        host->SessionCount++;
    return r;
}

/* Its numbers are not among the properties that came: each has to be asked for. */
static int read_connection(sd_bus_message *message, struct iscsiwmi_host *host, uint64_t id)
{
    uint64_t *item = array_append(host, &host->Connections, host->ConnectionCount, sizeof(*item));

    if (!item)
        return -ENOMEM;
    *item = id;
    host->ConnectionCount++;
    return sd_bus_message_skip(message, "a{sv}");
}

static int read_interface(sd_bus_message *message, const char *path, struct iscsiwmi_host *host)
{
    _cleanup_free_ char *wwid = NULL;
    const char *name;
    uint64_t id;
    int r = sd_bus_message_read_basic(message, 's', &name);

    if (r < 0)
        return r;
    if (strncmp(name, INTERFACE_PREFIX, strlen(INTERFACE_PREFIX)) != 0)
        return sd_bus_message_skip(message, "a{sv}");
    name += strlen(INTERFACE_PREFIX);
    if (object_id(path, ADAPTER_PREFIX, &id) >= 0)
        return read_adapter(message, host, id, name);
    if ((wwid = client_disk_wwid(path)))
        return read_disk(message, host, wwid, name);
    if (strcmp(name, class_session.name) == 0)
        return read_session(message, host);
    if (strcmp(name, class_connection_statistics.name) == 0 &&
        object_id(path, CONNECTION_PREFIX, &id) >= 0)
        return read_connection(message, host, id);
    return sd_bus_message_skip(message, "a{sv}");
}

static int read_object(sd_bus_message *message, struct iscsiwmi_host *host)
{
    const char *path;
    int r = sd_bus_message_read_basic(message, 'o', &path);

    if (r < 0)
        return r;
    r = sd_bus_message_enter_container(message, 'a', "{sa{sv}}");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(message, 'e', "sa{sv}")) > 0) {
        r = read_interface(message, path, host);
        if (r < 0)
            return r;
        r = sd_bus_message_exit_container(message);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int read_host(sd_bus_message *message, struct iscsiwmi_host *host)
{
    int r = sd_bus_message_enter_container(message, 'a', "{oa{sa{sv}}}");

    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(message, 'e', "oa{sa{sv}}")) > 0) {
        r = read_object(message, host);
        if (r < 0)
            return r;
        r = sd_bus_message_exit_container(message);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

int iscsiwmi_get_host(struct iscsiwmi_client *client, struct iscsiwmi_host **ret_host)
{
    _cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
    _cleanup_result_ struct iscsiwmi_host *host = result_new(sizeof(*host));
    int r;

    if (!host)
        return fail_memory(client);
    r = call_new(client, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                 &message);
    if (r < 0)
        return r;
    r = call_send(client, message, 0, &reply);
    if (r < 0)
        return r;
    r = read_host(reply, host);
    if (r < 0)
        return fail_reading(client, r);
    *ret_host = TAKE_PTR(host);
    return 0;
}
