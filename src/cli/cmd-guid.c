/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <string.h>
#include <systemd/sd-id128.h>

#include "basic/sanitize.h"
#include "cli/json.h"
#include "cli/names.h"
#include "cli/show.h"

/* The adapter that the command line names, or the only one. */
static int fetch_adapter(struct cli *cli, struct report **ret_report,
                         const struct report_adapter **ret_adapter)
{
    char *message = NULL;
    int r = cli_fetch_report(cli, ret_report);

    if (r != EXIT_OK)
        return r;
    if (cli->adapter)
        r = names_adapter(*ret_report, cli->adapter, ret_adapter, &message);
    else
        r = names_only_adapter(*ret_report, ret_adapter, &message);
    return r < 0 ? cli_fail_name(message) : EXIT_OK;
}

int run_guid_get(struct cli *cli)
{
    _cleanup_report_ struct report *report = NULL;
    const struct report_adapter *adapter;
    char text[ISCSIWMI_GUID_TEXT_SIZE];
    int status = fetch_adapter(cli, &report, &adapter);

    if (status != EXIT_OK)
        return status;
    if (cli->json)
        return json_print(json_adapter(adapter));
    iscsiwmi_guid_format(adapter->info->GenerationalGuid, text);
    puts(text);
    return EXIT_OK;
}

/* Sets the GUID and prints it as it is from now on. */
static int set_guid(struct cli *cli, const uint8_t guid[ISCSIWMI_GUID_SIZE])
{
    _cleanup_report_ struct report *report = NULL;
    const struct report_adapter *adapter;
    char text[ISCSIWMI_GUID_TEXT_SIZE];
    uint32_t isdsc;
    int status = fetch_adapter(cli, &report, &adapter);

    if (status != EXIT_OK)
        return status;
    if (iscsiwmi_set_generational_guid(cli->client, adapter->id, guid, &isdsc) < 0)
        return cli_fail_client(cli);
    status = cli_finish(isdsc);
    if (status != EXIT_OK)
        return status;
    iscsiwmi_guid_format(guid, text);
    puts(text);
    return EXIT_OK;
}

int run_guid_set(struct cli *cli)
{
    uint8_t guid[ISCSIWMI_GUID_SIZE];

    if (iscsiwmi_guid_parse(cli->args[0], guid) < 0)
        return cli_usage("'%s' is no GUID such as 33221100-5544-7766-8899-aabbccddeeff",
                         cli->args[0]);
    return set_guid(cli, guid);
}

int run_guid_new(struct cli *cli)
{
    char text[SD_ID128_UUID_STRING_MAX];
    uint8_t guid[ISCSIWMI_GUID_SIZE];
    sd_id128_t id;
    int r = sd_id128_randomize(&id);

    if (r < 0)
        return cli_fail("the kernel gives no random bytes: %s", strerror(-r));
    /* By way of the text, so that what a person sees is a random UUID as RFC 9562 marks them. */
    r = iscsiwmi_guid_parse(sd_id128_to_uuid_string(id, text), guid);
    return r < 0 ? cli_fail("cannot make a GUID: %s", strerror(-r)) : set_guid(cli, guid);
}

static int fetch_changes(struct cli *cli, const struct report_adapter *adapter,
                         struct iscsiwmi_changed_records **ret_changes)
{
    if (iscsiwmi_list_changed_records(cli->client, adapter->id, ret_changes) < 0)
        return cli_fail_client(cli);
    sanitize((*ret_changes)->Reason, SINK_TERMINAL);
    for (uint32_t i = 0; i < (*ret_changes)->RecordCount; i++) {
        const struct iscsiwmi_changed_record *record = (*ret_changes)->Records[i];

        sanitize(record->Kind, SINK_TERMINAL);
        sanitize(record->Name, SINK_TERMINAL);
        sanitize(record->Difference, SINK_TERMINAL);
        for (uint32_t k = 0; k < record->FieldCount; k++)
            sanitize(record->Fields[k], SINK_TERMINAL);
    }
    return EXIT_OK;
}

int run_guid_check(struct cli *cli)
{
    _cleanup_report_ struct report *report = NULL;
    _cleanup_result_ struct iscsiwmi_changed_records *changes = NULL;
    const struct report_adapter *adapter;
    int status;

    if (cli->n_args > 0)
        cli->adapter = cli->args[0];
    if ((status = fetch_adapter(cli, &report, &adapter)) != EXIT_OK ||
        (status = fetch_changes(cli, adapter, &changes)) != EXIT_OK)
        return status;
    if (cli->json)
        status = json_print(json_changes(adapter, changes));
    else if (show_changes(adapter, changes) < 0)
        return cli_fail_memory();
    if (status != EXIT_OK || !*changes->Reason)
        return status;
    return cli_fail("%s", changes->Reason);
}
