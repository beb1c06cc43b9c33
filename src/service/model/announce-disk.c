/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/model/announce-disk.h"
#include "service/model/announce.h"
#include "service/model/find.h"
#include "service/model/freshness.h"
#include "service/model/maps.h"

void announce_disk_end(struct host_map *map)
{
    if (!map->is_shown)
        return;
    map->is_shown = false;
    observe_disk_removed(map->host, map->wwid);
}

static void tell(struct host_map *map)
{
    if (map->host->tell.disk)
        map->host->tell.disk(map);
}

static void tell_if_announced(struct host_map *map, void *userdata)
{
    const bool *all = userdata;

    if (*all || map->to_tell)
        tell(map);
}

static void tell_announced(struct host *host)
{
    bool all = host->all_disks_to_tell;

    host->all_disks_to_tell = false;
    maps_each(host, tell_if_announced, &all);
}

static bool defer(struct host *host)
{
    return announcer_defer(host, &host->disk_announcer, tell_announced);
}

void announce_disk(struct host_map *map, unsigned changes)
{
    freshness_model_changed(map->host);
    map->untold |= changes;
    if (map->to_tell)
        return;
    map->to_tell = true;
    if (!defer(map->host))
        tell(map);
}

static void tell_one(struct host_map *map, void *userdata)
{
    tell(map);
}

void announce_all_disks(struct host *host)
{
    freshness_model_changed(host);
    if (host->all_disks_to_tell)
        return;
    if (defer(host))
        host->all_disks_to_tell = true;
    else
        maps_each(host, tell_one, NULL);
}
