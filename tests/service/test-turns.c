/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Eight other users at a time who do what they can, without end, on the buses with the
 * distribution's policy (tests/guest/hostile/attack.c): root's calls pass by, and an honest user's
 * have their turn. For root, who can be other users.
 */

#include "fixture.h"

#include "basic/clock.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANAGER INTERFACE("Manager")
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

/* One answer of all objects takes some milliseconds. */
#define N_SESSIONS 300U

#define N_USERS 8U
#define N_READS 5U /* of the honest one */

#define BEGIN_USEC 200000U /* until they all are at it */
#define PAUSE_USEC 50000U
#define N_CALLS 20U /* of root */

/*
 * Some milliseconds, on two processors that are not the test's alone. Without turns, the first
 * burst of calls alone takes a minute.
 */
#define AT_ONCE_MS 20000

static void add_sessions(const struct harness *harness)
{
    char target[64];

    for (unsigned i = 0; i < N_SESSIONS; i++) {
        snprintf(target, sizeof(target), TARGET "%u", i);
        fixture_add_target(harness, target);
    }
}

/* ---- the others ---- */

static pid_t start_attack(const char *way, uid_t user)
{
    char uid[16];
    pid_t pid = fork_bound();

    if (pid == 0) {
        snprintf(uid, sizeof(uid), "%u", user);
        execl(getenv("ATTACK"), "attack", way, uid, NULL);
        _exit(127);
    }
    return pid;
}

/* A connection of an honest one's, whom the kernel takes for the one who has made it. */
static sd_bus *connect_honestly(const struct harness *harness)
{
    assert_int_equal(seteuid(harness_user(N_USERS)), 0);
    sd_bus *bus = harness_connect(harness);
    assert_int_equal(seteuid(0), 0);
    return bus;
}

/* ---- root ---- */

static int compare(const void *a, const void *b)
{
    return (int)(*(const int64_t *)a - *(const int64_t *)b);
}

static int on_objects(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    unsigned *n_read = userdata;

    if (sd_bus_message_is_method_error(message, NULL))
        fail_msg("an honest user: %s", sd_bus_message_get_error(message)->message);
    ++*n_read;
    return 0;
}

/* One after the other. */
static void read_honestly(sd_bus *bus, unsigned *n_asked, unsigned *n_read)
{
    if (*n_asked == *n_read && *n_asked < N_READS) {
        assert_true(sd_bus_call_method_async(bus, NULL, NAME, ROOT_PATH, OBJECT_MANAGER,
                                             "GetManagedObjects", on_objects, n_read, "") >= 0);
        ++*n_asked;
    }
    while (sd_bus_process(bus, NULL) > 0)
        ;
}

/* A look and a change in turn. */
static void assert_serves_root(struct harness *harness, sd_bus *honest)
{
    int64_t times[N_CALLS], deadline = monotonic_msec() + 60000;
    unsigned n_asked = 0, n_read = 0;

    for (size_t i = 0; i < N_CALLS; i++) {
        int64_t begin = monotonic_msec();

        read_honestly(honest, &n_asked, &n_read);

        if (i % 2 == 0)
            sd_bus_message_unref(call_well(harness, ROOT_PATH, MANAGER, "DescribeStatus", "u", 0U));
        else
            sd_bus_message_unref(call_well(harness, ROOT_PATH, PROPERTIES, "Set", "ssv", MANAGER,
                                           "PathWeightOrder", "s", "lowest-first"));
        times[i] = monotonic_msec() - begin;
        if (times[i] >= AT_ONCE_MS)
            fail_msg("an answer took %d ms", (int)times[i]);
        usleep(PAUSE_USEC);
    }
    while (n_read < N_READS && monotonic_msec() < deadline) {
        read_honestly(honest, &n_asked, &n_read);
        usleep(PAUSE_USEC / 10);
    }
    assert_int_equal(n_read, N_READS);
    qsort(times, N_CALLS, sizeof(*times), compare);
    print_message("root was answered within %d ms, half of the time within %d\n",
                  (int)times[N_CALLS - 1], (int)times[N_CALLS / 2]);
}

static void end_attack(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

/* Each user has one of these ways. */
static void test_ways(struct harness *harness, const char *const ways[N_USERS])
{
    pid_t pids[N_USERS];
    sd_bus *honest = connect_honestly(harness);

    for (unsigned i = 0; i < N_USERS; i++)
        pids[i] = start_attack(ways[i], harness_user(i));
    usleep(BEGIN_USEC);
    assert_serves_root(harness, honest);
    for (size_t i = 0; i < N_USERS; i++)
        end_attack(pids[i]);
    sd_bus_flush_close_unref(honest);
}

static void test_on(enum bus_kind kind)
{
    static const char *const ways[][N_USERS] = {
        {"leave", "leave", "leave", "leave", "leave", "leave", "leave", "leave"},
        {"read", "read", "read", "read", "read", "read", "read", "read"},
        {"stay", "stay", "stay", "stay", "stay", "stay", "stay", "stay"},
        {"leave", "read", "stay", "count", "change", "change", "forge", "listen"},
    };
    struct harness *harness = geteuid() == 0 ? harness_new_on(kind) : NULL;

    if (!harness)
        skip();
    (void)required_env("ATTACK");
    setenv("DBUS_SYSTEM_BUS_ADDRESS", harness->address, 1);
    add_sessions(harness);
    harness_start(harness);
    for (size_t i = 0; i < ELEMENTSOF(ways); i++)
        test_ways(harness, ways[i]);
    harness_stop(harness);
    harness_free(harness);
}

static void test_daemon(void **state)
{
    test_on(BUS_DAEMON);
}

static void test_broker(void **state)
{
    test_on(BUS_BROKER);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_daemon),
        cmocka_unit_test(test_broker),
    };
    return harness_result(cmocka_run_group_tests(tests, NULL, NULL));
}
