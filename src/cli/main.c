/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The command line: which command, which options go with it. */

#include <getopt.h>
#include <locale.h>
#include <string.h>

#include "cli/command.h"

#define FIRST_OPTION 256 /* what getopt_long() returns for the first of option_infos */

/* Says which words may come behind the group's. */
static int main_lacks_sub(const char *group)
{
    char subs[128] = "";

    for (const struct command *command = commands; command->name; command++) {
        if (strcmp(command->name, group) != 0)
            continue;
        size_t length = strlen(subs);
        snprintf(subs + length, sizeof(subs) - length, "%s%s", length ? ", " : "", command->sub);
    }
    return cli_usage("'%s' needs a second word, one of %s", group, subs);
}

/* Takes the command's words off the front of args. */
static int find_command(struct cli *cli, const struct command **ret_command)
{
    const char *name = cli->n_args > 0 ? cli->args[0] : NULL;
    const char *sub = cli->n_args > 1 ? cli->args[1] : NULL;
    bool is_group = false;

    if (!name)
        return cli_usage("no command given");
    for (const struct command *command = commands; command->name; command++) {
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
        return main_lacks_sub(name);
    return is_group ? cli_usage("no command '%s %s'", name, sub)
                    : cli_usage("no command '%s'", name);
}

static int check_command(const struct cli *cli, const struct command *command, unsigned used)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if ((used & ~command->options & OPTION_BIT(i)) && !option_infos[i].everywhere)
            return cli_usage("--%s does not go with '%s%s%s'", option_infos[i].name, command->name,
                             command->sub ? " " : "", command->sub ? command->sub : "");
    if (cli->n_args < command->min_args)
        return cli_usage("too few words: iscsi-wmi %s", command->synopsis);
    if (cli->n_args > command->max_args)
        return cli_usage("too many words: iscsi-wmi %s", command->synopsis);
    return EXIT_OK;
}

static int wrong_option(int option, char **argv)
{
    const char *text = argv[optind - 1];
    const char single[] = {'-', (char)optopt, '\0'};

    if (option == ':')
        return cli_usage("%s needs a value", text);
    /* A letter may stand within a word, and that word may be the present one or the last. */
    if (optopt > 0 && optopt < FIRST_OPTION)
        text = single;
    return cli_usage("no option %s", text);
}

/* There is room for as many as there are words. */
static void main_add_path(struct cli *cli, enum path_option_kind kind)
{
    cli->paths[cli->n_paths++] = (struct path_option){.kind = kind, .value = optarg};
}

static void main_take_option(struct cli *cli, enum option_index index)
{
    switch (index) {
    case OPTION_JSON:
        cli->json = true;
        break;
    case OPTION_ADAPTER:
        cli->adapter = optarg;
        break;
    case OPTION_PRIMARY:
        main_add_path(cli, PATH_PRIMARY);
        break;
    case OPTION_PREFERRED:
        main_add_path(cli, PATH_PREFERRED);
        break;
    case OPTION_WEIGHT:
        main_add_path(cli, PATH_WEIGHT);
        break;
    case OPTION_STATISTICS:
        cli->statistics = true;
        break;
    case OPTION_COUNT:
        cli->count = optarg;
        break;
    case OPTION_SIZE:
        cli->size = optarg;
        break;
    case OPTION_TIMEOUT:
        cli->timeout = optarg;
        break;
    case OPTION_HOST:
        cli->host = optarg;
        break;
    default: /* those that main() looks at */
        break;
    }
}

/* The table of options as getopt_long() wants it. */
static void fill_options(struct option options[N_OPTIONS + 1], char letters[2 * N_OPTIONS + 2])
{
    *letters++ = ':';
    for (int i = 0; i < N_OPTIONS; i++) {
        const struct option_info *info = &option_infos[i];

        options[i] = (struct option){
            .name = info->name,
            .has_arg = info->value == WORD_NONE ? no_argument : required_argument,
            .val = info->letter ? info->letter : FIRST_OPTION + i,
        };
        if (!info->letter)
            continue;
        *letters++ = info->letter;
        if (info->value != WORD_NONE)
            *letters++ = ':';
    }
    options[N_OPTIONS] = (struct option){0};
    *letters = '\0';
}

static int find_option(int option)
{
    for (int i = 0; i < N_OPTIONS; i++)
        if (option == FIRST_OPTION + i ||
            (option < FIRST_OPTION && option_infos[i].letter == option))
            return i;
    return -1;
}

static int read_options(struct cli *cli, int argc, char **argv, unsigned *ret_used)
{
    struct option options[N_OPTIONS + 1];
    char letters[2 * N_OPTIONS + 2];
    unsigned used = 0;
    int option;

    fill_options(options, letters);
    while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        int index = option == ':' || option == '?' ? -1 : find_option(option);

        if (index < 0)
            return wrong_option(option, argv);
        used |= OPTION_BIT(index);
        main_take_option(cli, (enum option_index)index);
    }
    *ret_used = used;
    return EXIT_OK;
}

static int main_run(struct cli *cli, int argc, char **argv)
{
    const struct command *command = NULL;
    unsigned used = 0;
    int status = read_options(cli, argc, argv, &used);

    if (status != EXIT_OK)
        return status;
    cli->args = argv + optind;
    cli->n_args = (size_t)(argc - optind);
    if (used & OPTION_BIT(OPTION_HELP))
        return run_help(cli);
    if (used & OPTION_BIT(OPTION_VERSION)) {
        puts("iscsi-wmi " PROJECT_VERSION);
        return EXIT_OK;
    }
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
    status = main_run(&cli, argc, argv);
    iscsiwmi_client_free(cli.client);
    if (fflush(stdout) != 0 || ferror(stdout))
        return cli_fail("cannot write to standard output");
    return status;
}
