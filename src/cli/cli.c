/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdarg.h>

#include "basic/sanitize.h"
#include "cli/text.h"

#define PREFIX "iscsi-wmi: "

int cli_fail(const char *format, ...)
{
    va_list args;

    fputs(PREFIX, stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

int cli_usage(const char *format, ...)
{
    va_list args;

    fputs(PREFIX, stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("; try iscsi-wmi help\n", stderr);
    return EXIT_USAGE;
}

int cli_fail_memory(void)
{
    return cli_fail("out of memory");
}

int cli_fail_client(const struct cli *cli)
{
    return cli_fail("%s", iscsiwmi_client_error(cli->client));
}

int cli_connect(struct cli *cli)
{
    if (cli->client)
        return EXIT_OK;
    if (iscsiwmi_client_new(&cli->client) < 0)
        return cli_fail_memory();
    return iscsiwmi_client_connect(cli->client, cli->host) < 0 ? cli_fail_client(cli) : EXIT_OK;
}

int cli_fetch_report(struct cli *cli, struct report **ret_report)
{
    struct iscsiwmi_host *objects;
    int status = cli_connect(cli);

    if (status != EXIT_OK)
        return status;
    if (iscsiwmi_get_host(cli->client, &objects) < 0)
        return cli_fail_client(cli);
    *ret_report = report_new(objects);
    return *ret_report ? EXIT_OK : cli_fail_memory();
}

int cli_fetch_manager(struct cli *cli, struct iscsiwmi_manager **ret_manager)
{
    int status = cli_connect(cli);

    if (status != EXIT_OK)
        return status;
    if (iscsiwmi_get_manager(cli->client, ret_manager) < 0)
        return cli_fail_client(cli);
    for (uint32_t i = 0; i < (*ret_manager)->ConditionCount; i++)
        sanitize((*ret_manager)->Conditions[i], SINK_TERMINAL);
    return EXIT_OK;
}

int cli_parse_disk_policy(const char *text, uint32_t *ret_policy)
{
    if (iscsiwmi_dsm_policy_parse(text, ret_policy) >= 0 || text_parse_u32(text, ret_policy) >= 0)
        return EXIT_OK;
    return cli_usage("'%s' is no policy of a disk: 0 NONE, 1 FAILOVER, 2 ROUND_ROBIN, "
                     "3 ROUND_ROBIN_WITH_SUBSET, 4 DYN_LEAST_QUEUE_DEPTH, 5 WEIGHTED_PATHS, "
                     "6 LEAST_BLOCKS",
                     text);
}

int cli_fail_name(char *message)
{
    _cleanup_free_ char *text = message;

    return text ? cli_fail("%s", text) : cli_fail_memory();
}

int cli_finish(uint32_t status)
{
    const char *symbol = iscsiwmi_status_symbol(status), *text = iscsiwmi_status_text(status);

    if (status == STATUS_SUCCESS)
        return EXIT_OK;
    return cli_fail("%s (0x%08" PRIX32 "): %s", symbol ? symbol : "UNKNOWN_STATUS", status,
                    text ? text : "No status of the service has this code.");
}
