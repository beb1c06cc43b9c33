/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What policy a disk has, and which it can have: two classes of MPIO. */

#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "bus/getters.h"
#include "bus/interfaces/interfaces.h"
#include "service/model/maps.h"
#include "service/view/disk-query.h"

#define POLICY_CONTENTS "uuuua(ttuuuuuuuyyquut)"

static int append_path(sd_bus_message *reply, const struct dsm_path *path)
{
    return sd_bus_message_append(reply, "(ttuuuuuuuyyquut)", path->id, path->reserved, path->weight,
                                 path->primary, path->optimized, path->preferred, path->failed,
                                 path->group_state, path->alua_support, path->symmetric,
                                 path->group_preferred, path->group_id, path->port_id,
                                 path->reserved32, path->reserved64);
}

/* One DSM_Load_Balance_Policy_V2. */
static int append_policy(sd_bus_message *reply, const struct disk_answer *answer)
{
    int r = sd_bus_message_open_container(reply, 'r', POLICY_CONTENTS);
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

static int get_policy(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    _cleanup_(disk_answer_done) struct disk_answer answer = {0};
    const struct host_map *map = userdata;

    /* One disk that cannot be read must not hide the others from whoever asks for all of them. */
    int r = disk_query(map, &answer);
    if (r < 0)
        log_warning("The policy of disk %s cannot be read: %s.", map->wwid, strerror(-r));
    return append_policy(reply, &answer);
}

static int get_count(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    uint32_t policies[DSM_LEAST_BLOCKS];

    return sd_bus_message_append(reply, "u", (uint32_t)disk_supported(userdata, policies));
}

static int get_supported(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    uint32_t policies[DSM_LEAST_BLOCKS];
    size_t n = disk_supported(userdata, policies);

    int r = sd_bus_message_open_container(reply, 'a', "(" POLICY_CONTENTS ")");
    for (size_t i = 0; i < n && r >= 0; i++) {
        const struct disk_answer answer = {.policy = policies[i]};
        r = append_policy(reply, &answer);
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_reserved(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    return sd_bus_message_append(reply, "u", 0U);
}

const sd_bus_vtable dsm_query_lb_policy_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("InstanceName", "s", get_disk_wwid, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_disk_active, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("LoadBalancePolicy", "(" POLICY_CONTENTS ")", get_policy, 0,
                    SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
    SD_BUS_VTABLE_END,
};

const sd_bus_vtable dsm_query_supported_lb_policies_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("InstanceName", "s", get_disk_wwid, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_disk_active, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("SupportedLBPoliciesCount", "u", get_count, 0, 0),
    SD_BUS_PROPERTY("Reserved", "u", get_reserved, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Supported_LB_Policies", "a(" POLICY_CONTENTS ")", get_supported, 0, 0),
    SD_BUS_VTABLE_END,
};
