/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <endian.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/base/timer.h"
#include "service/base/worker.h"

struct worker {
    sd_event_source *output_source, *child_source;
    struct timer deadline;
    void (*late)(void *userdata);
    int output_fd;
    char *data;
    size_t size, allocated;
    bool out_of_memory;
    worker_done_t done;
    void *userdata;
};

static void worker_free(struct worker *worker)
{
    sd_event_source_disable_unref(worker->output_source);
    sd_event_source_disable_unref(worker->child_source);
    timer_done(&worker->deadline);
    closep(&worker->output_fd);
    free(worker->data);
    free(worker);
}

DEFINE_CLEANUP(struct worker *, worker_free);

/* Reads what is there; 0 at its end or when nothing is there now. */
static void worker_drain(struct worker *worker)
{
    for (;;) {
        if (worker->size == worker->allocated) {
            size_t larger = worker->allocated ? 2 * worker->allocated : 4096;
            char *more = realloc(worker->data, larger);
            if (!more) {
                worker->out_of_memory = true;
                return;
            }
            worker->data = more;
            worker->allocated = larger;
        }
        ssize_t n =
            read(worker->output_fd, worker->data + worker->size, worker->allocated - worker->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        worker->size += (size_t)n;
    }
}

static int worker_on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct worker *worker = userdata;

    worker_drain(worker);
    /* Nothing more to come, or nowhere to put it: only the child's exit is waited for. */
    if (!(revents & EPOLLHUP) && !worker->out_of_memory)
        return 0;
    worker->output_source = sd_event_source_disable_unref(worker->output_source);
    closep(&worker->output_fd);
    worker->output_fd = -1;
    return 0;
}

static int worker_on_exit(sd_event_source *source, const siginfo_t *si, void *userdata)
{
    _cleanup_(worker_freep) struct worker *worker = userdata;
    int error = si->si_code == CLD_EXITED ? -si->si_status : -ECANCELED;

    if (worker->output_fd >= 0)
        worker_drain(worker);
    if (error == 0 && worker->out_of_memory)
        error = -ENOMEM;
    worker->done(error, worker->data, worker->size, worker->userdata);
    return 0;
}

static int worker_on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct worker *worker = userdata;

    worker->late(worker->userdata);
    return 0;
}

static int worker_set_deadline(struct worker *worker, sd_event *event,
                               const struct worker_deadline *deadline)
{
    if (!deadline)
        return 0;
    worker->late = deadline->late;
    timer_init(&worker->deadline, event, 0, worker_on_deadline, worker);
    return timer_set_in(&worker->deadline, deadline->usec);
}

_Noreturn static void run_child(int fd, worker_func_t func, void *arg)
{
    sigset_t none;

    /* Ends by its own work, or by SIGKILL: half way is no place to stop politely. */
    sigemptyset(&none);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
    _exit(func(fd, arg));
}

int worker_start(sd_event *event, worker_func_t func, void *arg, worker_done_t done, void *userdata)
{
    return worker_start_until(event, func, arg, NULL, done, userdata);
}

int worker_start_until(sd_event *event, worker_func_t func, void *arg,
                       const struct worker_deadline *deadline, worker_done_t done, void *userdata)
{
    int fds[2];
    _cleanup_(worker_freep) struct worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return -ENOMEM;
    worker->output_fd = -1;
    worker->done = done;
    worker->userdata = userdata;

    int r = worker_set_deadline(worker, event, deadline);
    if (r < 0)
        return r;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    worker->output_fd = fds[0];
    _cleanup_close_ int write_fd = fds[1];
    if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    r = sd_event_add_io(event, &worker->output_source, fds[0], EPOLLIN, worker_on_output, worker);
    if (r < 0)
        return r;

    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        run_child(write_fd, func, arg);

    r = sd_event_add_child(event, &worker->child_source, pid, WEXITED, worker_on_exit, worker);
    if (r < 0) {
        /* Nobody would hear of its end: wait for it here, it has hardly begun. */
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return r;
    }
    (void)TAKE_PTR(worker);
    return 0;
}

/* The lower half of a system call's first argument, where the kernel has it for filters. */
#define FIRST_ARGUMENT                                                                             \
    (offsetof(struct seccomp_data, args) + (__BYTE_ORDER == __BIG_ENDIAN ? sizeof(uint32_t) : 0))

void worker_confine(void)
{
    /* Only of the native ABI: the unit refuses the others. */
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIRST_ARGUMENT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    const struct sock_fprog program = {.len = ELEMENTSOF(filter), .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        log_debug("A child cannot be confined: %s.", strerror(errno));
}
