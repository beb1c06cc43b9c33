/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/json.h"
#include "cli/show.h"
#include "cli/table.h"

/* Sessions of one adapter; of none that is there, where adapter is NULL. */
static bool is_of(const struct report_session *session, const struct report *report,
                  const struct report_adapter *adapter)
{
    if (adapter)
        return session->adapter_id == adapter->id;
    for (size_t i = 0; i < report->n_adapters; i++)
        if (session->adapter_id == report->adapters[i].id)
            return false;
    return true;
}

static int show_sessions(const struct report *report, const struct report_adapter *adapter)
{
    int r;

    for (size_t i = 0; i < report->n_sessions; i++) {
        const struct report_session *session = &report->sessions[i];

        if (!is_of(session, report, adapter))
            continue;
        putchar('\n');
        if ((r = show_session(session)) < 0)
            return r;
        putchar('\n');
        if ((r = show_connections(session)) < 0)
            return r;
        putchar('\n');
        if ((r = show_maps(report, session)) < 0)
            return r;
    }
    return 0;
}

static int show_host(const struct report *report)
{
    int r;

    for (size_t i = 0; i < report->n_adapters; i++) {
        if (i > 0)
            putchar('\n');
        if ((r = show_adapter(&report->adapters[i])) < 0 ||
            (r = show_sessions(report, &report->adapters[i])) < 0)
            return r;
    }
    if (report->n_adapters == 0)
        puts("No iSCSI adapter on this host.");
    if (report->n_sessions == 0)
        puts("\nNo iSCSI session on this host.");
    return show_sessions(report, NULL);
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
    _cleanup_report_ struct report *report = NULL;
    _cleanup_result_ struct iscsiwmi_manager *manager = NULL;
    int status;

    if ((status = cli_fetch_report(cli, &report)) != EXIT_OK ||
        (status = cli_fetch_manager(cli, &manager)) != EXIT_OK)
        return status;
    if (cli->json)
        return json_print(json_host(report, manager));
    if (show_host(report) < 0)
        return cli_fail_memory();
    show_conditions(manager);
    return EXIT_OK;
}
