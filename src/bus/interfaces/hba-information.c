/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <stdlib.h>
#include <errno.h>
#include <stddef.h>

#include "basic/fileio.h"
#include "basic/macros.h"
#include "bus/getters.h"
#include "bus/interfaces/interfaces.h"
#include "service/guid/drift.h"
#include "service/model/model.h"
#include "service/view/conditions.h"

#define STATUS_WORKING 0U
#define STATUS_DEGRADED 1U
#define FUNCTIONALITY_ISNS 0x10U
#define MAX_CDB_LENGTH 260U /* SCSI_MAX_VARLEN_CDB_SIZE, what iscsi_tcp and iser have */

#define GETTER(name)                                                                               \
    static int name(sd_bus *bus, const char *path, const char *interface, const char *property,    \
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)

/* What Linux does not have: false, 0 or an empty string, whichever the property's type is. */
GETTER(get_false)
{
    return sd_bus_message_append(reply, "b", 0);
}

GETTER(get_version_of_protocol)
{
    return sd_bus_message_append(reply, "y", 0);
}

GETTER(get_empty)
{
    return sd_bus_message_append(reply, "s", "");
}

GETTER(get_number_of_ports)
{
    const struct adapter *adapter = userdata;
    return sd_bus_message_append(reply, "u", (uint32_t)adapter->n_ifaces);
}

GETTER(get_status)
{
    const struct adapter *adapter = userdata;
    _cleanup_free_ const char **list = conditions(adapter->host);
    if (!list)
        return -ENOMEM;
    return sd_bus_message_append(reply, "u", list[0] ? STATUS_DEGRADED : STATUS_WORKING);
}

GETTER(get_functionality)
{
    return sd_bus_message_append(reply, "u", FUNCTIONALITY_ISNS);
}

GETTER(get_guid)
{
    const struct adapter *adapter = userdata;
    return sd_bus_message_append_array(reply, 'y', adapter->guid, sizeof(adapter->guid));
}

GETTER(get_cache_valid)
{
    return sd_bus_message_append(reply, "b", (int)drift_cache_valid(userdata));
}

GETTER(get_max_cdb_length)
{
    return sd_bus_message_append(reply, "u", MAX_CDB_LENGTH);
}

GETTER(get_vendor_id)
{
    return sd_bus_message_append(reply, "s", "open-iscsi");
}

GETTER(get_vendor_version)
{
    _cleanup_free_ char *version = NULL;

    int r = read_first_line("/sys/module/scsi_transport_iscsi/version", &version);
    return sd_bus_message_append(reply, "s", r < 0 ? "" : version);
}

GETTER(get_driver_name)
{
    return sd_bus_message_append(reply, "s", "iscsi_tcp");
}

#define CONST SD_BUS_VTABLE_PROPERTY_CONST

const sd_bus_vtable hba_information_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("InstanceName", "s", NULL, offsetof(struct adapter, initiator), CONST),
    SD_BUS_PROPERTY("Active", "b", get_true, 0, CONST),
    SD_BUS_PROPERTY("UniqueAdapterId", "t", NULL, offsetof(struct adapter, id), CONST),
    SD_BUS_PROPERTY("IntegratedTCPIP", "b", get_false, 0, CONST),
    SD_BUS_PROPERTY("RequiresBinaryIpAddresses", "b", get_false, 0, CONST),
    SD_BUS_PROPERTY("VersionMin", "y", get_version_of_protocol, 0, CONST),
    SD_BUS_PROPERTY("VersionMax", "y", get_version_of_protocol, 0, CONST),
    SD_BUS_PROPERTY("MultifunctionDevice", "b", get_false, 0, CONST),
    SD_BUS_PROPERTY("CacheValid", "b", get_cache_valid, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("NumberOfPorts", "u", get_number_of_ports, 0, 0),
    SD_BUS_PROPERTY("Status", "u", get_status, 0, 0),
    SD_BUS_PROPERTY("FunctionalitySupported", "u", get_functionality, 0, CONST),
    SD_BUS_PROPERTY("GenerationalGuid", "ay", get_guid, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("MaxCDBLength", "u", get_max_cdb_length, 0, CONST),
    SD_BUS_PROPERTY("BiDiScsiCommands", "b", get_false, 0, CONST),
    SD_BUS_PROPERTY("VendorID", "s", get_vendor_id, 0, CONST),
    SD_BUS_PROPERTY("VendorModel", "s", get_empty, 0, CONST),
    SD_BUS_PROPERTY("VendorVersion", "s", get_vendor_version, 0, 0),
    SD_BUS_PROPERTY("FirmwareVersion", "s", get_empty, 0, CONST),
    SD_BUS_PROPERTY("AsicVersion", "s", get_empty, 0, CONST),
    SD_BUS_PROPERTY("OptionRomVersion", "s", get_empty, 0, CONST),
    SD_BUS_PROPERTY("SerialNumber", "s", get_empty, 0, CONST),
    SD_BUS_PROPERTY("DriverName", "s", get_driver_name, 0, CONST),
    SD_BUS_VTABLE_END,
};
