/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "basic/macros.h"
#include "service/judgement.h"
#include "service/maps.h"
#include "service/news.h"
#include "service/views.h"

/* Clients can have the main loop busy with their calls for as long as they like. */
#define ANNOUNCE_USEC 100000U

/* What the maps over the session's disks come to. */
static void judge_maps(const struct session *session, struct judgement *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < session->n_maps; i++) {
        struct judgement judgement;
        if (!session->maps[i]->dev)
            continue;
        judge_map(session->maps[i], &judgement);
        judgement_merge(ret, &judgement);
        n++;
    }
    if (n == 0)
        *ret = (struct judgement){
            .agreement = AGREEMENT_PENDING,
            .reason = "There is no multipath map over the session's disks.",
        };
}

void views_read(const struct session *session, struct session_view *ret)
{
    struct session_view view = {
        .logged_in = session->n_connections > 0,
        .n_reapplied = session->n_reapplied,
    };

    struct judgement judgement = {0};

    if (session->policy) {
        view.policy = session->policy->policy;
        if (view.logged_in)
            judge_maps(session, &judgement);
        else
            judgement = (struct judgement){
                .agreement = AGREEMENT_PENDING,
                .reason = "The session is not logged in.",
            };
    }
    view.agreement = judgement.agreement;
    view.mpathd = judgement.mpathd;
    snprintf(view.reason, sizeof(view.reason), "%s", judgement.reason);
    *ret = view;
}

static unsigned compare(const struct session_view *a, const struct session_view *b)
{
    unsigned changes = 0;

    if (a->logged_in != b->logged_in)
        changes |= CHANGED_LOGGED_IN;
    if (a->policy != b->policy)
        changes |= CHANGED_POLICY;
    if (a->agreement != b->agreement)
        changes |= CHANGED_AGREEMENT;
    if (a->mpathd != b->mpathd)
        changes |= CHANGED_MPATHD;
    if (strcmp(a->reason, b->reason) != 0)
        changes |= CHANGED_REASON;
    if (a->n_reapplied != b->n_reapplied)
        changes |= CHANGED_REAPPLIED;
    return changes;
}

static void tell(struct session *session)
{
    const struct host_observer *observer = &session->host->observer;
    struct session_view view;

    views_read(session, &view);
    unsigned differences = compare(&session->shown, &view), changes = session->untold | differences;
    if (differences) /* memory that is not written stays shared with children */
        session->shown = view;
    if (session->announced) {
        session->untold = 0;
        session->announced = false;
    }
    if (changes && observer->session_changed)
        observer->session_changed(session, changes, observer->userdata);
}

static void tell_all(const struct host *host)
{
    for (size_t i = 0; i < host->n_sessions; i++)
        tell(host->sessions[i]);
}

static void tell_these(struct host *host, const uint64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct session *session = host_session(host, ids[i]);
        if (session)
            tell(session);
    }
}

static void tell_announced(struct host *host)
{
    _cleanup_free_ uint64_t *ids = TAKE_PTR(host->to_announce);
    size_t n = host->n_to_announce;
    bool all = host->all_sessions_to_tell;

    host->n_to_announce = 0;
    host->all_sessions_to_tell = false;
    if (all)
        tell_all(host);
    else
        tell_these(host, ids, n);
}

static void announce(struct announcer *announcer)
{
    (void)sd_event_source_set_enabled(announcer->idle, SD_EVENT_OFF);
    (void)sd_event_source_set_enabled(announcer->timer, SD_EVENT_OFF);
    announcer->tell(announcer->host);
}

static int on_idle(sd_event_source *source, void *userdata)
{
    announce(userdata);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    announce(userdata);
    return 0;
}

static int make_announcer(struct announcer *announcer)
{
    sd_event *event = announcer->host->event;

    int r = sd_event_add_defer(event, &announcer->idle, on_idle, announcer);
    if (r >= 0)
        r = sd_event_source_set_priority(announcer->idle, SD_EVENT_PRIORITY_IDLE);
    if (r >= 0)
        r = sd_event_add_time_relative(event, &announcer->timer, CLOCK_MONOTONIC, ANNOUNCE_USEC,
                                       1000, on_timer, announcer);
    return r;
}

static int arm_announcer(struct announcer *announcer)
{
    int r = sd_event_source_set_enabled(announcer->idle, SD_EVENT_ONESHOT);
    if (r >= 0)
        r = sd_event_source_set_time_relative(announcer->timer, ANNOUNCE_USEC);
    return r < 0 ? r : sd_event_source_set_enabled(announcer->timer, SD_EVENT_ONESHOT);
}

bool views_defer(struct host *host, struct announcer *announcer, void (*func)(struct host *host))
{
    if (announcer->idle && sd_event_source_get_enabled(announcer->idle, NULL) > 0)
        return true; /* not put off */
    announcer->host = host;
    announcer->tell = func;
    if ((announcer->idle ? arm_announcer(announcer) : make_announcer(announcer)) >= 0)
        return true;
    views_defer_done(announcer);
    return false;
}

void views_defer_done(struct announcer *announcer)
{
    announcer->idle = sd_event_source_disable_unref(announcer->idle);
    announcer->timer = sd_event_source_disable_unref(announcer->timer);
}

static bool defer(struct host *host)
{
    return views_defer(host, &host->announcer, tell_announced);
}

static bool defer_one(struct host *host, uint64_t session_id)
{
    uint64_t *more = reallocarray(host->to_announce, host->n_to_announce + 1, sizeof(*more));
    if (!more)
        return false;
    host->to_announce = more;
    if (!defer(host))
        return false;
    more[host->n_to_announce++] = session_id;
    return true;
}

void views_announce(struct session *session, unsigned changes)
{
    news_of_model(session->host);
    session->untold |= changes;
    if (session->announced)
        return;
    session->announced = true;
    if (!defer_one(session->host, session->id))
        tell(session);
}

void views_announce_all(struct host *host)
{
    news_of_model(host);
    if (defer(host))
        host->all_sessions_to_tell = true;
    else
        tell_all(host);
}

void views_begin(struct session *session)
{
    views_read(session, &session->shown);
}

void views_connections_changed(struct session *session)
{
    views_announce(session, CHANGED_CONNECTIONS);
}

bool views_read_states(struct session *session)
{
    bool changed = false, down = false;

    for (size_t i = 0; i < session->n_connections; i++) {
        struct connection *connection = session->connections[i];
        struct kernel_session_state state;
        kernel_session_state(connection->kernel->sid, &state);
        changed = changed || strcmp(state.text, connection->state.text) != 0;
        down = down || state.status != LB_CONNECTED;
        connection->state = state;
    }
    if (changed)
        views_connections_changed(session);
    return down;
}
