/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/dsm-policy.h"

#include "service/view/disk-query.h"

static int append_path(sd_bus_message *reply, const struct dsm_path *path)
{
    return sd_bus_message_append(reply, "(ttuuuuuuuyyquut)", path->id, path->reserved, path->weight,
                                 path->primary, path->optimized, path->preferred, path->failed,
                                 path->group_state, path->alua_support, path->symmetric,
                                 path->group_preferred, path->group_id, path->port_id,
                                 path->reserved32, path->reserved64);
}

int append_dsm_policy(sd_bus_message *reply, const struct disk_answer *answer)
{
    int r = sd_bus_message_open_container(reply, 'r', DSM_POLICY_CONTENTS);
    if (r >= 0)
        r = sd_bus_message_append(reply, "uuuu", DSM_VERSION_2, answer->policy,
                                  (uint32_t)answer->n_paths, 0U);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "(ttuuuuuuuyyquut)");
    for (size_t i = 0; i < answer->n_paths && r >= 0; i++)
        r = append_path(reply, &answer->paths[i]);
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}
