/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include "basic/macros.h"
#include "bus/getters.h"
#include "bus/interfaces/interfaces.h"
#include "service/model/freshness.h"
#include "service/model/model.h"
#include "service/view/lb-query.h"

static int query_lb_policy_append_session(sd_bus_message *reply, struct session *session,
                                          uint64_t serial)
{
    static const struct lb_answer none = {.policy = LB_VENDOR_SPECIFIC};
    const struct lb_answer *answer = &none;

    /* One session that cannot be read must not hide the others. */
    int r = lb_query(session, serial, &answer);
    if (r < 0)
        log_unreadable(session->target, r);

    r = sd_bus_message_open_container(reply, 'r', "tuua(ttuuuu)");
    if (r >= 0)
        r = sd_bus_message_append(reply, "tuu", session->id, answer->policy,
                                  (uint32_t)answer->n_paths);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "(ttuuuu)");
    for (size_t i = 0; i < answer->n_paths && r >= 0; i++) {
        const struct lb_path *path = &answer->paths[i];
        r = sd_bus_message_append(reply, "(ttuuuu)", path->connection_id, path->link_speed,
                                  path->weight, path->primary, path->status, path->offload);
    }
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int query_lb_policy_get_policies(sd_bus *bus, const char *path, const char *interface,
                                        const char *property, sd_bus_message *reply, void *userdata,
                                        sd_bus_error *error)
{
    const struct adapter *adapter = userdata;
    struct host *host = adapter->host;
    uint64_t serial = freshness_serial(host);

    int r = sd_bus_message_open_container(reply, 'a', "(tuua(ttuuuu))");
    for (size_t i = 0; i < host->n_sessions && r >= 0; i++)
        if (is_live_session(adapter, host->sessions[i]))
            r = query_lb_policy_append_session(reply, host->sessions[i], serial);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

const sd_bus_vtable query_lb_policy_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("InstanceName", "s", NULL, offsetof(struct adapter, initiator),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_true, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("UniqueAdapterId", "t", NULL, offsetof(struct adapter, id),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Reserved", "u", get_zero, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("SessionCount", "u", get_session_count, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("LoadBalancePolicies", "a(tuua(ttuuuu))", query_lb_policy_get_policies, 0,
                    SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
    SD_BUS_VTABLE_END,
};
