/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * iscsi-wmi monitor --json: an object a line
 *
 *   {"time": "2025-03-01T12:00:00.123Z", "event": "added", "removed", "changed", "started" or
 *    "stopped", "object": "service", "adapter", "session", "connection", "disk" or "other",
 *    "id": ID or null, "wwid": of a disk TEXT, else null, "path": TEXT, "class": TEXT or null,
 *    "changes": {PROPERTY: TEXT, or null: read it anew}}
 *
 * class and changes say something only where something has "changed".
 */

#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "basic/sanitize.h"
#include "cli/json.h"
#include "cli/text.h"

struct monitor {
    bool json;
    bool failed; /* out of memory, or standard output takes no more */
};

static const char *monitor_event_word(uint32_t type)
{
    static const char *const words[] = {
        [ISCSIWMI_EVENT_ADDED] = "added",     [ISCSIWMI_EVENT_REMOVED] = "removed",
        [ISCSIWMI_EVENT_CHANGED] = "changed", [ISCSIWMI_EVENT_STARTED] = "started",
        [ISCSIWMI_EVENT_STOPPED] = "stopped",
    };

    return type < ELEMENTSOF(words) ? words[type] : NULL;
}

static const char *monitor_object_word(uint32_t object)
{
    static const char *const words[] = {
        [ISCSIWMI_OBJECT_OTHER] = "other",           [ISCSIWMI_OBJECT_SERVICE] = "service",
        [ISCSIWMI_OBJECT_ADAPTER] = "adapter",       [ISCSIWMI_OBJECT_SESSION] = "session",
        [ISCSIWMI_OBJECT_CONNECTION] = "connection", [ISCSIWMI_OBJECT_DISK] = "disk",
    };

    return object < ELEMENTSOF(words) ? words[object] : "other";
}

static bool monitor_has_id(const struct iscsiwmi_event *event)
{
    return event->Object == ISCSIWMI_OBJECT_ADAPTER || event->Object == ISCSIWMI_OBJECT_SESSION ||
           event->Object == ISCSIWMI_OBJECT_CONNECTION;
}

/* ---- for programs ---- */

static void monitor_utc_text(char ret_text[32])
{
    struct timespec now;
    struct tm tm;
    size_t n;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    n = strftime(ret_text, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret_text + n, 32 - n, ".%03uZ", (unsigned)(now.tv_nsec / 1000000) % 1000);
}

static struct json_object *monitor_new_text(const char *text)
{
    return text ? json_object_new_string(text) : NULL;
}

static int monitor_print_json(const struct iscsiwmi_event *event)
{
    struct json_object *object = json_object_new_object();
    struct json_object *changes = json_object_new_object();
    char id[ID_TEXT_SIZE], when[32];

    monitor_utc_text(when);
    text_id(event->Id, id);
    for (uint32_t i = 0; i < event->ChangeCount; i++)
        json_object_object_add(changes, event->Changes[i]->Property,
                               monitor_new_text(event->Changes[i]->Value));
    json_object_object_add(object, "time", monitor_new_text(when));
    json_object_object_add(object, "event", monitor_new_text(monitor_event_word(event->Type)));
    json_object_object_add(object, "object", monitor_new_text(monitor_object_word(event->Object)));
    json_object_object_add(object, "id", monitor_new_text(monitor_has_id(event) ? id : NULL));
    json_object_object_add(object, "wwid", monitor_new_text(event->WWID));
    json_object_object_add(object, "path", monitor_new_text(event->Path));
    json_object_object_add(object, "class", monitor_new_text(event->Class));
    json_object_object_add(object, "changes", changes);
    return json_print_line(object);
}

/* ---- for people ---- */

static void monitor_write_change(const struct iscsiwmi_change *change, FILE *out)
{
    const char *value = change->Value, *quote;

    fprintf(out, " %s", change->Property);
    if (!value)
        return;
    quote = *value == '\0' || strchr(value, ' ') ? "'" : "";
    fprintf(out, "=%s%s%s", quote, value, quote);
}

static void monitor_write_object(const struct iscsiwmi_event *event, FILE *out)
{
    char id[ID_TEXT_SIZE];

    text_id(event->Id, id);
    if (event->Object == ISCSIWMI_OBJECT_OTHER)
        fputs(event->Path, out);
    else if (event->WWID || monitor_has_id(event))
        fprintf(out, "%s %s", monitor_object_word(event->Object), event->WWID ? event->WWID : id);
    else
        fputs(monitor_object_word(event->Object), out);
}

static void monitor_write_event(const struct iscsiwmi_event *event, FILE *out)
{
    time_t now = time(NULL);
    struct tm tm;
    char when[16];

    localtime_r(&now, &tm);
    strftime(when, sizeof(when), "%H:%M:%S ", &tm);
    fputs(when, out);
    monitor_write_object(event, out);
    fprintf(out, " %s", monitor_event_word(event->Type));
    if (event->Class)
        fprintf(out, " %s:", event->Class);
    for (uint32_t i = 0; i < event->ChangeCount; i++)
        monitor_write_change(event->Changes[i], out);
}

static int monitor_print_line(const struct iscsiwmi_event *event)
{
    _cleanup_free_ char *line = NULL;
    size_t size;
    FILE *out = open_memstream(&line, &size);

    if (!out)
        return cli_fail_memory();
    monitor_write_event(event, out);
    if (fclose(out) != 0)
        return cli_fail_memory();
    puts(sanitize(line, SINK_TERMINAL));
    return EXIT_OK;
}

static void monitor_on_event(const struct iscsiwmi_event *event, void *userdata)
{
    struct monitor *monitor = userdata;

    if (!monitor_event_word(event->Type))
        return;
    if ((monitor->json ? monitor_print_json(event) : monitor_print_line(event)) != EXIT_OK ||
        fflush(stdout) != 0)
        monitor->failed = true;
}

/* ---- loop ---- */

/* Readable when the user or the system wants the command to end. */
static int monitor_open_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return -errno;
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

/* Waits for the bus, or the end: whether that has come. Negative errno: the bus' trouble. */
static int monitor_wait_for_event(struct iscsiwmi_client *client, int signals)
{
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {0}};
    int timeout, r;

    if ((r = iscsiwmi_client_get_fd(client, &fds[1].fd)) < 0 ||
        (r = iscsiwmi_client_get_events(client, &fds[1].events)) < 0 ||
        (r = iscsiwmi_client_get_timeout(client, &timeout)) < 0)
        return r;
    (void)poll(fds, ELEMENTSOF(fds), timeout);
    return fds[0].revents != 0;
}

int run_monitor(struct cli *cli)
{
    struct monitor monitor = {.json = cli->json};
    _cleanup_close_ int signals = -1;
    int r, status = cli_connect(cli);

    if (status != EXIT_OK)
        return status;
    signals = monitor_open_signals();
    if (signals < 0)
        return cli_fail("cannot wait for signals: %s", strerror(errno));
    if (iscsiwmi_client_watch(cli->client, monitor_on_event, &monitor) < 0)
        return cli_fail_client(cli);
    /* The end first: an interrupt ends ssh as well, and that is no failure then. */
    while ((r = monitor_wait_for_event(cli->client, signals)) == 0 && !monitor.failed) {
        r = iscsiwmi_client_dispatch(cli->client);
        if (r < 0)
            break;
    }
    return r < 0 ? cli_fail_client(cli) : EXIT_OK;
}
