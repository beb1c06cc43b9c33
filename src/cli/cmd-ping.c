/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * iscsi-wmi ping ADDRESS --json
 *
 *   {"address": TEXT, "sent": N, "answered": N}
 */

#include "cli/cli.h"

#include <inttypes.h>

#include "cli/json.h"
#include "cli/names.h"
#include "cli/text.h"

/* As Windows' ping; but a portal that takes a second is of no use. */
#define COUNT 4U
#define SIZE 32U
#define TIMEOUT_MSEC 1000U

static int cmd_ping_read_number(const char *name, const char *text, uint32_t *number)
{
    if (text && text_parse_u32(text, number) < 0)
        return cli_usage("--%s takes a number, not '%s'", name, text);
    return EXIT_OK;
}

/* Requests take the host's own routes, whichever adapter is asked; so any will do. */
static int cmd_ping_find_adapter(struct cli *cli, const struct report *report, uint64_t *ret_id)
{
    const struct report_adapter *adapter = report->adapters;
    char *message = NULL;
    int r = 0;

    if (cli->adapter)
        r = names_adapter(report, cli->adapter, &adapter, &message);
    else if (report->n_adapters == 0)
        r = names_only_adapter(report, &adapter, &message);
    if (r < 0)
        return cli_fail_name(message);
    *ret_id = adapter->id;
    return EXIT_OK;
}

static int cmd_ping_print_json(const char *address, uint32_t sent, uint32_t answered)
{
    struct json_object *object = json_object_new_object();

    json_object_object_add(object, "address", json_object_new_string(address));
    json_object_object_add(object, "sent", json_object_new_uint64(sent));
    json_object_object_add(object, "answered", json_object_new_uint64(answered));
    return json_print(object);
}

int run_ping(struct cli *cli)
{
    _cleanup_report_ struct report *report = NULL;
    struct iscsiwmi_ip_address address = {.Type = ISCSIWMI_IP_ADDRESS_TEXT,
                                          .TextAddress = cli->args[0]};
    uint32_t count = COUNT, size = SIZE, timeout = TIMEOUT_MSEC, isdsc, answered;
    uint64_t adapter_id = 0;
    int status;

    if ((status = cmd_ping_read_number("count", cli->count, &count)) != EXIT_OK ||
        (status = cmd_ping_read_number("size", cli->size, &size)) != EXIT_OK ||
        (status = cmd_ping_read_number("timeout", cli->timeout, &timeout)) != EXIT_OK ||
        (status = cli_fetch_report(cli, &report)) != EXIT_OK ||
        (status = cmd_ping_find_adapter(cli, report, &adapter_id)) != EXIT_OK)
        return status;
    if (iscsiwmi_ping_ip_address(cli->client, adapter_id, count, size, timeout, &address, &isdsc,
                                 &answered) < 0)
        return cli_fail_client(cli);
    status = cli_finish(isdsc);
    if (status != EXIT_OK)
        return status;
    if (cli->json)
        status = cmd_ping_print_json(cli->args[0], count, answered);
    else
        printf("%s: %" PRIu32 " of %" PRIu32 " answered\n", cli->args[0], answered, count);
    return answered > 0 ? status : EXIT_FAILED;
}
