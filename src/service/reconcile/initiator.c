/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "iscsi/initiator-name.h"
#include "service/base/path-watch.h"
#include "service/base/timer.h"
#include "service/guid/drift.h"
#include "service/jobs/read-records.h"
#include "service/model/host.h"
#include "service/reconcile/initiator.h"

#define QUIET_USEC 200000U /* an editor moves the old file away first */

struct initiator_watch {
    struct host *host;
    struct path_watch *file;
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

static void initiator_on_file(void *userdata)
{
    struct initiator_watch *watch = userdata;

    (void)timer_set_in(&watch->timer, QUIET_USEC);
}

/* The file can be there, or another one, since it was read. */
int initiator_new(struct host *host)
{
    struct initiator_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->host = host;
    timer_init(&watch->timer, host->event, 0, initiator_on_timer, watch);
    host->initiator_watch = watch;
    (void)timer_set_in(&watch->timer, QUIET_USEC);
    return path_watch_file(host->event, INITIATOR_NAME_FILE, initiator_on_file, watch,
                           &watch->file);
}

void initiator_free(struct host *host)
{
    struct initiator_watch *watch = TAKE_PTR(host->initiator_watch);

    if (!watch)
        return;
    path_watch_free(watch->file);
    timer_done(&watch->timer);
    free(watch);
}
