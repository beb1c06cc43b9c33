/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/client.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int iscsiwmi_client_new(struct iscsiwmi_client **ret_client)
{
    struct iscsiwmi_client *client = calloc(1, sizeof(*client));

    if (!client)
        return -ENOMEM;
    *ret_client = client;
    return 0;
}

void iscsiwmi_client_free(struct iscsiwmi_client *client)
{
    if (!client)
        return;
    sd_bus_slot_unref(client->filter);
    for (size_t i = 0; i < ELEMENTSOF(client->slots); i++)
        sd_bus_slot_unref(client->slots[i]);
    sd_bus_flush_close_unref(client->bus);
    free(client->host);
    free(client->error);
    free(client);
}

/* Reached when the bus has given the connection its name. */
static int wait_for_bus(sd_bus *bus)
{
    const char *name;

    return sd_bus_get_unique_name(bus, &name);
}

int iscsiwmi_client_connect(struct iscsiwmi_client *client, const char *host)
{
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    int r;

    if (client->bus)
        return fail_with(client, -EISCONN, "this client is connected already");
    free(client->host);
    client->host = host ? strdup(host) : NULL;
    if (host && !client->host)
        return fail_memory(client);
    r = host ? sd_bus_open_system_remote(&bus, host) : sd_bus_open_system(&bus);
    if (r >= 0)
        r = wait_for_bus(bus);
    if (r == -ENOMEM)
        return fail_memory(client);
    if (r < 0 && host)
        return fail_with(client, -ENOTCONN, "cannot reach its system bus by ssh (%s)",
                         strerror(-r));
    if (r < 0)
        return fail_with(client, -ENOTCONN, "cannot reach the system bus (%s): is D-Bus running?",
                         strerror(-r));
    client->bus = TAKE_PTR(bus);
    return 0;
}

/* ---- objects ---- */

void object_path(const char *prefix, uint64_t id, char ret_path[OBJECT_PATH_MAX])
{
    snprintf(ret_path, OBJECT_PATH_MAX, "%s%016" PRIx64, prefix, id);
}

int object_id(const char *path, const char *prefix, uint64_t *ret_id)
{
    size_t n = strlen(prefix);

    if (strncmp(path, prefix, n) != 0 || strspn(path + n, "0123456789abcdef") != 16 ||
        strlen(path + n) != 16)
        return -EINVAL;
    *ret_id = strtoull(path + n, NULL, 16);
    return 0;
}

char *client_disk_path(const char *wwid)
{
    char *path = NULL;

    return sd_bus_path_encode(DISKS_PATH, wwid, &path) < 0 ? NULL : path;
}

char *client_disk_wwid(const char *path)
{
    char *wwid = NULL;

    return sd_bus_path_decode(path, DISKS_PATH, &wwid) <= 0 ? NULL : wwid;
}

/* ---- calls ---- */

int call_new(struct iscsiwmi_client *client, const char *path, const char *interface,
             const char *method, sd_bus_message **ret_message)
{
    int r;

    if (!client->bus)
        return fail_with(client, -ENOTCONN, "this client is not connected");
    r = sd_bus_message_new_method_call(client->bus, ret_message, SERVICE, path, interface, method);
    if (r == -ENOTCONN)
        return fail_call(client, r, &SD_BUS_ERROR_NULL);
    return r < 0 ? fail_message(client, r) : 0;
}

int call_send(struct iscsiwmi_client *client, sd_bus_message *message, uint64_t timeout_usec,
              sd_bus_message **ret_reply)
{
    _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
    int r = sd_bus_call(client->bus, message, timeout_usec, &error, ret_reply);

    return r < 0 ? fail_call(client, r, &error) : 0;
}

int call_class(struct iscsiwmi_client *client, sd_bus_message *message, int r,
               const struct class *class, class_read_fn *read, void *ret_record)
{
    _cleanup_message_ sd_bus_message *reply = NULL;
    _cleanup_result_ void *record = class_new(class);

    if (!record)
        return fail_memory(client);
    if (r < 0)
        return fail_message(client, r);
    r = call_send(client, message, 0, &reply);
    if (r < 0)
        return r;
    r = read(reply, class, record, record);
    if (r < 0)
        return fail_reading(client, r);
    memcpy(ret_record, &record, sizeof(record));
    record = NULL;
    return 0;
}

int call_change(struct iscsiwmi_client *client, sd_bus_message *message, int r,
                sd_bus_message **ret_reply)
{
    if (r >= 0)
        r = sd_bus_message_set_allow_interactive_authorization(message, 1);
    if (r < 0)
        return fail_message(client, r);
    return call_send(client, message, CHANGE_TIMEOUT_USEC, ret_reply);
}
