/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The command on a service whose one session is logged out, and its completion. */

#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char output[65536]; /* of the last run() */
static char errors[4096];

static int setup(void **state)
{
    struct harness *harness;

    fixture_setup(state);
    harness = *state;
    setenv("DBUS_SYSTEM_BUS_ADDRESS", harness->address, 1);
    setenv("TERM", "dumb", 1);
    return 0;
}

static void read_all(FILE *file, char *text, size_t size)
{
    size_t n = fread(text, 1, size - 1, file);

    assert_true(n < size - 1);
    text[n] = '\0';
}

/* A line of shell in which $I is the command; its exit status. */
static int run(struct harness *harness, const char *line)
{
    char text[1024], path[64];

    snprintf(path, sizeof(path), "%s/errors", harness->directory);
    snprintf(text, sizeof(text), "exec 2>%s; I='%s'; %s", path, required_env("ISCSI_WMI"), line);
    FILE *pipe = popen(text, "re");
    assert_non_null(pipe);
    read_all(pipe, output, sizeof(output));
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    assert_non_null(file);
    read_all(file, errors, sizeof(errors));
    (void)harness_log(harness);
    return WEXITSTATUS(status);
}

static void assert_run(struct harness *harness, int status, const char *line, const char *words)
{
    if (run(harness, line) != status)
        fail_msg("%s: not %d:\n%s%s", line, status, output, errors);
    if (status == 0)
        assert_string_equal(errors, "");
    if (!strstr(status == 0 ? output : errors, words))
        fail_msg("%s: no '%s' in:\n%s%s", line, words, output, errors);
}

static void test_readers(void **state)
{
    assert_run(*state, 0, "$I status", TARGET);
    assert_run(*state, 0, "$I status --json", "\"path_weight_order\": \"lowest-first\"");
    assert_run(*state, 0, "$I sessions", "No iSCSI session");
    assert_run(*state, 0, "$I sessions --statistics --json", "\"sessions\": [");
    assert_run(*state, 0, "$I policy get", TARGET);
    assert_run(*state, 0, "$I policy get --json", "\"changed_records\": [");
    assert_run(*state, 0, "$I guid get --adapter " INITIATOR, "00000000-0000-0000-");
    assert_run(*state, 0, "$I explain 0xEFFF0058", "ISDSC_PATH_COUNT_MISMATCH");
    assert_run(*state, 0, "$I help", "policy clear SESSION");
}

/* The disk that the state knows has no map. */
static void test_disks(void **state)
{
    assert_run(*state, 0, "$I disk list",
               "  -     " DISK_WWID "  no map  6 LEAST_BLOCKS  disk  Pending");
    assert_run(*state, 0, "$I disk list --json", "\"wwid\": \"" DISK_WWID "\"");
    assert_run(*state, 0, "$I disk get " DISK_WWID, "Disk " DISK_WWID "\n");
    assert_non_null(strstr(output, "  Policy     6 LEAST_BLOCKS, from disk, Pending\n"));
    assert_non_null(strstr(output, "  No path.\n"));
    assert_run(*state, 0, "$I disk get /dev/mapper/" DISK_WWID " --json",
               "\"provenance\": \"disk\"");
    assert_non_null(strstr(output, "\"policy\": 6"));
    assert_non_null(strstr(output, "\"paths\": ["));
    assert_run(*state, 1, "$I disk get mpatha", "no disk 'mpatha' among these:\n  " DISK_WWID);
    assert_run(*state, 1, "$I disk set " DISK_WWID " least-blocks",
               "STATUS_NO_SUCH_DEVICE (0xC000000E): There is no multipath map");
    assert_string_equal(output, "");
    assert_run(*state, 1, "$I disk set " DISK_WWID " 1 --primary 10.0.0.1",
               "no connection '10.0.0.1': there is none at all");
    assert_run(*state, 2, "$I disk set " DISK_WWID " 2 --preferred 10.0.0.1", "--preferred goes");
    assert_run(*state, 2, "$I disk set " DISK_WWID " fastest", "no policy of a disk");
    assert_run(*state, 2, "$I disk set " DISK_WWID " 5 --weight 10.0.0.1", "CONN=N");
    assert_run(*state, 2, "$I policy set " TARGET " 1 --preferred 10.0.0.1", "does not go with");
}

static void test_default(void **state)
{
    assert_run(*state, 0, "$I policy default", "none\n");
    assert_run(*state, 0, "$I policy default dyn-least-queue-depth", "");
    assert_string_equal(output, "");
    assert_run(*state, 0, "$I policy default", "4 DYN_LEAST_QUEUE_DEPTH\n");
    assert_run(*state, 0, "$I policy default --json",
               "\"default_policy_name\": \"DYN_LEAST_QUEUE_DEPTH\"");
    assert_run(*state, 0, "$I status --json", "\"default_policy\": 4");
    assert_run(*state, 1, "$I policy default 5", "DefaultLoadBalancePolicy is 0 (none)");
    assert_run(*state, 2, "$I policy default fastest", "no policy of a disk");
    assert_run(*state, 0, "$I policy default none", "");
    assert_run(*state, 0, "$I policy default", "none\n");
}

static void test_explain_a_disks_status(void **state)
{
    assert_run(*state, 0, "$I explain 0xC000000D", "STATUS_INVALID_PARAMETER (0xC000000D)\n");
    assert_run(*state, 0, "$I explain status_io_device_error --json", "\"hex\": \"0xC0000185\"");
    assert_run(*state, 1, "$I explain 0xC000000C", "no Windows status");
}

/* Of a command, a group of them, or all; what it takes is explained, and nothing else. */
static void test_help(void **state)
{
    assert_run(*state, 0, "$I help policy | grep -c '^  iscsi-wmi '", "4\n");
    assert_run(*state, 0, "$I policy set --help | grep -c '^  iscsi-wmi '", "1\n");
    assert_run(*state, 0, "$I policy set a b --help", "5 WEIGHTED_PATHS");
    assert_run(*state, 0, "$I disk get --help", "DISK     WWID");
    assert_run(*state, 0, "$I disk get --help | grep -c '^Policies' || true", "0\n");
    assert_run(*state, 0, "$I monitor --help | grep -c '^Names' || true", "0\n");
    assert_run(*state, 0, "$I help", "iscsi-wmi --version");
    assert_run(*state, 2, "$I help nonsense", "no command 'nonsense'");
    assert_run(*state, 2, "$I policy take --help", "no command 'policy take'");
    assert_run(*state, 2, "$I complete --help", "no command 'complete'");
}

static void test_usage(void **state)
{
    assert_run(*state, 2, "$I", "no command");
    assert_run(*state, 2, "$I policy", "a second word, one of get, set, clear, default;");
    assert_run(*state, 2, "$I policy take", "no command 'policy take'");
    assert_run(*state, 2, "$I policy clear", "too few words");
    assert_run(*state, 2, "$I status --count 3", "--count does not go with 'status'");
    assert_run(*state, 2, "$I ping 127.0.0.1 --count many", "--count takes a number");
    assert_run(*state, 2, "$I status -x", "no option -x");
    assert_run(*state, 2, "$I status -H", "needs a value");
    assert_run(*state, 2, "$I completion fish", "fish");
    assert_run(*state, 1, "$I policy clear nothing", "no session 'nothing'");
    assert_run(*state, 1, "PATH=/nowhere $I -H user@host.example status", "user@host.example: ");
    assert_run(*state, 1, "$I status >/dev/full", "standard output");
}

static void test_no_colour_in_a_pipe(void **state)
{
    assert_run(*state, 0, "TERM=xterm $I status", "Session");
    assert_null(strchr(output, '\033'));
}

static void test_ping(void **state)
{
    assert_run(*state, 1, "$I ping not.an.address", "ISDSC_DNS_NAME_UNRESOLVED (0xEFFF005F)");
    assert_run(*state, 1, "$I ping 127.0.0.1 --count 65", "ISDSC_INVALID_PARAMETER");
    if (run(*state, "$I ping 127.0.0.1 --count 2 --size 100 --timeout 500") != 0 &&
        strstr(errors, "ISDSC_REQUEST_NOT_SUPPORTED"))
        skip(); /* this user may not ping */
    assert_string_equal(output, "127.0.0.1: 2 of 2 answered\n");
    assert_run(*state, 0, "$I ping 127.0.0.1 --json", "\"answered\": 4");
}

#define IFACE "ifaces/eth1"
#define IFACE_TEXT "iface.initiatorname = " INITIATOR "\niface.mtu = "
#define CHECK "$I guid check " INITIATOR

/* The reason comes, or goes, some time after the record. */
static void wait_for_check(struct harness *harness, int status)
{
    for (int i = 0; i < 300 && run(harness, CHECK) != status; i++)
        (void)poll(NULL, 0, 100);
}

static void test_guid_check(void **state)
{
    put_record(*state, IFACE, IFACE_TEXT "1500\n");
    assert_run(*state, 0, "$I guid set 00000000-0000-0000-0000-00000000002a --adapter " INITIATOR,
               "-00000000002a");
    assert_run(*state, 0, CHECK, "");
    assert_string_equal(output, "");
    assert_run(*state, 0, CHECK " --json", "\"cache_valid\": true");
    put_record(*state, IFACE, IFACE_TEXT "9000\n");
    wait_for_check(*state, 1);
    assert_run(*state, 1, CHECK, "changed");
    assert_non_null(strstr(output, "Adapter " INITIATOR "\n"));
    assert_non_null(strstr(output, "  iface  eth1    changed  iface.mtu\n"));
    assert_run(*state, 1, CHECK " --json", "changed");
    assert_non_null(strstr(output, "\"cache_valid\": false"));
    assert_run(*state, 0, "$I status", "iscsi-wmi guid check");
    put_record(*state, IFACE, IFACE_TEXT "1500\n");
    wait_for_check(*state, 0);
    assert_run(*state, 0, CHECK, "");
    assert_run(*state, 1, "$I guid check nothing", "no adapter 'nothing'");
}

/* ---- completion ---- */

/* What the words become: all of them, in one line. */
static void assert_completes(struct harness *harness, const char *words, const char *expected)
{
    char line[512];

    snprintf(line, sizeof(line), "$I complete -- %s | tr '\\n' ' '", words);
    assert_run(harness, 0, line, "");
    assert_string_equal(output, expected);
}

static void test_completion(void **state)
{
    assert_completes(*state, "st", "status ");
    assert_completes(*state, "s", "status sessions ");
    assert_completes(*state, "com", "completion ");
    assert_completes(*state, "policy ''", "get set clear default ");
    assert_completes(*state, "policy c", "clear ");
    assert_completes(*state, "policy clear ''", TARGET " ");
    assert_completes(*state, "policy clear " TARGET " ''", "");
    assert_completes(*state, "policy set iqn.2025-01.com.example:t", TARGET " ");
    assert_completes(*state, "policy set " TARGET " round", "round-robin round-robin-with-subset ");
    assert_completes(*state, "policy set " TARGET " 2 --p", "--primary ");
    assert_completes(*state, "policy set " TARGET " 2 --primary ''", "");
    assert_completes(*state, "policy default l", "least-blocks ");
    assert_completes(*state, "policy default ''",
                     "none failover round-robin dyn-least-queue-depth least-blocks ");
    assert_completes(*state, "disk ''", "list get set clear ");
    assert_completes(*state, "disk get ''", DISK_WWID " ");
    assert_completes(*state, "disk clear 3", DISK_WWID " ");
    assert_completes(*state, "disk clear x", "");
    assert_completes(*state, "disk set " DISK_WWID " l", "least-blocks ");
    assert_completes(*state, "disk set " DISK_WWID " 1 --p", "--primary --preferred ");
    assert_completes(*state, "disk set " DISK_WWID " 1 --preferred ''", "");
    assert_completes(*state, "-H user@host disk get ''", "");
    assert_completes(*state, "guid get --adapter iqn.2025", INITIATOR " ");
    assert_completes(*state, "guid check iqn.2025", INITIATOR " ");
    assert_completes(*state, "--json st", "status ");
    assert_completes(*state, "-H user@host status --j", "--json ");
    assert_completes(*state, "-H user@host policy clear ''", "");
    assert_completes(*state, "explain ''", "");
    assert_completes(*state, "completion ''", "bash zsh ");
    assert_completes(*state, "help gu", "guid ");
    assert_completes(*state, "help guid ''", "get set new check ");
    assert_completes(*state, "help ping ''", "");
    assert_completes(*state, "nonsense --", "--host --help --version ");
    assert_completes(*state, "",
                     "status sessions policy disk guid ping monitor explain completion help ");
}

/* The script in a bash of its own, which is told what stands behind the command. */
static void assert_bash_completes(struct harness *harness, const char *line, const char *expected)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "bash -c 'eval \"$(\"$1\" completion bash)\"; COMP_LINE=\"$1$2\"; "
             "COMP_POINT=${#COMP_LINE}; _iscsi_wmi; echo \"${COMPREPLY[*]}\"' bash $I '%s'",
             line);
    assert_run(harness, 0, text, "");
    assert_string_equal(output, expected);
}

/* As bash calls it; a name that it would break is given from the break on. */
static void test_bash(void **state)
{
    if (system("command -v bash >/dev/null") != 0)
        skip();
    assert_bash_completes(*state, " pol", "policy\n");
    assert_bash_completes(*state, " policy ", "get set clear default\n");
    assert_bash_completes(*state, " disk get 3", DISK_WWID "\n");
    assert_bash_completes(*state, " policy clear iqn", TARGET "\n");
    assert_bash_completes(*state, " policy clear iqn.2025-01.com.example:t", "target\n");
    assert_bash_completes(*state, " nothing at all", "\n");
}

/* What bash makes of the completed word when the line is run, where a target has that name. */
static void assert_bash_reads(struct harness *harness, const char *name)
{
    setenv("NAME", name, 1);
    assert_run(harness, 0,
               "bash -c 'eval \"$(\"$1\" completion bash)\"; "
               "named() { printf \"%s\\n\" \"iqn.2025-01.com.example:$NAME\"; }; "
               "COMP_LINE=\"named policy get iqn.2025-01.com.example:\"; "
               "COMP_POINT=${#COMP_LINE}; _iscsi_wmi; "
               "eval \"set -- ${COMPREPLY[0]}\"; printf \"%s\" \"$#\" \"$@\"' bash $I",
               "1");
    assert_string_equal(output + 1, name);
}

/* A target calls itself what it likes. */
static void test_bash_runs_no_name(void **state)
{
    static const char *const names[] = {
        "disks", "e$(echo ran)", "e`echo ran`", "e;echo${IFS}ran;",
        "a b",   "a'b\"c\\d",    "$HOME",       "~",
        "*",     "{a,b}",        "a&b|c>d<e",   "(a)[b]",
        "a!b#c", "\\$(a)",       "caf\xc3\xa9",
    };

    if (system("command -v bash >/dev/null") != 0)
        skip();
    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        assert_bash_reads(*state, names[i]);
    unsetenv("NAME");
}

/* ---- monitor ---- */

static pid_t start_monitor(const char *option, int *ret_fd)
{
    const char *program = required_env("ISCSI_WMI");
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        execl(program, program, "monitor", option, NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    close(fds[1]);
    *ret_fd = fds[0];
    return pid;
}

/* Reads until the words come, while `line` makes it happen again and again. */
static void read_until(struct harness *harness, int fd, const char *words, const char *line)
{
    char text[16384] = "";
    size_t n = 0;

    for (int i = 0; i < 300 && !strstr(text, words); i++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        (void)run(harness, line);
        if (poll(&p, 1, 100) <= 0)
            continue;
        ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
        text[n] = '\0';
    }
    if (!strstr(text, words))
        fail_msg("no '%s' in:\n%s", words, text);
    assert_int_equal(text[n - 1], '\n');
}

static void assert_monitor(struct harness *harness, const char *option, const char *line,
                           const char *words)
{
    int fd, status;
    pid_t pid = start_monitor(option, &fd);

    read_until(harness, fd, words, line);
    assert_int_equal(kill(pid, SIGINT), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(fd);
}

#define NEW_GUID "$I guid new --adapter " INITIATOR

static void test_monitor(void **state)
{
    assert_monitor(*state, NULL, NEW_GUID, " changed MSiSCSI_HBAInformation: GenerationalGuid=");
}

static void test_monitor_json(void **state)
{
    assert_monitor(*state, "--json", NEW_GUID,
                   "\"class\":\"MSiSCSI_HBAInformation\",\"changes\":{\"GenerationalGuid\":\"");
}

/* A default that changes is one's own to have: each clear is an event. */
static void test_monitor_disk(void **state)
{
    static const char line[] =
        "for p in 4 6; do $I policy default $p; $I disk clear " DISK_WWID "; done";

    if (run(*state, "$I disk list --json | tr -d ' \\n' | grep -q '\\[1,2,3,4,5,6\\]'") != 0)
        skip(); /* a kernel without the selectors has no default to give */
    assert_monitor(*state, NULL, line, " disk " DISK_WWID " changed Disk: ");
    assert_monitor(*state, "--json", line,
                   "\"object\":\"disk\",\"id\":null,\"wwid\":\"" DISK_WWID "\"");
    assert_run(*state, 0, "$I disk list", "  default  ");
    assert_run(*state, 0, "$I policy default none", "");
}

/* ---- the last, for they take the disk and the session away ---- */

static void test_disk_clear(void **state)
{
    assert_run(*state, 0, "$I disk clear " DISK_WWID, "");
    assert_string_equal(output, "");
    assert_run(*state, 1, "$I disk clear " DISK_WWID, "there is none at all");
    assert_run(*state, 0, "$I disk list", "No disk on this host");
    assert_run(*state, 0, "$I disk list --json", "\"disks\": [");
}

static void test_policy_clear(void **state)
{
    assert_run(*state, 0, "$I policy clear " TARGET, "");
    assert_string_equal(output, "");
    assert_run(*state, 1, "$I policy clear " TARGET, "there is none at all");
}

static void test_no_service(void **state)
{
    harness_stop(*state);
    assert_run(*state, 1, "$I status", "not running");
    assert_run(*state, 0, "$I explain 0", "STATUS_SUCCESS");
    assert_run(*state, 1, "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere $I monitor", "D-Bus");
    harness_start(*state);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers),
        cmocka_unit_test(test_disks),
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_explain_a_disks_status),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_no_colour_in_a_pipe),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_guid_check),
        cmocka_unit_test(test_completion),
        cmocka_unit_test(test_bash),
        cmocka_unit_test(test_bash_runs_no_name),
        cmocka_unit_test(test_monitor),
        cmocka_unit_test(test_monitor_json),
        cmocka_unit_test(test_monitor_disk),
        cmocka_unit_test(test_disk_clear),
        cmocka_unit_test(test_policy_clear),
        cmocka_unit_test(test_no_service),
        cmocka_unit_test(harness_test_clean_end),
    };
    return harness_result(cmocka_run_group_tests(tests, setup, harness_teardown));
}
