/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/caller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/macros.h"
#include "bus/asker.h"

/* The user as the bus knows it: what /proc says of a process can be another's by now. */
static void take_creds(sd_bus_creds *creds, struct requester *who)
{
    const char *name = NULL;

    if (!(sd_bus_creds_get_augmented_mask(creds) & SD_BUS_CREDS_EUID))
        (void)sd_bus_creds_get_euid(creds, &who->uid);
    (void)sd_bus_creds_get_pid(creds, &who->pid);
    if (sd_bus_creds_get_comm(creds, &name) >= 0)
        snprintf(who->name, sizeof(who->name), "%s", name);
}

void bus_requester(sd_bus_message *message, struct requester *ret)
{
    /* The last answer: a unique name is never another's, and a call needs it up to three times. */
    static char last_sender[64];
    static struct requester last;
    const char *sender = sd_bus_message_get_sender(message) ?: "";
    _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;

    if (sender[0] && strcmp(sender, last_sender) == 0) {
        *ret = last;
        return;
    }
    *ret = (struct requester){.uid = (uid_t)-1, .name = "unknown"};
    if (!sender[0] || sd_bus_get_name_creds(bus_asker(), sender,
                                            SD_BUS_CREDS_EUID | SD_BUS_CREDS_PID |
                                                SD_BUS_CREDS_COMM | SD_BUS_CREDS_AUGMENT,
                                            &creds) < 0)
        return;
    take_creds(creds, ret);
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
