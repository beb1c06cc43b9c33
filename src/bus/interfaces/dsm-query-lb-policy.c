/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include "basic/macros.h"
#include "bus/dsm-policy.h"
#include "bus/getters.h"
#include "bus/interfaces/interfaces.h"
#include "service/model/model.h"
#include "service/view/disk-query.h"

static int dsm_query_get_policy(sd_bus *bus, const char *path, const char *interface,
                                const char *property, sd_bus_message *reply, void *userdata,
                                sd_bus_error *error)
{
    _cleanup_(disk_answer_done) struct disk_answer answer = {0};
    const struct host_map *map = userdata;

    /* One disk that cannot be read must not hide the others from whoever asks for all of them. */
    int r = disk_query(map, &answer);
    if (r < 0)
        log_unreadable(map->wwid, r);
    return append_dsm_policy(reply, &answer);
}

const sd_bus_vtable dsm_query_lb_policy_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("InstanceName", "s", NULL, offsetof(struct host_map, wwid),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_disk_active, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("LoadBalancePolicy", "(" DSM_POLICY_CONTENTS ")", dsm_query_get_policy, 0,
                    SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
    SD_BUS_VTABLE_END,
};
