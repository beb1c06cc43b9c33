/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/path-options.h"

#include <errno.h>
#include <string.h>

#include "cli/names.h"
#include "cli/text.h"

/* CONN=N; the last '=' counts. */
static int split_weight(const char *value, char **ret_name, uint32_t *ret_weight)
{
    const char *equals = strrchr(value, '=');
    int r = equals ? text_parse_u32(equals + 1, ret_weight) : -EINVAL;

    if (r < 0 || equals == value)
        return cli_usage("--weight takes CONN=N with N from 0 to 4294967295, not '%s'", value);
    *ret_name = strndup(value, (size_t)(equals - value));
    return *ret_name ? EXIT_OK : cli_fail_memory();
}

int path_options_check(const struct cli *cli)
{
    for (size_t i = 0; i < cli->n_paths; i++) {
        _cleanup_free_ char *name = NULL;
        uint32_t weight;
        int status;

        if (cli->paths[i].kind != PATH_WEIGHT)
            continue;
        status = split_weight(cli->paths[i].value, &name, &weight);
        if (status != EXIT_OK)
            return status;
    }
    return EXIT_OK;
}

int path_option_find(const struct path_option *option, const struct report_connections *connections,
                     const struct report_connection **ret_connection, uint32_t *ret_weight)
{
    _cleanup_free_ char *name = NULL;
    char *message = NULL;
    uint32_t weight = 0;

    if (option->kind == PATH_WEIGHT) {
        int status = split_weight(option->value, &name, &weight);

        if (status != EXIT_OK)
            return status;
    }
    if (names_connection(connections, name ? name : option->value, ret_connection, &message) < 0)
        return cli_fail_name(message);
    *ret_weight = weight;
    return EXIT_OK;
}
