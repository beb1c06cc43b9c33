/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/command.h"

#define JSON OPTION_BIT(OPTION_JSON)
#define ADAPTER OPTION_BIT(OPTION_ADAPTER)
#define PATHS (OPTION_BIT(OPTION_PRIMARY) | OPTION_BIT(OPTION_WEIGHT))
#define DISK_PATHS (PATHS | OPTION_BIT(OPTION_PREFERRED))
#define STATISTICS OPTION_BIT(OPTION_STATISTICS)
#define PING (OPTION_BIT(OPTION_COUNT) | OPTION_BIT(OPTION_SIZE) | OPTION_BIT(OPTION_TIMEOUT))

const struct option_info option_infos[N_OPTIONS] = {
    [OPTION_JSON] = {"json"},
    [OPTION_ADAPTER] = {"adapter", .value = WORD_ADAPTER},
    [OPTION_PRIMARY] = {"primary", .value = WORD_CONNECTION},
    [OPTION_PREFERRED] = {"preferred", .value = WORD_CONNECTION},
    [OPTION_WEIGHT] = {"weight", .value = WORD_WEIGHT},
    [OPTION_STATISTICS] = {"statistics"},
    [OPTION_COUNT] = {"count", .value = WORD_FREE},
    [OPTION_SIZE] = {"size", .value = WORD_FREE},
    [OPTION_TIMEOUT] = {"timeout", .value = WORD_FREE},
    [OPTION_HOST] = {"host", 'H', WORD_FREE, .everywhere = true},
    [OPTION_HELP] = {"help", 'h', .everywhere = true},
    [OPTION_VERSION] = {"version", .everywhere = true},
};

const struct command commands[] = {
    {"status", NULL, 0, 0, JSON, "status", "adapters, sessions, connections and multipath maps",
     run_status},
    {"sessions", NULL, 0, 0, JSON | STATISTICS, "sessions [--statistics]",
     "what sessions and connections have negotiated; what the kernel counts", run_sessions},
    {"policy", "get", 0, 1, JSON, "policy get [SESSION]",
     "load-balance policy of a session, or of all", run_policy_get, .words = {WORD_SESSION}},
    {"policy", "set", 2, 2, PATHS,
     "policy set SESSION POLICY [--primary CONN]... [--weight CONN=N]...",
     "set it, on every multipath map of the session", run_policy_set,
     .words = {WORD_SESSION, WORD_POLICY}},
    {"policy", "clear", 1, 1, 0, "policy clear SESSION",
     "give its maps back to the host's own configuration: policy 6", run_policy_clear,
     .words = {WORD_SESSION}},
    {"policy", "default", 0, 1, JSON, "policy default [POLICY|none]",
     "policy of maps that appear and have none otherwise: shows it, or sets it", run_policy_default,
     .words = {WORD_DEFAULT_POLICY}},
    {"disk", "list", 0, 0, JSON, "disk list", "multipath maps, and where their policies come from",
     run_disk_list},
    {"disk", "get", 1, 1, JSON, "disk get DISK", "policy of one disk, and all of its paths",
     run_disk_get, .words = {WORD_DISK}},
    {"disk", "set", 2, 2, DISK_PATHS,
     "disk set DISK POLICY [--primary CONN]... [--preferred CONN] [--weight CONN=N]...",
     "give it one of its own, which ranks above those of its sessions", run_disk_set,
     .words = {WORD_DISK, WORD_DISK_POLICY}},
    {"disk", "clear", 1, 1, 0, "disk clear DISK",
     "take that back: its session's counts again, else the default, else the host's own",
     run_disk_clear, .words = {WORD_DISK}},
    {"guid", "get", 0, 0, JSON | ADAPTER, "guid get [--adapter ADAPTER]",
     "generational GUID of the adapter", run_guid_get},
    {"guid", "set", 1, 1, ADAPTER, "guid set GUID [--adapter ADAPTER]",
     "set it, and tag records and sessions with it", run_guid_set, .words = {WORD_FREE}},
    {"guid", "new", 0, 0, ADAPTER, "guid new [--adapter ADAPTER]", "set a random one and print it",
     run_guid_new},
    {"guid", "check", 0, 1, JSON, "guid check [ADAPTER]",
     "which of open-iscsi's records have changed since it was set; fails where one has",
     run_guid_check, .words = {WORD_ADAPTER}},
    {"ping", NULL, 1, 1, JSON | ADAPTER | PING,
     "ping ADDRESS [--count N] [--size BYTES] [--timeout MILLISECONDS] [--adapter ADAPTER]",
     "whether a portal answers the host; fails where nothing does", run_ping, .words = {WORD_FREE}},
    {"monitor", NULL, 0, 0, JSON, "monitor", "what happens, one line each, until it is interrupted",
     run_monitor},
    {"explain", NULL, 1, 1, JSON, "explain CODE",
     "what a status means: 0xEFFF0058, decimal or its symbol", run_explain, .words = {WORD_FREE}},
    {"completion", NULL, 1, 1, 0, "completion bash|zsh", "a script for the shell", run_completion,
     .words = {WORD_SHELL}},
    {"complete", NULL, 0, SIZE_MAX, 0, NULL, NULL, run_complete},
    {"help", NULL, 0, 2, 0, "help [COMMAND]", "this text, or what of it is about a command",
     run_help, .words = {WORD_COMMAND, WORD_COMMAND}},
    {0},
};
