/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdarg.h>

#include "wmi/status.h"

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
    return cli_fail("%s", client_error(cli->client));
}

int cli_fail_name(char *message)
{
    _cleanup_free_ char *text = message;

    return text ? cli_fail("%s", text) : cli_fail_memory();
}

int cli_finish(uint32_t status)
{
    const struct status_info *info = status_find(status);

    if (status == STATUS_SUCCESS)
        return EXIT_OK;
    return cli_fail("%s (0x%08" PRIX32 "): %s", status_symbol(status), status,
                    info ? info->text : "No Windows iSCSI status has this code.");
}
