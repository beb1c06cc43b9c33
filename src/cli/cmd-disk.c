/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* MPIO's policies of one disk. */

#include "cli/cli.h"

#include "cli/disk-request.h"
#include "cli/json.h"
#include "cli/names.h"
#include "cli/path-options.h"
#include "cli/show.h"

static int cmd_disk_fetch(struct cli *cli, struct report **ret_report,
                          const struct report_disk **ret_disk)
{
    char *message = NULL;
    int status = cli_fetch_report(cli, ret_report);

    if (status != EXIT_OK)
        return status;
    return names_disk(*ret_report, cli->args[0], ret_disk, &message) < 0 ? cli_fail_name(message)
                                                                         : EXIT_OK;
}

int run_disk_list(struct cli *cli)
{
    _cleanup_report_ struct report *report = NULL;
    int status = cli_fetch_report(cli, &report);

    if (status != EXIT_OK)
        return status;
    if (cli->json)
        return json_print(json_disks(report, NULL));
    if (report->n_disks == 0) {
        puts("No disk on this host has a multipath map with an iSCSI path.");
        return EXIT_OK;
    }
    return show_disks(report) < 0 ? cli_fail_memory() : EXIT_OK;
}

static int cmd_disk_show(const struct report_disk *disk)
{
    int r = show_disk(disk);

    if (r < 0)
        return r;
    putchar('\n');
    return show_disk_paths(disk);
}

int run_disk_get(struct cli *cli)
{
    _cleanup_report_ struct report *report = NULL;
    const struct report_disk *disk;
    int status = cmd_disk_fetch(cli, &report, &disk);

    if (status != EXIT_OK)
        return status;
    if (cli->json)
        return json_print(json_disks(report, disk));
    return cmd_disk_show(disk) < 0 ? cli_fail_memory() : EXIT_OK;
}

/* ---- to set one ---- */

static int cmd_disk_send_policy(struct cli *cli, const struct report_disk *disk, uint32_t policy,
                                struct iscsiwmi_dsm_path_v2 *paths, size_t n)
{
    const struct iscsiwmi_dsm_lb_policy_v2 request = {
        .Version = 2,
        .LoadBalancePolicy = policy,
        .DSMPathCount = (uint32_t)n,
        .DSM_Paths = paths,
    };
    uint32_t status;

    if (iscsiwmi_dsm_set_load_balance_policy_alua(cli->client, disk->key, &request, &status) < 0)
        return cli_fail_client(cli);
    return cli_finish(status);
}

/* A path that is preferred without effect would be a surprise on the day of the failover. */
static int cmd_disk_check_preferred(const struct cli *cli, uint32_t policy)
{
    for (size_t i = 0; i < cli->n_paths; i++)
        if (cli->paths[i].kind == PATH_PREFERRED && policy != ISCSIWMI_DSM_FAILOVER)
            return cli_usage("--preferred goes with policy 1 FAILOVER alone");
    return EXIT_OK;
}

int run_disk_set(struct cli *cli)
{
    _cleanup_report_ struct report *report = NULL;
    _cleanup_free_ struct iscsiwmi_dsm_path_v2 *paths = NULL;
    const struct report_disk *disk;
    uint32_t policy;
    int status;

    if ((status = cli_parse_disk_policy(cli->args[1], &policy)) != EXIT_OK ||
        (status = cmd_disk_check_preferred(cli, policy)) != EXIT_OK ||
        (status = path_options_check(cli)) != EXIT_OK ||
        (status = cmd_disk_fetch(cli, &report, &disk)) != EXIT_OK)
        return status;
    status = disk_request_paths(cli, disk, policy, &paths);
    if (status != EXIT_OK)
        return status;
    return cmd_disk_send_policy(cli, disk, policy, paths, disk->connections.n);
}

int run_disk_clear(struct cli *cli)
{
    _cleanup_report_ struct report *report = NULL;
    const struct report_disk *disk;
    int status = cmd_disk_fetch(cli, &report, &disk);

    return status == EXIT_OK ? cmd_disk_send_policy(cli, disk, ISCSIWMI_DSM_NONE, NULL, 0) : status;
}
