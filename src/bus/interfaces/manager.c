/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "bus/caller.h"
#include "bus/failure.h"
#include "bus/interfaces/interfaces.h"
#include "service/model/model.h"
#include "service/model/offers.h"
#include "service/model/settings.h"
#include "service/view/conditions.h"
#include "wmi/dsm.h"
#include "wmi/status.h"

static int method_describe_status(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    uint32_t code;

    int r = sd_bus_message_read(message, "u", &code);
    if (r < 0)
        return r;
    const struct status_info *info = status_find(code);
    return sd_bus_reply_method_return(message, "ss", info ? info->symbol : "",
                                      info ? info->text : "");
}

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    return sd_bus_message_append(reply, "s", PROJECT_VERSION);
}

static int get_weight_order(sd_bus *bus, const char *path, const char *interface,
                            const char *property, sd_bus_message *reply, void *userdata,
                            sd_bus_error *error)
{
    return sd_bus_message_append(reply, "s", settings_weight_order(userdata));
}

static int set_weight_order(sd_bus *bus, const char *path, const char *interface,
                            const char *property, sd_bus_message *value, void *userdata,
                            sd_bus_error *error)
{
    struct requester who;
    const char *order;

    int r = sd_bus_message_read(value, "s", &order);
    if (r < 0)
        return r;
    r = settings_set_weight_order(userdata, order);
    if (r == -EINVAL)
        return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                                "PathWeightOrder is \"lowest-first\" or \"highest-first\".");
    if (r < 0)
        return bus_failure(error, r, "PathWeightOrder cannot be saved");
    bus_requester(value, &who);
    log_notice("PathWeightOrder is %s now, asked by %s (uid %u, pid %d).", order, who.name,
               (unsigned)who.uid, (int)who.pid);
    return sd_bus_emit_properties_changed(bus, path, interface, property, NULL);
}

static int get_default_policy(sd_bus *bus, const char *path, const char *interface,
                              const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *error)
{
    const struct host *host = userdata;
    return sd_bus_message_append(reply, "u", host->default_policy);
}

static int set_default_policy(sd_bus *bus, const char *path, const char *interface,
                              const char *property, sd_bus_message *value, void *userdata,
                              sd_bus_error *error)
{
    struct requester who;
    uint32_t policy;

    int r = sd_bus_message_read(value, "u", &policy);
    if (r < 0)
        return r;
    r = offers_set_policy(userdata, policy);
    if (r == -EINVAL)
        return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                                "DefaultLoadBalancePolicy is 0 (none), 1 (failover), 2 (round "
                                "robin), 4 (least queue depth) or 6 (least blocks).");
    if (r < 0)
        return bus_failure(error, r, "DefaultLoadBalancePolicy cannot be saved");
    bus_requester(value, &who);
    log_notice(
        "The default policy of maps that appear is %u (%s) now, asked by %s (uid %u, pid %d).",
        (unsigned)policy, dsm_policy_name(policy), who.name, (unsigned)who.uid, (int)who.pid);
    return sd_bus_emit_properties_changed(bus, path, interface, property, NULL);
}

static int get_conditions(sd_bus *bus, const char *path, const char *interface,
                          const char *property, sd_bus_message *reply, void *userdata,
                          sd_bus_error *error)
{
    _cleanup_free_ const char **list = conditions(userdata);
    return list ? sd_bus_message_append_strv(reply, (char **)list) : -ENOMEM;
}

const sd_bus_vtable manager_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES("DescribeStatus", "u", SD_BUS_PARAM(Status), "ss",
                             SD_BUS_PARAM(Symbol) SD_BUS_PARAM(Text), method_describe_status,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_WRITABLE_PROPERTY("PathWeightOrder", "s", get_weight_order, set_weight_order, 0,
                             SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE | SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_WRITABLE_PROPERTY("DefaultLoadBalancePolicy", "u", get_default_policy,
                             set_default_policy, 0,
                             SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE | SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Conditions", "as", get_conditions, 0, 0),
    SD_BUS_VTABLE_END,
};
