/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <errno.h>

#include "cli/json.h"
#include "cli/show.h"

/* A connection that has gone in the meantime is left out. */
static int cmd_sessions_fetch_statistics(struct cli *cli, const struct report *report,
                                         struct statistics *statistics)
{
    const struct iscsiwmi_host *objects = report->objects;

    statistics->items = calloc((size_t)objects->ConnectionCount + 1, sizeof(*statistics->items));
    if (!statistics->items)
        return cli_fail_memory();
    for (uint32_t i = 0; i < objects->ConnectionCount; i++) {
        struct counters *item = &statistics->items[statistics->n];
        int r = iscsiwmi_get_connection_statistics(cli->client, objects->Connections[i],
                                                   &item->counters);

        if (r == -ENOENT)
            continue;
        if (r < 0)
            return cli_fail_client(cli);
        item->connection_id = objects->Connections[i];
        statistics->n++;
    }
    return EXIT_OK;
}

static int cmd_sessions_show(const struct cli *cli,
                             const struct iscsiwmi_session_static_info *session,
                             const struct statistics *statistics)
{
    int r = show_session_info(session);

    if (r < 0 || !cli->statistics)
        return r;
    putchar('\n');
    return show_statistics(session, statistics);
}

static int cmd_sessions_show_all(const struct cli *cli, const struct report *report,
                                 const struct statistics *statistics)
{
    size_t n = 0;

    for (size_t i = 0; i < report->n_adapters; i++) {
        const struct iscsiwmi_initiator_session_info *infos = report->adapters[i].session_infos;

        for (uint32_t k = 0; infos && k < infos->SessionCount; k++) {
            int r;

            if (n++ > 0)
                putchar('\n');
            r = cmd_sessions_show(cli, &infos->SessionsList[k], statistics);
            if (r < 0)
                return r;
        }
    }
    if (n == 0)
        puts("No iSCSI session on this host is logged in.");
    return 0;
}

int run_sessions(struct cli *cli)
{
    _cleanup_report_ struct report *report = NULL;
    _cleanup_statistics_ struct statistics statistics = {0};
    int status = cli_fetch_report(cli, &report);

    if (status == EXIT_OK && cli->statistics)
        status = cmd_sessions_fetch_statistics(cli, report, &statistics);
    if (status != EXIT_OK)
        return status;
    if (cli->json)
        return json_print(json_session_infos(report, &statistics));
    return cmd_sessions_show_all(cli, report, &statistics) < 0 ? cli_fail_memory() : EXIT_OK;
}
