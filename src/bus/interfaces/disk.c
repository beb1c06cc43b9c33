/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include "bus/getters.h"
#include "bus/interfaces/interfaces.h"
#include "service/model/model.h"
#include "service/view/agreement.h"
#include "service/view/disk-views.h"

static int disk_get_name(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct disk_view view;

    disk_views_show(userdata, &view);
    return sd_bus_message_append(reply, "s", view.name);
}

static int disk_get_size(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    const struct host_map *map = userdata;
    return sd_bus_message_append(reply, "t", map->sectors * 512);
}

static int disk_get_policy(sd_bus *bus, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *userdata,
                           sd_bus_error *error)
{
    struct disk_view view;

    disk_views_show(userdata, &view);
    return sd_bus_message_append(reply, "u", view.policy);
}

static int disk_get_provenance(sd_bus *bus, const char *path, const char *interface,
                               const char *property, sd_bus_message *reply, void *userdata,
                               sd_bus_error *error)
{
    struct disk_view view;

    disk_views_show(userdata, &view);
    return sd_bus_message_append(reply, "s", view.provenance);
}

static int disk_get_agreement(sd_bus *bus, const char *path, const char *interface,
                              const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *error)
{
    struct disk_view view;

    disk_views_show(userdata, &view);
    return sd_bus_message_append(reply, "s", agreement_word(view.agreement.kernel));
}

static int disk_get_mpathd_agreement(sd_bus *bus, const char *path, const char *interface,
                                     const char *property, sd_bus_message *reply, void *userdata,
                                     sd_bus_error *error)
{
    struct disk_view view;

    disk_views_show(userdata, &view);
    return sd_bus_message_append(reply, "s", mpathd_agreement_word(view.agreement.mpathd));
}

static int disk_get_reason(sd_bus *bus, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *userdata,
                           sd_bus_error *error)
{
    struct disk_view view;

    disk_views_show(userdata, &view);
    return sd_bus_message_append(reply, "s", view.agreement.reason);
}

#define EMITS SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

const sd_bus_vtable disk_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("WWID", "s", NULL, offsetof(struct host_map, wwid),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Name", "s", disk_get_name, 0, EMITS),
    SD_BUS_PROPERTY("SizeBytes", "t", disk_get_size, 0, EMITS),
    SD_BUS_PROPERTY("LoadBalancePolicy", "u", disk_get_policy, 0, EMITS),
    SD_BUS_PROPERTY("Provenance", "s", disk_get_provenance, 0, EMITS),
    SD_BUS_PROPERTY("Agreement", "s", disk_get_agreement, 0, EMITS),
    SD_BUS_PROPERTY("MultipathdAgreement", "s", disk_get_mpathd_agreement, 0, EMITS),
    SD_BUS_PROPERTY("Reason", "s", disk_get_reason, 0, EMITS),
    SD_BUS_PROPERTY("Reapplications", "u", NULL, offsetof(struct host_map, n_reapplied), EMITS),
    SD_BUS_VTABLE_END,
};
