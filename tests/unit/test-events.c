/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is looked at where events were lost. The monitor hears of nothing here; its socket is one
 * that a test can overfill, which takes no privilege with UDP, and the kernel counts what it loses
 * likewise.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-device.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "basic/macros.h"
#include "basic/netlink.h"
#include "multipath/drop-in.h"
#include "service/base/path-watch.h"
#include "service/base/timer.h"
#include "service/reconcile/events.h"
#include "service/reconcile/reconcile.h"

#define SIDS_MAX 64U
#define PATIENCE_USEC (20U * 1000000U)
#define QUIET_USEC 1500000U /* longer than what is noticed waits for its look */
#define MINUTE_USEC (60U * 1000000U)

/* The kernel's sessions, those of the model, and what was done about them. */
static struct {
    sd_event *event;
    struct host host;
    struct session session, *sessions[1];
    struct connection connections[SIDS_MAX], *pointers[SIDS_MAX];
    struct kernel_session kernel[SIDS_MAX];
    const uint32_t *there;
    size_t n_there;
    int list_error; /* of the next list */
    unsigned looks[SIDS_MAX];
    unsigned n_looks_at_maps;
    sd_event_source *source; /* the monitor's */
    int fd, sender;
    sd_device_monitor_handler_t handler;
    path_watch_filter_t concerns;            /* of what is in conf.d */
    path_watch_func_t on_file, on_directory; /* multipath's main file, conf.d */
    void *userdata;
    unsigned n_configurations; /* that were taken for others than before */
    struct events *events;
    bool in_no_time; /* timers are due at once, and their times are added up */
    uint64_t usec;
} world;

/* --- What events.c calls, by the linker's doing --------------------------------------------- */

int __real_timer_set_in(struct timer *timer, uint64_t usec);

int __wrap_sd_device_monitor_start(sd_device_monitor *monitor, sd_device_monitor_handler_t func,
                                   void *userdata);
sd_event_source *__wrap_sd_device_monitor_get_event_source(sd_device_monitor *monitor);
int __wrap_timer_set_in(struct timer *timer, uint64_t usec);
int __wrap_kernel_session_list(uint32_t **ret, size_t *ret_n);
int __wrap_host_refresh_sid(struct host *host, uint32_t sid);
struct connection *__wrap_host_find_sid(struct host *host, uint32_t sid);
void __wrap_reconcile_everything(struct host *host);
void __wrap_reconcile_configuration(struct host *host);
int __wrap_path_watch_file(sd_event *event, const char *path, path_watch_func_t func,
                           void *userdata, struct path_watch **ret);
int __wrap_path_watch_directory(sd_event *event, const char *path, path_watch_filter_t filter,
                                path_watch_func_t func, void *userdata, struct path_watch **ret);

int __wrap_sd_device_monitor_start(sd_device_monitor *monitor, sd_device_monitor_handler_t func,
                                   void *userdata)
{
    world.handler = func;
    world.userdata = userdata;
    return 0;
}

sd_event_source *__wrap_sd_device_monitor_get_event_source(sd_device_monitor *monitor)
{
    return world.source;
}

static uint64_t delay(uint64_t usec)
{
    if (!world.in_no_time)
        return usec;
    world.usec += usec;
    return 0;
}

int __wrap_timer_set_in(struct timer *timer, uint64_t usec)
{
    timer->accuracy_usec = 1;
    return __real_timer_set_in(timer, delay(usec));
}

int __wrap_kernel_session_list(uint32_t **ret, size_t *ret_n)
{
    int error = world.list_error;

    world.list_error = 0;
    if (error < 0)
        return error;
    *ret = calloc(world.n_there + 1, sizeof(**ret));
    assert_non_null(*ret);
    if (world.n_there > 0)
        memcpy(*ret, world.there, world.n_there * sizeof(**ret));
    *ret_n = world.n_there;
    return 0;
}

int __wrap_host_refresh_sid(struct host *host, uint32_t sid)
{
    assert_true(sid < SIDS_MAX);
    world.looks[sid]++;
    return 0;
}

struct connection *__wrap_host_find_sid(struct host *host, uint32_t sid)
{
    for (size_t i = 0; i < world.session.n_connections; i++)
        if (world.kernel[i].sid == sid)
            return &world.connections[i];
    return NULL;
}

void __wrap_reconcile_everything(struct host *host)
{
    world.n_looks_at_maps++;
}

void __wrap_reconcile_configuration(struct host *host)
{
    world.n_configurations++;
}

int __wrap_path_watch_file(sd_event *event, const char *path, path_watch_func_t func,
                           void *userdata, struct path_watch **ret)
{
    world.on_file = func;
    return 0;
}

int __wrap_path_watch_directory(sd_event *event, const char *path, path_watch_filter_t filter,
                                path_watch_func_t func, void *userdata, struct path_watch **ret)
{
    world.concerns = filter;
    world.on_directory = func;
    return 0;
}

/* --- The host of a test --------------------------------------------------------------------- */

static void know(const uint32_t *sids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        world.kernel[i].sid = sids[i];
        world.connections[i].kernel = &world.kernel[i];
        world.pointers[i] = &world.connections[i];
    }
    world.session.connections = world.pointers;
    world.session.n_connections = n;
}

static void have(const uint32_t *sids, size_t n)
{
    world.there = sids;
    world.n_there = n;
}

static void begin_events(void)
{
    assert_int_equal(events_new(&world.host, &world.events), 0);
}

static void forget_looks(void)
{
    memset(world.looks, 0, sizeof(world.looks));
    world.n_looks_at_maps = 0;
}

/* Each of these sids was looked at once, and no other. */
static void assert_looked_at(const uint32_t *sids, size_t n)
{
    unsigned wanted[SIDS_MAX] = {0};

    for (size_t i = 0; i < n; i++)
        wanted[sids[i]] = 1;
    for (uint32_t sid = 0; sid < SIDS_MAX; sid++)
        if (world.looks[sid] != wanted[sid])
            fail_msg("session %u: %u looks instead of %u", sid, world.looks[sid], wanted[sid]);
}

/* An event that tells nothing. */
static void hear(void)
{
    assert_int_equal(world.handler(NULL, NULL, world.userdata), 0);
}

/* More than the socket has room for. Returns how many messages it has lost in all. */
static uint32_t lose_some(void)
{
    static const char message[512];
    uint32_t before, dropped;

    assert_int_equal(netlink_dropped(world.fd, &before), 0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(send(world.sender, message, sizeof(message), 0), sizeof(message));
    assert_int_equal(netlink_dropped(world.fd, &dropped), 0);
    assert_true(dropped > before);
    return dropped;
}

static void run_for(uint64_t usec)
{
    uint64_t end, now;

    assert_true(sd_event_now(world.event, CLOCK_MONOTONIC, &end) >= 0);
    end += usec;
    while (sd_event_now(world.event, CLOCK_MONOTONIC, &now) >= 0 && now < end)
        assert_true(sd_event_run(world.event, end - now) >= 0);
}

static void run_until_looked(void)
{
    uint64_t end, now;

    assert_true(sd_event_now(world.event, CLOCK_MONOTONIC, &end) >= 0);
    end += PATIENCE_USEC;
    while (world.n_looks_at_maps == 0) {
        assert_true(sd_event_now(world.event, CLOCK_MONOTONIC, &now) >= 0 && now < end);
        assert_true(sd_event_run(world.event, end - now) >= 0);
    }
}

static int on_message(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    return 0;
}

static int make_socket(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    const int small = 1; /* which the kernel raises to its least */

    world.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    world.sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (world.fd < 0 || world.sender < 0 ||
        setsockopt(world.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) < 0 ||
        bind(world.fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        getsockname(world.fd, (struct sockaddr *)&address, &size) < 0 ||
        connect(world.sender, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -1;
    return 0;
}

static int begin(void **state)
{
    memset(&world, 0, sizeof(world));
    if (sd_event_new(&world.event) < 0 || make_socket() < 0 ||
        sd_event_add_io(world.event, &world.source, world.fd, 0, on_message, NULL) < 0)
        return -1;
    world.host.event = world.event;
    world.sessions[0] = &world.session;
    world.host.sessions = world.sessions;
    world.host.n_sessions = 1;
    world.session.host = &world.host;
    return 0;
}

static int end(void **state)
{
    events_free(world.events);
    sd_event_source_unref(world.source);
    sd_event_unref(world.event);
    close(world.fd);
    close(world.sender);
    return 0;
}

/* --- Tests ---------------------------------------------------------------------------------- */

static const uint32_t known[] = {1, 2, 5}, there[] = {2, 3, 4, 5}, either[] = {1, 2, 3, 4, 5},
                      parted[] = {1, 3, 4};

/* Between the first look at the host and the first event. */
static void test_start(void **state)
{
    know(known, ELEMENTSOF(known));
    have(there, ELEMENTSOF(there));
    begin_events();
    assert_looked_at(parted, ELEMENTSOF(parted));
    assert_int_equal(world.n_looks_at_maps, 0);
}

static void test_nothing_lost(void **state)
{
    know(known, ELEMENTSOF(known));
    have(known, ELEMENTSOF(known));
    begin_events();
    hear();
    run_for(QUIET_USEC);
    assert_looked_at(NULL, 0);
    assert_int_equal(world.n_looks_at_maps, 0);
}

static void begin_with_known(void)
{
    know(known, ELEMENTSOF(known));
    have(known, ELEMENTSOF(known));
    begin_events();
    have(there, ELEMENTSOF(there));
}

/* Once for all that were lost, until more are. */
static void test_losses(void **state)
{
    begin_with_known();
    (void)lose_some();
    for (unsigned i = 0; i < 5; i++) {
        hear();
        (void)lose_some();
    }
    run_until_looked();
    assert_looked_at(either, ELEMENTSOF(either));

    hear();
    run_for(QUIET_USEC);
    assert_int_equal(world.n_looks_at_maps, 1);

    forget_looks();
    (void)lose_some();
    hear();
    run_until_looked();
    assert_looked_at(either, ELEMENTSOF(either));
    assert_int_equal(world.n_looks_at_maps, 1);
}

/* Such as no file descriptor left: without the list, nothing would be found. */
static void test_list_fails(void **state)
{
    begin_with_known();
    (void)lose_some();
    hear();
    world.list_error = -EMFILE;
    run_until_looked();
    assert_looked_at(either, ELEMENTSOF(either));
}

/* The time that unnamed sessions are given does not depend on how many there are. */
static void test_unnamed(void **state)
{
    uint32_t unnamed[32];

    for (uint32_t i = 0; i < ELEMENTSOF(unnamed); i++)
        unnamed[i] = i + 1;
    world.host.unidentified = unnamed;
    world.host.n_unidentified = ELEMENTSOF(unnamed);
    world.in_no_time = true;
    begin_events();
    run_for(QUIET_USEC);
    assert_int_equal(world.usec, MINUTE_USEC);
    for (size_t i = 0; i < ELEMENTSOF(unnamed); i++)
        assert_int_equal(world.looks[unnamed[i]], world.looks[unnamed[0]]);
    assert_int_equal(world.looks[unnamed[0]], MINUTE_USEC / 500000U);
}

/* What the service writes itself is no news to it. */
static void test_configuration(void **state)
{
    begin_events();
    assert_true(world.concerns("99-admin.conf"));
    assert_true(world.concerns(".old.conf"));
    assert_false(world.concerns(DROP_IN_NAME));
    assert_false(world.concerns("99-admin.conf~"));
    world.on_file(world.events);
    world.on_directory(world.events);
    assert_int_equal(world.n_configurations, 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start, begin, end),
        cmocka_unit_test_setup_teardown(test_nothing_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_losses, begin, end),
        cmocka_unit_test_setup_teardown(test_list_fails, begin, end),
        cmocka_unit_test_setup_teardown(test_unnamed, begin, end),
        cmocka_unit_test_setup_teardown(test_configuration, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
