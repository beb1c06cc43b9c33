/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <errno.h>

#include "basic/macros.h"
#include "bus/bus.h"
#include "service/guid-change.h"
#include "wmi/status.h"

static int method_clear_cache(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    return sd_bus_reply_method_return(message, "u",
                                      (uint32_t)ISDSC_HBA_SECURITY_CACHE_NOT_SUPPORTED);
}

/* A call that waits for its answer. */
struct call {
    sd_bus_message *message;
    uint64_t adapter_id;
};

static void on_guid_changed(uint32_t status, void *userdata)
{
    _cleanup_free_ struct call *call = userdata;
    char path[OBJECT_PATH_MAX];

    if (status == STATUS_SUCCESS) {
        adapter_path(call->adapter_id, path);
        (void)sd_bus_emit_properties_changed(sd_bus_message_get_bus(call->message), path,
                                             BUS_INTERFACE("MSiSCSI_HBAInformation"),
                                             "GenerationalGuid", NULL);
    }
    (void)sd_bus_reply_method_return(call->message, "u", status);
    sd_bus_message_unref(call->message);
}

static int method_set_generational_guid(sd_bus_message *message, void *userdata,
                                        sd_bus_error *error)
{
    struct adapter *adapter = userdata;
    struct requester who;
    const void *guid;
    size_t size;

    int r = sd_bus_message_read_array(message, 'y', &guid, &size);
    if (r < 0)
        return r;
    struct call *call = malloc(sizeof(*call));
    if (!call)
        return -ENOMEM;
    *call = (struct call){sd_bus_message_ref(message), adapter->id};

    bus_requester(message, &who);
    guid_change(adapter->host, adapter, guid, size, &who, on_guid_changed, call);
    return 1;
}

const sd_bus_vtable security_config_operations_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES("ClearCache", "", , "u", SD_BUS_PARAM(Status), method_clear_cache, 0),
    SD_BUS_METHOD_WITH_NAMES("SetGenerationalGuid", "ay", SD_BUS_PARAM(GenerationalGuid), "u",
                             SD_BUS_PARAM(Status), method_set_generational_guid, 0),
    SD_BUS_PROPERTY("InstanceName", "s", get_instance_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_true, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};
