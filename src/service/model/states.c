/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "basic/macros.h"
#include "service/model/announce.h"
#include "service/model/states.h"

#define FDS_MAX 512U        /* further ones are opened each time */
#define KEPT_USEC 10000000U /* after the first of a row of questions */

static int states_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct host *host = userdata;

    for (size_t i = 0; i < host->n_sessions; i++)
        for (size_t k = 0; k < host->sessions[i]->n_connections; k++)
            states_close(host->sessions[i]->connections[k]);
    return 0;
}

/* Whether what is opened now will be closed. */
static bool states_will_close(struct host *host)
{
    struct timer *closer = &host->states_closer;

    if (host->n_state_fds > 0)
        return true;
    if (!closer->source)
        timer_init(closer, host->event, KEPT_USEC, states_on_timer, host);
    return timer_set_in(closer, KEPT_USEC) >= 0;
}

static void states_read_first(struct connection *connection, struct kernel_session_state *ret)
{
    struct host *host = connection->session->host;

    if (host->n_state_fds >= FDS_MAX || !states_will_close(host)) {
        kernel_session_state(connection->kernel->sid, ret);
        return;
    }
    kernel_session_state_again(connection->kernel->sid, &connection->state_fd, ret);
    if (connection->state_fd >= 0)
        host->n_state_fds++;
}

void states_read(struct connection *connection, struct kernel_session_state *ret)
{
    if (connection->state_fd < 0) {
        states_read_first(connection, ret);
        return;
    }
    kernel_session_state_again(connection->kernel->sid, &connection->state_fd, ret);
    if (connection->state_fd < 0)
        connection->session->host->n_state_fds--;
}

bool session_read_states(struct session *session)
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
        announce_session(session, CHANGED_CONNECTIONS);
    return down;
}
