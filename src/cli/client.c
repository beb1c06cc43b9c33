/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/client.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define SERVICE "com.open_iscsi.WMI1"
#define ROOT_PATH "/com/open_iscsi/WMI1"
#define INTERFACE(name) "com.open_iscsi.WMI1." name

/* A change waits for the kernel, and a dead path can hold it for several SCSI timeouts. */
#define CHANGE_TIMEOUT_USEC (10ULL * 60 * 1000 * 1000)

struct client {
    sd_bus *bus;
    char *error;
};

#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)
#define _cleanup_bus_error_ _cleanup_(sd_bus_error_free)

int client_new(struct client **ret_client)
{
    struct client *client = calloc(1, sizeof(*client));

    if (!client)
        return -ENOMEM;
    *ret_client = client;
    return 0;
}

struct client *client_free(struct client *client)
{
    if (!client)
        return NULL;
    sd_bus_flush_close_unref(client->bus);
    free(client->error);
    free(client);
    return NULL;
}

const char *client_error(const struct client *client)
{
    return client->error ? client->error : "out of memory";
}

/* ---- failures ---- */

/*
 * A terminal obeys control characters, and a target chooses its own name: none of them gets past
 * here. In UTF-8 those from U+0080 to U+009F are two bytes, the first always 0xC2.
 */
static void make_printable(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
        else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
            p[0] = p[1] = '?';
    }
}

static int __attribute__((format(printf, 3, 4)))
fail(struct client *client, int r, const char *format, ...)
{
    char *text;
    va_list args;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    free(client->error);
    client->error = n < 0 ? NULL : text;
    if (client->error)
        make_printable(client->error);
    return r;
}

static int fail_reading(struct client *client, int r)
{
    if (r == -ENOMEM)
        return fail(client, r, "out of memory");
    return fail(client, r,
                "iscsi-wmid answers in a way that this command does not know: install both in the "
                "same version, and restart the service");
}

#define ADVICE_ABSENT                                                                              \
    "the service iscsi-wmid is not running: start it with 'systemctl start iscsi-wmid'"
#define ADVICE_ROOT "not permitted: run this command as root"
#define ADVICE_SILENT                                                                              \
    "iscsi-wmid gave no answer: look at 'iscsi-wmi status' and 'journalctl -u iscsi-wmid'"
#define ADVICE_GONE                                                                                \
    "iscsi-wmid no longer has this adapter, or is of another version: look at 'iscsi-wmi status'"

/* What to do about an error of the bus or of the service, NULL: nothing known. */
static const char *find_advice(const char *name)
{
    static const struct {
        const char *name;
        const char *advice;
    } known[] = {
        {SD_BUS_ERROR_SERVICE_UNKNOWN, ADVICE_ABSENT},
        {SD_BUS_ERROR_NAME_HAS_NO_OWNER, ADVICE_ABSENT},
        {SD_BUS_ERROR_ACCESS_DENIED, ADVICE_ROOT},
        {SD_BUS_ERROR_AUTH_FAILED, ADVICE_ROOT},
        {SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, ADVICE_ROOT},
        {SD_BUS_ERROR_NO_REPLY, ADVICE_SILENT},
        {SD_BUS_ERROR_TIMEOUT, ADVICE_SILENT},
        {"org.freedesktop.DBus.Error.TimedOut", ADVICE_SILENT},
        {SD_BUS_ERROR_DISCONNECTED, ADVICE_SILENT},
        {SD_BUS_ERROR_UNKNOWN_OBJECT, ADVICE_GONE},
        {SD_BUS_ERROR_UNKNOWN_INTERFACE, ADVICE_GONE},
        {SD_BUS_ERROR_UNKNOWN_METHOD, ADVICE_GONE},
    };

    for (size_t i = 0; i < ELEMENTSOF(known); i++)
        if (strcmp(name, known[i].name) == 0)
            return known[i].advice;
    return NULL;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int fail_call(struct client *client, int r, const sd_bus_error *error)
{
    const char *name = error->name ? error->name : "";
    const char *text = error->message ? error->message : strerror(-r);
    const char *advice = find_advice(name);

    if (advice)
        return fail(client, r, "%s", advice);
    if (starts_with(name, "org.freedesktop.DBus.Error.Spawn.") ||
        starts_with(name, "org.freedesktop.systemd1."))
        return fail(client, r,
                    "the service iscsi-wmid could not be started (%s): look at "
                    "'systemctl status iscsi-wmid'",
                    text);
    if (r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE)
        return fail(client, r, "the system bus closed the connection: is D-Bus running?");
    return fail(client, r, "iscsi-wmid: %s", text);
}

/* ---- calls ---- */

static int connect_bus(struct client *client)
{
    int r;

    if (client->bus)
        return 0;
    r = sd_bus_open_system(&client->bus);
    if (r < 0)
        return fail(client, r, "cannot reach the system bus (%s): is D-Bus running?", strerror(-r));
    return 0;
}

static int new_call(struct client *client, const char *path, const char *interface,
                    const char *method, sd_bus_message **ret_message)
{
    int r = connect_bus(client);

    if (r < 0)
        return r;
    r = sd_bus_message_new_method_call(client->bus, ret_message, SERVICE, path, interface, method);
    return r < 0 ? fail(client, r, "cannot make a D-Bus call: %s", strerror(-r)) : 0;
}

static int call(struct client *client, sd_bus_message *message, uint64_t timeout_usec,
                sd_bus_message **ret_reply)
{
    _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
    int r = sd_bus_call(client->bus, message, timeout_usec, &error, ret_reply);

    return r < 0 ? fail_call(client, r, &error) : 0;
}

/* Sends a change and reads the Status that it answers. `r` is how filling in the message went. */
static int call_change(struct client *client, sd_bus_message *message, int r, uint32_t *ret_status)
{
    _cleanup_message_ sd_bus_message *reply = NULL;
    uint32_t status;

    if (r < 0)
        return fail(client, r, "cannot make a D-Bus call: %s", strerror(-r));
    sd_bus_message_set_allow_interactive_authorization(message, 1);
    r = call(client, message, CHANGE_TIMEOUT_USEC, &reply);
    if (r < 0)
        return r;
    r = sd_bus_message_read(reply, "u", &status);
    if (r < 0)
        return fail_reading(client, r);
    *ret_status = status;
    return 0;
}

static int append_policy(sd_bus_message *message, const struct lb_request *request)
{
    int r;

    r = sd_bus_message_open_container(message, 'r', "tuua(ttuuuu)");
    if (r < 0)
        return r;
    r = sd_bus_message_append(message, "tuu", request->session_id, request->policy,
                              request->path_count);
    if (r < 0)
        return r;
    r = sd_bus_message_open_container(message, 'a', "(ttuuuu)");
    if (r < 0)
        return r;
    for (size_t i = 0; i < request->n_paths; i++) {
        const struct lb_path *path = &request->paths[i];

        r = sd_bus_message_append(message, "(ttuuuu)", path->connection_id, path->link_speed,
                                  path->weight, path->primary, path->status, path->offload);
        if (r < 0)
            return r;
    }
    r = sd_bus_message_close_container(message);
    return r < 0 ? r : sd_bus_message_close_container(message);
}

int client_set_policy(struct client *client, const struct adapter *adapter,
                      const struct lb_request *request, uint32_t *ret_status)
{
    _cleanup_message_ sd_bus_message *message = NULL;
    int r = new_call(client, adapter->path, INTERFACE("MSiSCSI_LB_Operations"),
                     "SetLoadBalancePolicy", &message);

    if (r < 0)
        return r;
    return call_change(client, message, append_policy(message, request), ret_status);
}

int client_set_guid(struct client *client, const struct adapter *adapter,
                    const uint8_t guid[GUID_SIZE], uint32_t *ret_status)
{
    _cleanup_message_ sd_bus_message *message = NULL;
    int r = new_call(client, adapter->path, INTERFACE("MSiSCSI_SecurityConfigOperations"),
                     "SetGenerationalGuid", &message);

    if (r < 0)
        return r;
    r = sd_bus_message_append_array(message, 'y', guid, GUID_SIZE);
    return call_change(client, message, r, ret_status);
}

/* ---- values of an answer ---- */

typedef int read_fn(sd_bus_message *message, void *field);

static int read_u64(sd_bus_message *message, void *field)
{
    return sd_bus_message_read_basic(message, 't', field);
}

static int read_u32(sd_bus_message *message, void *field)
{
    return sd_bus_message_read_basic(message, 'u', field);
}

static int read_bool(sd_bus_message *message, void *field)
{
    int value;
    int r = sd_bus_message_read_basic(message, 'b', &value);

    if (r >= 0)
        *(bool *)field = value;
    return r;
}

/* Replaces a text of ours, or NULL. */
static int read_text(sd_bus_message *message, void *field)
{
    char **text = field;
    const char *value;
    char *copy;
    int r = sd_bus_message_read_basic(message, 's', &value);

    if (r < 0)
        return r;
    copy = strdup(value);
    if (!copy)
        return -ENOMEM;
    make_printable(copy);
    free(*text);
    *text = copy;
    return 0;
}

static int read_guid(sd_bus_message *message, void *field)
{
    const void *bytes;
    size_t size;
    int r = sd_bus_message_read_array(message, 'y', &bytes, &size);

    if (r < 0)
        return r;
    if (size != GUID_SIZE)
        return -EBADMSG;
    memcpy(field, bytes, GUID_SIZE);
    return 0;
}

/* Appends a zeroed item to an array. NULL: out of memory, and the array is as before. */
static void *append_item(void *items_field, size_t *n, size_t size)
{
    void *items;

    memcpy(&items, items_field, sizeof(items));
    items = reallocarray(items, *n + 1, size);
    if (!items)
        return NULL;
    memcpy(items_field, &items, sizeof(items));
    return memset((char *)items + (*n)++ * size, 0, size);
}

/* Reads a D-Bus array into one of ours; items_field is the address of the pointer to it. */
static int read_array(sd_bus_message *message, const char *contents, read_fn *read_item,
                      void *items_field, size_t *n, size_t size)
{
    int r = sd_bus_message_enter_container(message, 'a', contents);

    if (r < 0)
        return r;
    while ((r = sd_bus_message_at_end(message, 0)) == 0) {
        void *item = append_item(items_field, n, size);

        if (!item)
            return -ENOMEM;
        r = read_item(message, item);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int read_text_list(sd_bus_message *message, void *field)
{
    struct text_list *list = field;

    return read_array(message, "s", read_text, &list->items, &list->n, sizeof(*list->items));
}

static int read_connection(sd_bus_message *message, void *field)
{
    struct connection *connection = field;
    int r = sd_bus_message_enter_container(message, 'r', "tussqsqsass");

    if (r < 0 || (r = read_u64(message, &connection->id)) < 0 ||
        (r = read_u32(message, &connection->status)) < 0 ||
        (r = read_text(message, &connection->iface)) < 0 ||
        (r = read_text(message, &connection->address)) < 0 ||
        (r = sd_bus_message_read_basic(message, 'q', &connection->port)) < 0 ||
        (r = read_text(message, &connection->current_address)) < 0 ||
        (r = sd_bus_message_read_basic(message, 'q', &connection->current_port)) < 0 ||
        (r = read_text(message, &connection->kernel_state)) < 0 ||
        (r = read_text_list(message, &connection->disks)) < 0 ||
        (r = read_text(message, &connection->tag)) < 0)
        return r;
    return sd_bus_message_exit_container(message);
}

static int read_connections(sd_bus_message *message, void *field)
{
    struct connection_list *list = field;

    return read_array(message, "(tussqsqsass)", read_connection, &list->items, &list->n,
                      sizeof(*list->items));
}

static int read_group(sd_bus_message *message, void *field)
{
    struct group *group = field;
    int r = sd_bus_message_enter_container(message, 'r', "ssat");

    if (r < 0 || (r = read_text(message, &group->selector)) < 0 ||
        (r = read_text(message, &group->state)) < 0 ||
        (r = read_array(message, "t", read_u64, &group->connections, &group->n_connections,
                        sizeof(*group->connections))) < 0)
        return r;
    return sd_bus_message_exit_container(message);
}

static int read_map(sd_bus_message *message, void *field)
{
    struct map *map = field;
    int r = sd_bus_message_enter_container(message, 'r', "ssta(ssat)");

    if (r < 0 || (r = read_text(message, &map->name)) < 0 ||
        (r = read_text(message, &map->wwid)) < 0 || (r = read_u64(message, &map->size)) < 0 ||
        (r = read_array(message, "(ssat)", read_group, &map->groups, &map->n_groups,
                        sizeof(*map->groups))) < 0)
        return r;
    return sd_bus_message_exit_container(message);
}

static int read_maps(sd_bus_message *message, void *field)
{
    struct map_list *list = field;

    return read_array(message, "(ssta(ssat))", read_map, &list->items, &list->n,
                      sizeof(*list->items));
}

static int read_path(sd_bus_message *message, void *field)
{
    struct lb_path *path = field;

    return sd_bus_message_read(message, "(ttuuuu)", &path->connection_id, &path->link_speed,
                               &path->weight, &path->primary, &path->status, &path->offload);
}

static int read_policy(sd_bus_message *message, void *field)
{
    struct live_policy *policy = field;
    int r = sd_bus_message_enter_container(message, 'r', "tuua(ttuuuu)");

    if (r < 0 || (r = read_u64(message, &policy->session_id)) < 0 ||
        (r = read_u32(message, &policy->policy)) < 0 ||
        (r = read_u32(message, &policy->path_count)) < 0 ||
        (r = read_array(message, "(ttuuuu)", read_path, &policy->paths, &policy->n_paths,
                        sizeof(*policy->paths))) < 0)
        return r;
    return sd_bus_message_exit_container(message);
}

static int read_policies(sd_bus_message *message, void *field)
{
    struct live_policy_list *list = field;

    return read_array(message, "(tuua(ttuuuu))", read_policy, &list->items, &list->n,
                      sizeof(*list->items));
}

/* ---- properties of an interface ---- */

struct property {
    const char *name;
    const char *signature;
    size_t offset; /* of its field in the struct that the interface fills */
    read_fn *read;
};

#define ADAPTER(member) offsetof(struct adapter, member)
#define SESSION(member) offsetof(struct session, member)
#define MANAGER(member) offsetof(struct manager, member)

static const struct property hba_properties[] = {
    {"InstanceName", "s", ADAPTER(name), read_text},
    {"UniqueAdapterId", "t", ADAPTER(id), read_u64},
    {"NumberOfPorts", "u", ADAPTER(ports), read_u32},
    {"Status", "u", ADAPTER(status), read_u32},
    {"DriverName", "s", ADAPTER(driver), read_text},
    {"VendorVersion", "s", ADAPTER(driver_version), read_text},
    {"GenerationalGuid", "ay", ADAPTER(guid), read_guid},
    {"CacheValid", "b", ADAPTER(cache_valid), read_bool},
    {0},
};

static const struct property query_properties[] = {
    {"LoadBalancePolicies", "a(tuua(ttuuuu))", ADAPTER(policies), read_policies},
    {0},
};

static const struct property session_properties[] = {
    {"UniqueSessionId", "t", SESSION(id), read_u64},
    {"UniqueAdapterId", "t", SESSION(adapter_id), read_u64},
    {"InitiatorName", "s", SESSION(initiator), read_text},
    {"TargetName", "s", SESSION(target), read_text},
    {"Connections", "a(tussqsqsass)", SESSION(connections), read_connections},
    {"Maps", "a(ssta(ssat))", SESSION(maps), read_maps},
    {"LoadBalancePolicy", "u", SESSION(chosen_policy), read_u32},
    {"Provenance", "s", SESSION(provenance), read_text},
    {"Agreement", "s", SESSION(agreement), read_text},
    {"MultipathdAgreement", "s", SESSION(multipathd), read_text},
    {"Reason", "s", SESSION(reason), read_text},
    {0},
};

static const struct property manager_properties[] = {
    {"Version", "s", MANAGER(version), read_text},
    {"PathWeightOrder", "s", MANAGER(weight_order), read_text},
    {"Conditions", "as", MANAGER(conditions), read_text_list},
    {0},
};

static const struct property *find_property(const struct property *properties, const char *name)
{
    for (; properties->name; properties++)
        if (strcmp(properties->name, name) == 0)
            return properties;
    return NULL;
}

static int read_property(sd_bus_message *message, const struct property *properties, void *record)
{
    const struct property *property;
    const char *name;
    int r = sd_bus_message_read_basic(message, 's', &name);

    if (r < 0)
        return r;
    property = find_property(properties, name);
    if (!property)
        return sd_bus_message_skip(message, "v");
    r = sd_bus_message_enter_container(message, 'v', property->signature);
    if (r < 0)
        return r;
    r = property->read(message, (char *)record + property->offset);
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* Reads a{sv} into a record; properties that the table does not have are passed over. */
static int read_properties(sd_bus_message *message, const struct property *properties, void *record)
{
    int r = sd_bus_message_enter_container(message, 'a', "{sv}");

    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
        r = read_property(message, properties, record);
        if (r < 0)
            return r;
        r = sd_bus_message_exit_container(message);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* So that a text that the service does not send is empty rather than NULL. */
static int fill_texts(const struct property *properties, void *record)
{
    for (; properties->name; properties++) {
        char **text = (char **)((char *)record + properties->offset);

        if (properties->read == read_text && !*text && !(*text = strdup("")))
            return -ENOMEM;
    }
    return 0;
}

/* ---- objects ---- */

static struct adapter *get_adapter(struct host *host, const char *path)
{
    struct adapter *adapter;

    for (size_t i = 0; i < host->n_adapters; i++)
        if (strcmp(host->adapters[i].path, path) == 0)
            return &host->adapters[i];
    adapter = append_item(&host->adapters, &host->n_adapters, sizeof(*adapter));
    if (!adapter || !(adapter->path = strdup(path)) || fill_texts(hba_properties, adapter) < 0)
        return NULL;
    return adapter;
}

static struct session *get_session(struct host *host, const char *path)
{
    struct session *session = append_item(&host->sessions, &host->n_sessions, sizeof(*session));

    if (!session || !(session->path = strdup(path)) || fill_texts(session_properties, session) < 0)
        return NULL;
    return session;
}

static int read_interface(sd_bus_message *message, const char *path, struct host *host)
{
    const struct property *properties = NULL;
    void *record = NULL;
    const char *name;
    int r = sd_bus_message_read_basic(message, 's', &name);

    if (r < 0)
        return r;
    if (strcmp(name, INTERFACE("MSiSCSI_HBAInformation")) == 0) {
        properties = hba_properties;
        record = get_adapter(host, path);
    } else if (strcmp(name, INTERFACE("MSiSCSI_QueryLBPolicy")) == 0) {
        properties = query_properties;
        record = get_adapter(host, path);
    } else if (strcmp(name, INTERFACE("Session")) == 0) {
        properties = session_properties;
        record = get_session(host, path);
    }
    if (!properties)
        return sd_bus_message_skip(message, "a{sv}");
    return record ? read_properties(message, properties, record) : -ENOMEM;
}

static int read_object(sd_bus_message *message, struct host *host)
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

static int read_host(sd_bus_message *message, struct host *host)
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

int client_fetch_host(struct client *client, struct host **ret_host)
{
    _cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
    _cleanup_host_ struct host *host = calloc(1, sizeof(*host));
    int r;

    if (!host)
        return fail(client, -ENOMEM, "out of memory");
    r = new_call(client, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                 &message);
    if (r < 0)
        return r;
    r = call(client, message, 0, &reply);
    if (r < 0)
        return r;
    r = read_host(reply, host);
    if (r < 0)
        return fail_reading(client, r);
    host_link(host);
    *ret_host = TAKE_PTR(host);
    return 0;
}

int client_fetch_manager(struct client *client, struct manager **ret_manager)
{
    _cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
    _cleanup_manager_ struct manager *manager = calloc(1, sizeof(*manager));
    int r;

    if (!manager || fill_texts(manager_properties, manager) < 0)
        return fail(client, -ENOMEM, "out of memory");
    r = new_call(client, ROOT_PATH, "org.freedesktop.DBus.Properties", "GetAll", &message);
    if (r < 0)
        return r;
    r = sd_bus_message_append(message, "s", INTERFACE("Manager"));
    if (r < 0)
        return fail(client, r, "cannot make a D-Bus call: %s", strerror(-r));
    r = call(client, message, 0, &reply);
    if (r < 0)
        return r;
    r = read_properties(reply, manager_properties, manager);
    if (r < 0)
        return fail_reading(client, r);
    *ret_manager = TAKE_PTR(manager);
    return 0;
}
