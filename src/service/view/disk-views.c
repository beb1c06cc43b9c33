/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "basic/macros.h"
#include "service/model/announce-disk.h"
#include "service/model/find.h"
#include "service/model/host.h"
#include "service/model/maps.h"
#include "service/tables/lb-plan.h"
#include "service/view/agreement.h"
#include "service/view/disk-views.h"

/* The policy of the map's sessions that was chosen last, NULL: they have none. */
static const struct store_policy *disk_views_session_policy(const struct host_map *map)
{
    const struct store_policy *last = NULL;

    for (size_t i = 0; i < map->n_sessions; i++) {
        const struct session *session = host_session(map->host, map->session_ids[i]);
        if (!session || !session_has_policy(session))
            continue;
        if (!last || session->policy->serial > last->serial)
            last = session->policy;
    }
    return last;
}

static void disk_views_view_policy(const struct host_map *map, struct disk_view *view)
{
    const struct store_policy *of_session = disk_views_session_policy(map);

    view->provenance = "host";
    if (map_has_policy(map)) {
        view->policy = lb_disk_policy(map);
        view->provenance = map->policy->by_default ? "default" : "disk";
    } else if (of_session) {
        view->policy = dsm_of_lb(of_session->policy);
        view->provenance = "session";
    }
}

void disk_views_read(const struct host_map *map, struct disk_view *ret)
{
    struct disk_view view = {
        .present = map->dev != 0,
        .sectors = map->sectors,
        .n_reapplied = map->n_reapplied,
    };

    snprintf(view.name, sizeof(view.name), "%s", map->name ?: "");
    disk_views_view_policy(map, &view);
    if (view.policy != DSM_NONE)
        map_agreement_read(map, &view.agreement);
    *ret = view;
}

static unsigned disk_views_compare(const struct disk_view *a, const struct disk_view *b)
{
    unsigned changes = 0;

    if (a->present != b->present)
        changes |= DISK_PRESENT;
    if (strcmp(a->name, b->name) != 0)
        changes |= DISK_NAME;
    if (a->sectors != b->sectors)
        changes |= DISK_SIZE;
    if (a->policy != b->policy)
        changes |= DISK_POLICY;
    if (strcmp(a->provenance, b->provenance) != 0)
        changes |= DISK_PROVENANCE;
    if (a->agreement.kernel != b->agreement.kernel)
        changes |= DISK_AGREEMENT;
    if (a->agreement.mpathd != b->agreement.mpathd)
        changes |= DISK_MPATHD;
    if (strcmp(a->agreement.reason, b->agreement.reason) != 0)
        changes |= DISK_REASON;
    if (a->n_reapplied != b->n_reapplied)
        changes |= DISK_REAPPLIED;
    return changes;
}

void disk_views_show(struct host_map *map, struct disk_view *ret)
{
    disk_views_read(map, ret);
    unsigned differences = map->is_shown ? disk_views_compare(&map->shown, ret) : 0;
    if (differences)
        map->untold |= differences;
}

static void disk_views_tell_change(struct host_map *map, unsigned changes)
{
    struct disk_view view;

    disk_views_read(map, &view);
    unsigned differences = disk_views_compare(&map->shown, &view);
    if (differences) /* memory that is not written stays shared with children */
        map->shown = view;
    changes |= differences;
    if (changes)
        observe_disk_changed(map, changes);
}

/* Clients are told of it with all that it is now. */
static void disk_views_on_disk(struct host_map *map, void *userdata)
{
    disk_views_read(map, &map->shown);
    map->is_shown = true;
}

static void disk_views_tell(struct host_map *map)
{
    unsigned changes = map->untold;

    if (map->to_tell || map->untold) {
        map->to_tell = false;
        map->untold = 0;
    }
    if (!map_is_visible(map))
        announce_disk_end(map);
    else if (map->is_shown)
        disk_views_tell_change(map, changes);
    else
        observe_disk_added(map);
}

void disk_views_follow(struct host *host)
{
    host->tell.disk = disk_views_tell;
    host_observe(host, &(struct host_observer){.disk_added = disk_views_on_disk});
}
