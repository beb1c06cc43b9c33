/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "service/model/connection-read.h"
#include "service/model/freshness.h"
#include "service/model/session-maps.h"

void session_maps_done(struct session_maps *maps)
{
    for (size_t i = 0; i < maps->n; i++)
        map_snapshot_done(&maps->snapshots[i]);
    free(maps->snapshots);
    *maps = (struct session_maps){0};
}

/* The dm devices over a session's disks, by name; NULL: none. */
static int dm_devices(const struct session *session, char ***names)
{
    uint64_t serial = freshness_session_serial(session->host);
    int r = 0;

    for (size_t i = 0; i < session->n_connections && r >= 0; i++) {
        char **disks;
        r = connection_read_disks(session->connections[i], serial, &disks);
        for (; r >= 0 && *disks; disks++)
            r = kernel_disk_holders(*disks, names);
    }
    return r;
}

static int list_devices(const struct session *session, dev_t **ret, size_t *ret_n)
{
    _cleanup_(strings_freep) char **names = NULL;
    _cleanup_free_ dev_t *devices = NULL;
    size_t n_names = 0, n = 0;

    int r = dm_devices(session, &names);
    if (r < 0)
        return r;
    while (names && names[n_names])
        n_names++;
    devices = calloc(n_names + 1, sizeof(*devices));
    if (!devices)
        return -ENOMEM;
    for (size_t i = 0; i < n_names; i++) {
        r = dm_devno_of_name(names[i], &devices[n]);
        if (r < 0 && !is_no_map(r))
            return r;
        n += r >= 0;
    }
    *ret = TAKE_PTR(devices);
    *ret_n = n;
    return 0;
}

/* The list is kept: sysfs has to be searched for it, disk by disk. */
int session_map_devices(struct session *session, const dev_t **ret, size_t *ret_n)
{
    struct freshness_mark mark;
    dev_t *devices;
    size_t n;

    if (!freshness_holds(session->host, &session->devices_mark, session->devices,
                         session->n_devices)) {
        /* What is announced during the search may have been missed by it. */
        freshness_mark(session->host, &mark);
        int r = list_devices(session, &devices, &n);
        if (r < 0)
            return r;
        free(session->devices);
        session->devices = devices;
        session->n_devices = n;
        session->devices_mark = mark;
    }
    *ret = session->devices;
    *ret_n = session->n_devices;
    return 0;
}

static bool is_over(const struct map_snapshot *snapshot, const struct session *session)
{
    for (size_t i = 0; i < snapshot->n_paths; i++)
        if (snapshot->paths[i].connection && snapshot->paths[i].connection->session == session)
            return true;
    return false;
}

int session_map_read(const struct session *session, dev_t dev, struct map_snapshot *ret)
{
    struct map_snapshot snapshot;

    int r = map_snapshot_read(session->host, dev, &snapshot);
    if (r < 0)
        return r;
    if (!is_over(&snapshot, session)) {
        map_snapshot_done(&snapshot);
        return -ENXIO;
    }
    *ret = snapshot;
    return 0;
}

int session_has_map(struct session *session, bool *ret)
{
    const dev_t *devices;
    bool found = false;
    size_t n;

    int r = session_map_devices(session, &devices, &n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n && !found; i++) {
        _cleanup_(map_snapshot_done) struct map_snapshot snapshot = {0};
        r = session_map_read(session, devices[i], &snapshot);
        if (r < 0 && !is_no_map(r))
            return r;
        found = r >= 0;
    }
    *ret = found;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const struct map_snapshot *x = a, *y = b;
    return strcmp(x->map->name, y->map->name);
}

static int session_maps_collect(struct session *session, bool all, struct session_maps *ret)
{
    _cleanup_(session_maps_done) struct session_maps maps = {0};
    const dev_t *devices;
    size_t n;

    int r = session_map_devices(session, &devices, &n);
    if (r < 0)
        return r;
    maps.snapshots = calloc(n + 1, sizeof(*maps.snapshots));
    if (!maps.snapshots)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        r = session_map_read(session, devices[i], &maps.snapshots[maps.n]);
        if (r < 0 && (r == -ENOMEM || (all && !is_no_map(r))))
            return r;
        maps.n += r >= 0;
    }

    if (maps.n > 1)
        qsort(maps.snapshots, maps.n, sizeof(*maps.snapshots), compare_names);
    *ret = maps;
    maps = (struct session_maps){0};
    return 0;
}

int session_maps_read(struct session *session, struct session_maps *ret)
{
    return session_maps_collect(session, true, ret);
}

int session_maps_read_some(struct session *session, struct session_maps *ret)
{
    return session_maps_collect(session, false, ret);
}
