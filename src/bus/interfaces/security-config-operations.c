/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include "bus/caller.h"
#include "bus/getters.h"
#include "bus/interfaces/interfaces.h"
#include "bus/requests.h"
#include "service/guid/guid-change.h"
#include "service/model/model.h"
#include "wmi/status.h"

static int method_clear_cache(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    return sd_bus_reply_method_return(message, "u",
                                      (uint32_t)ISDSC_HBA_SECURITY_CACHE_NOT_SUPPORTED);
}

static int method_set_generational_guid(sd_bus_message *message, void *userdata,
                                        sd_bus_error *error)
{
    struct adapter *adapter = userdata;
    struct request *call;
    struct requester who;
    const void *guid;
    size_t size;

    int r = sd_bus_message_read_array(message, 'y', &guid, &size);
    if (r >= 0)
        r = request_begin(adapter->host->requests, message, REQUEST_CHANGE, &call);
    if (r != 0)
        return r;
    bus_requester(message, &who);
    guid_change(adapter->host, adapter, guid, size, &who, request_reply_status, call);
    return 1;
}

const sd_bus_vtable security_config_operations_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES("ClearCache", "", , "u", SD_BUS_PARAM(Status), method_clear_cache,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("SetGenerationalGuid", "ay", SD_BUS_PARAM(GenerationalGuid), "u",
                             SD_BUS_PARAM(Status), method_set_generational_guid,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("InstanceName", "s", NULL, offsetof(struct adapter, initiator),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_true, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};
