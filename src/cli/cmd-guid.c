/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <string.h>
#include <systemd/sd-id128.h>

#include "cli/json.h"
#include "cli/names.h"

/* The adapter that --adapter names, or the only one. */
static int fetch_adapter(struct cli *cli, struct host **ret_host,
                         const struct adapter **ret_adapter)
{
    char *message = NULL;
    int r = cli_fetch_host(cli, ret_host);

    if (r != EXIT_OK)
        return r;
    if (cli->adapter)
        r = names_adapter(*ret_host, cli->adapter, ret_adapter, &message);
    else
        r = names_only_adapter(*ret_host, ret_adapter, &message);
    return r < 0 ? cli_fail_name(message) : EXIT_OK;
}

int run_guid_get(struct cli *cli)
{
    _cleanup_host_ struct host *host = NULL;
    const struct adapter *adapter;
    char text[ISCSIWMI_GUID_TEXT_SIZE];
    int status = fetch_adapter(cli, &host, &adapter);

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
    _cleanup_host_ struct host *host = NULL;
    const struct adapter *adapter;
    char text[ISCSIWMI_GUID_TEXT_SIZE];
    uint32_t isdsc;
    int status = fetch_adapter(cli, &host, &adapter);

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
