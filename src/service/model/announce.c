/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "basic/macros.h"
#include "service/model/announce.h"
#include "service/model/find.h"
#include "service/model/freshness.h"
#include "service/model/model.h"

/* Clients can have the main loop busy with their calls for as long as they like. */
#define ANNOUNCE_USEC 100000U

static void announce_announcer_tell(struct announcer *announcer)
{
    (void)sd_event_source_set_enabled(announcer->idle, SD_EVENT_OFF);
    timer_stop(&announcer->timer);
    announcer->tell(announcer->host);
}

static int announce_announcer_on_idle(sd_event_source *source, void *userdata)
{
    announce_announcer_tell(userdata);
    return 0;
}

static int announce_announcer_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    announce_announcer_tell(userdata);
    return 0;
}

static int announce_announcer_make(struct announcer *announcer)
{
    sd_event *event = announcer->host->event;

    timer_init(&announcer->timer, event, 1000, announce_announcer_on_timer, announcer);
    int r = sd_event_add_defer(event, &announcer->idle, announce_announcer_on_idle, announcer);
    return r < 0 ? r : sd_event_source_set_priority(announcer->idle, SD_EVENT_PRIORITY_IDLE);
}

static int announce_announcer_arm(struct announcer *announcer)
{
    int r = announcer->idle ? sd_event_source_set_enabled(announcer->idle, SD_EVENT_ONESHOT)
                            : announce_announcer_make(announcer);
    return r < 0 ? r : timer_set_in(&announcer->timer, ANNOUNCE_USEC);
}

bool announcer_defer(struct host *host, struct announcer *announcer,
                     void (*func)(struct host *host))
{
    if (announcer->idle && sd_event_source_get_enabled(announcer->idle, NULL) > 0)
        return true; /* not put off */
    announcer->host = host;
    announcer->tell = func;
    if (announce_announcer_arm(announcer) >= 0)
        return true;
    announcer_done(announcer);
    return false;
}

void announcer_done(struct announcer *announcer)
{
    announcer->idle = sd_event_source_disable_unref(announcer->idle);
    timer_done(&announcer->timer);
}

static void announce_tell(struct session *session)
{
    if (session->host->tell.session)
        session->host->tell.session(session);
}

static void announce_tell_all(const struct host *host)
{
    for (size_t i = 0; i < host->n_sessions; i++)
        announce_tell(host->sessions[i]);
}

static void announce_tell_these(struct host *host, const uint64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct session *session = host_session(host, ids[i]);
        if (session)
            announce_tell(session);
    }
}

static void announce_tell_announced(struct host *host)
{
    _cleanup_free_ uint64_t *ids = TAKE_PTR(host->to_announce);
    size_t n = host->n_to_announce;
    bool all = host->all_sessions_to_tell;

    host->n_to_announce = 0;
    host->all_sessions_to_tell = false;
    if (all)
        announce_tell_all(host);
    else
        announce_tell_these(host, ids, n);
}

static bool announce_defer(struct host *host)
{
    return announcer_defer(host, &host->announcer, announce_tell_announced);
}

static bool announce_defer_one(struct host *host, uint64_t session_id)
{
    uint64_t *more = reallocarray(host->to_announce, host->n_to_announce + 1, sizeof(*more));
    if (!more)
        return false;
    host->to_announce = more;
    if (!announce_defer(host))
        return false;
    more[host->n_to_announce++] = session_id;
    return true;
}

void announce_session(struct session *session, unsigned changes)
{
    freshness_model_changed(session->host);
    session->untold |= changes;
    if (session->announced)
        return;
    session->announced = true;
    if (!announce_defer_one(session->host, session->id))
        announce_tell(session);
}

void announce_all_sessions(struct host *host)
{
    freshness_model_changed(host);
    if (announce_defer(host))
        host->all_sessions_to_tell = true;
    else
        announce_tell_all(host);
}
