/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/model/announce-disk.h"
#include "service/model/announce.h"
#include "service/model/find.h"
#include "service/model/freshness.h"
#include "service/model/model.h"

void announce_disk_end(struct host_map *map)
{
    if (!map->is_shown)
        return;
    map->is_shown = false;
    observe_disk_removed(map->host, map->wwid);
}

static void announce_disk_tell(struct host_map *map)
{
    if (map->host->tell.disk)
        map->host->tell.disk(map);
}

static void announce_disk_tell_if_announced(struct host_map *map, void *userdata)
{
    const bool *all = userdata;

    if (*all || map->to_tell)
        announce_disk_tell(map);
}

static void announce_disk_tell_announced(struct host *host)
{
    bool all = host->all_disks_to_tell;

    host->all_disks_to_tell = false;
    maps_each(host, announce_disk_tell_if_announced, &all);
}

static bool announce_disk_defer(struct host *host)
{
    return announcer_defer(host, &host->disk_announcer, announce_disk_tell_announced);
}

void announce_disk(struct host_map *map, unsigned changes)
{
    freshness_model_changed(map->host);
    map->untold |= changes;
    if (map->to_tell)
        return;
    map->to_tell = true;
    if (!announce_disk_defer(map->host))
        announce_disk_tell(map);
}

static void announce_disk_tell_one(struct host_map *map, void *userdata)
{
    announce_disk_tell(map);
}

void announce_all_disks(struct host *host)
{
    freshness_model_changed(host);
    if (host->all_disks_to_tell)
        return;
    if (announce_disk_defer(host))
        host->all_disks_to_tell = true;
    else
        maps_each(host, announce_disk_tell_one, NULL);
}
