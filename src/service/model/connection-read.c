/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/model/connection-read.h"
#include "service/model/freshness.h"

const struct kernel_session_ends *connection_read_ends(struct connection *connection)
{
    uint64_t moment = freshness_moment(connection->session->host);

    if (!moment || connection->ends_moment != moment) {
        kernel_session_ends_done(&connection->ends);
        kernel_session_ends_read(connection->kernel->sid, &connection->ends);
        connection->ends_moment = moment;
    }
    return &connection->ends;
}

int connection_read_disks(struct connection *connection, uint64_t serial, char ***ret)
{
    char **disks;

    if (!serial || connection->disks_serial != serial) {
        int r = kernel_session_disks(connection->kernel->sid, &disks);
        if (r < 0)
            return r;
        strings_free(connection->disks);
        connection->disks = disks;
        connection->disks_serial = serial;
    }
    *ret = connection->disks;
    return 0;
}
