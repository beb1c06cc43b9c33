/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/macros.h"

#define PATIENCE_MS 60000 /* for a slow machine under sanitizers; nothing here takes a second */
#define LOG_ROOM (1024 * 1024)

static char *log_text; /* outlives the harness, for harness_result() */
static size_t log_size;

const char *required_env(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        fail_msg("%s is not set: run this through meson", name);
    return value;
}

uid_t harness_user(unsigned number)
{
    const struct passwd *user;

    setpwent();
    do
        user = getpwent();
    while (user && (user->pw_uid == 0 || number-- > 0));
    if (!user)
        skip();
    return user->pw_uid;
}

/* Waits for the end of a child; kills it, and fails, where that takes too long. */
static int wait_for_end(pid_t pid)
{
    int status;
    _cleanup_close_ int fd = pidfd_open(pid, 0);
    assert_true(fd >= 0);

    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = poll(&p, 1, PATIENCE_MS);
    if (n <= 0)
        kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (n <= 0)
        fail_msg("process %d did not end", (int)pid);
    return status;
}

static void open_notify_socket(struct harness *harness)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", harness->directory);
    harness->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(harness->notify_fd >= 0);
    assert_int_equal(bind(harness->notify_fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

sd_bus *harness_connect(const struct harness *harness)
{
    sd_bus *bus = NULL;

    assert_true(sd_bus_new(&bus) >= 0);
    assert_true(sd_bus_set_address(bus, harness->address) >= 0);
    assert_true(sd_bus_set_bus_client(bus, 1) >= 0);
    assert_true(sd_bus_set_method_call_timeout(bus, PATIENCE_MS * 1000ULL) >= 0);
    assert_true(sd_bus_start(bus) >= 0);
    return bus;
}

struct harness *harness_new(void)
{
    return harness_new_on(BUS_OPEN);
}

/* In memory where a program can be run from there, too: a busy disk is no concern of the tests'. */
static const char *temporary_directory(void)
{
    struct statvfs shm;

    if (access("/dev/shm", W_OK) == 0 && statvfs("/dev/shm", &shm) == 0 &&
        !(shm.f_flag & ST_NOEXEC))
        return "/dev/shm";
    return "/tmp";
}

struct harness *harness_new_on(enum bus_kind kind)
{
    struct harness *harness = calloc(1, sizeof(*harness));
    assert_non_null(harness);
    harness->log_fd = harness->notify_fd = -1;

    snprintf(harness->directory, sizeof(harness->directory), "%s/iscsi-wmi-test-XXXXXX",
             temporary_directory());
    assert_non_null(mkdtemp(harness->directory));
    assert_int_equal(chmod(harness->directory, 0711), 0);
    snprintf(harness->state_directory, sizeof(harness->state_directory), "%s/state",
             harness->directory);
    snprintf(harness->state_file, sizeof(harness->state_file), "%s/state.db",
             harness->state_directory);
    snprintf(harness->records, sizeof(harness->records), "%s/iscsi", harness->directory);
    snprintf(harness->address, sizeof(harness->address), "unix:path=%s/bus", harness->directory);
    assert_int_equal(mkdir(harness->state_directory, 0700), 0);

    harness->bus_pid = bus_start(kind, harness->directory, strchr(harness->address, '=') + 1);
    if (harness->bus_pid == 0) {
        harness_free(harness);
        return NULL;
    }
    open_notify_socket(harness);
    harness->bus = harness_connect(harness);
    return harness;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

void harness_free(struct harness *harness)
{
    if (harness->service_pid > 0) {
        kill(harness->service_pid, SIGKILL);
        waitpid(harness->service_pid, NULL, 0);
    }
    (void)harness_log(harness);
    sd_bus_flush_close_unref(harness->bus);
    if (harness->bus_pid > 0) {
        kill(harness->bus_pid, SIGTERM);
        waitpid(harness->bus_pid, NULL, 0);
    }
    closep(&harness->log_fd);
    closep(&harness->notify_fd);
    nftw(harness->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(harness);
}

static void hide(const char *path)
{
    if (access(path, F_OK) == 0 && mount("none", path, "tmpfs", 0, "mode=755") < 0)
        perror(path);
}

/* What this host has of open-iscsi is no business of a test's. */
static void hide_host(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
        return;
    hide("/etc/iscsi");
    hide("/sys/class/iscsi_session");
    hide("/run/lock");
}

_Noreturn static void run_service(const struct harness *harness, const char *state_directory,
                                  int log_fd)
{
    const char *program = getenv("ISCSI_WMID");
    char notify[64], configuration[64];

    snprintf(notify, sizeof(notify), "%s/notify", harness->directory);
    snprintf(configuration, sizeof(configuration), "%s/multipath/conf.d", harness->directory);
    hide_host();
    dup2(log_fd, STDERR_FILENO);
    setenv("DBUS_SYSTEM_BUS_ADDRESS", harness->address, 1);
    setenv("NOTIFY_SOCKET", notify, 1);
    setenv("CONFIGURATION_DIRECTORY", configuration, 1);
    setenv("ISCSI_WMI_RECORDS", harness->records, 1);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    if (state_directory)
        setenv("STATE_DIRECTORY", state_directory, 1);
    else
        unsetenv("STATE_DIRECTORY");
    execl(program, program, NULL);
    perror(program);
    _exit(127);
}

static void spawn_service(struct harness *harness, const char *state_directory)
{
    int fds[2];

    (void)required_env("ISCSI_WMID");
    (void)harness_log(harness);
    closep(&harness->log_fd);
    harness->log_fd = -1;

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    _cleanup_close_ int write_fd = fds[1];
    harness->log_fd = fds[0];
    /* A pipe, for its size has nothing to do with what the service may write to files. */
    (void)fcntl(write_fd, F_SETPIPE_SZ, LOG_ROOM);
    assert_int_equal(fcntl(harness->log_fd, F_SETFL, O_NONBLOCK), 0);

    harness->service_pid = fork_bound();
    if (harness->service_pid == 0)
        run_service(harness, state_directory, write_fd);
}

/* Whether a datagram with READY=1 came. False: the service has ended. */
static bool wait_for_ready(struct harness *harness)
{
    int64_t deadline = monotonic_msec() + PATIENCE_MS;
    _cleanup_close_ int fd = pidfd_open(harness->service_pid, 0);
    assert_true(fd >= 0);

    while (monotonic_msec() < deadline) {
        char text[1024];
        struct pollfd p[] = {{.fd = harness->notify_fd, .events = POLLIN},
                             {.fd = fd, .events = POLLIN}};
        if (poll(p, 2, (int)(deadline - monotonic_msec())) <= 0)
            break;
        if (p[0].revents == 0)
            return false;
        ssize_t n = recv(harness->notify_fd, text, sizeof(text) - 1, 0);
        assert_true(n >= 0);
        text[n] = '\0';
        if (strncmp(text, "READY=1\n", 8) == 0)
            return true;
    }
    fail_msg("the service is not ready after %d s", PATIENCE_MS / 1000);
    return false;
}

/* What an earlier service has said last. */
static void forget_notifications(struct harness *harness)
{
    char text[1024];
    while (recv(harness->notify_fd, text, sizeof(text), MSG_DONTWAIT) >= 0)
        ;
}

static pid_t take_pid(struct harness *harness)
{
    pid_t pid = harness->service_pid;
    harness->service_pid = 0;
    return pid;
}

void harness_start(struct harness *harness)
{
    forget_notifications(harness);
    spawn_service(harness, harness->state_directory);
    if (!wait_for_ready(harness))
        fail_msg("the service has ended, status %#x", (unsigned)wait_for_end(take_pid(harness)));
}

void harness_stop(struct harness *harness)
{
    assert_true(harness->service_pid > 0);
    assert_int_equal(kill(harness->service_pid, SIGTERM), 0);
    assert_int_equal(wait_for_end(take_pid(harness)), 0);
}

void harness_restart(struct harness *harness)
{
    harness_stop(harness);
    harness_start(harness);
}

void harness_kill(struct harness *harness)
{
    assert_int_equal(kill(harness->service_pid, SIGKILL), 0);
    assert_int_equal(wait_for_end(take_pid(harness)), SIGKILL);
}

int harness_wait(struct harness *harness)
{
    int status = wait_for_end(take_pid(harness));
    if (!WIFEXITED(status))
        fail_msg("the service was killed, status %#x", (unsigned)status);
    return WEXITSTATUS(status);
}

int harness_run(struct harness *harness, const char *state_directory)
{
    forget_notifications(harness);
    spawn_service(harness, state_directory);
    if (wait_for_ready(harness)) {
        harness_kill(harness);
        fail_msg("the service is ready, and should have ended");
    }
    return harness_wait(harness);
}

int harness_end_bus(struct harness *harness)
{
    pid_t bus_pid = harness->bus_pid;

    harness->bus_pid = 0;
    assert_int_equal(kill(bus_pid, SIGKILL), 0);
    assert_int_equal(wait_for_end(bus_pid), SIGKILL);
    return harness_wait(harness);
}

const char *harness_log(struct harness *harness)
{
    char text[4096];
    ssize_t n;

    while (harness->log_fd >= 0 && (n = read(harness->log_fd, text, sizeof(text))) > 0) {
        char *more = realloc(log_text, log_size + (size_t)n + 1);
        assert_non_null(more);
        log_text = more;
        memcpy(log_text + log_size, text, (size_t)n);
        log_size += (size_t)n;
        log_text[log_size] = '\0';
    }
    return log_text ?: "";
}

void harness_forget_log(struct harness *harness)
{
    (void)harness_log(harness);
    free(TAKE_PTR(log_text));
    log_size = 0;
}

void harness_forbid_writing(struct harness *harness, bool forbid)
{
    struct rlimit limit;

    assert_int_equal(prlimit(harness->service_pid, RLIMIT_FSIZE, NULL, &limit), 0);
    limit.rlim_cur = forbid ? 0 : limit.rlim_max;
    assert_int_equal(prlimit(harness->service_pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

int harness_setup(void **state)
{
    struct harness *harness = harness_new();
    *state = harness;
    harness_start(harness);
    return 0;
}

int harness_teardown(void **state)
{
    if (*state)
        harness_free(*state);
    return 0;
}

void harness_test_clean_end(void **state)
{
    harness_stop(*state);
}

int harness_result(int failed)
{
    if (failed != 0) {
        fprintf(stderr, "The services wrote:\n%s", log_text ?: "(nothing)\n");
        fflush(NULL);
        _exit(1); /* what a failed test has not freed says nothing */
    }
    free(TAKE_PTR(log_text));
    return 0;
}

sd_bus_message *next_message(sd_bus *bus, bool (*wanted)(sd_bus_message *message))
{
    int64_t deadline = monotonic_msec() + PATIENCE_MS;

    while (monotonic_msec() < deadline) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        int r = sd_bus_process(bus, &message);
        assert_true(r >= 0);
        if (message && wanted(message))
            return TAKE_PTR(message);
        if (r == 0)
            assert_true(sd_bus_wait(bus, PATIENCE_MS * 1000ULL) >= 0);
    }
    fail_msg("no message within %d s", PATIENCE_MS / 1000);
    return NULL;
}

static sd_bus_message *call_ap(struct harness *harness, const char *path, const char *interface,
                               const char *member, sd_bus_error *error, const char *types,
                               va_list ap)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
    sd_bus_message *reply = NULL;

    assert_true(
        sd_bus_message_new_method_call(harness->bus, &message, NAME, path, interface, member) >= 0);
    assert_true(sd_bus_message_appendv(message, types, ap) >= 0);
    (void)sd_bus_call(harness->bus, message, 0, error, &reply);
    (void)harness_log(harness); /* the pipe must never be full */
    return reply;
}

sd_bus_message *call(struct harness *harness, const char *path, const char *interface,
                     const char *member, sd_bus_error *error, const char *types, ...)
{
    va_list ap;

    va_start(ap, types);
    sd_bus_message *reply = call_ap(harness, path, interface, member, error, types, ap);
    va_end(ap);
    return reply;
}

static sd_bus_message *call_well_ap(struct harness *harness, const char *path,
                                    const char *interface, const char *member, const char *types,
                                    va_list ap)
{
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply = call_ap(harness, path, interface, member, &error, types, ap);
    if (!reply)
        fail_msg("%s of %s: %s: %s", member, path, error.name, error.message);
    return reply;
}

sd_bus_message *call_well(struct harness *harness, const char *path, const char *interface,
                          const char *member, const char *types, ...)
{
    va_list ap;

    va_start(ap, types);
    sd_bus_message *reply = call_well_ap(harness, path, interface, member, types, ap);
    va_end(ap);
    return reply;
}

uint32_t call_status(struct harness *harness, const char *path, const char *interface,
                     const char *member, const char *types, ...)
{
    uint32_t status;
    va_list ap;

    va_start(ap, types);
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        call_well_ap(harness, path, interface, member, types, ap);
    va_end(ap);
    assert_string_equal(sd_bus_message_get_signature(reply, 1), "u");
    assert_true(sd_bus_message_read(reply, "u", &status) > 0);
    return status;
}

void assert_call_fails(struct harness *harness, const char *name, const char *path,
                       const char *interface, const char *member, const char *types, ...)
{
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    va_list ap;

    va_start(ap, types);
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        call_ap(harness, path, interface, member, &error, types, ap);
    va_end(ap);
    if (reply)
        fail_msg("%s of %s succeeds, expected %s", member, path, name);
    if (strcmp(error.name, name) != 0)
        fail_msg("%s of %s: %s, expected %s", member, path, error.name, name);
}

sd_bus_message *get_property(struct harness *harness, const char *path, const char *interface,
                             const char *name, const char *type)
{
    sd_bus_message *reply =
        call_well(harness, path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, name);
    assert_true(sd_bus_message_enter_container(reply, 'v', type) > 0);
    return reply;
}

uint32_t get_number(struct harness *harness, const char *path, const char *interface,
                    const char *name)
{
    uint32_t number;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        get_property(harness, path, interface, name, "u");
    assert_true(sd_bus_message_read(reply, "u", &number) > 0);
    return number;
}

char *get_text(struct harness *harness, const char *path, const char *interface, const char *name)
{
    const char *text;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        get_property(harness, path, interface, name, "s");
    assert_true(sd_bus_message_read(reply, "s", &text) > 0);
    char *copy = strdup(text);
    assert_non_null(copy);
    return copy;
}

bool has_object(struct harness *harness, const char *path)
{
    const char *object;
    bool found = false;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = call_well(
        harness, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "");

    assert_true(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}") > 0);
    while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
        assert_true(sd_bus_message_read(reply, "o", &object) > 0);
        found = found || strcmp(object, path) == 0;
        assert_true(sd_bus_message_skip(reply, "a{sa{sv}}") > 0);
        assert_true(sd_bus_message_exit_container(reply) > 0);
    }
    return found;
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct signal_count *count = userdata;

    count->n++;
    sd_bus_message_unref(count->last);
    count->last = sd_bus_message_ref(message);
    return 0;
}

void signal_count_begin(struct harness *harness, struct signal_count *count, const char *path,
                        const char *interface, const char *member)
{
    *count = (struct signal_count){0};
    assert_true(sd_bus_match_signal(harness->bus, &count->slot, NAME, path, interface, member,
                                    on_signal, count) >= 0);
}

unsigned signal_count_now(struct harness *harness, struct signal_count *count)
{
    int r;

    /* A signal that the service sent before this answer stands in the queue when it comes. */
    sd_bus_message_unref(call_well(harness, ROOT_PATH, "org.freedesktop.DBus.Peer", "Ping", ""));
    while ((r = sd_bus_process(harness->bus, NULL)) > 0)
        ;
    assert_int_equal(r, 0);
    return count->n;
}

void signal_count_end(struct signal_count *count)
{
    sd_bus_slot_unref(count->slot);
    sd_bus_message_unref(count->last);
    *count = (struct signal_count){0};
}

char *read_whole_file(const char *path, size_t *ret_size)
{
    struct stat st;
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &st), 0);

    size_t size = (size_t)st.st_size;
    char *data = malloc(size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, size + 1, file), size);
    data[size] = '\0';
    *ret_size = size;
    return data;
}

void write_whole_file(const char *path, const void *data, size_t size)
{
    _cleanup_fclose_ FILE *file = fopen(path, "we");
    assert_non_null(file);
    if (size > 0)
        assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fflush(file), 0);
}

void put_record(const struct harness *harness, const char *name, const char *text)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", harness->records, name);
    for (char *p = path + strlen(harness->records); (p = strchr(p, '/')); *p++ = '/') {
        *p = '\0';
        if (mkdir(path, 0770) < 0)
            assert_int_equal(errno, EEXIST);
    }
    write_whole_file(path, text, strlen(text));
}

void harness_hold_lock(const struct harness *harness, bool hold)
{
    char taken[96];

    snprintf(taken, sizeof(taken), "%s/lock/lock.write", harness->records);
    if (hold)
        put_record(harness, "lock/lock.write", "");
    else
        assert_int_equal(unlink(taken), 0);
}
