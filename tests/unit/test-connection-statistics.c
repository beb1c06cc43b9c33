/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The interface over a socket pair, for a host that need not have the session. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "basic/macros.h"
#include "bus/interfaces/interfaces.h"
#include "bus/names.h"
#include "bus/paths.h"
#include "bus/requests.h"
#include "service/jobs/statistics.h"
#include "service/model/find.h"

#define CONNECTION_ID UINT64_C(0x00000000000000c1)
#define PATH CONNECTION_PREFIX "/00000000000000c1"
#define STATISTICS BUS_INTERFACE("MSiSCSI_ConnectionStatistics")

/* In place of iscsiadm. */
int __wrap_statistics_exec(int fd);
static unsigned told_sid, told_delay_usec;

int __wrap_statistics_exec(int fd)
{
    usleep(told_delay_usec);
    return dprintf(fd,
                   "Stats for session [sid: %u, target: t, portal: p,1]\n"
                   "\ttxdata_octets: 11\n\trxdata_octets: 12\n\tscsicmd_pdus: 13\n"
                   "\ttmfcmd_pdus: 0\n\tscsirsp_pdus: 14\n\ttmfrsp_pdus: 0\n",
                   told_sid) > 0
               ? 0
               : EIO;
}

struct fixture {
    struct host host;
    struct session session, *sessions[1];
    struct connection connection, *connections[1];
    struct kernel_session kernel;
    sd_bus *server, *client;
    sd_bus_message *reply;
};

static int find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                void **ret_found, sd_bus_error *error)
{
    struct host *host = userdata;
    uint64_t id;

    if (!connection_id_of_path(path, &id))
        return 0;
    *ret_found = host_connection(host, id);
    return *ret_found != NULL;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                     sd_bus_error *error)
{
    *ret_nodes = calloc(2, sizeof(char *));
    assert_non_null(*ret_nodes);
    (*ret_nodes)[0] = strdup(PATH);
    return 0;
}

static void start_server(struct fixture *fixture, int fd)
{
    sd_id128_t id;

    assert_true(sd_id128_randomize(&id) >= 0);
    assert_true(sd_bus_new(&fixture->server) >= 0);
    assert_true(sd_bus_set_fd(fixture->server, fd, fd) >= 0);
    assert_true(sd_bus_set_server(fixture->server, 1, id) >= 0);
    assert_true(sd_bus_start(fixture->server) >= 0);
    assert_true(sd_bus_attach_event(fixture->server, fixture->host.event, 0) >= 0);
    assert_true(sd_bus_add_object_manager(fixture->server, NULL, BUS_PATH) >= 0);
    assert_true(sd_bus_add_node_enumerator(fixture->server, NULL, CONNECTION_PREFIX, enumerate,
                                           &fixture->host) >= 0);
    assert_true(sd_bus_add_filter(fixture->server, NULL, connection_statistics_filter,
                                  &fixture->host) >= 0);
    assert_true(sd_bus_add_fallback_vtable(fixture->server, NULL, CONNECTION_PREFIX, STATISTICS,
                                           connection_statistics_vtable, find,
                                           &fixture->host) >= 0);
}

static int setup(void **state)
{
    sigset_t signals;
    int fds[2];
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    assert_int_equal(sigprocmask(SIG_BLOCK, &signals, NULL), 0);
    f->kernel.sid = told_sid = 17;
    f->connection =
        (struct connection){.id = CONNECTION_ID, .session = &f->session, .kernel = &f->kernel};
    f->connections[0] = &f->connection;
    f->session = (struct session){.id = 2,
                                  .adapter_id = 3,
                                  .initiator = (char *)"iqn.2025-01.com.example:host",
                                  .connections = f->connections,
                                  .n_connections = 1};
    f->sessions[0] = &f->session;
    f->host.sessions = f->sessions;
    f->host.n_sessions = 1;
    assert_true(sd_event_new(&f->host.event) >= 0);
    assert_int_equal(requests_new(&f->host.requests), 0);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    start_server(f, fds[0]);
    assert_true(sd_bus_new(&f->client) >= 0);
    assert_true(sd_bus_set_fd(f->client, fds[1], fds[1]) >= 0);
    assert_true(sd_bus_start(f->client) >= 0);
    assert_true(sd_bus_attach_event(f->client, f->host.event, 0) >= 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sd_bus_message_unref(f->reply);
    requests_free(f->host.requests);
    sd_bus_flush_close_unref(f->client);
    sd_bus_flush_close_unref(f->server);
    statistics_free(&f->host);
    sd_event_unref(f->host.event);
    free(f);
    return 0;
}

static int on_reply(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct fixture *f = userdata;
    f->reply = sd_bus_message_ref(message);
    return 0;
}

static void send_call(struct fixture *f, const char *path, const char *interface,
                      const char *member, const char *types, const char *a, const char *b)
{
    f->reply = sd_bus_message_unref(f->reply);
    assert_true(sd_bus_call_method_async(f->client, NULL, NULL, path, interface, member, on_reply,
                                         f, types, a, b) >= 0);
}

static sd_bus_message *wait_for_reply(struct fixture *f)
{
    while (!f->reply)
        assert_true(sd_event_run(f->host.event, 60U * 1000000U) > 0);
    return f->reply;
}

static void assert_number(struct fixture *f, const char *name, uint64_t wanted)
{
    uint64_t value;

    send_call(f, PATH, PROPERTIES_INTERFACE, "Get", "ss", STATISTICS, name);
    assert_true(sd_bus_message_read(wait_for_reply(f), "v", "t", &value) > 0);
    assert_int_equal(value, wanted);
}

static void assert_error(struct fixture *f, const char *name)
{
    const sd_bus_error *error = sd_bus_message_get_error(wait_for_reply(f));
    assert_non_null(error);
    assert_string_equal(error->name, name);
}

struct counts {
    unsigned n, n_refused;
};

static int on_counted(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct counts *counts = userdata;

    counts->n++;
    counts->n_refused += sd_bus_message_is_method_error(message, SD_BUS_ERROR_LIMITS_EXCEEDED);
    return 0;
}

static void ask_and_wait(struct fixture *f, struct counts *counts, unsigned n)
{
    unsigned n_before = counts->n;

    for (unsigned i = 0; i < n; i++)
        assert_true(sd_bus_call_method_async(f->client, NULL, NULL, PATH, PROPERTIES_INTERFACE,
                                             "Get", on_counted, counts, "ss", STATISTICS,
                                             "BytesSent") >= 0);
    while (counts->n < n_before + n)
        assert_true(sd_bus_process(f->client, NULL) > 0 ||
                    sd_event_run(f->host.event, 60U * 1000000U) > 0);
}

/* One more than a client may have waiting is refused, and not for long. */
static void test_bound(void **state)
{
    struct counts counts = {0};

    told_delay_usec = 500000; /* so that all of them wait together */
    ask_and_wait(*state, &counts, COUNTER_READS_MAX_PER_CLIENT + 1);
    told_delay_usec = 0;
    assert_int_equal(counts.n_refused, 1);
    ask_and_wait(*state, &counts, COUNTER_READS_MAX_PER_CLIENT);
    assert_int_equal(counts.n_refused, 1);
}

static void test_get(void **state)
{
    assert_number(*state, "BytesSent", 11);
    assert_number(*state, "BytesReceived", 12);
    assert_number(*state, "PDUCommandsSent", 13);
    assert_number(*state, "PDUResponsesReceived", 14);
    assert_number(*state, "USID", 2);
    assert_number(*state, "UniqueAdapterId", 3);
}

static void test_get_all(void **state)
{
    static const char *const names[] = {
        "InstanceName",
        "Active",
        "iSCSIName",
        "CID",
        "USID",
        "UniqueAdapterId",
        "BytesSent",
        "BytesReceived",
        "PDUCommandsSent",
        "PDUResponsesReceived",
    };
    const char *name;

    send_call(*state, PATH, PROPERTIES_INTERFACE, "GetAll", "s", STATISTICS, NULL);
    sd_bus_message *reply = wait_for_reply(*state);
    assert_true(sd_bus_message_enter_container(reply, 'a', "{sv}") > 0);
    for (size_t i = 0; i < ELEMENTSOF(names); i++) {
        assert_true(sd_bus_message_enter_container(reply, 'e', "sv") > 0);
        assert_true(sd_bus_message_read(reply, "s", &name) > 0);
        assert_string_equal(name, names[i]);
        assert_true(sd_bus_message_skip(reply, "v") > 0);
        assert_true(sd_bus_message_exit_container(reply) > 0);
    }
    assert_true(sd_bus_message_at_end(reply, false) > 0);
}

/* No child runs for it. */
static void test_managed_objects(void **state)
{
    struct fixture *f = *state;

    send_call(f, BUS_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", NULL,
              NULL);
    assert_null(sd_bus_message_get_error(wait_for_reply(f)));
    assert_string_equal(sd_bus_message_get_signature(f->reply, 1), "a{oa{sa{sv}}}");
    assert_null(f->host.statistics);
}

static void test_errors(void **state)
{
    struct fixture *f = *state;

    send_call(f, PATH, PROPERTIES_INTERFACE, "Get", "ss", STATISTICS, "NoSuchCounter");
    assert_error(f, SD_BUS_ERROR_UNKNOWN_PROPERTY);
    send_call(f, CONNECTION_PREFIX "/00000000000000c2", PROPERTIES_INTERFACE, "Get", "ss",
              STATISTICS, "BytesSent");
    assert_error(f, SD_BUS_ERROR_UNKNOWN_OBJECT);
    send_call(f, PATH, PROPERTIES_INTERFACE, "Get", "s", "BytesSent", NULL);
    assert_non_null(sd_bus_message_get_error(wait_for_reply(f)));

    told_sid = 18; /* iscsid does not know the session */
    send_call(f, PATH, PROPERTIES_INTERFACE, "Get", "ss", STATISTICS, "BytesSent");
    assert_non_null(sd_bus_message_get_error(wait_for_reply(f)));
}

static void test_connection_ends_meanwhile(void **state)
{
    struct fixture *f = *state;

    send_call(f, PATH, PROPERTIES_INTERFACE, "Get", "ss", STATISTICS, "BytesSent");
    while (!f->host.statistics)
        assert_true(sd_event_run(f->host.event, 60U * 1000000U) > 0);
    f->host.n_sessions = 0;
    assert_error(f, SD_BUS_ERROR_UNKNOWN_OBJECT);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get, setup, teardown),
        cmocka_unit_test_setup_teardown(test_get_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_managed_objects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connection_ends_meanwhile, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
