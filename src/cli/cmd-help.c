/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* help, and --help behind the words of a command: the whole table, or what is asked for. */

#include <string.h>

#include "cli/command.h"

static const char host_text[] =
    "  -H, --host USER@HOST goes with all: another host's service, reached by ssh.\n";

static const char policies_text[] =
    "Policies, by number or name:\n"
    "  1 FAILOVER                 the primary; then the others, in the order of the options\n"
    "  2 ROUND_ROBIN              all, or the primaries where some are named\n"
    "  3 ROUND_ROBIN_WITH_SUBSET  the primaries; the others stand by\n"
    "  4 DYN_LEAST_QUEUE_DEPTH    the path with the shortest queue\n"
    "  5 WEIGHTED_PATHS           the paths with the lowest weight; 0 where none is given\n"
    "  6 VENDOR_SPECIFIC          back to the host's own multipath configuration\n"
    "A disk's are MPIO's, of which two differ:\n"
    "  1 FAILOVER                 the path that took over keeps the I/O; with --preferred, that "
    "one\n"
    "                             leads whenever it can\n"
    "  6 LEAST_BLOCKS             the path with the fewest bytes outstanding\n";

static const char names_text[] =
    "Names:\n"
    "  ADAPTER  initiator name, or ID\n"
    "  SESSION  target name, portal of one of its connections, or ID\n"
    "  DISK     WWID, name of its map (mpatha), or /dev/mapper/NAME\n"
    "  CONN     portal, as 10.0.0.1, 10.0.0.1:3260 or [fd00::1]:3260, with @IFACE behind it where\n"
    "           several connections share it; or ID\n"
    "  The first 4 or more hex digits of an ID do where no other ID has them.\n";

static const char exit_text[] =
    "Exit status: 0 done, 1 failed (the status on standard error), 2 wrong usage.\n";

/* Of all words that a command line has, those of its command are looked at. */
static bool help_is_asked(const struct cli *cli, const struct command *command)
{
    if (!command->synopsis)
        return false;
    if (cli->n_args > 0 && strcmp(cli->args[0], command->name) != 0)
        return false;
    return cli->n_args < 2 || !command->sub || strcmp(cli->args[1], command->sub) == 0;
}

static bool takes_policy(const struct command *command)
{
    for (size_t i = 0; i < WORDS_MAX; i++)
        if (command->words[i] == WORD_POLICY || command->words[i] == WORD_DISK_POLICY ||
            command->words[i] == WORD_DEFAULT_POLICY)
            return true;
    return false;
}

static bool takes_name(const struct command *command)
{
    for (size_t i = 0; i < WORDS_MAX; i++)
        if (command->words[i] == WORD_SESSION || command->words[i] == WORD_DISK ||
            command->words[i] == WORD_ADAPTER)
            return true;
    return command->options & OPTION_BIT(OPTION_ADAPTER);
}

int run_help(struct cli *cli)
{
    bool any = false, policies = false, names = false;

    if (cli->n_args == 0)
        puts("iscsi-wmi: Windows' iSCSI management on Linux\n");
    for (const struct command *c = commands; c->name; c++) {
        if (!help_is_asked(cli, c))
            continue;
        printf("  iscsi-wmi %s%s\n      %s\n", c->synopsis,
               c->options & OPTION_BIT(OPTION_JSON) ? " [--json]" : "", c->help);
        any = true;
        policies = policies || takes_policy(c);
        names = names || takes_name(c);
    }
    if (!any)
        return cli_usage("no command '%s%s%s'", cli->args[0], cli->n_args > 1 ? " " : "",
                         cli->n_args > 1 ? cli->args[1] : "");
    if (cli->n_args == 0)
        puts("  iscsi-wmi --version");
    printf("\n%s", host_text);
    if (policies)
        printf("\n%s", policies_text);
    if (names)
        printf("\n%s", names_text);
    printf("\n%s", exit_text);
    return EXIT_OK;
}
