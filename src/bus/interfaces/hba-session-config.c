/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>
#include <string.h>

#include "bus/getters.h"
#include "bus/interfaces/interfaces.h"
#include "iscsi/config.h"
#include "service/model/model.h"

/* The file is read for each property: it is small, local, and anybody may edit it at any time. */
static int get_boolean(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct session_defaults defaults;

    session_defaults_read(&defaults);
    return sd_bus_message_append(reply, "b",
                                 strcmp(property, "InitialR2T") == 0 ? defaults.initial_r2t
                                                                     : defaults.immediate_data);
}

static uint32_t number_of(const struct session_defaults *defaults, const char *property)
{
    if (strcmp(property, "MaxRecvDataSegmentLength") == 0)
        return defaults->max_recv_segment;
    if (strcmp(property, "MaxBurstLength") == 0)
        return defaults->max_burst_length;
    if (strcmp(property, "FirstBurstLength") == 0)
        return defaults->first_burst_length;
    return defaults->max_outstanding_r2t;
}

static int get_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct session_defaults defaults;

    session_defaults_read(&defaults);
    return sd_bus_message_append(reply, "u", number_of(&defaults, property));
}

const sd_bus_vtable hba_session_config_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("InstanceName", "s", NULL, offsetof(struct adapter, initiator),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Active", "b", get_true, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("InitialR2T", "b", get_boolean, 0, 0),
    SD_BUS_PROPERTY("ImmediateData", "b", get_boolean, 0, 0),
    SD_BUS_PROPERTY("MaxRecvDataSegmentLength", "u", get_number, 0, 0),
    SD_BUS_PROPERTY("MaxBurstLength", "u", get_number, 0, 0),
    SD_BUS_PROPERTY("FirstBurstLength", "u", get_number, 0, 0),
    SD_BUS_PROPERTY("MaxOutstandingR2T", "u", get_number, 0, 0),
    SD_BUS_VTABLE_END,
};
