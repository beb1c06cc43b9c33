/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/macros.h"
#include "multipath/mpathd.h"

#define COMMAND_MAX 512U /* multipathd refuses longer ones, NUL included */
#define IDLE_INTERVAL_MS 100
#define BEGIN_INTERVAL_MS 10
#define BACKLOG_INTERVAL_MS 20
#define REPLY_MAX (32U * 1024U * 1024U) /* and sends none longer than this */

#define PID_FILE "/run/multipathd.pid"

/* Newer releases (0.12 on) listen on the path too; every release has the abstract name. */
static const char *const socket_names[] = {"/run/multipathd.socket",
                                           "@/org/kernel/linux/storage/multipathd"};

/* Anybody could bind a name that is free: where it has stopped, the abstract one is. */
static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static int connect_to(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);

    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    else
        length++;

    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (connect(fd, (struct sockaddr *)&address, size) < 0)
        return -errno;
    return is_trusted(fd) ? TAKE_FD(fd) : -EPERM;
}

static bool is_locked(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fd >= 0 && fcntl(fd, F_GETLK, &lock) >= 0 && lock.l_type != F_UNLCK;
}

/*
 * It holds a lock on the file as long as it runs; the next one may make another file. To connect
 * is no way to know: where systemd listens in its place, that starts one that an administrator has
 * stopped.
 */
bool mpathd_runs(void)
{
    static int fd = -1; /* kept open: each command looks */

    if (is_locked(fd))
        return true;
    if (fd >= 0)
        close(fd);
    fd = open(PID_FILE, O_RDONLY | O_CLOEXEC);
    return is_locked(fd);
}

static int connect_any(void)
{
    int fd = -ENOTCONN;
    if (!mpathd_runs())
        return -ENOTCONN;
    for (size_t i = 0; i < ELEMENTSOF(socket_names) && fd < 0; i++)
        fd = connect_to(socket_names[i]);
    /* A full backlog (EAGAIN) is a listener that has no time now. */
    if (fd < 0)
        return fd == -EAGAIN ? -ETIMEDOUT : -ENOTCONN;
    return fd;
}

static int wait_for(int fd, short events, int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - monotonic_msec();
        struct pollfd p = {.fd = fd, .events = events};
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (n > 0)
            return 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

/* One that hangs up keeps to no protocol. */
static int errno_of_peer(int error)
{
    return error == EPIPE || error == ECONNRESET ? -EPROTO : -error;
}

/* Moves size bytes, all of them: POLLOUT sends them, POLLIN receives them. */
static int move_all(int fd, short direction, void *data, size_t size, int64_t deadline)
{
    for (char *p = data; size > 0;) {
        int r = wait_for(fd, direction, deadline);
        if (r < 0)
            return r;
        ssize_t n = direction == POLLOUT ? send(fd, p, size, MSG_NOSIGNAL | MSG_DONTWAIT)
                                         : recv(fd, p, size, MSG_DONTWAIT);
        if (n == 0)
            return -EPROTO;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return errno_of_peer(errno);
        if (n > 0) {
            p += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

int mpathd_exchange(int fd, const char *command, int timeout_ms, char **ret_reply)
{
    int64_t deadline = monotonic_msec() + timeout_ms;
    size_t size = strlen(command) + 1;
    if (size > COMMAND_MAX)
        return -EMSGSIZE;

    int r = move_all(fd, POLLOUT, &size, sizeof(size), deadline);
    if (r >= 0)
        r = move_all(fd, POLLOUT, (void *)command, size, deadline);
    if (r >= 0)
        r = move_all(fd, POLLIN, &size, sizeof(size), deadline);
    if (r < 0)
        return r;
    if (size == 0 || size > REPLY_MAX)
        return -EPROTO;

    _cleanup_free_ char *reply = malloc(size);
    if (!reply)
        return -ENOMEM;
    r = move_all(fd, POLLIN, reply, size, deadline);
    if (r < 0)
        return r;
    reply[size - 1] = '\0';
    *ret_reply = TAKE_PTR(reply);
    return 0;
}

/* It gives a command 4 s to get at the maps, which path checks or a reconfiguration hold. */
static bool is_busy(const char *reply)
{
    return strncmp(reply, "timeout", 7) == 0 || strncmp(reply, "fail\ntimeout", 12) == 0;
}

int mpathd_command(const char *command, int timeout_ms, char **ret_reply)
{
    for (int64_t deadline = monotonic_msec() + timeout_ms;;) {
        _cleanup_free_ char *reply = NULL;
        int64_t left = deadline - monotonic_msec();
        if (left <= 0)
            return -ETIMEDOUT;

        _cleanup_close_ int fd = connect_any();
        if (fd == -ETIMEDOUT) {
            (void)poll(NULL, 0, BACKLOG_INTERVAL_MS);
            continue;
        }
        int r = fd < 0 ? fd : mpathd_exchange(fd, command, (int)left, &reply);
        if (r < 0)
            return r;
        if (!is_busy(reply)) {
            *ret_reply = TAKE_PTR(reply);
            return 0;
        }
        (void)poll(NULL, 0, IDLE_INTERVAL_MS); /* its 4 s can be configured to be none */
    }
}

int mpathd_parse_version(const char *reply, unsigned *ret)
{
    unsigned major, minor, patch;

    const char *name = strstr(reply, "multipath-tools v");
    if (!name || sscanf(name, "multipath-tools v%u.%u.%u", &major, &minor, &patch) != 3)
        return -EPROTO;
    *ret = 10000 * major + 100 * minor + patch;
    return 0;
}

int mpathd_version(int timeout_ms, unsigned *ret)
{
    _cleanup_free_ char *reply = NULL;

    /* What it does not know it answers with its name, release and a list of commands. */
    int r = mpathd_command("help", timeout_ms, &reply);
    return r < 0 ? r : mpathd_parse_version(reply, ret);
}

static bool mpathd_is_idle(const char *state)
{
    return !strstr(state, "pending") && (strstr(state, "idle") || strstr(state, "running"));
}

/* Until it has been found idle so often, or, where `begun`, at its configuration. */
static int wait_until(bool begun, unsigned times, int interval_ms, int64_t deadline)
{
    for (unsigned idle = 0; idle < times;) {
        _cleanup_free_ char *state = NULL;
        int64_t left = deadline - monotonic_msec();
        if (left <= 0)
            return -ETIMEDOUT;
        int r = mpathd_command("show daemon", (int)left, &state);
        if (r < 0)
            return r;
        if (begun && strstr(state, "configure") && !strstr(state, "pending"))
            return 0;
        idle = mpathd_is_idle(state) ? idle + 1 : 0;
        if (idle < times)
            (void)poll(NULL, 0, interval_ms);
    }
    return 0;
}

int mpathd_begin_reconfigure(int timeout_ms)
{
    int64_t deadline = monotonic_msec() + timeout_ms;
    _cleanup_free_ char *reply = NULL;

    int r = wait_until(false, 1, IDLE_INTERVAL_MS, deadline);
    if (r >= 0)
        r = mpathd_command("reconfigure", timeout_ms, &reply);
    if (r < 0)
        return r;
    if (strncmp(reply, "ok", 2) != 0)
        return -EBUSY;
    return wait_until(true, 2, BEGIN_INTERVAL_MS, deadline);
}

/*
 * Newer releases queue the request and answer at once. Those before 0.10 do not say that it is
 * still queued while they are "running", so that it has to be found idle twice.
 */
int mpathd_wait_until_idle(int timeout_ms)
{
    return wait_until(false, 2, IDLE_INTERVAL_MS, monotonic_msec() + timeout_ms);
}

int mpathd_config(int timeout_ms, char **ret)
{
    return mpathd_command("show config", timeout_ms, ret);
}

int mpathd_path_states(int timeout_ms, char **ret)
{
    return mpathd_command("show paths raw format %M=%w", timeout_ms, ret);
}

bool mpathd_is_marginal(const char *states, const char *wwid)
{
    static const char marginal[] = "marginal=";

    while (*states) {
        size_t length = strcspn(states, "\n"), before = strlen(marginal);

        if (strncmp(states, marginal, before) == 0 && length == before + strlen(wwid) &&
            strncmp(states + before, wwid, length - before) == 0)
            return true;
        states += length + (states[length] == '\n');
    }
    return false;
}
