/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "plan/plan.h"
#include "service/model/announce-disk.h"
#include "service/model/announce.h"
#include "service/model/find.h"
#include "service/model/host.h"
#include "service/model/maps.h"

static int compare_devs(const void *a, const void *b)
{
    const struct host_map *x = a, *y = b;
    return (x->dev > y->dev) - (x->dev < y->dev);
}

static int compare_wwids(const void *a, const void *b)
{
    const struct host_map *x = a, *y = b;
    return strcmp(x->wwid, y->wwid);
}

static void map_free(struct host_map *map)
{
    if (!map)
        return;
    free(map->wwid);
    free(map->name);
    free(map->session_ids);
    free(map->appearance);
    free(map->entry);
    free(map->disk.vendor);
    free(map->disk.product);
    free(map->override);
    free(map->paths);
    store_disk_policy_free(map->policy);
    free(map);
}

DEFINE_CLEANUP(struct host_map *, map_free);

/* A key has only what is compared: to clear all of a map would be the most of a search. */
struct host_map *maps_find(struct host *host, dev_t dev)
{
    struct host_map key;

    key.dev = dev;
    struct host_map **found = tfind(&key, &host->maps_by_dev, compare_devs);
    return found ? *found : NULL;
}

struct host_map *maps_find_wwid(struct host *host, const char *wwid)
{
    struct host_map key;

    key.wwid = (char *)wwid;
    struct host_map **found = tfind(&key, &host->maps_by_wwid, compare_wwids);
    return found ? *found : NULL;
}

bool map_has_session(const struct host_map *map, uint64_t id)
{
    for (size_t i = 0; i < map->n_sessions; i++)
        if (map->session_ids[i] == id)
            return true;
    return false;
}

static void maps_unlink_session(struct session *session, const struct host_map *map)
{
    for (size_t i = 0; i < session->n_maps; i++)
        if (session->maps[i] == map) {
            session->maps[i] = session->maps[--session->n_maps];
            return;
        }
}

static int maps_link_session(struct session *session, struct host_map *map)
{
    struct host_map **more = reallocarray(session->maps, session->n_maps + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    session->maps = more;
    more[session->n_maps++] = map;
    return 0;
}

static void maps_unlink_sessions(struct host *host, struct host_map *map)
{
    for (size_t i = 0; i < map->n_sessions; i++) {
        struct session *session = host_session(host, map->session_ids[i]);
        if (session)
            maps_unlink_session(session, map);
    }
    map->n_sessions = 0;
}

/* Tells of those that had paths in it, and have none any more. */
static void maps_announce_lost(struct host *host, const struct host_map *map, const uint64_t *ids,
                               size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct session *session = host_session(host, ids[i]);
        if (session && !map_has_session(map, ids[i]))
            announce_session(session, CHANGED_MAPS);
    }
}

static int maps_link_sessions(struct host *host, struct host_map *map,
                              const struct map_snapshot *snapshot)
{
    uint64_t *ids = calloc(snapshot->n_paths + 1, sizeof(*ids));
    size_t n_before = map->n_sessions;
    if (!ids)
        return -ENOMEM;

    maps_unlink_sessions(host, map);
    _cleanup_free_ uint64_t *before = map->session_ids;
    map->session_ids = ids;
    for (size_t i = 0; i < snapshot->n_paths; i++) {
        if (!snapshot->paths[i].connection)
            continue;
        struct session *session = snapshot->paths[i].connection->session;
        if (map_has_session(map, session->id))
            continue;
        int r = maps_link_session(session, map);
        if (r < 0)
            return r;
        ids[map->n_sessions++] = session->id;
    }
    maps_announce_lost(host, map, before, n_before);
    return 0;
}

static int add(struct host *host, const char *wwid, struct host_map **ret)
{
    _cleanup_(map_freep) struct host_map *map = calloc(1, sizeof(*map));
    if (!map)
        return -ENOMEM;
    map->host = host;
    map->wwid = strdup(wwid);
    if (!map->wwid || !tsearch(map, &host->maps_by_wwid, compare_wwids))
        return -ENOMEM;
    *ret = TAKE_PTR(map);
    return 0;
}

/* A device number can be used again, for another map. */
static int set_dev(struct host *host, struct host_map *map, dev_t dev)
{
    if (map->dev == dev)
        return 0;
    if (map->dev)
        tdelete(map, &host->maps_by_dev, compare_devs);
    map->dev = 0;
    map->kpartx = KPARTX_UNKNOWN;
    maps_mark_gone(host, dev);

    map->dev = dev;
    if (!tsearch(map, &host->maps_by_dev, compare_devs)) {
        map->dev = 0;
        return -ENOMEM;
    }
    return 0;
}

static int set_name(struct host_map *map, const char *name)
{
    if (map->name && strcmp(map->name, name) == 0)
        return 0;
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    free(map->name);
    map->name = copy;
    return 0;
}

int maps_upsert(struct host *host, const struct map_snapshot *snapshot, struct host_map **ret)
{
    struct host_map *map = maps_find_wwid(host, dm_map_wwid(snapshot->map));

    int r = map ? 0 : add(host, dm_map_wwid(snapshot->map), &map);
    if (r >= 0)
        r = set_name(map, snapshot->map->name);
    if (r >= 0)
        r = maps_link_sessions(host, map, snapshot);
    if (r >= 0) /* by its number it is known to have appeared */
        r = set_dev(host, map, snapshot->map->dev);
    if (r < 0) {
        if (map)
            maps_drop_if_idle(host, map);
        return r;
    }
    map->sectors = snapshot->map->sectors;
    map->handler_moves_lun = plan_handler_moves_lun(snapshot->map->table);
    *ret = map;
    return 0;
}

int maps_snapshot(const struct host_map *map, struct map_snapshot *ret)
{
    return map_snapshot_read_wwid(map->host, map->dev, map->wwid, ret);
}

int maps_load_policies(struct host *host)
{
    struct store_disk_policy **policies = NULL;
    size_t n = 0;

    int r = store_load_disk_policies(host->store, &policies, &n);
    for (size_t i = 0; i < n; i++) {
        struct host_map *map;
        if (r >= 0)
            r = add(host, policies[i]->wwid, &map);
        if (r < 0) {
            store_disk_policy_free(policies[i]);
            continue;
        }
        map->policy = policies[i];
        observe_disk_added(map);
    }
    free(policies);
    return r;
}

int maps_expect(struct host *host, const char *wwid, struct host_map **ret)
{
    struct host_map *known = maps_find_wwid(host, wwid);

    if (!known)
        return add(host, wwid, ret);
    *ret = known;
    return 0;
}

int maps_mark_half_way(struct host *host, const char *wwid)
{
    struct host_map *map;

    int r = maps_expect(host, wwid, &map);
    if (r >= 0)
        map_state_set_intent(&map->state, true);
    return r;
}

int maps_mark_offered(struct host *host, const char *wwid)
{
    struct host_map *map;

    int r = maps_expect(host, wwid, &map);
    if (r >= 0)
        map->offered = true;
    return r;
}

bool map_has_session_policy(const struct host_map *map)
{
    for (size_t i = 0; i < map->n_sessions; i++) {
        const struct session *session = host_session(map->host, map->session_ids[i]);
        if (session && session_has_policy(session))
            return true;
    }
    return false;
}

bool map_has_policy(const struct host_map *map)
{
    if (!map->policy || map->state.hold == HOLD_CLEAR)
        return false;
    return !map->policy->by_default || !map_has_session_policy(map);
}

bool map_policies_are_saved(const struct host_map *map)
{
    for (size_t i = 0; i < map->n_sessions; i++) {
        const struct session *session = host_session(map->host, map->session_ids[i]);
        if (session && session->policy && session->policy->unsaved)
            return false;
    }
    return !map->policy || !map->policy->unsaved;
}

bool map_awaits_mpathd(const struct host_map *map)
{
    return map->state.sync == SYNC_PENDING && !host_mpathd_deferred(map->host);
}

static int compare_path_devs(const void *a, const void *b)
{
    dev_t x = *(const dev_t *)a, y = *(const dev_t *)b;
    return (x > y) - (x < y);
}

int maps_set_paths(struct host_map *map, const struct map_snapshot *snapshot)
{
    size_t n = snapshot->n_paths;
    dev_t *paths = calloc(n + 1, sizeof(*paths));
    if (!paths)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        paths[i] = snapshot->paths[i].dev;
    qsort(paths, n, sizeof(*paths), compare_path_devs);

    bool same = map->n_paths == n && (n == 0 || memcmp(map->paths, paths, n * sizeof(*paths)) == 0);
    free(map->paths);
    map->paths = paths;
    map->n_paths = n;
    return !same;
}

void maps_drop_if_idle(struct host *host, struct host_map *map)
{
    if (map->dev || map->entry || map->policy || map->state.hold != HOLD_FREE ||
        map->state.has_intent || map->offered)
        return;
    announce_disk_end(map);
    maps_unlink_sessions(host, map);
    tdelete(map, &host->maps_by_wwid, compare_wwids);
    map_free(map);
}

void maps_mark_gone(struct host *host, dev_t dev)
{
    struct host_map *map = maps_find(host, dev);
    if (!map)
        return;
    tdelete(map, &host->maps_by_dev, compare_devs);
    map->dev = 0;
    free(TAKE_PTR(map->appearance));
    map->n_paths = 0;
    map_state_reset(&map->state);
    map->active_path.id = 0;
    map->watch.transit_usec = map->watch.leaving_usec = 0;
    map->watch.n_strangers = 0;
    announce_disk(map, DISK_PRESENT);
    maps_drop_if_idle(host, map);
}

static void maps_keep(void *map)
{
}

static void free_node(void *map)
{
    map_free(map);
}

void maps_free_all(struct host *host)
{
    tdestroy(host->maps_by_dev, maps_keep);
    tdestroy(host->maps_by_wwid, free_node);
    host->maps_by_dev = host->maps_by_wwid = NULL;
}

bool maps_is_busy(struct host *host, const struct host_map *map)
{
    for (size_t i = 0; i < map->n_sessions; i++) {
        const struct session *session = host_session(host, map->session_ids[i]);
        if (session && session->hold != SESSION_FREE)
            return true;
    }
    return map_state_is_requested(&map->state);
}
