/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/caller.h"

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

void bus_requester(sd_bus_message *message, struct requester *ret)
{
    /* The last answer: a unique name is never another's, and a call needs it up to three times. */
    static char last_sender[64];
    static struct requester last;
    const char *sender = sd_bus_message_get_sender(message) ?: "";
    uint32_t uid, pid;

    if (sender[0] && strcmp(sender, last_sender) == 0) {
        *ret = last;
        return;
    }
    *ret = (struct requester){.uid = (uid_t)-1, .name = "unknown"};
    if (!sender[0] || ask_number("GetConnectionUnixUser", sender, &uid) < 0)
        return;
    ret->uid = uid;
    if (ask_number("GetConnectionUnixProcessID", sender, &pid) >= 0) {
        ret->pid = (pid_t)pid;
        read_process_name(ret);
    }
    if (strlen(sender) < sizeof(last_sender)) {
        memcpy(last_sender, sender, strlen(sender) + 1);
        last = *ret;
    }
}

bool bus_trusts(uid_t uid)
{
    const char *always = getenv("ISCSI_WMI_ALWAYS_ASK");
    return (uid == 0 || uid == geteuid()) && !(always && strcmp(always, "1") == 0);
}
