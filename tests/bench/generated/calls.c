/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the measuring programs call the bus with. Reads commands from standard input, and answers
 * each with one line; times are in nanoseconds, those of a moment by CLOCK_MONOTONIC.
 *
 *   repeat N CALL     the time that N calls took, one after the other
 *   during MS CALL    the number of calls that so many milliseconds had room for
 *   policy N          gives each session the policy N, with all paths primary: those that refused
 * it changing MS PAUSE changes the first session's policy to and fro, with pauses of PAUSE ms,
 * until MS have passed: the number of changes, and the time that they took mark forgets the signals
 * until now await N           when N signals have told, since the mark, that a disk's table has
 * changed
 *
 * CALL is DESTINATION PATH INTERFACE MEMBER [STRING...]. With "echo CALL" as arguments, the program
 * is a service that answers each call of anything with the reply that CALL had: what the bus alone
 * can do.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "basic/macros.h"

#define NAME "com.open_iscsi.WMI1"
#define ROOT "/com/open_iscsi/WMI1"
#define ECHO_NAME "com.open_iscsi.Echo"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define CALL_USEC (300ULL * 1000000) /* for valgrind on a slow machine */
#define WORDS_MAX 16
#define PATHS_MAX 64
#define ROUND_ROBIN 2U
#define LEAST_QUEUE_DEPTH 4U

struct path {
    uint64_t id, speed;
    uint32_t weight, primary, status, offload;
};

struct session {
    uint64_t id;
    struct path paths[PATHS_MAX];
    uint32_t n_paths;
};

_Noreturn static void fail(const char *what, int r)
{
    fprintf(stderr, "%s: %s\n", what, strerror(-r));
    exit(EXIT_FAILURE);
}

static int check(const char *what, int r)
{
    if (r < 0)
        fail(what, r);
    return r;
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static sd_bus_message *call(sd_bus *bus, char *const *words)
{
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
    sd_bus_message *reply = NULL;

    check("message",
          sd_bus_message_new_method_call(bus, &message, words[0], words[1], words[2], words[3]));
    for (size_t i = 4; words[i]; i++)
        check("message", sd_bus_message_append(message, "s", words[i]));
    int r = sd_bus_call(bus, message, CALL_USEC, &error, &reply);
    check(error.message ?: words[3], r);
    return reply;
}

static void repeat(sd_bus *bus, char *const *words)
{
    uint64_t n = strtoull(words[0], NULL, 10), before = now();

    for (uint64_t i = 0; i < n; i++)
        sd_bus_message_unref(call(bus, words + 1));
    printf("%" PRIu64 "\n", now() - before);
}

static void during(sd_bus *bus, char *const *words)
{
    uint64_t n = 0, until = now() + strtoull(words[0], NULL, 10) * 1000000;

    for (; now() < until; n++)
        sd_bus_message_unref(call(bus, words + 1));
    printf("%" PRIu64 "\n", n);
}

/* --- Policies --------------------------------------------------------------------------------- */

/* The next session in an array of them. */
static bool read_session(sd_bus_message *reply, struct session *ret)
{
    uint32_t policy, n;

    if (sd_bus_message_enter_container(reply, 'r', "tuua(ttuuuu)") <= 0)
        return false;
    check("session", sd_bus_message_read(reply, "tuu", &ret->id, &policy, &n));
    check("paths", sd_bus_message_enter_container(reply, 'a', "(ttuuuu)"));
    ret->n_paths = 0;
    struct path path;
    while (sd_bus_message_read(reply, "(ttuuuu)", &path.id, &path.speed, &path.weight,
                               &path.primary, &path.status, &path.offload) > 0)
        if (ret->n_paths < PATHS_MAX)
            ret->paths[ret->n_paths++] = path;
    sd_bus_message_exit_container(reply);
    sd_bus_message_exit_container(reply);
    return true;
}

static sd_bus_message *read_policies(sd_bus *bus, const char *adapter)
{
    char *const words[] = {(char *)NAME,
                           (char *)adapter,
                           (char *)PROPERTIES,
                           (char *)"Get",
                           (char *)NAME ".MSiSCSI_QueryLBPolicy",
                           (char *)"LoadBalancePolicies",
                           NULL};
    sd_bus_message *reply = call(bus, words);

    check("policies", sd_bus_message_enter_container(reply, 'v', "a(tuua(ttuuuu))"));
    check("policies", sd_bus_message_enter_container(reply, 'a', "(tuua(ttuuuu))"));
    return reply;
}

static uint32_t set_policy(sd_bus *bus, const char *adapter, const struct session *session,
                           uint32_t policy)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
    uint32_t status;

    check("message",
          sd_bus_message_new_method_call(bus, &message, NAME, adapter,
                                         NAME ".MSiSCSI_LB_Operations", "SetLoadBalancePolicy"));
    sd_bus_message_open_container(message, 'r', "tuua(ttuuuu)");
    sd_bus_message_append(message, "tuu", session->id, policy, session->n_paths);
    sd_bus_message_open_container(message, 'a', "(ttuuuu)");
    for (size_t i = 0; i < session->n_paths; i++)
        sd_bus_message_append(message, "(ttuuuu)", session->paths[i].id, (uint64_t)0, 0U, 1U, 0U,
                              0U);
    sd_bus_message_close_container(message);
    check("message", sd_bus_message_close_container(message));
    check("SetLoadBalancePolicy", sd_bus_call(bus, message, CALL_USEC, NULL, &reply));
    check("status", sd_bus_message_read(reply, "u", &status));
    return status;
}

static void set_all(sd_bus *bus, const char *adapter, uint32_t policy)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = read_policies(bus, adapter);
    struct session session;
    unsigned refused = 0;

    while (read_session(reply, &session))
        refused += set_policy(bus, adapter, &session, policy) != 0;
    printf("%u\n", refused);
}

static void change(sd_bus *bus, const char *adapter, uint64_t milliseconds, unsigned pause)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = read_policies(bus, adapter);
    struct session session;
    uint64_t n = 0, nsec = 0, until = now() + milliseconds * 1000000;

    if (!read_session(reply, &session))
        fail("no session", -ENOENT);
    do {
        uint64_t before = now();
        if (set_policy(bus, adapter, &session, n++ % 2 ? ROUND_ROBIN : LEAST_QUEUE_DEPTH) != 0)
            fail("SetLoadBalancePolicy", -EIO);
        nsec += now() - before;
        usleep(1000 * pause);
    } while (now() < until);
    printf("%" PRIu64 " %" PRIu64 "\n", n, nsec);
}

/* --- Signals ---------------------------------------------------------------------------------- */

static int on_table(sd_bus_message *signal, void *userdata, sd_bus_error *error)
{
    unsigned *n = userdata;
    (*n)++;
    return 0;
}

static void mark(sd_bus *bus, unsigned *n)
{
    char *const words[] = {(char *)NAME, (char *)ROOT, (char *)"org.freedesktop.DBus.Peer",
                           (char *)"Ping", NULL};

    /* What was sent before this answer has come with it. */
    sd_bus_message_unref(call(bus, words));
    while (check("signals", sd_bus_process(bus, NULL)) > 0)
        ;
    *n = 0;
    printf("%" PRIu64 "\n", now());
}

static void await(sd_bus *bus, const unsigned *n, uint64_t wanted)
{
    while (*n < wanted) {
        int r = check("signals", sd_bus_process(bus, NULL));
        if (r == 0 && *n < wanted && check("signals", sd_bus_wait(bus, CALL_USEC)) == 0)
            fail("no signal", -ETIMEDOUT);
    }
    printf("%" PRIu64 "\n", now());
}

/* --- The echo --------------------------------------------------------------------------------- */

static sd_bus_message *echo_reply;

static int on_call(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    uint8_t type;

    if (sd_bus_message_get_type(message, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL)
        return 0;
    check("echo", sd_bus_message_new_method_return(message, &reply));
    check("echo", sd_bus_message_rewind(echo_reply, true));
    check("echo", sd_bus_message_copy(reply, echo_reply, true));
    check("echo", sd_bus_send(NULL, reply, NULL));
    return 1;
}

_Noreturn static void echo(sd_bus *bus, char *const *words)
{
    echo_reply = call(bus, words);
    check("echo", sd_bus_add_filter(bus, NULL, on_call, NULL));
    check(ECHO_NAME, sd_bus_request_name(bus, ECHO_NAME, 0));
    printf("0\n");
    fflush(stdout);
    /* Until the bus goes. */
    for (int r = 0; r >= 0;) {
        r = sd_bus_process(bus, NULL);
        if (r == 0)
            r = sd_bus_wait(bus, UINT64_MAX);
    }
    exit(EXIT_SUCCESS);
}

/* --- Commands --------------------------------------------------------------------------------- */

static void split(char *line, char *words[WORDS_MAX + 1])
{
    size_t n = 0;
    for (char *word = strtok(line, " \n"); word && n < WORDS_MAX; word = strtok(NULL, " \n"))
        words[n++] = word;
    words[n] = NULL;
}

static void obey(sd_bus *bus, char *const *words, unsigned *n_signals)
{
    const char *adapter = getenv("ADAPTER") ?: ROOT;
    const char *command = words[0] ?: "";
    uint64_t n = words[0] && words[1] ? strtoull(words[1], NULL, 10) : 0;

    if (strcmp(command, "repeat") == 0)
        repeat(bus, words + 1);
    else if (strcmp(command, "during") == 0)
        during(bus, words + 1);
    else if (strcmp(command, "policy") == 0)
        set_all(bus, adapter, (uint32_t)n);
    else if (strcmp(command, "changing") == 0 && words[2])
        change(bus, adapter, n, (unsigned)strtoul(words[2], NULL, 10));
    else if (strcmp(command, "mark") == 0)
        mark(bus, n_signals);
    else if (strcmp(command, "await") == 0)
        await(bus, n_signals, n);
    else
        fail(command, -EINVAL);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    unsigned n_signals = 0;
    char *words[WORDS_MAX + 1], line[1024];

    check("bus", sd_bus_open_system(&bus));
    if (argc > 2 && strcmp(argv[1], "echo") == 0)
        echo(bus, argv + 2);
    check("signals", sd_bus_add_match(bus, NULL,
                                      "type='signal',interface='" PROPERTIES "',"
                                      "arg0='" NAME ".DSM_QueryLBPolicy_V2'",
                                      on_table, &n_signals));
    while (fgets(line, sizeof(line), stdin)) {
        split(line, words);
        obey(bus, words, &n_signals);
    }
    return EXIT_SUCCESS;
}
