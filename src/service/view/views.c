/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "basic/macros.h"
#include "service/model/model.h"
#include "service/view/agreement.h"
#include "service/view/views.h"

/* What the maps over the session's disks come to. */
static void views_agreement_of_maps(const struct session *session, struct map_agreement *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < session->n_maps; i++) {
        struct map_agreement one;
        if (!session->maps[i]->dev)
            continue;
        map_agreement_read(session->maps[i], &one);
        map_agreement_merge(ret, &one);
        n++;
    }
    if (n == 0)
        *ret = (struct map_agreement){
            .kernel = AGREEMENT_PENDING,
            .reason = "There is no multipath map over the session's disks.",
        };
}

void views_read(const struct session *session, struct session_view *ret)
{
    struct session_view view = {
        .logged_in = session->n_connections > 0,
        .n_reapplied = session->n_reapplied,
    };
    struct map_agreement all = {0};

    if (session->policy) {
        view.policy = session->policy->policy;
        if (view.logged_in)
            views_agreement_of_maps(session, &all);
        else
            all = (struct map_agreement){
                .kernel = AGREEMENT_PENDING,
                .reason = "The session is not logged in.",
            };
    }
    view.agreement = all.kernel;
    view.mpathd = all.mpathd;
    snprintf(view.reason, sizeof(view.reason), "%s", all.reason);
    *ret = view;
}

static unsigned views_compare(const struct session_view *a, const struct session_view *b)
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

void views_show(struct session *session, struct session_view *ret)
{
    views_read(session, ret);
    unsigned differences = views_compare(&session->shown, ret);
    if (differences)
        session->untold |= differences;
}

static void views_tell(struct session *session)
{
    struct session_view view;

    views_read(session, &view);
    unsigned differences = views_compare(&session->shown, &view),
             changes = session->untold | differences;
    if (differences) /* memory that is not written stays shared with children */
        session->shown = view;
    if (session->announced || session->untold) {
        session->untold = 0;
        session->announced = false;
    }
    if (changes)
        observe_session_changed(session, changes);
}

/* Clients are told of a new session with all that it has now. */
static void views_on_session(struct session *session, void *userdata)
{
    views_read(session, &session->shown);
}

void views_follow(struct host *host)
{
    host->tell.session = views_tell;
    host_observe(host, &(struct host_observer){.session_added = views_on_session});
}
