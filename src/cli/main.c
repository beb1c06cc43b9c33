/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The command line: which command, which options go with it. */

#include <getopt.h>
#include <locale.h>
#include <string.h>

#include "cli/cli.h"

enum option_bit {
    ALLOW_JSON = 1 << 0,
    ALLOW_ADAPTER = 1 << 1,
    ALLOW_PATHS = 1 << 2,
};

enum {
    OPTION_JSON = 256,
    OPTION_ADAPTER,
    OPTION_PRIMARY,
    OPTION_WEIGHT,
    OPTION_VERSION,
};

struct command {
    const char *name;
    const char *sub; /* NULL: a command of one word */
    size_t min_args;
    size_t max_args;
    unsigned options; /* enum option_bit */
    const char *synopsis;
    const char *help;
    int (*run)(struct cli *cli);
};

static int run_help(struct cli *cli);

static const struct command commands[] = {
    {"status", NULL, 0, 0, ALLOW_JSON, "status",
     "adapters, sessions, connections and multipath maps", run_status},
    {"policy", "get", 0, 1, ALLOW_JSON, "policy get [SESSION]",
     "load-balance policy of a session, or of all", run_policy_get},
    {"policy", "set", 2, 2, ALLOW_PATHS,
     "policy set SESSION POLICY [--primary CONN]... [--weight CONN=N]...",
     "set it, on every multipath map of the session", run_policy_set},
    {"guid", "get", 0, 0, ALLOW_JSON | ALLOW_ADAPTER, "guid get [--adapter ADAPTER]",
     "generational GUID of the adapter", run_guid_get},
    {"guid", "set", 1, 1, ALLOW_ADAPTER, "guid set GUID [--adapter ADAPTER]",
     "set it, and tag records and sessions with it", run_guid_set},
    {"guid", "new", 0, 0, ALLOW_ADAPTER, "guid new [--adapter ADAPTER]",
     "set a random one and print it", run_guid_new},
    {"explain", NULL, 1, 1, ALLOW_JSON, "explain CODE",
     "what a status means: 0xEFFF0058, decimal or its symbol", run_explain},
    {"help", NULL, 0, 0, 0, "help", "this text", run_help},
};

static const char help_end[] =
    "\n"
    "Policies, by number or name:\n"
    "  1 FAILOVER                 the primary; then the others, in the order of the options\n"
    "  2 ROUND_ROBIN              all, or the primaries where some are named\n"
    "  3 ROUND_ROBIN_WITH_SUBSET  the primaries; the others stand by\n"
    "  4 DYN_LEAST_QUEUE_DEPTH    the path with the shortest queue\n"
    "  5 WEIGHTED_PATHS           the paths with the lowest weight; 0 where none is given\n"
    "  6 VENDOR_SPECIFIC          back to the host's own multipath configuration\n"
    "\n"
    "Names:\n"
    "  ADAPTER  initiator name, or ID\n"
    "  SESSION  target name, portal of one of its connections, or ID\n"
    "  CONN     portal, as 10.0.0.1, 10.0.0.1:3260 or [fd00::1]:3260, with @IFACE behind it where\n"
    "           several connections share it; or ID\n"
    "  The first 4 or more hex digits of an ID do where no other ID has them.\n"
    "\n"
    "Exit status: 0 done, 1 failed (the status on standard error), 2 wrong usage.\n";

static int run_help(struct cli *cli)
{
    (void)cli;
    puts("iscsi-wmi: Windows' iSCSI management on Linux\n");
    for (size_t i = 0; i < ELEMENTSOF(commands); i++)
        printf("  iscsi-wmi %s%s\n      %s\n", commands[i].synopsis,
               commands[i].options & ALLOW_JSON ? " [--json]" : "", commands[i].help);
    puts("  iscsi-wmi --version");
    fputs(help_end, stdout);
    return EXIT_OK;
}

/* Takes the command's words off the front of args. */
static int find_command(struct cli *cli, const struct command **ret_command)
{
    const char *name = cli->n_args > 0 ? cli->args[0] : NULL;
    const char *sub = cli->n_args > 1 ? cli->args[1] : NULL;
    bool is_group = false;

    if (!name)
        return cli_usage("no command given");
    for (size_t i = 0; i < ELEMENTSOF(commands); i++) {
        const struct command *command = &commands[i];
        size_t n_words = command->sub ? 2 : 1;

        if (strcmp(command->name, name) != 0)
            continue;
        is_group = true;
        if (command->sub && (!sub || strcmp(command->sub, sub) != 0))
            continue;
        cli->args += n_words;
        cli->n_args -= n_words;
        *ret_command = command;
        return EXIT_OK;
    }
    if (is_group && !sub)
        return cli_usage("'%s' needs a second word", name);
    return is_group ? cli_usage("no command '%s %s'", name, sub)
                    : cli_usage("no command '%s'", name);
}

static int check_command(const struct cli *cli, const struct command *command, unsigned used)
{
    unsigned wrong = used & ~command->options;

    if (wrong)
        return cli_usage("%s does not go with '%s%s%s'",
                         wrong & ALLOW_JSON      ? "--json"
                         : wrong & ALLOW_ADAPTER ? "--adapter"
                                                 : "--primary or --weight",
                         command->name, command->sub ? " " : "", command->sub ? command->sub : "");
    if (cli->n_args < command->min_args)
        return cli_usage("too few words: iscsi-wmi %s", command->synopsis);
    if (cli->n_args > command->max_args)
        return cli_usage("too many words: iscsi-wmi %s", command->synopsis);
    return EXIT_OK;
}

enum shortcut {
    SHORTCUT_NONE,
    SHORTCUT_HELP,
    SHORTCUT_VERSION,
};

static int wrong_option(int option, char **argv)
{
    const char *text = argv[optind - 1];
    const char single[] = {'-', (char)optopt, '\0'};

    if (option == ':')
        return cli_usage("%s needs a value", text);
    /* A letter may stand within a word, and that word may be the present one or the last. */
    if (optopt > 0 && optopt < 256)
        text = single;
    return cli_usage("no option %s", text);
}

/* paths in cli has room for as many as there are words. */
static int read_options(struct cli *cli, int argc, char **argv, unsigned *used,
                        enum shortcut *shortcut)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, OPTION_JSON},
        {"adapter", required_argument, NULL, OPTION_ADAPTER},
        {"primary", required_argument, NULL, OPTION_PRIMARY},
        {"weight", required_argument, NULL, OPTION_WEIGHT},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, OPTION_VERSION},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (option) {
        case OPTION_JSON:
            *used |= ALLOW_JSON;
            cli->json = true;
            break;
        case OPTION_ADAPTER:
            *used |= ALLOW_ADAPTER;
            cli->adapter = optarg;
            break;
        case OPTION_PRIMARY:
        case OPTION_WEIGHT:
            *used |= ALLOW_PATHS;
            cli->paths[cli->n_paths++] =
                (struct path_option){.is_weight = option == OPTION_WEIGHT, .value = optarg};
            break;
        case 'h':
            *shortcut = SHORTCUT_HELP;
            break;
        case OPTION_VERSION:
            *shortcut = SHORTCUT_VERSION;
            break;
        default:
            return wrong_option(option, argv);
        }
    }
    return EXIT_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    const struct command *command = NULL;
    enum shortcut shortcut = SHORTCUT_NONE;
    unsigned used = 0;
    int status = read_options(cli, argc, argv, &used, &shortcut);

    if (status != EXIT_OK)
        return status;
    if (shortcut == SHORTCUT_HELP)
        return run_help(cli);
    if (shortcut == SHORTCUT_VERSION) {
        puts("iscsi-wmi " PROJECT_VERSION);
        return EXIT_OK;
    }
    cli->args = argv + optind;
    cli->n_args = (size_t)(argc - optind);
    if ((status = find_command(cli, &command)) != EXIT_OK ||
        (status = check_command(cli, command, used)) != EXIT_OK)
        return status;
    return command->run(cli);
}

int main(int argc, char **argv)
{
    _cleanup_free_ struct path_option *paths = calloc((size_t)argc + 1, sizeof(*paths));
    struct cli cli = {.paths = paths};
    int status;

    setlocale(LC_CTYPE, "");
    if (!paths)
        return cli_fail_memory();
    status = run(&cli, argc, argv);
    iscsiwmi_client_free(cli.client);
    if (fflush(stdout) != 0 || ferror(stdout))
        return cli_fail("cannot write to standard output");
    return status;
}
