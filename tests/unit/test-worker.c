/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "basic/macros.h"
#include "service/base/worker.h"

#define LARGE (3U * 1024U * 1024U + 17U) /* a pipe holds 64 KiB */
#define PATIENCE_USEC (60U * 1000000U)

/* The linker hands worker.c's calls of fork() to this one. */
pid_t __real_fork(void);
pid_t __wrap_fork(void);

static bool fork_refused;

pid_t __wrap_fork(void)
{
    if (fork_refused) {
        errno = EAGAIN;
        return -1;
    }
    return __real_fork();
}

/* What a child's end has brought. */
struct outcome {
    unsigned n_calls;
    int error;
    char *data;
    size_t size;
};

static void on_done(int error, const void *data, size_t size, void *userdata)
{
    struct outcome *outcome = userdata;

    outcome->n_calls++;
    outcome->error = error;
    outcome->size = size;
    outcome->data = malloc(size + 1);
    assert_non_null(outcome->data);
    if (size > 0)
        memcpy(outcome->data, data, size);
    outcome->data[size] = '\0';
}

static int setup(void **state)
{
    sigset_t signals;
    sd_event *event = NULL;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0 || sd_event_new(&event) < 0)
        return -1;
    *state = event;
    fork_refused = false;
    return 0;
}

static int teardown(void **state)
{
    sd_event_unref(*state);
    return 0;
}

static void wait_for(sd_event *event, const struct outcome *outcomes, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (outcomes[i].n_calls > 0)
            i++;
        else
            assert_true(sd_event_run(event, PATIENCE_USEC) > 0);
    }
}

static struct outcome run(sd_event *event, worker_func_t func, void *arg)
{
    struct outcome outcome = {0};

    assert_int_equal(worker_start(event, func, arg, on_done, &outcome), 0);
    assert_int_equal(outcome.n_calls, 0);
    wait_for(event, &outcome, 1);
    assert_int_equal(outcome.n_calls, 1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, nor a zombie */
    assert_int_equal(errno, ECHILD);
    return outcome;
}

static bool put(int fd, const void *data, size_t size)
{
    for (const char *p = data; size > 0;) {
        ssize_t n = write(fd, p, size);
        if (n <= 0)
            return false;
        p += n;
        size -= (size_t)n;
    }
    return true;
}

static int say(int fd, void *arg)
{
    return put(fd, arg, strlen(arg)) ? 0 : EIO;
}

static void test_output(void **state)
{
    char text[] = "hello";
    struct outcome outcome = run(*state, say, text);

    assert_int_equal(outcome.error, 0);
    assert_string_equal(outcome.data, "hello");
    free(outcome.data);
}

static int stay_silent(int fd, void *arg)
{
    return 0;
}

static void test_no_output(void **state)
{
    struct outcome outcome = run(*state, stay_silent, NULL);

    assert_int_equal(outcome.error, 0);
    assert_int_equal(outcome.size, 0);
    free(outcome.data);
}

static char byte_at(size_t i)
{
    return (char)(i * 31 + (i >> 8) * 7);
}

static int say_much(int fd, void *arg)
{
    char *data = malloc(LARGE);
    if (!data)
        return ENOMEM;
    for (size_t i = 0; i < LARGE; i++)
        data[i] = byte_at(i);
    bool done = put(fd, data, LARGE);
    free(data);
    return done ? 0 : EIO;
}

static void test_output_larger_than_a_pipe(void **state)
{
    struct outcome outcome = run(*state, say_much, NULL);

    assert_int_equal(outcome.error, 0);
    assert_int_equal(outcome.size, LARGE);
    for (size_t i = 0; i < LARGE; i++)
        if (outcome.data[i] != byte_at(i))
            fail_msg("byte %zu differs", i);
    free(outcome.data);
}

static int fail_with(int fd, void *arg)
{
    return put(fd, "before", 6) ? *(int *)arg : 0;
}

static void test_errors(void **state)
{
    static const int errors[] = {EPERM, EIO, ENOMEM, ETIMEDOUT, EHWPOISON};

    for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
        int error = errors[i];
        struct outcome outcome = run(*state, fail_with, &error);
        assert_int_equal(outcome.error, -error);
        assert_string_equal(outcome.data, "before");
        free(outcome.data);
    }
}

static int die(int fd, void *arg)
{
    if (!put(fd, "last words", 10))
        return EIO;
    raise(*(int *)arg);
    return 0;
}

static void test_killed(void **state)
{
    static const int signals[] = {SIGKILL, SIGUSR1, SIGALRM};

    for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
        int number = signals[i];
        struct outcome outcome = run(*state, die, &number);
        assert_int_equal(outcome.error, -ECANCELED);
        assert_string_equal(outcome.data, "last words");
        free(outcome.data);
    }
}

/* What systemd and a terminal send to all of a service's processes does not stop one half way. */
static void test_goes_on_at_sigterm(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};

    for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
        int number = signals[i];
        struct outcome outcome = run(*state, die, &number);
        assert_int_equal(outcome.error, 0);
        free(outcome.data);
    }
}

/* The end of the output is not the end of the child. */
static int close_first(int fd, void *arg)
{
    int go = *(int *)arg;
    char byte;

    if (!put(fd, "x", 1) || close(fd) < 0 || read(go, &byte, 1) != 1)
        return EIO;
    return ENOENT;
}

static void test_output_closed_early(void **state)
{
    int fds[2];
    struct outcome outcome = {0};
    sd_event *event = *state;

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(worker_start(event, close_first, &fds[0], on_done, &outcome), 0);
    assert_true(sd_event_run(event, PATIENCE_USEC) > 0); /* the output */
    assert_int_equal(outcome.n_calls, 0);
    assert_int_equal(write(fds[1], "g", 1), 1);
    wait_for(event, &outcome, 1);
    assert_int_equal(outcome.error, -ENOENT);
    assert_string_equal(outcome.data, "x");
    free(outcome.data);
    close(fds[0]);
    close(fds[1]);
}

static int say_number(int fd, void *arg)
{
    char text[16];
    snprintf(text, sizeof(text), "number %d", *(int *)arg);
    return put(fd, text, strlen(text)) ? *(int *)arg : EIO;
}

static void test_many_at_a_time(void **state)
{
    enum { N = 24 };
    struct outcome outcomes[N] = {0};
    int numbers[N];

    for (int i = 0; i < N; i++) {
        numbers[i] = i;
        assert_int_equal(worker_start(*state, say_number, &numbers[i], on_done, &outcomes[i]), 0);
    }
    wait_for(*state, outcomes, N);
    for (int i = 0; i < N; i++) {
        char text[32];
        snprintf(text, sizeof(text), "number %d", i);
        assert_int_equal(outcomes[i].n_calls, 1);
        assert_int_equal(outcomes[i].error, -i);
        assert_string_equal(outcomes[i].data, text);
        free(outcomes[i].data);
    }
}

static size_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void test_nothing_is_left(void **state)
{
    char text[] = "x";
    struct outcome outcome = run(*state, say, text); /* makes what sd-event keeps */
    free(outcome.data);

    size_t before = count_fds();
    for (int i = 0; i < 5; i++) {
        outcome = run(*state, say, text);
        free(outcome.data);
    }
    assert_int_equal(count_fds(), before);
}

static bool may_open(int family, int type)
{
    _cleanup_close_ int fd = socket(family, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        assert_int_equal(errno, EPERM);
    return fd >= 0;
}

/* What a confined child may do yet, one bit for each. */
static int try_all(int fd, void *arg)
{
    int can = 0;

    if (arg)
        worker_confine();
    can |= may_open(AF_UNIX, SOCK_STREAM) ? 1 : 0;
    can |= may_open(AF_INET, SOCK_DGRAM) ? 2 : 0;
    can |= may_open(AF_NETLINK, SOCK_RAW) ? 4 : 0;
    /* There is no such program: that is found out after the filter. */
    execl("/nonexistent/program", "program", NULL);
    can |= errno == ENOENT ? 8 : 0;
    return can;
}

static void test_confined(void **state)
{
    char yes[] = "yes";
    struct outcome outcome = run(*state, try_all, NULL);
    free(outcome.data);
    assert_int_equal(outcome.error, -15);

    outcome = run(*state, try_all, yes);
    free(outcome.data);
    assert_int_equal(outcome.error, -1);

    /* It holds for that child alone. */
    assert_true(may_open(AF_INET, SOCK_DGRAM));
}

static void test_fork_refused(void **state)
{
    const struct worker_deadline deadline = {0, NULL};
    struct outcome outcome = {0};

    fork_refused = true;
    assert_int_equal(worker_start_until(*state, stay_silent, NULL, &deadline, on_done, &outcome),
                     -EAGAIN);
    size_t before = count_fds(); /* with what sd-event keeps for timers */
    assert_int_equal(worker_start_until(*state, stay_silent, NULL, &deadline, on_done, &outcome),
                     -EAGAIN);
    assert_int_equal(worker_start(*state, stay_silent, NULL, on_done, &outcome), -EAGAIN);
    assert_int_equal(count_fds(), before);
    assert_int_equal(sd_event_run(*state, 0), 0);
    assert_int_equal(outcome.n_calls, 0);
}

/* A child that waits for a word, and who is told when it takes too long. */
struct late {
    struct outcome outcome; /* what is told at its end */
    unsigned n_late;
};

static void on_late(void *userdata)
{
    struct late *late = userdata;

    assert_int_equal(late->outcome.n_calls, 0);
    late->n_late++;
}

static int wait_for_a_word(int fd, void *arg)
{
    char byte;
    return read(*(int *)arg, &byte, 1) == 1 && put(fd, "x", 1) ? 0 : EIO;
}

static void test_late(void **state)
{
    const struct worker_deadline deadline = {1000, on_late};
    struct late late = {0};
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(
        worker_start_until(*state, wait_for_a_word, &fds[0], &deadline, on_done, &late), 0);
    while (late.n_late == 0)
        assert_true(sd_event_run(*state, PATIENCE_USEC) > 0);
    /* It is told once, and its end is heard of nevertheless. */
    assert_int_equal(sd_event_run(*state, 300000), 0);
    assert_int_equal(write(fds[1], "g", 1), 1);
    wait_for(*state, &late.outcome, 1);
    assert_int_equal(late.n_late, 1);
    assert_int_equal(late.outcome.error, 0);
    assert_string_equal(late.outcome.data, "x");
    free(late.outcome.data);
    close(fds[0]);
    close(fds[1]);
}

static void test_in_time(void **state)
{
    const struct worker_deadline deadline = {200000, on_late};
    char text[] = "x";
    struct late late = {0};

    assert_int_equal(worker_start_until(*state, say, text, &deadline, on_done, &late), 0);
    wait_for(*state, &late.outcome, 1);
    assert_int_equal(sd_event_run(*state, 600000), 0);
    assert_int_equal(late.n_late, 0);
    free(late.outcome.data);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_output),
        TEST(test_no_output),
        TEST(test_output_larger_than_a_pipe),
        TEST(test_errors),
        TEST(test_killed),
        TEST(test_goes_on_at_sigterm),
        TEST(test_output_closed_early),
        TEST(test_many_at_a_time),
        TEST(test_nothing_is_left),
        TEST(test_confined),
        TEST(test_fork_refused),
        TEST(test_late),
        TEST(test_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
