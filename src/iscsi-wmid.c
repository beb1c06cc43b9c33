/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The program: puts store, service and bus together and runs the main loop. */

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "bus/asker.h"
#include "bus/names.h"
#include "bus/objects/start.h"
#include "bus/unread.h"
#include "multipath/dm.h"
#include "service/model/freshness.h"
#include "service/reconcile/reconcile.h"
#include "service/start.h"

#define STATE_FILE "state.db"

/* Ports and adapters come of open-iscsi's records, whose lock somebody may hold: up to so long. */
#define RECORDS_WAIT_USEC (3U * 1000000U)

/* Memory that is freed at the heap's end goes back from here on, and what is larger has its own. */
#define HEAP_KEPT (128 * 1024)

DEFINE_CLEANUP(struct host *, service_free);
DEFINE_CLEANUP(struct store *, store_close);

static int daemon_failed(int r, const char *what)
{
    log_error("%s: %s", what, strerror(-r));
    return r;
}

static int open_store(struct store **ret)
{
    _cleanup_free_ char *path = NULL, *message = NULL;
    const char *directory = getenv("STATE_DIRECTORY");

    if (!directory || asprintf(&path, "%s/" STATE_FILE, directory) < 0) {
        path = NULL;
        log_error("STATE_DIRECTORY is not set: start the service through systemd, or set it to a "
                  "directory for the state.");
        return -EINVAL;
    }
    int r = store_open(path, ret, &message);
    if (r < 0)
        log_error("%s", message ?: strerror(-r));
    return r;
}

static bool stopping;

/* A change that has begun is carried to its end: half of a session's maps is no state to leave. */
static void stop(void)
{
    stopping = true;
    (void)sd_notify(0, "STOPPING=1");
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
    stop();
    return 0;
}

static int make_loop(sd_event **ret)
{
    sigset_t signals;
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return -errno;

    int r = sd_event_default(&event);
    if (r >= 0)
        r = sd_event_add_signal(event, NULL, SIGTERM, on_stop, NULL);
    if (r >= 0)
        r = sd_event_add_signal(event, NULL, SIGINT, on_stop, NULL);
    if (r >= 0)
        r = sd_event_set_watchdog(event, true);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(event);
    return 0;
}

/*
 * Clients should find all adapters when the name is there, and CacheValid as it is, but not wait
 * long for it.
 */
static void wait_until_settled(sd_event *event, const struct host *host)
{
    uint64_t now, until;

    (void)sd_event_now(event, CLOCK_MONOTONIC, &until);
    until += RECORDS_WAIT_USEC;
    while (!service_is_settled(host) && !stopping &&
           sd_event_now(event, CLOCK_MONOTONIC, &now) >= 0 && now < until)
        if (sd_event_run(event, until - now) < 0)
            return;
}

/* Nobody could reach the service any more: it ends, and systemd starts one that has a bus. */
static int check_bus(sd_bus *bus, const struct bus_front *front)
{
    bool is_open = sd_bus_is_open(bus) > 0 && sd_bus_is_open(bus_asker()) > 0;

    if (is_open && !unread_is_too_much(front->unread, bus))
        return 0;
    stop();
    return is_open ? -ENOBUFS : daemon_failed(-ENOTCONN, "The system bus has gone");
}

static int loop(sd_event *event, sd_bus *bus, struct host *host, const struct bus_front *front)
{
    int r = 0, end = 0;
    while (r >= 0 && (!stopping || service_is_busy(host))) {
        freshness_next_moment(host);
        r = sd_event_run(event, UINT64_MAX);
        host->is_ending = stopping;
        bus_answer_queued(bus, host, front);
        bus_drain_asker();
        if (!stopping)
            end = check_bus(bus, front);
    }
    return r < 0 ? daemon_failed(r, "The main loop failed") : end;
}

/*
 * As sd_bus_open_system() does it, but nobody can send descriptors: see docs/design.md. What the
 * bus has to say to that is read when the loop runs.
 */
static int open_bus(sd_event *event, sd_bus **ret)
{
    _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
    const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");

    int r = sd_bus_new(&bus);
    if (r >= 0)
        r = sd_bus_set_address(bus, address ?: "unix:path=/run/dbus/system_bus_socket");
    if (r >= 0)
        r = sd_bus_set_bus_client(bus, true);
    if (r >= 0)
        r = sd_bus_negotiate_fds(bus, false);
    if (r >= 0)
        r = sd_bus_start(bus);
    if (r >= 0)
        r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(bus);
    return 0;
}

/*
 * What was answered goes out. Children that still run have the connection, too, and the service's
 * name with it: it is shut down for all of them.
 */
static void close_bus(sd_bus *bus)
{
    (void)sd_bus_flush(bus);
    int fd = sd_bus_get_fd(bus);
    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR);
    sd_bus_close_unref(bus);
}

DEFINE_CLEANUP(sd_bus *, close_bus);

static int no_name(int r)
{
    return daemon_failed(r, "The name " BUS_NAME " cannot be had on the system bus");
}

static int daemon_run(void)
{
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(store_closep) struct store *store = NULL;
    _cleanup_(service_freep) struct host *host = NULL;
    _cleanup_(close_busp) sd_bus *bus = NULL, *asker = NULL;
    _cleanup_(bus_end) struct bus_front front = {0};

    int r = open_store(&store);
    if (r < 0)
        return r;
    r = make_loop(&event);
    if (r < 0)
        return daemon_failed(r, "The main loop cannot be made");
    dm_setup();
    r = service_new(event, store, &host);
    if (r < 0)
        return r;

    r = open_bus(event, &bus);
    if (r >= 0)
        r = open_bus(event, &asker);
    if (r < 0)
        return no_name(r);
    wait_until_settled(event, host);

    r = bus_start(bus, asker, host, &front);
    if (r < 0)
        return no_name(r);

    (void)sd_notifyf(0, "READY=1\nSTATUS=%zu sessions on %zu adapters.", host->n_sessions,
                     host->n_adapters);
    if (!stopping)
        reconcile_begin(host);
    r = loop(event, bus, host, &front);
    service_end(host);
    return r;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("iscsi-wmid %s\n", PROJECT_VERSION);
        return EXIT_SUCCESS;
    }
    if (argc > 1) {
        fprintf(stderr, "iscsi-wmid takes no arguments but --version; systemd starts it.\n");
        return EX_USAGE;
    }

    /* Digests and their key are for nobody else, in no file and in no core: without the unit, too.
     */
    umask(077);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0});

    /* Left to themselves, glibc's limits rise to what the largest message ever needed, and stay. */
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_KEPT);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);

    /* A limit on files is an error of the store's, with a status of its own, and no end. */
    signal(SIGXFSZ, SIG_IGN);

    /* A state that must not be touched is no matter of trying again (see the unit). */
    int r = daemon_run();
    return r == 0                                   ? EXIT_SUCCESS
           : r == -EUCLEAN || r == -EPROTONOSUPPORT ? EX_CONFIG
                                                    : EXIT_FAILURE;
}
