/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Clients that ask for more than there is, by service/base/bounds.h, and clients that never read. A
 * SetGenerationalGuid waits as long as a test holds open-iscsi's lock; one adapter can have one.
 */

#include "fixture.h"
#include "polkit.h"

#include "basic/clock.h"
#include "service/base/bounds.h"
#include "wmi/status.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECURITY INTERFACE("MSiSCSI_SecurityConfigOperations")
#define MANAGER INTERFACE("Manager")
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define N_ADAPTERS (CHANGES_MAX + 4U)

/* Some 220 KB each: twice what the harness' bus takes of a service. */
#define FLOODS 11U
#define FLOOD_CALLS 10U

/* Of one message, which is a sixtieth of what the harness' bus keeps for the service. */
#define BALLAST 200000U
/*
 * Their answers are less than UNREAD_MAX: a client that has more to read, because it is slow, is
 * not answered.
 */
#define CALLS_AT_A_TIME 30U
#define BALLASTS 4U /* behind each */

/* Some 250 bytes each: five times what it takes for the service to end. */
#define LISTENER_SIGNALS 20000U

/*
 * "At once": two tenths of a second on two busy processors; the rest is for sanitizers and
 * neighbours. (Under valgrind this does not run.) A service that is slow for a bound's sake is so
 * for longer.
 */
#define AT_ONCE_MS 10000

static const uint8_t guid[16] = {1, 2, 3};

static void add_sessions(const struct harness *harness)
{
    struct store *store = NULL;
    char *message = NULL, initiator[64];

    assert_int_equal(store_open(harness->state_file, &store, &message), 0);
    for (unsigned i = 0; i < N_ADAPTERS; i++) {
        struct store_path path = {
            .connection_id = i + 1,
            .iface = (char *)"default",
            .address = (char *)"192.0.2.1",
            .port = 3260,
            .primary = true,
        };
        struct store_policy policy = {
            .initiator = initiator,
            .target = (char *)TARGET,
            .policy = LB_ROUND_ROBIN,
            .paths = &path,
            .n_paths = 1,
        };
        snprintf(initiator, sizeof(initiator), INITIATOR "%u", i);
        assert_int_equal(store_put_policy(store, &policy), 0);
    }
    store_close(store);
}

static int setup(void **state)
{
    struct harness *harness = harness_new();
    *state = harness;
    add_sessions(harness);
    put_record(harness, "lock/lock", "");
    harness_start(harness);
    return 0;
}

/* Answers as they come. */
struct answers {
    unsigned n, n_refused;
};

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct answers *answers = userdata;
    uint32_t status;

    assert_true(sd_bus_message_read(reply, "u", &status) > 0);
    assert_true(status == STATUS_SUCCESS || status == ISDSC_OUT_OF_RESOURCES);
    answers->n++;
    answers->n_refused += status == ISDSC_OUT_OF_RESOURCES;
    return 0;
}

static void begin_change(sd_bus *bus, unsigned adapter, struct answers *answers)
{
    char path[FIXTURE_PATH_MAX], initiator[64];
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;

    snprintf(initiator, sizeof(initiator), INITIATOR "%u", adapter);
    snprintf(path, sizeof(path), ADAPTERS_PATH "/%016" PRIx64, adapter_id(initiator));
    assert_true(sd_bus_message_new_method_call(bus, &message, NAME, path, SECURITY,
                                               "SetGenerationalGuid") >= 0);
    assert_true(sd_bus_message_append_array(message, 'y', guid, sizeof(guid)) >= 0);
    assert_true(sd_bus_call_async(bus, NULL, message, on_answer, answers, 0) >= 0);
}

static void wait_for_answers(struct harness *harness, sd_bus *bus, const struct answers *answers,
                             unsigned n)
{
    int64_t deadline = monotonic_msec() + 60000;

    while (answers->n < n) {
        int r = sd_bus_process(bus, NULL);
        assert_true(r >= 0 && monotonic_msec() < deadline);
        if (r == 0)
            assert_true(sd_bus_wait(bus, 1000000U) >= 0);
        (void)harness_log(harness);
    }
}

/* An order that others' calls do not change: this client's are answered, and how soon. */
static void assert_serves(struct harness *harness)
{
    int64_t before = monotonic_msec();

    sd_bus_message_unref(call_well(harness, ROOT_PATH, MANAGER, "DescribeStatus", "u", 0U));
    assert_true(monotonic_msec() - before < AT_ONCE_MS);
}

static unsigned count_lines(const char *log, const char *text)
{
    unsigned n = 0;

    for (const char *p = log; (p = strstr(p, text)); p++)
        n++;
    return n;
}

/* Until the journal has so many changes that were carried out, whoever waits for their answers. */
static void wait_for_changes(struct harness *harness, unsigned n)
{
    int64_t deadline = monotonic_msec() + 60000;

    while (count_lines(harness_log(harness), "; result: STATUS_SUCCESS") < n) {
        assert_true(monotonic_msec() < deadline);
        usleep(10000);
    }
}

/* The changes of one client have a bound, those of all have another. */
static void test_changes(void **state)
{
    struct harness *harness = *state;
    struct answers first = {0}, second = {0}, third = {0};
    sd_bus *one = harness_connect(harness), *other = harness_connect(harness);
    int64_t before;

    harness_hold_lock(harness, true);
    harness_forget_log(harness);
    before = monotonic_msec();
    for (unsigned i = 0; i < CHANGES_MAX_PER_CLIENT + 2; i++)
        begin_change(one, i, &first);
    wait_for_answers(harness, one, &first, 2);
    assert_int_equal(first.n_refused, 2);
    assert_serves(harness);

    for (unsigned i = CHANGES_MAX_PER_CLIENT; i < CHANGES_MAX; i++)
        begin_change(other, i, &second);
    begin_change(other, CHANGES_MAX, &second);
    wait_for_answers(harness, other, &second, 1);
    assert_int_equal(second.n_refused, 1);

    begin_change(harness->bus, CHANGES_MAX, &third);
    wait_for_answers(harness, harness->bus, &third, 1);
    assert_int_equal(third.n_refused, 1);
    assert_serves(harness);
    assert_true(monotonic_msec() - before < AT_ONCE_MS);
    assert_int_equal(first.n + second.n, 3);

    /* All that was refused is one line. */
    assert_int_equal(count_lines(harness_log(harness), "Too many calls wait"), 1);
    assert_non_null(strstr(harness_log(harness), "Refused 1 calls"));

    harness_hold_lock(harness, false);
    wait_for_answers(harness, one, &first, CHANGES_MAX_PER_CLIENT + 2);
    wait_for_answers(harness, other, &second, CHANGES_MAX - CHANGES_MAX_PER_CLIENT + 1);
    assert_int_equal(first.n_refused + second.n_refused, 3);

    /* Answered, they leave room. */
    begin_change(harness->bus, CHANGES_MAX, &third);
    wait_for_answers(harness, harness->bus, &third, 2);
    assert_int_equal(third.n_refused, 1);
    sd_bus_flush_close_unref(one);
    sd_bus_flush_close_unref(other);
}

/* A change is carried to its end, whoever has left; its client's share is nobody's any more. */
static void test_a_client_leaves_its_changes(void **state)
{
    struct harness *harness = *state;
    struct answers left = {0}, mine = {0};
    sd_bus *client = harness_connect(harness);

    harness_forget_log(harness);
    harness_hold_lock(harness, true);
    for (unsigned i = 0; i < CHANGES_MAX_PER_CLIENT + 1; i++)
        begin_change(client, i, &left);
    wait_for_answers(harness, client, &left, 1);
    sd_bus_flush_close_unref(client);

    for (unsigned i = CHANGES_MAX_PER_CLIENT; i < CHANGES_MAX + 1; i++)
        begin_change(harness->bus, i, &mine);
    wait_for_answers(harness, harness->bus, &mine, 1);
    assert_int_equal(mine.n_refused, 1);
    harness_hold_lock(harness, false);
    wait_for_answers(harness, harness->bus, &mine, CHANGES_MAX - CHANGES_MAX_PER_CLIENT + 1);
    assert_int_equal(mine.n_refused, 1);

    /* Those that were left may end last, and an adapter has one change at a time. */
    wait_for_changes(harness, CHANGES_MAX);
    for (unsigned i = 0; i < CHANGES_MAX_PER_CLIENT; i++)
        begin_change(harness->bus, i, &mine);
    wait_for_answers(harness, harness->bus, &mine, CHANGES_MAX + 1);
    assert_int_equal(mine.n_refused, 1);
}

/* ---- of several users ---- */

#define N_USERS (CHANGES_MAX / QUESTIONS_MAX_PER_CLIENT)

/* Another user asks for as many changes as polkit is asked about at a time. */
static pid_t start_user(const struct harness *harness, uid_t user, unsigned adapter)
{
    struct answers answers = {0};
    pid_t pid = fork_bound();

    if (pid > 0)
        return pid;
    if (setgid(user) < 0 || setuid(user) < 0)
        _exit(EXIT_FAILURE);
    sd_bus *bus = harness_connect(harness);
    for (unsigned i = 0; i < QUESTIONS_MAX_PER_CLIENT; i++)
        begin_change(bus, adapter + i, &answers);
    while (sd_bus_process(bus, NULL) >= 0 && sd_bus_wait(bus, UINT64_MAX) >= 0)
        ;
    _exit(EXIT_FAILURE);
}

static void end_user(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void allow_changes(sd_bus *polkit)
{
    struct question question;

    for (unsigned i = 0; i < QUESTIONS_MAX_PER_CLIENT; i++) {
        polkit_take(polkit, &question);
        polkit_answer(&question, true, false);
    }
}

/* However many changes others have, whom polkit allows them. */
static void test_others_take_no_room_from_root(void **state)
{
    struct harness *harness = geteuid() == 0 ? harness_new_on(BUS_DAEMON) : NULL;
    struct answers mine = {0};
    pid_t users[N_USERS];

    if (!harness)
        skip();
    add_sessions(harness);
    put_record(harness, "lock/lock", "");
    harness_start(harness);
    sd_bus *polkit = polkit_start(harness);
    harness_hold_lock(harness, true);
    for (unsigned i = 0; i < N_USERS; i++) {
        users[i] = start_user(harness, harness_user(i), i * QUESTIONS_MAX_PER_CLIENT);
        allow_changes(polkit);
    }
    assert_true(polkit_is_idle(harness, polkit));

    begin_change(harness->bus, CHANGES_MAX, &mine);
    assert_serves(harness);
    harness_hold_lock(harness, false);
    wait_for_answers(harness, harness->bus, &mine, 1);
    assert_int_equal(mine.n_refused, 0);
    for (size_t i = 0; i < N_USERS; i++)
        end_user(users[i]);
    polkit_stop(polkit);
    harness_stop(harness);
    harness_free(harness);
}

/* Of the service, in KiB. */
static unsigned long resident(const struct harness *harness)
{
    char path[64], line[256];
    unsigned long size = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)harness->service_pid);
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (size == 0 && fgets(line, sizeof(line), file))
        (void)sscanf(line, "VmRSS: %lu", &size);
    assert_true(size > 0);
    return size;
}

/* Calls whose answers are large, and are left to the bus. */
static void flood(sd_bus *bus, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        uint64_t cookie;

        assert_true(sd_bus_message_new_method_call(bus, &message, NAME, ROOT_PATH, OBJECT_MANAGER,
                                                   "GetManagedObjects") >= 0);
        assert_true(sd_bus_send(bus, message, &cookie) >= 0);
    }
    assert_true(sd_bus_flush(bus) >= 0);
}

/* More than the bus takes for one client; without a bound of its own the service is deaf then. */
static void test_a_client_that_never_reads(void **state)
{
    struct harness *harness = *state;
    sd_bus *client = harness_connect(harness);
    unsigned long size = 0;

    harness_forget_log(harness);
    for (unsigned i = 0; i < FLOODS; i++) {
        flood(client, FLOOD_CALLS);
        assert_serves(harness);
        if (i == FLOODS / 4)
            size = resident(harness);
    }
    assert_true(resident(harness) < size + 16UL * 1024);
    assert_true(count_lines(harness_log(harness), "The answers are not read") <= 1);

    /* Others have their large answers all the while; and it goes on when that client has gone. */
    sd_bus_message_unref(call_well(harness, ROOT_PATH, OBJECT_MANAGER, "GetManagedObjects", ""));
    sd_bus_close_unref(client);
    sd_bus_message_unref(call_well(harness, ROOT_PATH, OBJECT_MANAGER, "GetManagedObjects", ""));
    assert_serves(harness);
}

/* Small calls by the thousand, some of which want no answer, are nobody's trouble. */
static void test_a_client_that_only_sends(void **state)
{
    struct harness *harness = *state;
    sd_bus *client = harness_connect(harness);
    unsigned long size = 0;

    for (unsigned i = 0; i < 5000; i++) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        uint64_t cookie;

        assert_true(sd_bus_message_new_method_call(client, &message, NAME, ROOT_PATH, MANAGER,
                                                   "DescribeStatus") >= 0);
        assert_true(sd_bus_message_append(message, "u", i) >= 0);
        assert_true(sd_bus_message_set_expect_reply(message, i % 2) >= 0);
        assert_true(sd_bus_send(client, message, i % 2 ? &cookie : NULL) >= 0);
        if (i % 100 > 0)
            continue;
        assert_true(sd_bus_flush(client) >= 0);
        assert_serves(harness);
        if (i == 1000)
            size = resident(harness);
    }
    assert_true(resident(harness) < size + 16UL * 1024);
    sd_bus_close_unref(client);
}

/* A large message that nobody has to answer. */
static void send_ballast(sd_bus *bus)
{
    static const char ballast[BALLAST];
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;

    assert_true(sd_bus_message_new_method_call(bus, &message, NAME, ROOT_PATH,
                                               "org.freedesktop.DBus.Peer", "Ping") >= 0);
    assert_true(sd_bus_message_append_array(message, 'y', ballast, sizeof(ballast)) >= 0);
    assert_true(sd_bus_message_set_expect_reply(message, false) >= 0);
    assert_true(sd_bus_send(bus, message, NULL) >= 0);
}

static int on_objects(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    unsigned *n_waiting = userdata;

    --*n_waiting;
    return 0;
}

static void ask_for_objects(sd_bus *bus, unsigned *n_waiting)
{
    ++*n_waiting;
    assert_true(sd_bus_call_method_async(bus, NULL, NAME, ROOT_PATH, OBJECT_MANAGER,
                                         "GetManagedObjects", on_objects, n_waiting, "") >= 0);
}

/* Until so few calls wait for their answers. */
static void read_answers(sd_bus *bus, const unsigned *n_waiting, unsigned n)
{
    int64_t deadline = monotonic_msec() + 20000; /* one that is lost costs the service 25 s */

    while (sd_bus_process(bus, NULL) > 0 || *n_waiting > n) {
        assert_true(monotonic_msec() < deadline);
        assert_true(sd_bus_wait(bus, 1000) >= 0);
    }
}

/* What waits behind a call for which the service asks the bus stays with the bus, within its bound.
 */
static void test_a_client_that_sends_much(void **state)
{
    struct harness *harness = *state;
    sd_bus *client = harness_connect(harness);
    unsigned long size = resident(harness), largest = 0;
    unsigned n_waiting = 0;

    for (unsigned i = 0; i < 250; i++) {
        ask_for_objects(client, &n_waiting);
        for (unsigned k = 0; k < BALLASTS; k++)
            send_ballast(client);
        read_answers(client, &n_waiting, CALLS_AT_A_TIME);
        assert_true(sd_bus_flush(client) >= 0);
        unsigned long now = resident(harness);
        largest = now > largest ? now : largest;
    }
    read_answers(client, &n_waiting, 0);
    assert_serves(harness);
    if (largest > size + 16UL * 1024)
        fail_msg("the service had %lu KiB, and then %lu", size, largest);
    sd_bus_close_unref(client);
}

static int set_order(struct harness *harness, bool highest)
{
    return sd_bus_call_method(harness->bus, NAME, ROOT_PATH, PROPERTIES, "Set", NULL, NULL, "ssv",
                              MANAGER, "PathWeightOrder", "s",
                              highest ? "highest-first" : "lowest-first");
}

/*
 * Signals go to whoever asks for them, read or not. Before the bus takes no more from the service,
 * that begins anew, and says whose it is.
 */
static void test_a_listener_that_never_reads(void **state)
{
    struct harness *harness = *state;
    sd_bus *listener = harness_connect(harness);
    char who[64];

    harness_stop(harness);
    setenv("ISCSI_WMI_UNREAD_MAX_ALL", "200000", 1);
    harness_start(harness);
    unsetenv("ISCSI_WMI_UNREAD_MAX_ALL");
    harness_forget_log(harness);
    assert_true(sd_bus_call_method(listener, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus", "AddMatch", NULL, NULL, "s",
                                   "type='signal',sender='" NAME "'") >= 0);
    for (unsigned i = 0; i < LISTENER_SIGNALS && set_order(harness, i % 2) >= 0; i++)
        (void)harness_log(harness);
    assert_int_equal(harness_wait(harness), EXIT_FAILURE);

    snprintf(who, sizeof(who), "(uid %u, pid %d)", (unsigned)geteuid(), (int)getpid());
    const char *line = strstr(harness_log(harness), "Most is not read by");
    assert_non_null(line);
    assert_non_null(strstr(line, who));
    harness_start(harness);
    assert_serves(harness);
    sd_bus_close_unref(listener);
}

/* A descriptor in a message that waits would be held by the service. */
static void test_no_descriptors(void **state)
{
    struct harness *harness = *state;
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

    assert_null(call(harness, ROOT_PATH, MANAGER, "DescribeStatus", &error, "h", STDOUT_FILENO));
    assert_string_equal(error.name, SD_BUS_ERROR_NOT_SUPPORTED);
    assert_serves(harness);
}

/* What the service has freed is not to count as its memory, which the sanitizer keeps for a while.
 */
static void forget_freed_memory(void)
{
    const char *options = getenv("ASAN_OPTIONS");
    char text[1024];

    snprintf(text, sizeof(text), "%s:quarantine_size_mb=1:thread_local_quarantine_size_kb=64",
             options ?: "");
    setenv("ASAN_OPTIONS", text, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_a_client_leaves_its_changes),
        cmocka_unit_test(test_others_take_no_room_from_root),
        cmocka_unit_test(test_a_client_that_never_reads),
        cmocka_unit_test(test_a_client_that_only_sends),
        cmocka_unit_test(test_a_client_that_sends_much),
        cmocka_unit_test(test_a_listener_that_never_reads),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(harness_test_clean_end),
    };
    forget_freed_memory();
    return harness_result(cmocka_run_group_tests(tests, setup, harness_teardown));
}
