/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What went wrong, as one line for a person and as a number for a program. */

#include "client/client.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "basic/sanitize.h"

int fail_with(struct iscsiwmi_client *client, int r, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    char *line;
    va_list args;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0)
        text = NULL;
    if (!text || !client->host)
        line = TAKE_PTR(text);
    else if (asprintf(&line, "%s: %s", client->host, text) < 0)
        line = NULL;
    free(client->error);
    client->error = sanitize(line, SINK_TERMINAL);
    client->has_failed = true;
    return r;
}

const char *iscsiwmi_client_error(const struct iscsiwmi_client *client)
{
    if (!client->has_failed)
        return "";
    return client->error ? client->error : "out of memory";
}

int fail_memory(struct iscsiwmi_client *client)
{
    return fail_with(client, -ENOMEM, "out of memory");
}

int fail_message(struct iscsiwmi_client *client, int r)
{
    return r == -ENOMEM ? fail_memory(client)
                        : fail_with(client, r, "cannot make a D-Bus call: %s", strerror(-r));
}

int fail_reading(struct iscsiwmi_client *client, int r)
{
    if (r == -ENOMEM)
        return fail_memory(client);
    return fail_with(
        client, -EBADMSG,
        "iscsi-wmid answers in a way that this version does not know: install the service "
        "and its clients in the same version, and restart the service");
}

#define ADVICE_ABSENT                                                                              \
    "the service iscsi-wmid is not running: start it with 'systemctl start iscsi-wmid'"
#define ADVICE_ROOT "not permitted: only root may do this, and whom a rule of polkit's allows it"
#define ADVICE_AGENT                                                                               \
    "not permitted without authentication, and nobody could be asked: do it as root, or in a "     \
    "session with a polkit agent"
#define ADVICE_BUSY                                                                                \
    "too many calls of yours wait for polkit or for a connection's counters, or too many answers " \
    "to you were not read: answer what polkit asks, read the answers, or try again later"
#define ADVICE_SILENT                                                                              \
    "iscsi-wmid gave no answer: look at 'iscsi-wmi status' and 'journalctl -u iscsi-wmid'"
#define ADVICE_GONE                                                                                \
    "iscsi-wmid has no such adapter, session, connection or disk, or is of another version: look " \
    "at 'iscsi-wmi status'"

/* What to do about an error of the bus or of the service. */
static const struct advice {
    const char *name;
    int r;
    const char *text;
} advices[] = {
    {SD_BUS_ERROR_SERVICE_UNKNOWN, -ENXIO, ADVICE_ABSENT},
    {SD_BUS_ERROR_NAME_HAS_NO_OWNER, -ENXIO, ADVICE_ABSENT},
    {SD_BUS_ERROR_ACCESS_DENIED, -EACCES, ADVICE_ROOT},
    {SD_BUS_ERROR_AUTH_FAILED, -EACCES, ADVICE_ROOT},
    {SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, -EACCES, ADVICE_AGENT},
    {SD_BUS_ERROR_LIMITS_EXCEEDED, -EBUSY, ADVICE_BUSY},
    {SD_BUS_ERROR_NO_REPLY, -ETIMEDOUT, ADVICE_SILENT},
    {SD_BUS_ERROR_TIMEOUT, -ETIMEDOUT, ADVICE_SILENT},
    {"org.freedesktop.DBus.Error.TimedOut", -ETIMEDOUT, ADVICE_SILENT},
    {SD_BUS_ERROR_UNKNOWN_OBJECT, -ENOENT, ADVICE_GONE},
    {SD_BUS_ERROR_UNKNOWN_INTERFACE, -ENOENT, ADVICE_GONE},
    {SD_BUS_ERROR_UNKNOWN_METHOD, -ENOENT, ADVICE_GONE},
};

static const struct advice *error_find_advice(const char *name)
{
    for (size_t i = 0; i < ELEMENTSOF(advices); i++)
        if (strcmp(name, advices[i].name) == 0)
            return &advices[i];
    return NULL;
}

static bool error_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

int fail_call(struct iscsiwmi_client *client, int r, const sd_bus_error *error)
{
    const char *name = error->name ? error->name : "";
    const char *text = error->message ? error->message : strerror(-r);
    const struct advice *advice = error_find_advice(name);

    if (advice)
        return fail_with(client, advice->r, "%s", advice->text);
    if (error_starts_with(name, "org.freedesktop.DBus.Error.Spawn.") ||
        error_starts_with(name, "org.freedesktop.systemd1."))
        return fail_with(client, -ENXIO,
                         "the service iscsi-wmid could not be started (%s): look at "
                         "'systemctl status iscsi-wmid'",
                         text);
    if (r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE ||
        strcmp(name, SD_BUS_ERROR_DISCONNECTED) == 0)
        return fail_with(client, -ENOTCONN,
                         "the system bus closed the connection: is D-Bus running?");
    if (r == -ENOMEM)
        return fail_memory(client);
    return fail_with(client, r, "iscsi-wmid: %s", text);
}
