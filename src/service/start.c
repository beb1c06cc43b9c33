/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/guid/drift.h"
#include "service/guid/guid-change.h"
#include "service/jobs/ping.h"
#include "service/jobs/read-records.h"
#include "service/jobs/statistics.h"
#include "service/model/host.h"
#include "service/model/maps.h"
#include "service/model/offers.h"
#include "service/model/settings.h"
#include "service/multipathd/mpathd-sync.h"
#include "service/reconcile/events.h"
#include "service/reconcile/gone.h"
#include "service/reconcile/initiator.h"
#include "service/reconcile/reconcile.h"
#include "service/start.h"
#include "service/tables/intents.h"
#include "service/tables/transaction.h"
#include "service/view/disk-views.h"
#include "service/view/views.h"

/*
 * What a login brings about, whoever found it: the tag of its record, a look at the maps that it is
 * in, and at the ports, should its adapter be new, too. (At start all are looked at.)
 */
static void start_on_login(struct connection *connection, bool new_adapter, void *userdata)
{
    struct host *host = userdata;

    guid_tag_connection(connection);
    reconcile_session(host, connection->session);
    if (new_adapter) {
        initiator_refresh(host);
        (void)read_records(host, NULL, NULL);
    }
}

/* All that the store has, and the sessions that there are. */
static int start_load(struct host *host)
{
    int r = settings_load(host);
    if (r >= 0)
        r = host_load_policies(host);
    if (r >= 0)
        r = maps_load_policies(host);
    if (r >= 0)
        r = intents_new(host);
    if (r >= 0)
        r = offers_new(host);
    return r < 0 ? r : host_load_sessions(host);
}

/* Who follows whom: what things look like, then their records, then their maps, then the bus. */
static int start_read_host(struct host *host)
{
    views_follow(host);
    disk_views_follow(host);
    drift_follow(host);
    int r = store_begin_reading(host->store);
    if (r >= 0)
        r = store_end_reading(host->store, start_load(host));
    if (r < 0)
        return r;
    intents_forget_others(host);
    offers_begin_boot(host);
    settings_note_boot(host);
    return 0;
}

static void start_on_records(int error, const struct iscsi_records *records, void *userdata)
{
    struct host *host = userdata;
    host->records_read = true;
}

/* Children do their part while the service goes on with its start. */
static int start_follow(struct host *host)
{
    host->records_read = !host->initiator[0] || read_records(host, start_on_records, host) < 0;
    int r = drift_new(host);
    if (r < 0) {
        log_error("open-iscsi's records cannot be followed: %s", strerror(-r));
        return r;
    }
    r = initiator_new(host);
    if (r >= 0)
        r = transactions_new(host->event, &host->transactions);
    if (r >= 0)
        r = reconciler_new(host);
    if (r >= 0)
        r = gone_new(host);
    if (r >= 0)
        r = mpathd_sync_new(host);
    if (r < 0) {
        log_error("The host's maps cannot be followed: %s", strerror(-r));
        return r;
    }
    host_observe(host, &(struct host_observer){.login = start_on_login, .userdata = host});
    return 0;
}

static void service_freep(struct host **host)
{
    service_free(*host);
}

int service_new(sd_event *event, struct store *store, struct host **ret)
{
    _cleanup_(service_freep) struct host *host = NULL;

    int r = host_new(event, store, &host);
    if (r >= 0)
        r = start_read_host(host);
    if (r < 0) {
        log_error("The state or the host's sessions cannot be read: %s", strerror(-r));
        return r;
    }
    r = events_new(host, &host->events);
    if (r < 0) {
        log_error("udev's events cannot be had: %s", strerror(-r));
        return r;
    }
    r = start_follow(host);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(host);
    return 0;
}

struct host *service_free(struct host *host)
{
    if (!host)
        return NULL;
    events_free(host->events);
    initiator_free(host);
    drift_free(host);
    mpathd_sync_free(host);
    gone_free(host);
    reconciler_free(host);
    offers_free(host);
    intents_free(host);
    statistics_free(host);
    maps_free_all(host);
    host->transactions = transactions_free(host->transactions);
    return host_free(host);
}

bool service_is_settled(const struct host *host)
{
    return host->records_read && drift_is_settled(host);
}

bool service_is_busy(const struct host *host)
{
    return host->changes || host->guid_changes || reconcile_is_running(host);
}

void service_end(struct host *host)
{
    ping_cancel_all(host);
    statistics_cancel_all(host);
    host_observe_no_more(host);
}
