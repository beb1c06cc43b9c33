/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-device.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "basic/netlink.h"
#include "build-config.h"
#include "iscsi/kernel-session.h"
#include "multipath/drop-in.h"
#include "service/base/path-watch.h"
#include "service/base/timer.h"
#include "service/guid/guid-change.h"
#include "service/model/find.h"
#include "service/model/host.h"
#include "service/model/maps.h"
#include "service/reconcile/events.h"
#include "service/reconcile/reconcile.h"

/*
 * A session's uevent comes before its login has named it, and the kernel sends none when it has.
 * Its disks announce themselves a moment later, but a session need not have any: so those few
 * that are still unnamed are looked at again, for a while; so are those that could not be read.
 */
#define RETRY_USEC 500000U
#define RETRIES_MAX 120U

/*
 * The monitor's socket has room for some hundred events (net.core.rmem_max, which it takes a
 * privilege to pass), and more may come while the service is held up. sd-device does not tell of
 * those that were lost, but the socket counts them. They come in bursts: everything is looked at
 * once, when this one is likely to be over.
 */
#define INSPECTION_USEC 1000000U

struct events {
    struct host *host;
    sd_device_monitor *monitor;
    int fd;          /* the monitor's */
    uint32_t n_lost; /* events, when everything was looked at last */
    struct timer inspection, retry;
    unsigned retries_left;         /* rounds */
    int failed;                    /* to read a session, since the last event of one; 0: none has */
    struct path_watch *watches[2]; /* multipath's main file; conf.d */
};

static void events_arm_inspection(struct events *events)
{
    if (!timer_is_set(&events->inspection))
        (void)timer_set_in(&events->inspection, INSPECTION_USEC);
}

static void events_arm_retry(struct events *events)
{
    if (events->host->n_unidentified > 0 && events->retries_left > 0 &&
        !timer_is_set(&events->retry))
        (void)timer_set_in(&events->retry, RETRY_USEC);
}

/* Why is said once, until there is another reason, or the next event. */
static void events_refresh(struct events *events, uint32_t sid)
{
    int r = host_refresh_sid(events->host, sid);
    if (r < 0 && r != events->failed)
        log_warning("iSCSI session %u cannot be read: %s. It is tried again.", sid, strerror(-r));
    if (r < 0)
        events->failed = r;
    events_arm_retry(events);
}

static int events_on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct events *events = userdata;
    size_t n = events->host->n_unidentified;
    _cleanup_free_ uint32_t *sids = calloc(n + 1, sizeof(*sids));

    if (events->retries_left > 0)
        events->retries_left--;
    if (!sids)
        return 0;
    for (size_t i = 0; i < n; i++)
        sids[i] = events->host->unidentified[i];
    for (size_t i = 0; i < n; i++)
        events_refresh(events, sids[i]);
    events_arm_retry(events);
    return 0;
}

/* --- Looks at everything -------------------------------------------------------------------- */

static int events_known_sids(const struct host *host, uint32_t **ret, size_t *ret_n)
{
    size_t n = 0;

    for (size_t i = 0; i < host->n_sessions; i++)
        n += host->sessions[i]->n_connections;
    uint32_t *sids = calloc(n + 1, sizeof(*sids));
    if (!sids)
        return -ENOMEM;

    n = 0;
    for (size_t i = 0; i < host->n_sessions; i++)
        for (size_t k = 0; k < host->sessions[i]->n_connections; k++)
            sids[n++] = host->sessions[i]->connections[k]->kernel->sid;
    *ret = sids;
    *ret_n = n;
    return 0;
}

static bool events_has_sid(const uint32_t *sids, size_t n, uint32_t sid)
{
    for (size_t i = 0; i < n; i++)
        if (sids[i] == sid)
            return true;
    return false;
}

/* Those that have come and those that have gone; with `all`, those that have stayed, too. */
static int events_inspect_sessions(struct events *events, bool all)
{
    _cleanup_free_ uint32_t *there = NULL, *known = NULL;
    size_t n_there = 0, n_known = 0;

    int r = kernel_session_list(&there, &n_there);
    if (r >= 0)
        r = events_known_sids(events->host, &known, &n_known);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n_known; i++)
        if (!events_has_sid(there, n_there, known[i]))
            events_refresh(events, known[i]);
    for (size_t i = 0; i < n_there; i++)
        if (all || !host_find_sid(events->host, there[i]))
            events_refresh(events, there[i]);
    return 0;
}

static uint32_t events_lost_since(uint32_t before, uint32_t now)
{
    return now - before;
}

static int events_on_inspection(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct events *events = userdata;
    uint32_t dropped;

    if (netlink_dropped(events->fd, &dropped) < 0)
        return 0;
    events->retries_left = RETRIES_MAX;
    int r = events_inspect_sessions(events, true);
    if (r < 0) {
        log_warning("iSCSI sessions cannot be listed: %s. It is tried again.", strerror(-r));
        events_arm_inspection(events);
        return 0;
    }
    events_arm_retry(events);
    reconcile_everything(events->host);
    log_notice("%u of udev's events were lost: all sessions and maps are looked at again.",
               events_lost_since(events->n_lost, dropped));
    events->n_lost = dropped;
    return 0;
}

/*
 * An event is lost only while others wait to be read: it is enough to ask with each of them, and
 * what is lost after a look shows with the next one.
 */
static void events_notice_losses(struct events *events)
{
    uint32_t dropped;

    if (netlink_dropped(events->fd, &dropped) >= 0 &&
        events_lost_since(events->n_lost, dropped) > 0)
        events_arm_inspection(events);
}

/* --- Events --------------------------------------------------------------------------------- */

static void events_on_session_event(struct events *events, sd_device *device)
{
    const char *name, *uuid, *tag;
    unsigned sid;

    if (sd_device_get_sysname(device, &name) < 0 || sscanf(name, "session%u", &sid) != 1)
        return;
    if (sd_device_get_property_value(device, "SYNTH_UUID", &uuid) >= 0 &&
        sd_device_get_property_value(device, SESSION_TAG_PROPERTY, &tag) >= 0 &&
        strcasecmp(uuid, tag) == 0) {
        guid_on_udev_event(events->host, sid, tag);
        return;
    }
    events->retries_left = RETRIES_MAX;
    events->failed = 0;
    events_refresh(events, sid);
}

/* A disk or a connection: news only where the session has not named itself yet. */
static void events_on_scsi_event(struct events *events, sd_device *device)
{
    const char *path, *attention;
    uint32_t sid;

    if (sd_device_get_syspath(device, &path) < 0 || kernel_session_sid_of_path(path, &sid) < 0)
        return;
    const struct connection *connection = host_find_sid(events->host, sid);
    if (!connection) {
        events_refresh(events, sid);
        return;
    }
    if (sd_device_get_property_value(device, "SDEV_UA", &attention) >= 0 &&
        strcmp(attention, "ASYMMETRIC_ACCESS_STATE_CHANGED") == 0)
        reconcile_access(events->host, connection->session);
}

static void events_on_block_event(struct events *events, sd_device *device)
{
    const char *name, *uuid;
    sd_device_action_t action;
    dev_t dev;

    if (sd_device_get_sysname(device, &name) < 0 || strncmp(name, "dm-", 3) != 0 ||
        sd_device_get_devnum(device, &dev) < 0)
        return;
    struct host_map *map = maps_find(events->host, dev);
    if (map)
        map->kpartx = sd_device_get_action(device, &action) >= 0 && action != SD_DEVICE_REMOVE
                          ? kpartx_of_device(device)
                          : KPARTX_UNKNOWN;
    if (map || (sd_device_get_property_value(device, "DM_UUID", &uuid) >= 0 &&
                strncmp(uuid, MPATH_UUID_PREFIX, strlen(MPATH_UUID_PREFIX)) == 0))
        reconcile_device(events->host, dev);
}

static int events_on_event(sd_device_monitor *monitor, sd_device *device, void *userdata)
{
    struct events *events = userdata;
    const char *subsystem;

    events_notice_losses(events);
    if (sd_device_get_subsystem(device, &subsystem) < 0)
        return 0;
    if (strcmp(subsystem, "block") == 0)
        events_on_block_event(events, device);
    else if (strcmp(subsystem, "iscsi_session") == 0)
        events_on_session_event(events, device);
    else
        events_on_scsi_event(events, device);
    return 0;
}

/* --- multipath's configuration, changed by others ------------------------------------------- */

static bool events_is_drop_in_of_others(const char *name)
{
    size_t length = strlen(name);

    return length > 5 && strcmp(name + length - 5, ".conf") == 0 && strcmp(name, DROP_IN_NAME) != 0;
}

static void events_on_configuration(void *userdata)
{
    const struct events *events = userdata;

    reconcile_configuration(events->host);
}

static int events_watch_configuration(struct events *events)
{
    sd_event *event = events->host->event;
    char path[PATH_MAX];
    int r = 0;

    if (drop_in_main_file(path) >= 0)
        r = path_watch_file(event, path, events_on_configuration, events, &events->watches[0]);
    return r < 0 ? r
                 : path_watch_directory(event, drop_in_directory(), events_is_drop_in_of_others,
                                        events_on_configuration, events, &events->watches[1]);
}

/* -------------------------------------------------------------------------------------------- */

struct events *events_free(struct events *events)
{
    if (!events)
        return NULL;
    sd_device_monitor_unref(events->monitor);
    timer_done(&events->inspection);
    timer_done(&events->retry);
    for (size_t i = 0; i < ELEMENTSOF(events->watches); i++)
        path_watch_free(events->watches[i]);
    free(events);
    return NULL;
}

static void events_freep(struct events **events)
{
    events_free(*events);
}

static int events_open_monitor(struct events *events)
{
    static const char *const kinds[][2] = {
        {"iscsi_session", NULL},
        {"iscsi_connection", NULL},
        {"scsi", NULL},
        {"block", "disk"},
    };

    int r = sd_device_monitor_new(&events->monitor);
    for (size_t i = 0; i < ELEMENTSOF(kinds) && r >= 0; i++)
        r = sd_device_monitor_filter_add_match_subsystem_devtype(events->monitor, kinds[i][0],
                                                                 kinds[i][1]);
    if (r >= 0)
        r = sd_device_monitor_attach_event(events->monitor, events->host->event);
    if (r >= 0)
        r = sd_device_monitor_start(events->monitor, events_on_event, events);
    /* sd_device_monitor_get_fd() is younger than the oldest systemd that this is built with. */
    if (r >= 0)
        r = sd_event_source_get_io_fd(sd_device_monitor_get_event_source(events->monitor));
    if (r >= 0)
        events->fd = r;
    return r;
}

int events_new(struct host *host, struct events **ret)
{
    _cleanup_(events_freep) struct events *events = calloc(1, sizeof(*events));
    if (!events)
        return -ENOMEM;
    events->host = host;
    events->retries_left = RETRIES_MAX;
    timer_init(&events->inspection, host->event, 0, events_on_inspection, events);
    timer_init(&events->retry, host->event, 0, events_on_retry, events);

    int r = events_watch_configuration(events);
    if (r >= 0)
        r = events_open_monitor(events);
    /* Sessions that came or went between the first look at the host and the first event. */
    if (r >= 0)
        r = events_inspect_sessions(events, false);
    if (r < 0)
        return r;
    for (size_t i = 0; i < host->n_sessions; i++)
        for (size_t k = 0; k < host->sessions[i]->n_connections; k++)
            guid_tag_connection(host->sessions[i]->connections[k]);
    events_arm_retry(events);
    *ret = TAKE_PTR(events);
    return 0;
}
