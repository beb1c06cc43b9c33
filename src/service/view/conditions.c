/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <unistd.h>

#include "multipath/dm.h"
#include "multipath/mpathd.h"
#include "service/view/conditions.h"

static bool has_live_session(const struct host *host)
{
    for (size_t i = 0; i < host->n_sessions; i++)
        if (host->sessions[i]->n_connections > 0)
            return true;
    return false;
}

const char **conditions(const struct host *host)
{
    const char **list = calloc(6, sizeof(*list));
    size_t n = 0;

    if (!list)
        return NULL;
    if (!host->initiator[0])
        list[n++] = "This host has no iSCSI initiator name: install open-iscsi, or see "
                    "/etc/iscsi/initiatorname.iscsi.";
    if (access("/sys/class/iscsi_transport", F_OK) < 0)
        list[n++] = "The kernel's iSCSI transport is not loaded: start iscsid.service.";
    if (!dm_multipath_loaded())
        list[n++] = "The kernel's dm-multipath is not loaded: modprobe dm-multipath.";
    if (!mpathd_listens())
        list[n++] = "multipathd does not answer: start multipathd.service.";
    if (!has_live_session(host))
        list[n++] = "No iSCSI session is logged in.";
    return list;
}
