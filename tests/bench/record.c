/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-record NAME: writes down, until its standard input ends, the kernel's uevents and the
 * signals of a bus name, with the nanosecond at which each came:
 *
 *   NS ready                                           it listens
 *   NS uevent ACTION SUBSYSTEM DEVPATH
 *   NS signal MEMBER PATH [INTERFACE PROPERTY,...]     (of PropertiesChanged)
 */

#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/macros.h"
#include "clock.h"

#define KERNEL_GROUP                                                                               \
    1U /* the kernel's own uevents; udevd sends what it made of them to group 2                    \
        */
#define BUFFER_SIZE (16 * 1024 * 1024)

/* A field of a uevent: strings, NUL-terminated, one after another. "-": it has none. */
static const char *field(const char *data, size_t size, const char *name)
{
    size_t length = strlen(name);

    for (size_t at = 0; at < size; at += strlen(data + at) + 1)
        if (strncmp(data + at, name, length) == 0 && data[at + length] == '=')
            return data + at + length + 1;
    return "-";
}

static int on_uevent(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    char data[8193];
    ssize_t n = recv(fd, data, sizeof(data) - 1, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    data[n] = '\0';
    printf("%" PRIu64 " uevent %s %s %s\n", now_ns(), field(data, (size_t)n, "ACTION"),
           field(data, (size_t)n, "SUBSYSTEM"), field(data, (size_t)n, "DEVPATH"));
    return 0;
}

/* The names in an array, of strings or of a dictionary. */
static int print_names(sd_bus_message *message, const char *type, const char **separator)
{
    const char *name;

    int r = sd_bus_message_enter_container(message, 'a', type);
    while (r >= 0 && (r = sd_bus_message_at_end(message, false)) == 0) {
        if (*type == '{')
            r = sd_bus_message_enter_container(message, 'e', "sv");
        if (r >= 0)
            r = sd_bus_message_read(message, "s", &name);
        if (r < 0)
            return r;
        printf("%s%s", *separator, name);
        *separator = ",";
        if (*type == '{' && ((r = sd_bus_message_skip(message, "v")) < 0 ||
                             (r = sd_bus_message_exit_container(message)) < 0))
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* What changed, with a new value or without one. */
static int print_changed(sd_bus_message *message)
{
    const char *interface, *separator = "";

    int r = sd_bus_message_read(message, "s", &interface);
    if (r < 0)
        return r;
    printf(" %s ", interface);
    r = print_names(message, "{sv}", &separator);
    return r < 0 ? r : print_names(message, "s", &separator);
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    int r = 0;

    printf("%" PRIu64 " signal %s %s", now_ns(), sd_bus_message_get_member(message),
           sd_bus_message_get_path(message));
    if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.Properties", "PropertiesChanged"))
        r = print_changed(message);
    printf("\n");
    return r < 0 ? r : 0;
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    char data[64];
    ssize_t n = read(fd, data, sizeof(data));
    return n > 0 ? 0 : sd_event_exit(sd_event_source_get_event(source), 0);
}

static int open_uevents(void)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};
    int size = BUFFER_SIZE;
    _cleanup_close_ int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static int record(const char *name)
{
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    _cleanup_close_ int fd = open_uevents();
    if (fd < 0)
        return fd;

    int r = sd_event_default(&event);
    if (r >= 0)
        r = sd_event_add_io(event, NULL, fd, EPOLLIN, on_uevent, NULL);
    if (r >= 0)
        r = sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_input, NULL);
    if (r >= 0)
        r = sd_bus_open_system(&bus);
    if (r >= 0)
        r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_match_signal(bus, NULL, name, NULL, NULL, NULL, on_signal, NULL);
    if (r < 0)
        return r;
    printf("%" PRIu64 " ready\n", now_ns());
    return sd_event_loop(event);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: bench-record NAME\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    int r = record(argv[1]);
    if (r < 0)
        fprintf(stderr, "bench-record: %s\n", strerror(-r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
