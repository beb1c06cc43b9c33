/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/fileio.h"
#include "basic/macros.h"

#define PATIENCE_MS 60000
#define CONFIG_MAX (64 * 1024)
#define SYSTEM_CONFIG "/usr/share/dbus-1/system.conf"
#define SERVICE_POLICY "com.open_iscsi.WMI1.conf"

pid_t fork_bound(void)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
        _exit(127);
    assert_true(pid >= 0);
    return pid;
}

/* ---- configurations ---- */

static void write_open_config(FILE *file, const char *socket)
{
    fprintf(file,
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
            " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
            "<busconfig>\n"
            "  <listen>unix:path=%s</listen>\n"
            /* a tenth of what they are by default, so that a test fills them sooner */
            "  <limit name=\"max_incoming_bytes\">12582912</limit>\n"
            "  <limit name=\"max_outgoing_bytes\">12582912</limit>\n"
            "  <policy context=\"default\">\n"
            "    <allow user=\"*\"/>\n"
            "    <allow own=\"*\"/>\n"
            "    <allow send_destination=\"*\" eavesdrop=\"true\"/>\n"
            "    <allow eavesdrop=\"true\"/>\n"
            "  </policy>\n"
            "</busconfig>\n",
            socket);
}

/* Takes out all that begins and ends so. */
static void take_out(char *text, const char *first, const char *last)
{
    for (char *at = text; (at = strstr(at, first));) {
        char *end = strstr(at, last);
        assert_non_null(end);
        end += strlen(last);
        memmove(at, end, strlen(end) + 1);
    }
}

/* What is left is who may do what: nothing of where the host's bus is and what it starts. */
static char *system_policy(void)
{
    static const char *const elements[][2] = {
        {"<!--", "-->"},
        {"<user>", "</user>"},
        {"<fork/>", ""},
        {"<syslog/>", ""},
        {"<standard_system_servicedirs/>", ""},
        {"<servicehelper>", "</servicehelper>"},
        {"<pidfile>", "</pidfile>"},
        {"<listen>", "</listen>"},
        {"<include ", "</include>"},
        {"<includedir>", "</includedir>"},
        {"</busconfig>", ""},
    };
    char *text;

    assert_int_equal(read_text(SYSTEM_CONFIG, CONFIG_MAX, &text), 0);
    for (size_t i = 0; i < ELEMENTSOF(elements); i++)
        take_out(text, elements[i][0], *elements[i][1] ? elements[i][1] : elements[i][0]);
    return text;
}

/* Whoever runs the test has what root has. */
static void write_service_policy(FILE *file)
{
    static const char root[] = "user=\"root\"";
    const char *data = getenv("DATA_DIR");
    _cleanup_free_ char *path = NULL, *text = NULL;

    assert_true(data && asprintf(&path, "%s/" SERVICE_POLICY, data) > 0);
    assert_int_equal(read_text(path, CONFIG_MAX, &text), 0);
    take_out(text, "<?xml", "?>");
    take_out(text, "<!DOCTYPE", ".dtd\">");
    take_out(text, "<busconfig>", "<busconfig>");
    take_out(text, "</busconfig>", "</busconfig>");
    char *at = strstr(text, root);
    assert_non_null(at);
    fprintf(file, "%.*suser=\"%u\"%s", (int)(at - text), text, (unsigned)geteuid(),
            at + strlen(root));
}

/* What polkit's own package allows, for whoever stands in for it. */
static void write_polkit_policy(FILE *file)
{
    fprintf(file,
            "  <policy user=\"%u\">\n"
            "    <allow own=\"org.freedesktop.PolicyKit1\"/>\n"
            "  </policy>\n"
            "  <policy context=\"default\">\n"
            "    <allow send_destination=\"org.freedesktop.PolicyKit1\"/>\n"
            "  </policy>\n",
            (unsigned)geteuid());
}

static void write_system_config(FILE *file, const char *socket)
{
    _cleanup_free_ char *policy = system_policy();

    fprintf(file, "%s  <listen>unix:path=%s</listen>\n", policy, socket);
    write_service_policy(file);
    write_polkit_policy(file);
    fprintf(file, "</busconfig>\n");
}

static void write_config(enum bus_kind kind, const char *path, const char *socket)
{
    _cleanup_fclose_ FILE *file = fopen(path, "we");
    assert_non_null(file);
    if (kind == BUS_OPEN)
        write_open_config(file, socket);
    else
        write_system_config(file, socket);
    assert_int_equal(fflush(file), 0);
}

/* ---- dbus-daemon ---- */

static pid_t start_daemon(const char *config)
{
    int fds[2];
    char text[256];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    _cleanup_close_ int read_fd = fds[0], write_fd = fds[1];

    pid_t pid = fork_bound();
    if (pid == 0) {
        char option[80];
        dup2(write_fd, 3);
        fcntl(3, F_SETFD, 0); /* where it was 3 already */
        snprintf(option, sizeof(option), "--config-file=%s", config);
        execlp("dbus-daemon", "dbus-daemon", option, "--nofork", "--nosyslog", "--print-address=3",
               NULL);
        perror("dbus-daemon");
        _exit(127);
    }

    /* Its address comes when it listens; the end of the pipe, when it has failed. */
    closep(&write_fd);
    write_fd = -1;
    struct pollfd p = {.fd = read_fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    if (read(read_fd, text, sizeof(text)) <= 0)
        fail_msg("dbus-daemon does not start");
    return pid;
}

/* ---- dbus-broker ---- */

static int bind_socket(const char *path, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        perror(path);
        _exit(127);
    }
    return fd;
}

/* Takes what comes: a socket that is full would keep whoever writes to it waiting. */
static void read_for_ever(int fd)
{
    char text[4096];

    if (fork_bound() != 0)
        return;
    while (recv(fd, text, sizeof(text), 0) >= 0)
        ;
    _exit(0);
}

/* It wants the journal's socket, which a machine without systemd has not. */
static void give_journal(void)
{
    static const char run[] = "/run/systemd", directory[] = "/run/systemd/journal",
                      path[] = "/run/systemd/journal/socket";
    int fd;

    if (access(path, F_OK) == 0)
        return;
    (void)mkdir(run, 0755);
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", run, "tmpfs", 0, "mode=755") < 0 || mkdir(directory, 0755) < 0) {
        perror(directory);
        _exit(127);
    }
    fd = bind_socket(path, SOCK_DGRAM);
    read_for_ever(fd);
    close(fd);
}

/* It is given its socket as systemd would, and is a client of its own bus. */
_Noreturn static void run_broker(const char *config, const char *socket, int fd)
{
    char text[80];

    give_journal();
    dup2(fd, 3);
    fcntl(3, F_SETFD, 0);
    snprintf(text, sizeof(text), "%d", (int)getpid());
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDS", "1", 1);
    snprintf(text, sizeof(text), "unix:path=%s", socket);
    setenv("DBUS_SYSTEM_BUS_ADDRESS", text, 1);
    execlp("dbus-broker-launch", "dbus-broker-launch", "--scope=system", "--config-file", config,
           NULL);
    perror("dbus-broker-launch");
    _exit(127);
}

static pid_t start_broker(const char *config, const char *socket)
{
    _cleanup_close_ int fd = bind_socket(socket, SOCK_STREAM);

    assert_int_equal(chmod(socket, 0666), 0);
    assert_int_equal(listen(fd, SOMAXCONN), 0);
    pid_t pid = fork_bound();
    if (pid == 0)
        run_broker(config, socket, fd);
    return pid;
}

static bool can_start(enum bus_kind kind)
{
    if (kind == BUS_OPEN)
        return true;
    if (access(SYSTEM_CONFIG, R_OK) < 0)
        return false;
    return kind != BUS_BROKER ||
           (geteuid() == 0 && system("command -v dbus-broker-launch >/dev/null") == 0);
}

pid_t bus_start(enum bus_kind kind, const char *directory, const char *socket)
{
    char config[64];

    if (!can_start(kind))
        return 0;
    snprintf(config, sizeof(config), "%s/bus.conf", directory);
    write_config(kind, config, socket);
    return kind == BUS_BROKER ? start_broker(config, socket) : start_daemon(config);
}
