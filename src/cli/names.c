/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/names.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "cli/text.h"

/* What a name is looked for among: an array of things. */
struct space {
    const char *noun;
    const char *plural;
    const void *items;
    size_t n;
    uint64_t (*id)(const void *items, size_t i);                     /* NULL: they have no IDs */
    bool (*is_named)(const void *items, size_t i, const char *name); /* NULL: they have no names */
    bool (*is_at)(const void *items, size_t i, const struct portal *portal); /* NULL: nor portals */
    int (*describe)(const void *items, size_t i, FILE *out);
};

/* A name, read in every way that it can be read. */
struct name {
    const char *text;
    bool is_id;
    uint64_t id;
    bool is_portal;
    struct portal portal;
};

typedef bool rule_fn(const struct space *space, size_t i, const struct name *name);

static bool fits_id(const struct space *space, size_t i, const struct name *name)
{
    return name->is_id && space->id && space->id(space->items, i) == name->id;
}

static bool fits_name(const struct space *space, size_t i, const struct name *name)
{
    return space->is_named && space->is_named(space->items, i, name->text);
}

static bool fits_portal(const struct space *space, size_t i, const struct name *name)
{
    return name->is_portal && space->is_at && space->is_at(space->items, i, &name->portal);
}

static bool fits_prefix(const struct space *space, size_t i, const struct name *name)
{
    char id[ID_TEXT_SIZE];

    if (!space->id || !text_is_id_prefix(name->text))
        return false;
    text_id(space->id(space->items, i), id);
    return strncasecmp(id, name->text, strlen(name->text)) == 0;
}

/* One line for each item that the rule lets through; all without a rule. */
static void list(const struct space *space, rule_fn *rule, const struct name *name, FILE *out)
{
    for (size_t i = 0; i < space->n; i++) {
        char id[ID_TEXT_SIZE];

        if (rule && !rule(space, i, name))
            continue;
        fputs("\n  ", out);
        if (space->id) {
            text_id(space->id(space->items, i), id);
            fprintf(out, "%s  ", id);
        }
        space->describe(space->items, i, out);
    }
}

static int complain(const struct space *space, rule_fn *rule, const struct name *name,
                    char **message)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return -ENOMEM;
    if (rule)
        fprintf(out, "'%s' can be any of these %s:", name->text, space->plural);
    else if (space->n == 0)
        fprintf(out, "no %s '%s': there is none at all", space->noun, name->text);
    else
        fprintf(out, "no %s '%s' among these:", space->noun, name->text);
    list(space, rule, name, out);
    if (fclose(out) != 0) {
        free(text);
        return -ENOMEM;
    }
    *message = text;
    return rule ? -ENOTUNIQ : -ENOENT;
}

static int resolve(const struct space *space, const char *text, size_t *ret_index, char **message)
{
    static rule_fn *const rules[] = {fits_id, fits_name, fits_portal, fits_prefix};
    struct name name = {.text = text};
    _cleanup_portal_ struct portal portal = {0};

    name.is_id = text_parse_id(text, &name.id) == 0;
    name.is_portal = text_parse_portal(text, &portal) == 0;
    name.portal = portal;
    for (size_t r = 0; r < ELEMENTSOF(rules); r++) {
        size_t found = 0, index = 0;

        for (size_t i = 0; i < space->n; i++) {
            if (!rules[r](space, i, &name))
                continue;
            found++;
            index = i;
        }
        if (found > 1)
            return complain(space, rules[r], &name, message);
        if (found == 1) {
            *ret_index = index;
            return 0;
        }
    }
    return complain(space, NULL, &name, message);
}

static uint64_t id_of_adapter(const void *items, size_t i)
{
    return ((const struct report_adapter *)items)[i].id;
}

static bool adapter_is_named(const void *items, size_t i, const char *name)
{
    return strcasecmp(((const struct report_adapter *)items)[i].name, name) == 0;
}

static int adapter_describe(const void *items, size_t i, FILE *out)
{
    return fputs(((const struct report_adapter *)items)[i].name, out);
}

static struct space adapter_space(const struct report *report)
{
    return (struct space){
        .noun = "adapter",
        .plural = "adapters",
        .items = report->adapters,
        .n = report->n_adapters,
        .id = id_of_adapter,
        .is_named = adapter_is_named,
        .describe = adapter_describe,
    };
}

int names_adapter(const struct report *report, const char *name,
                  const struct report_adapter **ret_adapter, char **message)
{
    struct space space = adapter_space(report);
    size_t index;
    int r = resolve(&space, name, &index, message);

    if (r < 0)
        return r;
    *ret_adapter = &report->adapters[index];
    return 0;
}

int names_only_adapter(const struct report *report, const struct report_adapter **ret_adapter,
                       char **message)
{
    struct space space = adapter_space(report);
    char *text = NULL;
    size_t size;
    FILE *out;

    if (report->n_adapters == 1) {
        *ret_adapter = &report->adapters[0];
        return 0;
    }
    out = open_memstream(&text, &size);
    if (!out)
        return -ENOMEM;
    fputs(report->n_adapters == 0
              ? "this host has no iSCSI adapter: is an initiator name set in "
                "/etc/iscsi/initiatorname.iscsi?"
              : "this host has several adapters, choose one with --adapter NAME or ID:",
          out);
    list(&space, NULL, NULL, out);
    if (fclose(out) != 0) {
        free(text);
        return -ENOMEM;
    }
    *message = text;
    return report->n_adapters == 0 ? -ENOENT : -ENOTUNIQ;
}

static uint64_t id_of_connection(const void *items, size_t i)
{
    return ((const struct report_connection *)items)[i].id;
}

static bool portal_fits(const struct portal *portal, const char *address, uint16_t port)
{
    return (portal->port == 0 || portal->port == port) &&
           text_same_address(portal->address, address);
}

static bool connection_is_at(const void *items, size_t i, const struct portal *portal)
{
    const struct report_connection *connection = &((const struct report_connection *)items)[i];

    if (portal->iface && strcmp(portal->iface, connection->iface) != 0)
        return false;
    return portal_fits(portal, connection->address, connection->port) ||
           portal_fits(portal, connection->current_address, connection->current_port);
}

static int connection_describe(const void *items, size_t i, FILE *out)
{
    const struct report_connection *connection = &((const struct report_connection *)items)[i];
    _cleanup_free_ char *portal = text_portal(connection->address, connection->port);

    if (!*connection->address)
        return fputs("a path that is not iSCSI's", out);
    return fprintf(out, "%s@%s", portal ? portal : connection->address, connection->iface);
}

int names_connection(const struct report_connections *connections, const char *name,
                     const struct report_connection **ret_connection, char **message)
{
    struct space space = {
        .noun = "connection",
        .plural = "connections",
        .items = connections->items,
        .n = connections->n,
        .id = id_of_connection,
        .is_at = connection_is_at,
        .describe = connection_describe,
    };
    size_t index;
    int r = resolve(&space, name, &index, message);

    if (r < 0)
        return r;
    *ret_connection = &connections->items[index];
    return 0;
}

static uint64_t id_of_session(const void *items, size_t i)
{
    return ((const struct report_session *)items)[i].id;
}

static bool session_is_named(const void *items, size_t i, const char *name)
{
    return strcasecmp(((const struct report_session *)items)[i].target, name) == 0;
}

static bool session_is_at(const void *items, size_t i, const struct portal *portal)
{
    const struct report_session *session = &((const struct report_session *)items)[i];

    for (size_t j = 0; j < session->connections.n; j++)
        if (connection_is_at(session->connections.items, j, portal))
            return true;
    return false;
}

static int session_describe(const void *items, size_t i, FILE *out)
{
    const struct report_session *session = &((const struct report_session *)items)[i];

    return fprintf(out, "%s, from %s", session->target, session->initiator);
}

int names_session(const struct report *report, const char *name,
                  const struct report_session **ret_session, char **message)
{
    struct space space = {
        .noun = "session",
        .plural = "sessions",
        .items = report->sessions,
        .n = report->n_sessions,
        .id = id_of_session,
        .is_named = session_is_named,
        .is_at = session_is_at,
        .describe = session_describe,
    };
    size_t index;
    int r = resolve(&space, name, &index, message);

    if (r < 0)
        return r;
    *ret_session = &report->sessions[index];
    return 0;
}

static bool disk_is_named(const void *items, size_t i, const char *name)
{
    const struct report_disk *disk = &((const struct report_disk *)items)[i];

    return strcmp(disk->wwid, name) == 0 || (*name && strcmp(disk->name, name) == 0);
}

static int disk_describe(const void *items, size_t i, FILE *out)
{
    const struct report_disk *disk = &((const struct report_disk *)items)[i];

    return fprintf(out, "%s  %s", disk->wwid, disk->name);
}

#define MAPPER_DIRECTORY "/dev/mapper/"

int names_disk(const struct report *report, const char *name, const struct report_disk **ret_disk,
               char **message)
{
    struct space space = {
        .noun = "disk",
        .plural = "disks",
        .items = report->disks,
        .n = report->n_disks,
        .is_named = disk_is_named,
        .describe = disk_describe,
    };
    size_t index;
    int r;

    if (strncmp(name, MAPPER_DIRECTORY, strlen(MAPPER_DIRECTORY)) == 0)
        name += strlen(MAPPER_DIRECTORY);
    r = resolve(&space, name, &index, message);
    if (r < 0)
        return r;
    *ret_disk = &report->disks[index];
    return 0;
}
