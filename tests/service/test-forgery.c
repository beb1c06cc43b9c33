/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Signals that another user sends to a client of the library, and to the service, on buses with the
 * distribution's policy, which lets him send them to any connection. A match does not help: sd-bus
 * cannot know which connection has a well-known name, and takes a signal of any.
 */

#include "polkit.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/macros.h"
#include "iscsi-wmi/iscsi-wmi.h"

#define PATIENCE_MS 60000
#define NOBODY 65534

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define DBUS "org.freedesktop.DBus"
#define DBUS_PATH "/org/freedesktop/DBus"
#define OBJECT SESSIONS_PATH "/0000000000000001"

/* ---- one of each kind ---- */

static int fill_added(sd_bus_message *message)
{
    return sd_bus_message_append(message, "oa{sa{sv}}", OBJECT, 1, INTERFACE("Session"), 0);
}

static int fill_removed(sd_bus_message *message)
{
    return sd_bus_message_append(message, "oas", OBJECT, 1, INTERFACE("Session"));
}

static int fill_changed(sd_bus_message *message)
{
    return sd_bus_message_append(message, "sa{sv}as", INTERFACE("Session"), 1, "LoadBalancePolicy",
                                 "u", 6U, 0);
}

static int fill_stopped(sd_bus_message *message)
{
    return sd_bus_message_append(message, "sss", NAME, ":1.0", "");
}

static int fill_started(sd_bus_message *message)
{
    return sd_bus_message_append(message, "sss", NAME, "", ":1.0");
}

static char departed[32]; /* the connection of which the next says that it has left */

static int fill_departed(sd_bus_message *message)
{
    return sd_bus_message_append(message, "sss", departed, departed, "");
}

static const struct kind {
    const char *path, *interface, *member;
    int (*fill)(sd_bus_message *message);
} kinds[] = {
    {ROOT_PATH, OBJECT_MANAGER, "InterfacesAdded", fill_added},
    {OBJECT, PROPERTIES, "PropertiesChanged", fill_changed},
    {ROOT_PATH, OBJECT_MANAGER, "InterfacesRemoved", fill_removed},
    /* those that the bus itself sends */
    {DBUS_PATH, DBUS, "NameOwnerChanged", fill_stopped},
    {DBUS_PATH, DBUS, "NameOwnerChanged", fill_started},
    {DBUS_PATH, DBUS, "NameOwnerChanged", fill_departed},
};

#define SERVICE_KINDS 3U

/* Without a destination it is a broadcast. */
static int send_signal(sd_bus *bus, const struct kind *kind, const char *destination)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;

    int r = sd_bus_message_new_signal(bus, &message, kind->path, kind->interface, kind->member);
    if (r >= 0)
        r = kind->fill(message);
    if (r >= 0 && destination)
        r = sd_bus_message_set_destination(message, destination);
    return r < 0 ? r : sd_bus_send(bus, message, NULL);
}

static int send_signals(sd_bus *bus, const char *destination, size_t n)
{
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++)
        r = send_signal(bus, &kinds[i], destination);
    return r;
}

/* ---- the other user ---- */

/* To whoever is there, and to all. */
static int send_to_all(sd_bus *bus)
{
    char **names = NULL;
    const char *own;

    int r = sd_bus_get_unique_name(bus, &own);
    if (r >= 0)
        r = sd_bus_list_names(bus, &names, NULL);
    if (r < 0)
        return r;
    for (char **name = names; *name; free(*name++))
        if (r >= 0 && **name == ':' && strcmp(*name, own) != 0)
            r = send_signals(bus, *name, ELEMENTSOF(kinds));
    free(names);
    return r < 0 ? r : send_signals(bus, NULL, ELEMENTSOF(kinds));
}

/* The bus has passed all of it on when it answers a call. */
_Noreturn static void run_forger(const struct harness *harness)
{
    sd_bus *bus = harness_connect(harness);

    int r = send_to_all(bus);
    if (r >= 0)
        r = sd_bus_call_method(bus, DBUS, DBUS_PATH, DBUS, "GetId", NULL, NULL, "");
    sd_bus_flush_close_unref(bus);
    _exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Where the tests run as root, he is another one indeed. */
static void forge(const struct harness *harness)
{
    int status;
    pid_t pid = fork_bound();

    if (pid == 0) {
        if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
            _exit(EXIT_FAILURE);
        run_forger(harness);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* ---- the client ---- */

static char seen[1024];

static void on_event(const struct iscsiwmi_event *event, void *userdata)
{
    size_t n = strlen(seen);

    snprintf(seen + n, sizeof(seen) - n, "%u %u\n", event->Type, event->Object);
}

/* Until all that is expected has come, or anything else. */
static void assert_seen(struct iscsiwmi_client *client, const char *expected)
{
    while (strlen(seen) < strlen(expected) && strncmp(seen, expected, strlen(seen)) == 0) {
        struct pollfd p = {0};
        int timeout;

        assert_int_equal(iscsiwmi_client_get_fd(client, &p.fd), 0);
        assert_int_equal(iscsiwmi_client_get_events(client, &p.events), 0);
        assert_int_equal(iscsiwmi_client_get_timeout(client, &timeout), 0);
        if (poll(&p, 1, timeout < 0 ? PATIENCE_MS : timeout) == 0 && timeout < 0)
            break;
        assert_int_equal(iscsiwmi_client_dispatch(client), 0);
    }
    assert_string_equal(seen, expected);
    seen[0] = '\0';
}

static void test_client(struct harness *harness)
{
    struct iscsiwmi_client *client;

    seen[0] = '\0';
    setenv("DBUS_SYSTEM_BUS_ADDRESS", harness->address, 1);
    assert_int_equal(iscsiwmi_client_new(&client), 0);
    assert_int_equal(iscsiwmi_client_connect(client, NULL), 0);
    assert_int_equal(iscsiwmi_client_watch(client, on_event, NULL), 0);
    assert_true(sd_bus_request_name(harness->bus, NAME, 0) >= 0);
    assert_seen(client, "4 1\n");

    forge(harness);
    assert_true(send_signals(harness->bus, NULL, SERVICE_KINDS) >= 0);
    assert_true(sd_bus_flush(harness->bus) >= 0);
    assert_seen(client, "1 3\n3 3\n2 3\n");

    forge(harness);
    assert_true(sd_bus_release_name(harness->bus, NAME) >= 0);
    assert_seen(client, "5 1\n");
    iscsiwmi_client_free(client);
}

/* ---- the service ---- */

/* Somebody asks for a change, about which polkit is asked. */
static void begin_change(sd_bus *bus, sd_bus *polkit, struct question *ret)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
    uint64_t cookie;

    assert_true(sd_bus_message_new_method_call(bus, &message, NAME, ROOT_PATH, PROPERTIES, "Set") >=
                0);
    assert_true(sd_bus_message_append(message, "ssv", INTERFACE("Manager"), "PathWeightOrder", "s",
                                      "lowest-first") >= 0);
    assert_true(sd_bus_send(bus, message, &cookie) >= 0);
    assert_true(sd_bus_flush(bus) >= 0);
    polkit_take(polkit, ret);
    snprintf(departed, sizeof(departed), "%s", ret->caller);
}

static bool is_answer(sd_bus_message *message)
{
    uint64_t cookie;
    return sd_bus_message_get_reply_cookie(message, &cookie) >= 0;
}

/* Until the service has seen all that its second connection was sent, too. */
static void assert_idle(struct harness *harness, sd_bus *polkit)
{
    for (unsigned i = 0; i < 5; i++)
        assert_true(polkit_is_idle(harness, polkit));
}

static void test_service(struct harness *harness)
{
    struct question question;
    char id[32];

    harness_start(harness);
    sd_bus *polkit = polkit_start(harness), *client = harness_connect(harness);

    begin_change(client, polkit, &question);
    forge(harness);
    assert_idle(harness, polkit);
    polkit_answer(&question, true, false);
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = next_message(client, is_answer);
    assert_null(sd_bus_message_get_error(answer));

    begin_change(client, polkit, &question);
    snprintf(id, sizeof(id), "%s", question.id);
    sd_bus_flush_close_unref(client);
    polkit_take_cancel(polkit, id);
    question_end(&question);
    polkit_stop(polkit);
    harness_stop(harness);
}

/* ---- on each bus ---- */

static void test_on(enum bus_kind kind, void (*test)(struct harness *harness))
{
    struct harness *harness = harness_new_on(kind);

    if (!harness)
        skip();
    test(harness);
    harness_free(harness);
}

static void test_client_on_daemon(void **state)
{
    test_on(BUS_DAEMON, test_client);
}

static void test_client_on_broker(void **state)
{
    test_on(BUS_BROKER, test_client);
}

static void test_service_on_daemon(void **state)
{
    test_on(BUS_DAEMON, test_service);
}

static void test_service_on_broker(void **state)
{
    test_on(BUS_BROKER, test_service);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_on_daemon),
        cmocka_unit_test(test_client_on_broker),
        cmocka_unit_test(test_service_on_daemon),
        cmocka_unit_test(test_service_on_broker),
    };
    setenv("ISCSI_WMI_ALWAYS_ASK", "1", 1);
    return harness_result(cmocka_run_group_tests(tests, NULL, NULL));
}
