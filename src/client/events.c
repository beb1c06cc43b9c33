/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What happens to the service's objects, and how a main loop waits for it. */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "basic/clock.h"
#include "client/client.h"
#include "iscsi-wmi/names.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

/* ---- which object ---- */

/* What is made for it lives as long as `result`. */
static int events_set_object(struct iscsiwmi_event *event, const char *path, void *result)
{
    _cleanup_free_ char *wwid = client_disk_wwid(path);
    static const struct {
        const char *prefix;
        uint32_t object;
    } kinds[] = {
        {ADAPTER_PREFIX, ISCSIWMI_OBJECT_ADAPTER},
        {SESSION_PREFIX, ISCSIWMI_OBJECT_SESSION},
        {CONNECTION_PREFIX, ISCSIWMI_OBJECT_CONNECTION},
    };

    event->Path = path;
    if (strcmp(path, ROOT_PATH) == 0)
        event->Object = ISCSIWMI_OBJECT_SERVICE;
    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (object_id(path, kinds[i].prefix, &event->Id) >= 0)
            event->Object = kinds[i].object;
    if (!wwid)
        return 0;
    event->Object = ISCSIWMI_OBJECT_DISK;
    event->WWID = result_text(result, wwid);
    return event->WWID ? 0 : -ENOMEM;
}

/* ---- which properties ---- */

struct changes {
    const struct iscsiwmi_change **items;
    uint32_t n;
};

static int events_add_change(void *result, struct changes *changes, const char *property,
                             const char *value)
{
    struct iscsiwmi_change *change = result_alloc(result, 1, sizeof(*change));
    const struct iscsiwmi_change **item =
        change ? array_append(result, &changes->items, changes->n, sizeof(*item)) : NULL;

    if (!item)
        return -ENOMEM;
    change->Property = property;
    change->Value = value;
    *item = change;
    changes->n++;
    return 0;
}

static const char *events_number_text(void *result, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    return result_text(result, text);
}

static int events_read_guid(sd_bus_message *message, void *result, const char **ret_value)
{
    char text[ISCSIWMI_GUID_TEXT_SIZE];
    const void *bytes;
    size_t n;
    int r = sd_bus_message_read_array(message, 'y', &bytes, &n);

    if (r < 0 || n != ISCSIWMI_GUID_SIZE)
        return r;
    iscsiwmi_guid_format(bytes, text);
    *ret_value = result_text(result, text);
    return *ret_value ? 0 : -ENOMEM;
}

/* The one value of a variant as text. What has no short text leaves *ret_value alone. */
static int events_read_value(sd_bus_message *message, const char *type, void *result,
                             const char **ret_value)
{
    union {
        uint8_t y;
        uint16_t q;
        uint32_t u;
        uint64_t t;
        int b;
        const char *s;
    } value;
    int r;

    if (strcmp(type, "ay") == 0)
        return events_read_guid(message, result, ret_value);
    if (strlen(type) != 1 || !strchr("yqutbs", *type))
        return sd_bus_message_skip(message, type);
    r = sd_bus_message_read_basic(message, *type, &value);
    if (r < 0)
        return r;
    if (*type == 's')
        *ret_value = result_text(result, value.s);
    else if (*type == 'b')
        *ret_value = value.b ? "true" : "false";
    else
        *ret_value = events_number_text(result, *type == 'y'   ? value.y
                                                : *type == 'q' ? value.q
                                                : *type == 'u' ? value.u
                                                               : value.t);
    return *ret_value ? 0 : -ENOMEM;
}

/* One {sv} of what has a value now. */
static int events_read_changed(sd_bus_message *message, void *result, struct changes *changes)
{
    const char *name, *type, *value = NULL;
    int r = sd_bus_message_read_basic(message, 's', &name);

    if (r < 0)
        return r;
    r = sd_bus_message_peek_type(message, NULL, &type);
    if (r < 0)
        return r;
    r = sd_bus_message_enter_container(message, 'v', type);
    if (r < 0)
        return r;
    r = events_read_value(message, type, result, &value);
    if (r < 0)
        return r;
    r = sd_bus_message_exit_container(message);
    return r < 0 ? r : events_add_change(result, changes, name, value);
}

/* a{sv} of those that have a value, and then "as" of those that are to be read anew. */
static int events_read_changes(sd_bus_message *message, void *result, struct changes *changes)
{
    const char *name;
    int r = sd_bus_message_enter_container(message, 'a', "{sv}");

    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
        r = events_read_changed(message, result, changes);
        if (r < 0)
            return r;
        r = sd_bus_message_exit_container(message);
        if (r < 0)
            return r;
    }
    if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
        return r;
    r = sd_bus_message_enter_container(message, 'a', "s");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_read_basic(message, 's', &name)) > 0) {
        r = events_add_change(result, changes, name, NULL);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* ---- signals; one that cannot be read is passed over ---- */

static void events_tell(struct iscsiwmi_client *client, const struct iscsiwmi_event *event)
{
    if (client->on_event)
        client->on_event(event, client->userdata);
}

static int events_on_properties_changed(sd_bus_message *message, void *userdata,
                                        sd_bus_error *error)
{
    struct iscsiwmi_client *client = userdata;
    struct iscsiwmi_event event = {.Type = ISCSIWMI_EVENT_CHANGED};
    _cleanup_result_ void *result = result_new(1);
    struct changes changes = {0};
    const char *interface;

    if (!result || sd_bus_message_read(message, "s", &interface) < 0 ||
        strncmp(interface, INTERFACE_PREFIX, strlen(INTERFACE_PREFIX)) != 0 ||
        events_read_changes(message, result, &changes) < 0 ||
        events_set_object(&event, sd_bus_message_get_path(message), result) < 0)
        return 0;
    event.Class = interface + strlen(INTERFACE_PREFIX);
    event.Changes = changes.items;
    event.ChangeCount = changes.n;
    events_tell(client, &event);
    return 0;
}

static int events_tell_of_object(sd_bus_message *message, struct iscsiwmi_client *client,
                                 uint32_t type)
{
    struct iscsiwmi_event event = {.Type = type};
    _cleanup_result_ void *result = result_new(1);
    const char *path;

    if (!result || sd_bus_message_read(message, "o", &path) < 0 ||
        events_set_object(&event, path, result) < 0)
        return 0;
    events_tell(client, &event);
    return 0;
}

static int events_on_added(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    return events_tell_of_object(message, userdata, ISCSIWMI_EVENT_ADDED);
}

static int events_on_removed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    return events_tell_of_object(message, userdata, ISCSIWMI_EVENT_REMOVED);
}

static int events_on_owner_changed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct iscsiwmi_event event = {.Object = ISCSIWMI_OBJECT_SERVICE, .Path = ROOT_PATH};
    const char *name, *old_owner, *new_owner;

    if (sd_bus_message_read(message, "sss", &name, &old_owner, &new_owner) < 0)
        return 0;
    if (*old_owner) {
        event.Type = ISCSIWMI_EVENT_STOPPED;
        events_tell(userdata, &event);
    }
    if (*new_owner) {
        event.Type = ISCSIWMI_EVENT_STARTED;
        events_tell(userdata, &event);
    }
    return 0;
}

/*
 * What the bus broadcasts is the sender's that a match asks for. But anybody may send a signal to
 * this connection alone, and that the bus does not compare with matches: sd-bus does, and cannot
 * know whose the sender is.
 */
static int events_pass_over_sent(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    return sd_bus_message_is_signal(message, NULL, NULL) > 0 &&
           sd_bus_message_get_destination(message);
}

static const struct {
    const char *match;
    sd_bus_message_handler_t handler;
} matches[] = {
    {"type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
     "member='NameOwnerChanged',arg0='" SERVICE "'",
     events_on_owner_changed},
    {"type='signal',sender='" SERVICE "',path='" ROOT_PATH "',interface='" OBJECT_MANAGER "',"
     "member='InterfacesAdded'",
     events_on_added},
    {"type='signal',sender='" SERVICE "',path='" ROOT_PATH "',interface='" OBJECT_MANAGER "',"
     "member='InterfacesRemoved'",
     events_on_removed},
    {"type='signal',sender='" SERVICE "',path_namespace='" ROOT_PATH "',interface='" PROPERTIES
     "',member='PropertiesChanged'",
     events_on_properties_changed},
};

static void events_end_watch(struct iscsiwmi_client *client)
{
    client->on_event = NULL;
    client->filter = sd_bus_slot_unref(client->filter);
    for (size_t i = 0; i < ELEMENTSOF(client->slots); i++)
        client->slots[i] = sd_bus_slot_unref(client->slots[i]);
}

static int events_begin_watch(struct iscsiwmi_client *client)
{
    int r = sd_bus_add_filter(client->bus, &client->filter, events_pass_over_sent, NULL);

    for (size_t i = 0; r >= 0 && i < ELEMENTSOF(matches); i++)
        r = sd_bus_add_match(client->bus, &client->slots[i], matches[i].match, matches[i].handler,
                             client);
    return r;
}

int iscsiwmi_client_watch(struct iscsiwmi_client *client, iscsiwmi_event_fn *on_event,
                          void *userdata)
{
    _Static_assert(ELEMENTSOF(matches) == ELEMENTSOF(client->slots), "a slot for each match");
    int r;

    if (!client->bus)
        return fail_with(client, -ENOTCONN, "this client is not connected");
    events_end_watch(client);
    if (!on_event)
        return 0;
    r = events_begin_watch(client);
    if (r < 0) {
        events_end_watch(client);
        return fail_call(client, r, &SD_BUS_ERROR_NULL);
    }
    client->on_event = on_event;
    client->userdata = userdata;
    return 0;
}

/* ---- main loop ---- */

static int events_fail_loop(struct iscsiwmi_client *client, int r)
{
    if (!client->bus)
        return fail_with(client, -ENOTCONN, "this client is not connected");
    return fail_call(client, r, &SD_BUS_ERROR_NULL);
}

int iscsiwmi_client_get_fd(struct iscsiwmi_client *client, int *ret_fd)
{
    int r = client->bus ? sd_bus_get_fd(client->bus) : -ENOTCONN;

    if (r < 0)
        return events_fail_loop(client, r);
    *ret_fd = r;
    return 0;
}

int iscsiwmi_client_get_events(struct iscsiwmi_client *client, short *ret_events)
{
    int r = client->bus ? sd_bus_get_events(client->bus) : -ENOTCONN;

    if (r < 0)
        return events_fail_loop(client, r);
    *ret_events = (short)r;
    return 0;
}

/* From an instant of CLOCK_MONOTONIC to milliseconds from now, never too early. */
static int events_wait_until(uint64_t usec)
{
    uint64_t now = monotonic_usec(), msec;

    if (usec <= now)
        return 0;
    msec = (usec - now + 999) / 1000;
    return msec > INT_MAX ? INT_MAX : (int)msec;
}

int iscsiwmi_client_get_timeout(struct iscsiwmi_client *client, int *ret_msec)
{
    uint64_t usec;
    int r = client->bus ? sd_bus_get_timeout(client->bus, &usec) : -ENOTCONN;

    if (r < 0)
        return events_fail_loop(client, r);
    *ret_msec = usec == UINT64_MAX ? -1 : events_wait_until(usec);
    return 0;
}

int iscsiwmi_client_dispatch(struct iscsiwmi_client *client)
{
    int r;

    do
        r = client->bus ? sd_bus_process(client->bus, NULL) : -ENOTCONN;
    while (r > 0);
    return r < 0 ? events_fail_loop(client, r) : 0;
}
