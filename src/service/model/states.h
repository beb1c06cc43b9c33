/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * States of connections for clients who ask for them again and again: the kernel does not announce
 * them, and finding the file is most of the time that reading it takes. So a few files stay open
 * while there are such clients.
 */

#include "basic/macros.h"
#include "service/model/model.h"

/* Reads one. */
void states_read(struct connection *connection, struct kernel_session_state *ret);

/* Closes what is open for it. */
static inline void states_close(struct connection *connection)
{
    if (connection->state_fd < 0)
        return;
    closep(&connection->state_fd);
    connection->state_fd = -1;
    connection->session->host->n_state_fds--;
}

/*
 * Reads the states of the session's connections. Whether one is not connected: nobody will say when
 * that ends, so it has to be looked at again.
 */
bool session_read_states(struct session *session);
