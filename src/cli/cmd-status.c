/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/json.h"
#include "cli/show.h"
#include "cli/table.h"

/* Sessions of one adapter; of none that is there, where adapter is NULL. */
static bool is_of(const struct session *session, const struct host *host,
                  const struct adapter *adapter)
{
    if (adapter)
        return session->adapter_id == adapter->id;
    for (size_t i = 0; i < host->n_adapters; i++)
        if (session->adapter_id == host->adapters[i].id)
            return false;
    return true;
}

static int show_sessions(const struct host *host, const struct adapter *adapter)
{
    int r;

    for (size_t i = 0; i < host->n_sessions; i++) {
        const struct session *session = &host->sessions[i];

        if (!is_of(session, host, adapter))
            continue;
        putchar('\n');
        if ((r = show_session(session)) < 0)
            return r;
        putchar('\n');
        if ((r = show_connections(session)) < 0)
            return r;
        putchar('\n');
        if ((r = show_maps(host, session)) < 0)
            return r;
    }
    return 0;
}

static int show_host(const struct host *host)
{
    int r;

    for (size_t i = 0; i < host->n_adapters; i++) {
        if (i > 0)
            putchar('\n');
        if ((r = show_adapter(&host->adapters[i])) < 0 ||
            (r = show_sessions(host, &host->adapters[i])) < 0)
            return r;
    }
    if (host->n_adapters == 0)
        puts("No iSCSI adapter on this host.");
    if (host->n_sessions == 0)
        puts("\nNo iSCSI session on this host.");
    return show_sessions(host, NULL);
}

static void show_conditions(const struct iscsiwmi_manager *manager)
{
    if (manager->ConditionCount == 0)
        return;
    putchar('\n');
    output_heading("Conditions", NULL);
    for (size_t i = 0; i < manager->ConditionCount; i++)
        printf("  %s\n", manager->Conditions[i]);
}

int run_status(struct cli *cli)
{
    _cleanup_host_ struct host *host = NULL;
    _cleanup_result_ struct iscsiwmi_manager *manager = NULL;
    int status;

    if ((status = cli_fetch_host(cli, &host)) != EXIT_OK ||
        (status = cli_fetch_manager(cli, &manager)) != EXIT_OK)
        return status;
    if (cli->json)
        return json_print(json_host(host, manager));
    if (show_host(host) < 0)
        return cli_fail_memory();
    show_conditions(manager);
    return EXIT_OK;
}
