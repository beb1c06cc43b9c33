/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The commands and options as tables: the command line is read, help is printed and words are
 * completed by them. A new command is a row in command.c and a run function.
 */

#include "cli/cli.h"

/* What a word or an option's value is: for completion. */
enum word {
    WORD_NONE, /* an option without a value; no word at all */
    WORD_FREE, /* anything */
    WORD_SESSION,
    WORD_CONNECTION,
    WORD_WEIGHT, /* a connection, '=' and a number */
    WORD_ADAPTER,
    WORD_DISK,
    WORD_POLICY,
    WORD_DISK_POLICY,
    WORD_DEFAULT_POLICY,
    WORD_SHELL,
    WORD_COMMAND, /* of help: a command's word */
};

enum option_index {
    OPTION_JSON,
    OPTION_ADAPTER,
    OPTION_PRIMARY,
    OPTION_PREFERRED,
    OPTION_WEIGHT,
    OPTION_STATISTICS,
    OPTION_COUNT,
    OPTION_SIZE,
    OPTION_TIMEOUT,
    OPTION_HOST,
    OPTION_HELP,
    OPTION_VERSION,
    N_OPTIONS,
};

#define OPTION_BIT(index) (1U << (index))

struct option_info {
    const char *name;
    char letter; /* 0: none */
    enum word value;
    bool everywhere; /* goes with every command */
};

extern const struct option_info option_infos[N_OPTIONS];

#define WORDS_MAX 3U

struct command {
    const char *name;
    const char *sub; /* NULL: a command of one word */
    size_t min_args;
    size_t max_args;
    unsigned options;     /* OPTION_BITs */
    const char *synopsis; /* NULL: not for people */
    const char *help;
    int (*run)(struct cli *cli);
    enum word words[WORDS_MAX]; /* those behind the command's own */
};

/* The last has no name. */
extern const struct command commands[];
