/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include "bus/dsm-policy.h"
#include "bus/getters.h"
#include "bus/interfaces/interfaces.h"
#include "service/model/model.h"
#include "service/view/disk-query.h"

static int dsm_supported_get_count(sd_bus *bus, const char *path, const char *interface,
                                   const char *property, sd_bus_message *reply, void *userdata,
                                   sd_bus_error *error)
{
    uint32_t policies[DSM_LEAST_BLOCKS];

    return sd_bus_message_append(reply, "u", (uint32_t)disk_supported(userdata, policies));
}

static int dsm_supported_get_policies(sd_bus *bus, const char *path, const char *interface,
                                      const char *property, sd_bus_message *reply, void *userdata,
                                      sd_bus_error *error)
{
    uint32_t policies[DSM_LEAST_BLOCKS];
    size_t n = disk_supported(userdata, policies);

    int r = sd_bus_message_open_container(reply, 'a', "(" DSM_POLICY_CONTENTS ")");
    for (size_t i = 0; i < n && r >= 0; i++) {
        const struct disk_answer answer = {.policy = policies[i]};
        r = append_dsm_policy(reply, &answer);
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

const sd_bus_vtable dsm_query_supported_lb_policies_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("InstanceName", "s", NULL, offsetof(struct host_map, wwid),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_disk_active, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("SupportedLBPoliciesCount", "u", dsm_supported_get_count, 0, 0),
    SD_BUS_PROPERTY("Reserved", "u", get_zero, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Supported_LB_Policies", "a(" DSM_POLICY_CONTENTS ")",
                    dsm_supported_get_policies, 0, 0),
    SD_BUS_VTABLE_END,
};
