/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What main.c hands to a command, and how a command says that it failed. A command is one row of
 * the table in command.c and one run function, which returns the exit status; commands of one group
 * share a file, cmd-GROUP.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/report.h"

enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1, /* a Status that is not 0, no such thing, no service */
    EXIT_USAGE = 2,
};

/* --primary CONN, --preferred CONN and --weight CONN=N, in the order in which they were given. */
struct path_option {
    enum path_option_kind {
        PATH_PRIMARY,
        PATH_PREFERRED,
        PATH_WEIGHT,
    } kind;
    const char *value;
};

struct cli {
    char **args; /* the words after the command's own */
    size_t n_args;
    bool json;
    const char *adapter; /* NULL: not given */
    struct path_option *paths;
    size_t n_paths;
    bool statistics;
    const char *count, *size, *timeout; /* of ping; NULL: not given */
    const char *host;                   /* NULL: this one */
    struct iscsiwmi_client *client;     /* NULL: not asked for yet */
};

int run_status(struct cli *cli);
int run_sessions(struct cli *cli);
int run_policy_get(struct cli *cli);
int run_policy_set(struct cli *cli);
int run_policy_clear(struct cli *cli);
int run_policy_default(struct cli *cli);
int run_disk_list(struct cli *cli);
int run_disk_get(struct cli *cli);
int run_disk_set(struct cli *cli);
int run_disk_clear(struct cli *cli);
int run_guid_get(struct cli *cli);
int run_guid_set(struct cli *cli);
int run_guid_new(struct cli *cli);
int run_guid_check(struct cli *cli);
int run_ping(struct cli *cli);
int run_monitor(struct cli *cli);
int run_explain(struct cli *cli);
int run_completion(struct cli *cli);
int run_complete(struct cli *cli);
int run_help(struct cli *cli);

/* Each prints "iscsi-wmi: ..." on standard error and returns the exit status. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_fail_memory(void);
int cli_fail_client(const struct cli *cli);

/*
 * The connection, made by the first of these, and what it tells. Each prints what went wrong and
 * returns the exit status. The manager is freed with iscsiwmi_free().
 */
int cli_connect(struct cli *cli);
int cli_fetch_report(struct cli *cli, struct report **ret_report);
int cli_fetch_manager(struct cli *cli, struct iscsiwmi_manager **ret_manager);

/* For a pointer to what the library has given out, of any type. */
static inline void result_freep(void *pointer)
{
    iscsiwmi_free(*(void **)pointer);
}
#define _cleanup_result_ _cleanup_(result_freep)

/* A disk's policy from its name or any number, for the service says which there are; 0 is "none".
 */
int cli_parse_disk_policy(const char *text, uint32_t *ret_policy);

/* The exit status of a name that was not resolved (names.h); takes the message. */
int cli_fail_name(char *message);

/* 0 for STATUS_SUCCESS; else prints symbol, code and text. */
int cli_finish(uint32_t status);
