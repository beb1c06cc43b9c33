/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/unread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/clock.h"
#include "basic/log.h"
#include "bus/asker.h"
#include "bus/caller.h"
#include "bus/requests.h"
#include "service/base/bounds.h"

#define STATS "org.freedesktop.DBus.Debug.Stats"

/* The bus is asked once in so many calls; those whose answer has everything count as so many. */
#define CALLS_MAX 16U

/* And once in so long, while anything happens: signals go out then. */
#define LOOK_USEC 1000000U

struct unread {
    sd_bus_slot *filter;
    struct requests *requests;
    const char *own_name;
    uint32_t most;    /* bytes of all clients, before the service begins anew */
    unsigned n_calls; /* since the bus was asked */
    uint32_t bytes;   /* of all clients, as it was then */
    uint64_t usec;    /* when that was, CLOCK_MONOTONIC */
    bool has_stats;
};

/* One number of a connection's. */
static int unread_read_number(sd_bus_message *reply, const char *wanted, uint32_t *ret)
{
    const char *name;
    int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
        r = sd_bus_message_read(reply, "s", &name);
        if (r >= 0 && strcmp(name, wanted) == 0)
            return sd_bus_message_read(reply, "v", "u", ret);
        if (r >= 0)
            r = sd_bus_message_skip(reply, "v");
        if (r >= 0)
            r = sd_bus_message_exit_container(reply);
    }
    return r < 0 ? r : -ENODATA;
}

static int unread_ask(const char *connection, const char *number, uint32_t *ret)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    int r = sd_bus_call_method(bus_asker(), "org.freedesktop.DBus", "/org/freedesktop/DBus", STATS,
                               "GetConnectionStats", NULL, &reply, "s", connection);
    return r < 0 ? r : unread_read_number(reply, number, ret);
}

/* Whether there is no use in asking again: there is no such interface, or it is not for us. */
static bool unread_is_for_good(int error)
{
    return error == -EBADR || error == -EOPNOTSUPP || error == -EACCES || error == -ENODATA;
}

/* How much all clients have not read. */
static void unread_look(struct unread *unread, sd_bus *bus)
{
    unread->n_calls = 0;
    unread->usec = monotonic_usec();
    (void)sd_bus_flush(bus); /* what it does not have is not counted */
    int r = unread_ask(unread->own_name, "IncomingBytes", &unread->bytes);
    if (!unread_is_for_good(r))
        return;
    log_info("The bus does not tell what clients have not read: %s", strerror(-r));
    unread->has_stats = false;
}

/* As of the last call but a few. */
static void unread_look_at_times(struct unread *unread, sd_bus_message *message)
{
    bool is_large = sd_bus_message_is_method_call(message, "org.freedesktop.DBus.ObjectManager",
                                                  "GetManagedObjects") > 0;

    unread->n_calls += is_large ? CALLS_MAX : 1;
    if (unread->n_calls >= CALLS_MAX || unread->bytes > UNREAD_MAX)
        unread_look(unread, sd_bus_message_get_bus(message));
}

static bool unread_is_trusted(const struct unread *unread, sd_bus_message *message)
{
    uid_t uid;

    return requests_get_uid(unread->requests, message, &uid) >= 0 && bus_trusts(uid);
}

static int unread_on_message(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct unread *unread = userdata;
    const char *sender = sd_bus_message_get_sender(message);
    uint32_t bytes = 0;

    if (!unread->has_stats || !sender || sd_bus_message_is_method_call(message, NULL, NULL) <= 0 ||
        sd_bus_message_get_expect_reply(message) <= 0)
        return 0;
    if (requests_has(unread->requests, message))
        return 0; /* polkit has allowed it: whoever asked has to see it again */
    unread_look_at_times(unread, message);
    if (unread->bytes <= UNREAD_MAX || unread_ask(sender, "OutgoingBytes", &bytes) < 0)
        return 0; /* one that has left has nothing unread */

    switch (bounds_answer(unread->bytes, bytes, unread_is_trusted(unread, message))) {
    case BOUNDS_ANSWER:
        return 0;
    case BOUNDS_REFUSE:
        return request_refuse(unread->requests, message, "The answers are not read");
    default:
        return 1;
    }
}

/* ---- signals, which are sent to whoever has asked for them ---- */

static uint32_t unread_most_of_all(void)
{
    const char *bytes = getenv("ISCSI_WMI_UNREAD_MAX_ALL");
    return bytes ? (uint32_t)strtoul(bytes, NULL, 10) : UNREAD_MAX_ALL;
}

/* The client that has most; the name is to be freed. NULL: none is known. */
static char *unread_find_worst(void)
{
    char **names = NULL, *worst = NULL;
    uint32_t most = 0, bytes;

    if (sd_bus_list_names(bus_asker(), &names, NULL) < 0)
        return NULL;
    for (char **name = names; *name; name++)
        if (**name == ':' && unread_ask(*name, "OutgoingBytes", &bytes) >= 0 && bytes > most) {
            most = bytes;
            free(worst);
            worst = *name;
        } else
            free(*name);
    free(names);
    return worst;
}

static void unread_log_worst(const struct unread *unread)
{
    _cleanup_free_ char *name = unread_find_worst();
    struct requester who;

    bus_requester_of(name ?: "", &who);
    log_error("The bus keeps %u MiB that clients do not read, and would soon take no more: the "
              "service begins anew. Most is not read by %s (uid %u, pid %d).",
              unread->bytes / (1024U * 1024U), who.name, (unsigned)who.uid, (int)who.pid);
}

bool unread_is_too_much(struct unread *unread, sd_bus *bus)
{
    if (unread->has_stats && monotonic_usec() - unread->usec >= LOOK_USEC)
        unread_look(unread, bus);
    if (unread->bytes <= unread->most)
        return false;
    unread_log_worst(unread);
    return true;
}

int unread_new(sd_bus *bus, struct requests *requests, struct unread **ret)
{
    _cleanup_(unread_freep) struct unread *unread = calloc(1, sizeof(*unread));

    if (!unread)
        return -ENOMEM;
    unread->requests = requests;
    unread->has_stats = true;
    unread->most = unread_most_of_all();
    int r = sd_bus_get_unique_name(bus, &unread->own_name);
    if (r >= 0)
        r = sd_bus_add_filter(bus, &unread->filter, unread_on_message, unread);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(unread);
    return 0;
}

void unread_free(struct unread *unread)
{
    sd_bus_slot_unref(unread->filter);
    free(unread);
}
