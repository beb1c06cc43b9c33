/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* multipathd's protocol over a socket pair: the other end is played here. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/macros.h"
#include "multipath/mpathd.h"

#define PATIENCE_MS 60000 /* for what comes at once */
#define SHORT_MS 100      /* for what never comes */
#define MAXIMUM (32U * 1024U * 1024U)

struct sockets {
    int ours, theirs;
};

static void sockets_close(struct sockets *sockets)
{
    closep(&sockets->ours);
    closep(&sockets->theirs);
}

static struct sockets make_sockets(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return (struct sockets){fds[0], fds[1]};
}

/* A reply that waits in the socket already. */
static void put_reply(int fd, size_t length, const void *data, size_t size)
{
    assert_int_equal(send(fd, &length, sizeof(length), MSG_DONTWAIT), sizeof(length));
    if (size > 0)
        assert_int_equal(send(fd, data, size, MSG_DONTWAIT), size);
}

static void assert_command(int fd, const char *command)
{
    char text[1024];
    size_t length;

    assert_int_equal(recv(fd, &length, sizeof(length), MSG_DONTWAIT), sizeof(length));
    assert_int_equal(length, strlen(command) + 1);
    assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), length);
    assert_string_equal(text, command);
}

static void test_command_and_reply(void **state)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();
    _cleanup_free_ char *reply = NULL;

    put_reply(s.theirs, 4, "ok\n", 4);
    assert_int_equal(mpathd_exchange(s.ours, "reload map x", PATIENCE_MS, &reply), 0);
    assert_string_equal(reply, "ok\n");
    assert_command(s.theirs, "reload map x");
}

static void test_several_on_one_socket(void **state)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();

    for (int i = 0; i < 3; i++) {
        _cleanup_free_ char *reply = NULL;
        char text[] = {'a', (char)('0' + i), '\0'};
        put_reply(s.theirs, sizeof(text), text, sizeof(text));
        assert_int_equal(mpathd_exchange(s.ours, "show", PATIENCE_MS, &reply), 0);
        assert_string_equal(reply, text);
        assert_command(s.theirs, "show");
    }
}

/* The NUL that the protocol promises is not believed in. */
static void test_reply_without_nul(void **state)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();
    _cleanup_free_ char *reply = NULL;

    put_reply(s.theirs, 3, "ok\n", 3);
    assert_int_equal(mpathd_exchange(s.ours, "show", PATIENCE_MS, &reply), 0);
    assert_string_equal(reply, "ok");
}

static void test_longest_command(void **state)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();
    _cleanup_free_ char *reply = NULL;
    char command[513];

    memset(command, 'x', sizeof(command));
    command[511] = '\0';
    put_reply(s.theirs, 1, "", 1);
    assert_int_equal(mpathd_exchange(s.ours, command, PATIENCE_MS, &reply), 0);
    assert_string_equal(reply, "");
    assert_command(s.theirs, command);
}

static void test_command_too_long(void **state)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();
    char command[513], *reply = NULL, byte;

    memset(command, 'x', sizeof(command));
    command[512] = '\0';
    assert_int_equal(mpathd_exchange(s.ours, command, PATIENCE_MS, &reply), -EMSGSIZE);
    assert_null(reply);
    assert_int_equal(recv(s.theirs, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static void assert_refused_length(size_t length)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();
    char *reply = NULL;

    put_reply(s.theirs, length, "ok\n", 4);
    assert_int_equal(mpathd_exchange(s.ours, "show", PATIENCE_MS, &reply), -EPROTO);
    assert_null(reply);
}

static void test_impossible_lengths(void **state)
{
    assert_refused_length(0);
    assert_refused_length(MAXIMUM + 1);
    assert_refused_length(SIZE_MAX / 2);
    assert_refused_length(SIZE_MAX);
}

/* A peer in a process of its own; 0 from `play` is its way to say that all went well. */
static pid_t start_peer(struct sockets *sockets, int (*play)(int fd))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        close(sockets->ours);
        _exit(play(sockets->theirs));
    }
    close(TAKE_FD(sockets->theirs));
    return pid;
}

static void end_peer(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
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

#define CHUNKS 500U

/* A byte at a time, length and all. */
static int play_bytes(int fd)
{
    size_t length = CHUNKS;
    char reply[CHUNKS];

    memset(reply, 'r', sizeof(reply));
    reply[CHUNKS - 1] = '\0';
    for (size_t i = 0; i < sizeof(length); i++)
        if (!put(fd, (const char *)&length + i, 1))
            return 1;
    for (size_t i = 0; i < sizeof(reply); i++)
        if (!put(fd, reply + i, 1))
            return 1;
    return 0;
}

static void test_byte_by_byte(void **state)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();
    _cleanup_free_ char *reply = NULL;

    pid_t pid = start_peer(&s, play_bytes);
    assert_int_equal(mpathd_exchange(s.ours, "show", PATIENCE_MS, &reply), 0);
    assert_int_equal(strlen(reply), CHUNKS - 1);
    assert_int_equal(strspn(reply, "r"), CHUNKS - 1);
    end_peer(pid);
}

/* The longest reply there can be: far more than a socket holds. */
static int play_longest(int fd)
{
    size_t length = MAXIMUM;
    char *text = calloc(1, MAXIMUM);

    if (!text)
        return 1;
    memset(text, 'm', MAXIMUM - 1);
    bool sent = put(fd, &length, sizeof(length)) && put(fd, text, MAXIMUM);
    free(text);
    return !sent;
}

static void test_longest_reply(void **state)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();
    _cleanup_free_ char *reply = NULL;

    pid_t pid = start_peer(&s, play_longest);
    assert_int_equal(mpathd_exchange(s.ours, "show", PATIENCE_MS, &reply), 0);
    assert_int_equal(strlen(reply), MAXIMUM - 1);
    assert_int_equal(reply[MAXIMUM - 2], 'm');
    end_peer(pid);
}

static void assert_times_out_after(int fd, int timeout_ms)
{
    char *reply = NULL;
    int64_t begin = monotonic_msec();

    assert_int_equal(mpathd_exchange(fd, "show", timeout_ms, &reply), -ETIMEDOUT);
    assert_true(monotonic_msec() - begin >= timeout_ms - 1);
    assert_true(monotonic_msec() - begin < PATIENCE_MS);
    assert_null(reply);
}

static void assert_times_out(int fd)
{
    assert_times_out_after(fd, SHORT_MS);
}

static void test_silence(void **state)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();
    assert_times_out(s.ours);
}

static void test_silence_after_the_length(void **state)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();
    size_t length = 100;

    assert_int_equal(send(s.theirs, &length, 3, 0), 3);
    assert_times_out(s.ours);

    _cleanup_(sockets_close) struct sockets t = make_sockets();
    put_reply(t.theirs, 100, "half", 4);
    assert_times_out(t.ours);
}

/* A peer that takes nothing: the command does not fit. */
static void test_full_socket(void **state)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();
    char page[4096] = {0};

    while (send(s.ours, page, sizeof(page), MSG_DONTWAIT) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
    assert_times_out(s.ours);
}

/* A byte now and then, for ever: the time is for the whole exchange. */
static int play_drip(int fd)
{
    size_t length = MAXIMUM;

    if (!put(fd, &length, sizeof(length)))
        return 1;
    while (put(fd, "d", 1))
        (void)poll(NULL, 0, 5);
    return 0;
}

static void test_drip(void **state)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();

    pid_t pid = start_peer(&s, play_drip);
    assert_times_out_after(s.ours, 10 * SHORT_MS); /* no pause of the peer's is so long */
    close(TAKE_FD(s.ours));
    end_peer(pid);
}

static void assert_hangs_up(const void *data, size_t size)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();
    char *reply = NULL;

    if (size > 0)
        assert_int_equal(send(s.theirs, data, size, 0), size);
    close(TAKE_FD(s.theirs));
    assert_int_equal(mpathd_exchange(s.ours, "show", PATIENCE_MS, &reply), -EPROTO);
    assert_null(reply);
}

/* Gone before the command comes. */
static void test_peer_is_gone(void **state)
{
    static const struct {
        size_t length;
        char text[4];
    } half = {100, "half"};

    assert_hangs_up(NULL, 0);
    assert_hangs_up(&half, 3);
    assert_hangs_up(&half, sizeof(half.length));
    assert_hangs_up(&half, sizeof(half.length) + 4);
}

/* Takes the command first. */
static int play_hang_up(int fd)
{
    char text[64];
    return read(fd, text, sizeof(size_t)) == sizeof(size_t) && read(fd, text, 5) == 5 &&
                   put(fd, &(size_t){100}, sizeof(size_t)) && put(fd, "half", 4)
               ? 0
               : 1;
}

static void test_peer_hangs_up(void **state)
{
    _cleanup_(sockets_close) struct sockets s = make_sockets();
    char *reply = NULL;

    pid_t pid = start_peer(&s, play_hang_up);
    assert_int_equal(mpathd_exchange(s.ours, "show", PATIENCE_MS, &reply), -EPROTO);
    assert_null(reply);
    end_peer(pid);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_and_reply), cmocka_unit_test(test_several_on_one_socket),
        cmocka_unit_test(test_reply_without_nul), cmocka_unit_test(test_longest_command),
        cmocka_unit_test(test_command_too_long),  cmocka_unit_test(test_impossible_lengths),
        cmocka_unit_test(test_byte_by_byte),      cmocka_unit_test(test_longest_reply),
        cmocka_unit_test(test_silence),           cmocka_unit_test(test_silence_after_the_length),
        cmocka_unit_test(test_full_socket),       cmocka_unit_test(test_drip),
        cmocka_unit_test(test_peer_is_gone),      cmocka_unit_test(test_peer_hangs_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
