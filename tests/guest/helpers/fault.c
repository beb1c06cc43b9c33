/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Preloaded into the service by tests: makes calls fail, wait or kill where the real system cannot
 * be made to. Children are forked, so it is in them too.
 *
 * Rules, for device-mapper: the file named by LAB_FAULTS has one a line:
 *
 *     COMMAND MAP SKIP COUNT ERRNO MILLISECONDS
 *
 * COMMAND is load, resume, table or message; MAP a map's UUID or "*". The first SKIP such calls,
 * over all processes, pass; the next COUNT wait and, where ERRNO is not 0, fail. The calls seen
 * are counted in the file's last column, which begins as 0.
 *
 * The sweep, for all that a change of policy touches: the state directory, the file for multipathd,
 * device-mapper, and what is sent to multipathd. All processes count these calls together, in
 * memory that they share (the file named by LAB_SWEEP, a struct sweep), and note them there; the
 * call whose turn it is fails, or kills the service with its children before it is made. Then the
 * sweep is over. Calls that libc makes inside itself cannot be seen: mkstemp and fopen count as one
 * call, closing a file as none.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/dm-ioctl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RULES_MAX 16
#define CALLS_MAX 1024 /* as faults.py has both */
#define CALL_SIZE 80

struct rule {
    char command[16], map[140];
    int skip, count, error, milliseconds, seen;
};

static const char *command_name(unsigned long request, const struct dm_ioctl *dm)
{
    switch (_IOC_NR(request)) {
    case DM_TABLE_LOAD_CMD:
        return "load";
    case DM_DEV_SUSPEND_CMD:
        return dm->flags & DM_SUSPEND_FLAG ? "suspend" : "resume";
    case DM_TABLE_STATUS_CMD:
        return "table";
    case DM_TARGET_MSG_CMD:
        return "message";
    default:
        return "";
    }
}

static int read_rules(FILE *file, struct rule *rules)
{
    int n = 0;
    while (n < RULES_MAX &&
           fscanf(file, "%15s %139s %d %d %d %d %d", rules[n].command, rules[n].map, &rules[n].skip,
                  &rules[n].count, &rules[n].error, &rules[n].milliseconds, &rules[n].seen) == 7)
        n++;
    return n;
}

static void write_rules(FILE *file, const struct rule *rules, int n)
{
    rewind(file);
    for (int i = 0; i < n; i++)
        fprintf(file, "%s %s %d %d %d %d %d\n", rules[i].command, rules[i].map, rules[i].skip,
                rules[i].count, rules[i].error, rules[i].milliseconds, rules[i].seen);
    fflush(file);
    if (ftruncate(fileno(file), ftell(file)) < 0)
        abort();
}

/* The errno that this call is to fail with, 0: none. */
static int fault(unsigned long request, const struct dm_ioctl *dm)
{
    struct rule rules[RULES_MAX];
    const char *path = getenv("LAB_FAULTS"), *command = command_name(request, dm);
    int error = 0, wait = 0;

    FILE *file = path ? fopen(path, "r+e") : NULL;
    if (!file)
        return 0;
    flock(fileno(file), LOCK_EX);
    int n = read_rules(file, rules);
    for (int i = 0; i < n; i++) {
        if (strcmp(rules[i].command, command) != 0 ||
            (strcmp(rules[i].map, "*") != 0 && strcmp(rules[i].map, dm->uuid) != 0))
            continue;
        rules[i].seen++;
        if (rules[i].seen <= rules[i].skip || rules[i].seen > rules[i].skip + rules[i].count)
            continue;
        error = rules[i].error;
        wait = rules[i].milliseconds;
    }
    write_rules(file, rules, n);
    fclose(file);
    usleep((useconds_t)wait * 1000);
    return error;
}

/* --- The sweep ------------------------------------------------------------------------------- */

enum sweep_mode { SWEEP_OFF, SWEEP_COUNT, SWEEP_FAIL, SWEEP_KILL };

/* As faults.py has it. */
struct sweep {
    uint32_t mode, turn, seen, done;
    char calls[CALLS_MAX][CALL_SIZE];
};

static struct sweep *sweep;

__attribute__((constructor)) static void map_sweep(void)
{
    const char *path = getenv("LAB_SWEEP");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *memory = mmap(NULL, sizeof(*sweep), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    sweep = memory == MAP_FAILED ? NULL : memory;
}

static bool sweeping(void)
{
    return sweep && __atomic_load_n(&sweep->mode, __ATOMIC_ACQUIRE) != SWEEP_OFF;
}

static bool is_watched(const char *path)
{
    return strncmp(path, "/var/lib/iscsi-wmi", 18) == 0 ||
           strncmp(path, "/etc/multipath", 14) == 0 ||
           (strncmp(path, "/etc/", 5) == 0 && strstr(path, "iscsi-wmi"));
}

/* Counts a call; the errno that it is to fail with, 0: none. */
static int take_turn(const char *call, const char *path, int error)
{
    uint32_t mode = __atomic_load_n(&sweep->mode, __ATOMIC_ACQUIRE);
    if (mode == SWEEP_OFF)
        return 0;
    uint32_t seen = __atomic_add_fetch(&sweep->seen, 1, __ATOMIC_ACQ_REL);
    if (seen <= CALLS_MAX)
        snprintf(sweep->calls[seen - 1], CALL_SIZE, "%s %.64s", call, path);
    if (mode == SWEEP_COUNT || seen != sweep->turn)
        return 0;

    /* What comes next, in other processes and in the service's next life, is left alone. */
    __atomic_store_n(&sweep->mode, SWEEP_OFF, __ATOMIC_RELEASE);
    __atomic_store_n(&sweep->done, 1, __ATOMIC_RELEASE);
    if (mode == SWEEP_KILL) {
        kill(0, SIGKILL); /* systemd gave the service a process group of its own */
        for (;;)
            pause();
    }
    return error;
}

/* True: the call fails, errno says how. */
static bool fails(const char *call, const char *path, int error)
{
    if (!sweeping() || !is_watched(path))
        return false;
    error = take_turn(call, path, error);
    if (error > 0)
        errno = error;
    return error > 0;
}

static bool fails_on(const char *call, int fd, int error)
{
    char link[32], path[PATH_MAX];

    if (!sweeping())
        return false;
    int saved = errno;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    errno = saved;
    if (n < 0)
        return false;
    path[n] = '\0';
    return fails(call, path, error);
}

static bool is_multipathd(int fd)
{
    struct sockaddr_un peer = {0};
    socklen_t size = sizeof(peer);
    int saved = errno;
    bool is = getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.sun_family == AF_UNIX &&
              memmem(peer.sun_path, sizeof(peer.sun_path), "multipathd", strlen("multipathd"));
    errno = saved;
    return is;
}

/* The function that ours stands before. */
#define NEXT(name)                                                                                 \
    static __typeof__(name) *next;                                                                 \
    if (!next)                                                                                     \
    next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* A call on a path or on a file descriptor whose arguments are passed on as they are. */
#define ON_PATH(type, name, path, error, failure, parameters, ...)                                 \
    type name parameters                                                                           \
    {                                                                                              \
        NEXT(name);                                                                                \
        return fails(#name, path, error) ? failure : next(__VA_ARGS__);                            \
    }

#define ON_FD(type, name, error, parameters, ...)                                                  \
    type name parameters                                                                           \
    {                                                                                              \
        NEXT(name);                                                                                \
        return fails_on(#name, fd, error) ? -1 : next(__VA_ARGS__);                                \
    }

static int open_error(int flags)
{
    return (flags & O_ACCMODE) == O_RDONLY ? EIO : EROFS;
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        NEXT(name);                                                                                \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        mode_t mode = __OPEN_NEEDS_MODE(flags) ? va_arg(ap, mode_t) : 0;                           \
        va_end(ap);                                                                                \
        return fails(#name, path, open_error(flags)) ? -1 : next(path, flags, mode);               \
    }

#define OPENAT(name)                                                                               \
    int name(int directory, const char *path, int flags, ...)                                      \
    {                                                                                              \
        NEXT(name);                                                                                \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        mode_t mode = __OPEN_NEEDS_MODE(flags) ? va_arg(ap, mode_t) : 0;                           \
        va_end(ap);                                                                                \
        bool failed = path[0] == '/' ? fails(#name, path, open_error(flags))                       \
                                     : fails_on(#name, directory, open_error(flags));              \
        return failed ? -1 : next(directory, path, flags, mode);                                   \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

/* What a hardened build makes of open() without a mode. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);

#define MODE_ERROR (strpbrk(mode, "wa+") ? EROFS : EIO)

ON_PATH(int, __open_2, path, open_error(flags), -1, (const char *path, int flags), path, flags)
ON_PATH(int, __open64_2, path, open_error(flags), -1, (const char *path, int flags), path, flags)
ON_PATH(int, creat, path, EROFS, -1, (const char *path, mode_t mode), path, mode)
ON_PATH(int, creat64, path, EROFS, -1, (const char *path, mode_t mode), path, mode)
ON_PATH(FILE *, fopen, path, MODE_ERROR, NULL, (const char *path, const char *mode), path, mode)
ON_PATH(FILE *, fopen64, path, MODE_ERROR, NULL, (const char *path, const char *mode), path, mode)
ON_PATH(int, mkstemp, path, ENOSPC, -1, (char *path), path)
ON_PATH(int, mkstemp64, path, ENOSPC, -1, (char *path), path)
ON_PATH(int, mkostemp, path, ENOSPC, -1, (char *path, int flags), path, flags)
ON_PATH(int, mkostemp64, path, ENOSPC, -1, (char *path, int flags), path, flags)
ON_PATH(int, mkdir, path, ENOSPC, -1, (const char *path, mode_t mode), path, mode)
ON_PATH(int, unlink, path, EIO, -1, (const char *path), path)
ON_PATH(int, unlinkat, path, EIO, -1, (int fd, const char *path, int flags), fd, path, flags)
ON_PATH(int, rename, to, ENOSPC, -1, (const char *from, const char *to), from, to)
ON_PATH(int, renameat, to, ENOSPC, -1, (int fd, const char *from, int other, const char *to), fd,
        from, other, to)
ON_PATH(int, link, to, ENOSPC, -1, (const char *from, const char *to), from, to)
ON_PATH(int, linkat, to, ENOSPC, -1,
        (int fd, const char *from, int other, const char *to, int flags), fd, from, other, to,
        flags)

ON_FD(ssize_t, read, EIO, (int fd, void *data, size_t size), fd, data, size)
ON_FD(ssize_t, pread, EIO, (int fd, void *data, size_t size, off_t at), fd, data, size, at)
ON_FD(ssize_t, pread64, EIO, (int fd, void *data, size_t size, off64_t at), fd, data, size, at)
ON_FD(ssize_t, write, ENOSPC, (int fd, const void *data, size_t size), fd, data, size)
ON_FD(ssize_t, pwrite, ENOSPC, (int fd, const void *data, size_t size, off_t at), fd, data, size,
      at)
ON_FD(ssize_t, pwrite64, ENOSPC, (int fd, const void *data, size_t size, off64_t at), fd, data,
      size, at)
ON_FD(int, fsync, EIO, (int fd), fd)
ON_FD(int, fdatasync, EIO, (int fd), fd)
ON_FD(int, ftruncate, EIO, (int fd, off_t size), fd, size)
ON_FD(int, ftruncate64, EIO, (int fd, off64_t size), fd, size)
ON_FD(int, fchmod, EIO, (int fd, mode_t mode), fd, mode)

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    NEXT(send);
    if (sweeping() && is_multipathd(fd)) {
        const char *what = size == sizeof(uint64_t) ? "the size" : data; /* of the command */
        int error = take_turn("send multipathd", what, EPIPE);
        if (error > 0) {
            errno = error;
            return -1;
        }
    }
    return next(fd, data, size, flags);
}

static int ioctl_fault(unsigned long request, const struct dm_ioctl *dm)
{
    int error = fault(request, dm);
    if (error == 0 && sweeping()) {
        char number[32];
        snprintf(number, sizeof(number), "device-mapper %u", (unsigned)_IOC_NR(request));
        error = take_turn("ioctl", number, EIO);
    }
    return error;
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*next)(int, unsigned long, ...);
    va_list ap;
    va_start(ap, request);
    void *argument = va_arg(ap, void *);
    va_end(ap);

    if (!next)
        next = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    if (_IOC_TYPE(request) == DM_IOCTL) {
        int error = ioctl_fault(request, argument);
        if (error > 0) {
            errno = error;
            return -1;
        }
    }
    return next(fd, request, argument);
}
