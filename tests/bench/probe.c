/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-probe: measures from one connection to the system bus and without an interpreter, whose
 * start would be most of what is measured. Reads lines, and answers each with one of nanoseconds,
 * a number for each time, or with "error" and why:
 *
 *   call COUNT NAME PATH INTERFACE MEMBER SIGNATURE [WORD...]  from a call to its reply; no
 *                                            arguments: "-". A Status other than 0 is an error.
 *   run COUNT COMMAND [WORD...]              from fork to exit, its output thrown away
 *   start COMMAND [WORD...]                  from fork to READY=1; then it is ended
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "basic/macros.h"
#include "clock.h"
#include "words.h"

#define CALL_USEC (300U * 1000000U)
#define READY_MS 120000
#define COUNT_MAX 1000UL

static int failed(const char *what, int r)
{
    printf("error %s: %s\n", what, strerror(-r));
    return r;
}

/* --- Calls --------------------------------------------------------------------------------- */

/* A Status is the only argument of a reply that has one. */
static int check_reply(sd_bus_message *reply)
{
    uint32_t status = 0;

    if (!sd_bus_message_has_signature(reply, "u"))
        return 0;
    int r = sd_bus_message_read(reply, "u", &status);
    if (r < 0)
        return failed("reply", r);
    if (status == 0)
        return 0;
    printf("error Status 0x%08" PRIx32 "\n", status);
    return -EREMOTEIO;
}

static int call_once(sd_bus *bus, char **words, uint64_t *ret_ns)
{
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
    const char *signature = strcmp(words[4], "-") == 0 ? "" : words[4];

    int r = sd_bus_message_new_method_call(bus, &call, words[0], words[1], words[2], words[3]);
    if (r >= 0)
        r = append_words(call, signature, words + 5);
    if (r < 0)
        return failed("arguments", r);

    uint64_t before = now_ns();
    r = sd_bus_call(bus, call, CALL_USEC, &error, &reply);
    *ret_ns = now_ns() - before;
    if (r < 0) {
        printf("error %s: %s\n", error.name ?: "call", error.message ?: strerror(-r));
        return r;
    }
    return check_reply(reply);
}

/* --- Programs ------------------------------------------------------------------------------ */

_Noreturn static void become(char **words, const char *notify_socket)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
        _exit(126);
    if (notify_socket ? setenv("NOTIFY_SOCKET", notify_socket, true) < 0
                      : dup2(fd, STDERR_FILENO) < 0)
        _exit(126);
    execvp(words[0], words);
    _exit(127);
}

static int wait_for(pid_t pid, int *ret_status)
{
    while (waitpid(pid, ret_status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static int run_once(sd_bus *bus, char **words, uint64_t *ret_ns)
{
    int status;
    uint64_t before = now_ns();
    pid_t pid = fork();
    if (pid < 0)
        return failed("fork", -errno);
    if (pid == 0)
        become(words, NULL);

    int r = wait_for(pid, &status);
    *ret_ns = now_ns() - before;
    if (r < 0)
        return failed("wait", r);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    printf("error %s: wait status 0x%x\n", words[0], (unsigned)status);
    return -EREMOTEIO;
}

/* A socket for notifications, under a name in the abstract space that the kernel chooses. */
static int notify_socket(char *ret_name, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(address);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return -errno;
    int name = (int)(length - offsetof(struct sockaddr_un, sun_path) - 1);
    snprintf(ret_name, size, "@%.*s", name, address.sun_path + 1);
    return TAKE_FD(fd);
}

/* -ETIMEDOUT: it said nothing more for so long. -ECHILD: it ended. */
static int wait_until_ready(pid_t pid, int fd)
{
    _cleanup_close_ int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0)
        return -errno;
    for (;;) {
        char text[4096];
        struct pollfd pollfds[] = {{.fd = fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
        int r = poll(pollfds, ELEMENTSOF(pollfds), READY_MS);
        if (r <= 0)
            return r < 0 ? -errno : -ETIMEDOUT;
        if (!pollfds[0].revents)
            return -ECHILD;
        ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
        if (n < 0)
            return -errno;
        text[n] = '\0';
        if (strncmp(text, "READY=1", strlen("READY=1")) == 0 || strstr(text, "\nREADY=1"))
            return 0;
    }
}

static int start_once(sd_bus *bus, char **words, uint64_t *ret_ns)
{
    char name[sizeof(struct sockaddr_un)];
    int status;
    _cleanup_close_ int fd = notify_socket(name, sizeof(name));
    if (fd < 0)
        return failed("notify socket", fd);

    uint64_t before = now_ns();
    pid_t pid = fork();
    if (pid < 0)
        return failed("fork", -errno);
    if (pid == 0)
        become(words, name);
    int r = wait_until_ready(pid, fd);
    *ret_ns = now_ns() - before;

    kill(pid, r < 0 ? SIGKILL : SIGTERM);
    int waited = wait_for(pid, &status);
    if (r < 0 || waited < 0)
        return failed("ready", r < 0 ? r : waited);
    return 0;
}

/* --- Lines --------------------------------------------------------------------------------- */

static const struct kind {
    const char *name;
    bool counted;   /* the word after the name says how often */
    size_t n_words; /* at least so many more */
    int (*once)(sd_bus *bus, char **words, uint64_t *ret_ns);
} kinds[] = {
    {"call", true, 5, call_once},
    {"run", true, 1, run_once},
    {"start", false, 1, start_once},
};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static void answer(sd_bus *bus, char **words, size_t n_words)
{
    static uint64_t times[COUNT_MAX];
    const struct kind *kind = n_words > 0 ? find_kind(words[0]) : NULL;
    size_t skip = kind && kind->counted ? 2 : 1;

    if (!kind || n_words < skip + kind->n_words) {
        (void)failed("line", -EINVAL);
        return;
    }
    unsigned long count = kind->counted ? strtoul(words[1], NULL, 10) : 1;
    if (count == 0 || count > COUNT_MAX) {
        (void)failed("count", -EINVAL);
        return;
    }
    for (unsigned long i = 0; i < count; i++)
        if (kind->once(bus, words + skip, &times[i]) < 0)
            return;
    for (unsigned long i = 0; i < count; i++)
        printf("%" PRIu64 "%c", times[i], i + 1 < count ? ' ' : '\n');
}

int main(void)
{
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    _cleanup_free_ char *line = NULL;
    size_t allocated = 0;

    int r = sd_bus_open_system(&bus);
    if (r < 0) {
        fprintf(stderr, "bench-probe: the system bus: %s\n", strerror(-r));
        return EXIT_FAILURE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (getline(&line, &allocated, stdin) >= 0) {
        char *words[1024] = {0}, *at = line;
        size_t n = 0;
        for (char *word; n < ELEMENTSOF(words) - 1 && (word = strsep(&at, " \n"));)
            if (*word)
                words[n++] = word;
        answer(bus, words, n);
    }
    return EXIT_SUCCESS;
}
