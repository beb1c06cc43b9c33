/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/caller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/macros.h"
#include "bus/asker.h"

/*
 * A number that the bus has of a connection. sd_bus_get_name_creds() may ask for all credentials at
 * once, and since its release 34 dbus-broker answers that with a descriptor too, and ends a
 * connection that takes none.
 */
static int ask_number(const char *member, const char *connection, uint32_t *ret)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    int r = sd_bus_call_method(bus_asker(), "org.freedesktop.DBus", "/org/freedesktop/DBus",
                               "org.freedesktop.DBus", member, NULL, &reply, "s", connection);
    return r < 0 ? r : sd_bus_message_read(reply, "u", ret);
}

/* What /proc says of a process can be another's by now: it is for the journal. */
static void read_process_name(struct requester *who)
{
    _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
    const char *name;

    if (sd_bus_creds_new_from_pid(&creds, who->pid, SD_BUS_CREDS_COMM) >= 0 &&
        sd_bus_creds_get_comm(creds, &name) >= 0)
        snprintf(who->name, sizeof(who->name), "%s", name);
}

/*
 * What the bus has said of those that called last: a unique name is never another connection's. A
 * call needs it up to three times, and many calls come from few.
 */
#define KNOWN_MAX 1024U

static struct known {
    char name[24];
    bool has_left, has_process;
    struct requester who;
} known[KNOWN_MAX];

static struct known *known_slot(const char *name)
{
    const char *number = strrchr(name, '.');
    return &known[number ? strtoul(number + 1, NULL, 10) % KNOWN_MAX : 0];
}

/* NULL: nothing. */
static struct known *known_find(const char *name)
{
    struct known *slot = known_slot(name);
    return name[0] && strcmp(name, slot->name) == 0 ? slot : NULL;
}

static struct known *known_put(const char *name, const struct known *what)
{
    struct known *slot = known_slot(name);

    if (!name[0] || strlen(name) >= sizeof(slot->name))
        return NULL;
    *slot = *what;
    memcpy(slot->name, name, strlen(name) + 1);
    return slot;
}

static struct known *known_put_uid(const char *name, int r, uint32_t uid)
{
    return known_put(name, &(struct known){
                               .has_left = r == -ENXIO,
                               .who = {.uid = r < 0 ? (uid_t)-1 : uid, .name = "unknown"},
                           });
}

/* -ENXIO: it has left. */
static int known_get(const char *name, struct known **ret)
{
    struct known *slot = known_find(name);
    uint32_t uid;

    if (!slot) {
        int r = ask_number("GetConnectionUnixUser", name, &uid);
        if (r < 0 && r != -ENXIO)
            return r;
        slot = known_put_uid(name, r, uid);
    }
    if (!slot)
        return -ENODATA;
    *ret = slot;
    return slot->has_left ? -ENXIO : 0;
}

static const char *caller_name(sd_bus_message *message)
{
    return sd_bus_message_get_sender(message) ?: "";
}

int bus_get_known_uid(sd_bus_message *message, uid_t *ret)
{
    const struct known *caller = known_find(caller_name(message));

    if (!caller)
        return 0;
    if (caller->has_left)
        return -ENXIO;
    *ret = caller->who.uid;
    return 1;
}

int bus_ask_uid(sd_bus_message *message, sd_bus_slot **ret, sd_bus_message_handler_t func,
                void *userdata)
{
    return sd_bus_call_method_async(
        bus_asker(), ret, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
        "GetConnectionUnixUser", func, userdata, "s", caller_name(message));
}

void bus_take_uid(sd_bus_message *message, sd_bus_message *answer)
{
    uint32_t uid = (uint32_t)-1;
    int r = sd_bus_message_get_errno(answer) > 0 ? -sd_bus_message_get_errno(answer)
                                                 : sd_bus_message_read(answer, "u", &uid);

    (void)known_put_uid(caller_name(message), r, uid);
}

int bus_get_uid(sd_bus_message *message, uid_t *ret)
{
    struct known *caller;
    int r = known_get(caller_name(message), &caller);

    if (r >= 0)
        *ret = caller->who.uid;
    return r;
}

void bus_requester(sd_bus_message *message, struct requester *ret)
{
    bus_requester_of(caller_name(message), ret);
}

void bus_requester_of(const char *connection, struct requester *ret)
{
    struct known *caller;
    uint32_t pid;

    *ret = (struct requester){.uid = (uid_t)-1, .name = "unknown"};
    if (known_get(connection, &caller) < 0)
        return;
    if (!caller->has_process && ask_number("GetConnectionUnixProcessID", caller->name, &pid) >= 0) {
        caller->who.pid = (pid_t)pid;
        read_process_name(&caller->who);
        caller->has_process = true;
    }
    *ret = caller->who;
}

void bus_remember(sd_bus_message *message, const struct requester *who)
{
    (void)known_put(caller_name(message), &(struct known){.has_process = true, .who = *who});
}

int bus_ask_there(sd_bus_message *message, sd_bus_slot **ret, sd_bus_message_handler_t func,
                  void *userdata)
{
    return sd_bus_call_method_async(bus_asker(), ret, "org.freedesktop.DBus",
                                    "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner",
                                    func, userdata, "s", caller_name(message));
}

bool bus_is_there(sd_bus_message *answer)
{
    int is_there = true;

    if (sd_bus_message_get_errno(answer) == 0)
        (void)sd_bus_message_read(answer, "b", &is_there);
    return is_there;
}

bool bus_trusts(uid_t uid)
{
    static int asks_always = -1;
    static uid_t own;

    if (asks_always < 0) {
        const char *always = getenv("ISCSI_WMI_ALWAYS_ASK");
        asks_always = always && strcmp(always, "1") == 0;
        own = geteuid();
    }
    return (uid == 0 || uid == own) && !asks_always;
}
