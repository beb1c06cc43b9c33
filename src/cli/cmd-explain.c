/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * iscsi-wmi explain CODE --json
 *
 *   {"status": NUMBER, "hex": "0xEFFF0058", "symbol": TEXT, "text": TEXT}
 */

#include "cli/cli.h"

#include <inttypes.h>

#include "cli/json.h"
#include "wmi/status.h"

static int print_json(const struct status_info *info)
{
    struct json_object *object = json_object_new_object();
    char hex[sizeof("0x00000000")];

    snprintf(hex, sizeof(hex), "0x%08" PRIX32, info->code);
    json_object_object_add(object, "status", json_object_new_uint64(info->code));
    json_object_object_add(object, "hex", json_object_new_string(hex));
    json_object_object_add(object, "symbol", json_object_new_string(info->symbol));
    json_object_object_add(object, "text", json_object_new_string(info->text));
    return json_print(object);
}

int run_explain(struct cli *cli)
{
    const struct status_info *info;
    uint32_t code;

    if (status_parse(cli->args[0], &code) < 0 || !(info = status_find(code)))
        return cli_fail("'%s' is no Windows iSCSI status: give its number, as 0xEFFF0058, or its "
                        "symbol",
                        cli->args[0]);
    if (cli->json)
        return print_json(info);
    printf("%s (0x%08" PRIX32 ")\n%s\n", info->symbol, info->code, info->text);
    return EXIT_OK;
}
