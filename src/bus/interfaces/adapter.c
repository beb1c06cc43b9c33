/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "basic/macros.h"
#include "basic/sanitize.h"
#include "bus/interfaces/interfaces.h"
#include "iscsi/record-name.h"
#include "service/guid/drift.h"
#include "service/model/model.h"

static int adapter_append_change(sd_bus_message *reply, const struct adapter *adapter, size_t index)
{
    const struct record_change *change = &adapter->changes.items[index];
    _cleanup_free_ char *name = record_name(change->kind, change->path);
    if (!name)
        return -ENOMEM;

    int r = sd_bus_message_open_container(reply, 'r', "sstsas");
    if (r >= 0)
        r = sd_bus_message_append(reply, "ssts", record_kind_name(change->kind),
                                  sanitize(name, SINK_BUS), adapter->changed_ids[index],
                                  record_difference_name(change->difference));
    if (r >= 0)
        r = sd_bus_message_append_strv(reply, change->fields);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int method_list_changed_records(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    const struct adapter *adapter = userdata;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    char reason[DRIFT_REASON_SIZE];

    drift_reason(adapter, reason);
    int r = sd_bus_message_new_method_return(message, &reply);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "(sstsas)");
    for (size_t i = 0; i < adapter->changes.n && r >= 0; i++)
        r = adapter_append_change(reply, adapter, i);
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    if (r >= 0)
        r = sd_bus_message_append(reply, "s", reason);
    return r < 0 ? r : sd_bus_message_send(reply);
}

const sd_bus_vtable adapter_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES("ListChangedRecords", "", , "a(sstsas)s",
                             SD_BUS_PARAM(Records) SD_BUS_PARAM(Reason),
                             method_list_changed_records, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};
