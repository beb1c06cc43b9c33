/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Completion: the scripts hand the words of the command line to "iscsi-wmi complete -- WORD...",
 * which prints what the last one can become, one a line. So the tables of command.c alone say what
 * there is.
 */

#include <string.h>

#include "cli/command.h"
#include "cli/names.h"
#include "cli/text.h"

/*
 * bash breaks words at characters that names have, and wants what is behind them. So the line is
 * split anew, and what the user has written up to the last of these is taken off again. What is
 * left goes into the line as it is: a name, which is a target's or a disk's own, has to be quoted
 * where a shell may read more in it. (zsh quotes by itself.)
 */
static const char bash_script[] =
    "# iscsi-wmi(1): completion for bash\n"
    "_iscsi_wmi()\n"
    "{\n"
    "    local line=${COMP_LINE:0:COMP_POINT} word prefix\n"
    "    local -a words\n"
    "    read -ra words <<<\"$line\"\n"
    "    [[ $line == *[[:space:]] ]] && words+=('')\n"
    "    prefix=${words[-1]}\n"
    "    prefix=${prefix%\"${prefix##*[:=@]}\"}\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r word; do\n"
    "        word=${word#\"$prefix\"}\n"
    "        [[ $word == *[!A-Za-z0-9.:_@%=/+,-]* ]] && printf -v word %q \"$word\"\n"
    "        COMPREPLY+=(\"$word\")\n"
    "    done < <(\"${words[0]}\" complete -- \"${words[@]:1}\" 2>/dev/null)\n"
    "    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null\n"
    "    return 0\n"
    "}\n"
    "complete -F _iscsi_wmi iscsi-wmi\n";

static const char zsh_script[] =
    "#compdef iscsi-wmi\n"
    "# iscsi-wmi(1): completion for zsh\n"
    "_iscsi_wmi()\n"
    "{\n"
    "    local -a found\n"
    "    found=(${(f)\"$(\"${words[1]}\" complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
    "    if [[ ${found[1]-} == *= ]]; then\n"
    "        compadd -S '' -a found\n"
    "    else\n"
    "        compadd -a found\n"
    "    fi\n"
    "}\n"
    "compdef _iscsi_wmi iscsi-wmi\n";

int run_completion(struct cli *cli)
{
    const char *shell = cli->args[0];

    if (strcmp(shell, "bash") == 0)
        fputs(bash_script, stdout);
    else if (strcmp(shell, "zsh") == 0)
        fputs(zsh_script, stdout);
    else
        return cli_usage("there is a script for bash and for zsh, not for '%s'", shell);
    return EXIT_OK;
}

/* ---- what the user has written ---- */

#define POSITIONALS_MAX (2 + WORDS_MAX)

struct line {
    const char *positionals[POSITIONALS_MAX]; /* before the last word, no options */
    size_t n_positionals;
    const char *current;  /* the last word, maybe empty */
    enum word value_kind; /* current is the value of an option; else WORD_NONE */
    bool other_host;      /* names are on another host, which a key is no reason to call */
};

/* "--adapter", "-H". NULL: none of ours. */
static const struct option_info *complete_find_option(const char *text)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option_info *info = &option_infos[i];

        if (text[0] != '-')
            continue;
        if (text[1] == '-' ? strcmp(text + 2, info->name) == 0
                           : text[1] && text[1] == info->letter && !text[2])
            return info;
    }
    return NULL;
}

static void complete_read_line(char **words, size_t n, struct line *line)
{
    *line = (struct line){.current = n > 0 ? words[n - 1] : ""};
    for (size_t i = 0; i + 1 < n; i++) {
        const struct option_info *info = complete_find_option(words[i]);

        if (strcmp(words[i], "-H") == 0 || strncmp(words[i], "--host", 6) == 0)
            line->other_host = true;
        if (info && info->value != WORD_NONE) {
            if (i + 2 == n)
                line->value_kind = info->value;
            i++;
        } else if (words[i][0] != '-' && line->n_positionals < POSITIONALS_MAX)
            line->positionals[line->n_positionals++] = words[i];
    }
}

/* ---- what it can become ---- */

static void offer(const struct line *line, const char *text)
{
    if (strncmp(text, line->current, strlen(line->current)) == 0)
        puts(text);
}

static const struct command *complete_find_command(const struct line *line)
{
    for (const struct command *c = commands; c->name && line->n_positionals > 0; c++) {
        if (strcmp(c->name, line->positionals[0]) != 0)
            continue;
        if (!c->sub || (line->n_positionals > 1 && strcmp(c->sub, line->positionals[1]) == 0))
            return c;
    }
    return NULL;
}

/* First words, or the second ones of a group. */
static void offer_commands(const struct line *line)
{
    const char *group = line->n_positionals == 1 ? line->positionals[0] : NULL;
    const char *last = "";

    for (const struct command *c = commands; c->name; c++) {
        if (!c->synopsis)
            continue;
        if (line->n_positionals == 0 && strcmp(c->name, last) != 0)
            offer(line, last = c->name);
        else if (group && c->sub && strcmp(c->name, group) == 0)
            offer(line, c->sub);
    }
}

/* The same behind "help". */
static void offer_helped(const struct line *line)
{
    struct line behind = *line;

    behind.n_positionals--;
    memmove(behind.positionals, line->positionals + 1,
            behind.n_positionals * sizeof(behind.positionals[0]));
    offer_commands(&behind);
}

static void offer_options(const struct line *line, const struct command *command)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        char text[32];

        if (!option_infos[i].everywhere && !(command && command->options & OPTION_BIT(i)))
            continue;
        snprintf(text, sizeof(text), "--%s", option_infos[i].name);
        offer(line, text);
    }
}

/* In lower case and with '-', as people like to write them. */
static void offer_policy(const struct line *line, const char *name)
{
    char text[48];

    for (size_t i = 0; i <= strlen(name) && i < sizeof(text); i++)
        text[i] = name[i] == '_'                     ? '-'
                  : name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a')
                                                     : name[i];
    offer(line, text);
}

static void offer_policies(const struct line *line, enum word kind)
{
    /* Those that Manager.DefaultLoadBalancePolicy takes. */
    static const uint32_t defaults[] = {
        ISCSIWMI_DSM_NONE,         ISCSIWMI_DSM_FAILOVER,
        ISCSIWMI_DSM_ROUND_ROBIN,  ISCSIWMI_DSM_DYN_LEAST_QUEUE_DEPTH,
        ISCSIWMI_DSM_LEAST_BLOCKS,
    };
    const char *name;

    for (uint32_t policy = 1; kind == WORD_POLICY && (name = iscsiwmi_lb_policy_name(policy));
         policy++)
        offer_policy(line, name);
    for (uint32_t policy = 1; kind == WORD_DISK_POLICY && policy < ISCSIWMI_DSM_VENDOR_SPECIFIC;
         policy++)
        offer_policy(line, iscsiwmi_dsm_policy_name(policy));
    for (size_t i = 0; kind == WORD_DEFAULT_POLICY && i < ELEMENTSOF(defaults); i++)
        offer_policy(line, iscsiwmi_dsm_policy_name(defaults[i]));
}

static void offer_list(const struct line *line, const struct report_connections *connections,
                       const char *suffix)
{
    for (size_t i = 0; i < connections->n; i++) {
        _cleanup_free_ char *label = text_connection(connections, &connections->items[i]);
        _cleanup_free_ char *text = NULL;

        if (!label || asprintf(&text, "%s%s", label, suffix) < 0)
            text = NULL;
        else
            offer(line, text);
    }
}

/* The connections of the disk or the session that the line names, else those of all sessions. */
static void offer_connections(const struct line *line, const struct report *report,
                              const char *suffix)
{
    const char *name = line->n_positionals > 2 ? line->positionals[2] : NULL;
    bool is_disk = name && strcmp(line->positionals[0], "disk") == 0;
    const struct report_session *session = NULL;
    const struct report_disk *disk = NULL;
    char *message = NULL;

    if (is_disk)
        (void)names_disk(report, name, &disk, &message);
    else if (name)
        (void)names_session(report, name, &session, &message);
    free(message);
    if (disk)
        offer_list(line, &disk->connections, suffix);
    for (size_t i = 0; !disk && i < report->n_sessions; i++)
        if (!session || session == &report->sessions[i])
            offer_list(line, &report->sessions[i].connections, suffix);
}

/* The short name; the WWID where there is none, or its beginning is written. */
static void offer_disk(const struct line *line, const struct report_disk *disk)
{
    bool is_named = *disk->name && strcmp(disk->name, disk->wwid) != 0;

    if (is_named)
        offer(line, disk->name);
    if (!is_named || *line->current)
        offer(line, disk->wwid);
}

static void offer_names(struct cli *cli, const struct line *line, enum word kind)
{
    _cleanup_report_ struct report *report = NULL;

    if (line->other_host || cli_fetch_report(cli, &report) != EXIT_OK)
        return;
    if (kind == WORD_CONNECTION || kind == WORD_WEIGHT)
        offer_connections(line, report, kind == WORD_WEIGHT ? "=" : "");
    for (size_t i = 0; kind == WORD_SESSION && i < report->n_sessions; i++)
        offer(line, report->sessions[i].target);
    for (size_t i = 0; kind == WORD_DISK && i < report->n_disks; i++)
        offer_disk(line, &report->disks[i]);
    for (size_t i = 0; kind == WORD_ADAPTER && i < report->n_adapters; i++)
        offer(line, report->adapters[i].name);
}

static void offer_words(struct cli *cli, const struct line *line, enum word kind)
{
    switch (kind) {
    case WORD_NONE:
    case WORD_FREE:
        break;
    case WORD_POLICY:
    case WORD_DISK_POLICY:
    case WORD_DEFAULT_POLICY:
        offer_policies(line, kind);
        break;
    case WORD_SHELL:
        offer(line, "bash");
        offer(line, "zsh");
        break;
    case WORD_COMMAND:
        offer_helped(line);
        break;
    default:
        offer_names(cli, line, kind);
    }
}

int run_complete(struct cli *cli)
{
    const struct command *command;
    struct line line;
    size_t n;

    complete_read_line(cli->args, cli->n_args, &line);
    command = complete_find_command(&line);
    if (line.value_kind != WORD_NONE) {
        offer_words(cli, &line, line.value_kind);
        return EXIT_OK;
    }
    if (line.current[0] == '-') {
        offer_options(&line, command);
        return EXIT_OK;
    }
    if (!command) {
        offer_commands(&line);
        return EXIT_OK;
    }
    n = line.n_positionals - (command->sub ? 2 : 1);
    if (n < WORDS_MAX)
        offer_words(cli, &line, command->words[n]);
    return EXIT_OK;
}
