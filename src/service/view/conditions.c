/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/macros.h"
#include "multipath/dm.h"
#include "multipath/mpathd.h"
#include "service/view/conditions.h"

static bool has_initiator(const struct host *host)
{
    return host->initiator[0] != '\0';
}

static bool has_transport(const struct host *host)
{
    return access("/sys/class/iscsi_transport", F_OK) == 0;
}

static bool has_multipath(const struct host *host)
{
    return dm_multipath_loaded();
}

static bool has_multipathd(const struct host *host)
{
    return mpathd_runs();
}

static bool has_live_session(const struct host *host)
{
    for (size_t i = 0; i < host->n_sessions; i++)
        if (host->sessions[i]->n_connections > 0)
            return true;
    return false;
}

/* What a host needs, and what its administrator is told where it has not got that. */
static const struct {
    bool (*is_met)(const struct host *host);
    const char *otherwise;
} needs[] = {
    {has_initiator, "This host has no iSCSI initiator name: install open-iscsi, or see "
                    "/etc/iscsi/initiatorname.iscsi."},
    {has_transport, "The kernel's iSCSI transport is not loaded: start iscsid.service."},
    {has_multipath, "The kernel's dm-multipath is not loaded: modprobe dm-multipath."},
    {has_multipathd, "multipathd does not run: start multipathd.service."},
    {has_live_session, "No iSCSI session is logged in."},
};

const char **conditions(const struct host *host)
{
    const char **list = calloc(ELEMENTSOF(needs) + 1, sizeof(*list));

    for (size_t i = 0, n = 0; i < ELEMENTSOF(needs) && list; i++)
        if (!needs[i].is_met(host))
            list[n++] = needs[i].otherwise;
    return list;
}
