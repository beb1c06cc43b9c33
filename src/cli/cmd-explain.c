/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * iscsi-wmi explain CODE --json
 *
 *   {"status": NUMBER, "hex": "0xEFFF0058", "symbol": TEXT, "text": TEXT}
 */

#include "cli/cli.h"

#include <inttypes.h>

#include "cli/json.h"

static int explain_print_json(uint32_t status)
{
    struct json_object *object = json_object_new_object();
    char hex[sizeof("0x00000000")];

    snprintf(hex, sizeof(hex), "0x%08" PRIX32, status);
    json_object_object_add(object, "status", json_object_new_uint64(status));
    json_object_object_add(object, "hex", json_object_new_string(hex));
    json_object_object_add(object, "symbol",
                           json_object_new_string(iscsiwmi_status_symbol(status)));
    json_object_object_add(object, "text", json_object_new_string(iscsiwmi_status_text(status)));
    return json_print(object);
}

int run_explain(struct cli *cli)
{
    uint32_t status;

    if (iscsiwmi_status_parse(cli->args[0], &status) < 0)
        return cli_fail("'%s' is no Windows status: give its number, as 0xEFFF0058, or its "
                        "symbol",
                        cli->args[0]);
    if (cli->json)
        return explain_print_json(status);
    printf("%s (0x%08" PRIX32 ")\n%s\n", iscsiwmi_status_symbol(status), status,
           iscsiwmi_status_text(status));
    return EXIT_OK;
}
