/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "iscsi/initiator-name.h"
#include "service/base/timer.h"
#include "service/guid/drift.h"
#include "service/jobs/read-records.h"
#include "service/model/host.h"
#include "service/reconcile/initiator.h"

#define QUIET_USEC 200000U /* an editor moves the old file away first */

struct initiator_watch {
    struct host *host;
    sd_event_source *parent, *directory; /* NULL: not there, or cannot be watched */
    struct timer timer;
};

void initiator_refresh(struct host *host)
{
    _cleanup_free_ char *name = NULL;

    int r = initiator_name_read(&name);
    if (r >= 0 || r == -ENOENT || r == -ENOTDIR || r == -EILSEQ) /* else it may still have it */
        r = host_set_initiator(host, name ?: "");
    if (r < 0)
        log_warning("The host's initiator name cannot be taken over: %s.", strerror(-r));
    if (r <= 0)
        return;
    if (name)
        log_notice("The host's initiator name is %s by now.", name);
    else
        log_notice("The host has no initiator name any more.");
    (void)read_records(host, NULL, NULL);
    drift_reconsider(host);
}

static int initiator_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    const struct initiator_watch *watch = userdata;

    initiator_refresh(watch->host);
    return 0;
}

static int initiator_on_file(sd_event_source *source, const struct inotify_event *event,
                             void *userdata)
{
    struct initiator_watch *watch = userdata;

    /* Without a name, events were lost, or the directory is gone. */
    if (event->len == 0 || strcmp(event->name, INITIATOR_NAME_FILE) == 0)
        (void)timer_set_in(&watch->timer, QUIET_USEC);
    return 0;
}

/* The file can be in it by now. */
static void initiator_watch_directory(struct initiator_watch *watch)
{
    const uint32_t mask =
        IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;

    watch->directory = sd_event_source_disable_unref(watch->directory);
    (void)sd_event_add_inotify(watch->host->event, &watch->directory, INITIATOR_NAME_DIRECTORY,
                               mask, initiator_on_file, watch);
    (void)timer_set_in(&watch->timer, QUIET_USEC);
}

static int initiator_on_parent(sd_event_source *source, const struct inotify_event *event,
                               void *userdata)
{
    if (event->len == 0 || strcmp(event->name, strrchr(INITIATOR_NAME_DIRECTORY, '/') + 1) == 0)
        initiator_watch_directory(userdata);
    return 0;
}

int initiator_new(struct host *host)
{
    struct initiator_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->host = host;
    timer_init(&watch->timer, host->event, 0, initiator_on_timer, watch);
    host->initiator_watch = watch;
    (void)sd_event_add_inotify(host->event, &watch->parent, "/etc",
                               IN_CREATE | IN_MOVED_TO | IN_ONLYDIR, initiator_on_parent, watch);
    initiator_watch_directory(watch);
    return 0;
}

void initiator_free(struct host *host)
{
    struct initiator_watch *watch = TAKE_PTR(host->initiator_watch);

    if (!watch)
        return;
    sd_event_source_disable_unref(watch->parent);
    sd_event_source_disable_unref(watch->directory);
    timer_done(&watch->timer);
    free(watch);
}
