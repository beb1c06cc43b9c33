/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/objects/kind.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"

int object_kind_register(const struct object_kind *kind, sd_bus *bus, struct host *host)
{
    int r = sd_bus_add_node_enumerator(bus, NULL, kind->prefix, kind->enumerate, host);
    for (size_t i = 0; i < kind->n_interfaces && r >= 0; i++)
        r = sd_bus_add_fallback_vtable(bus, NULL, kind->prefix, kind->interfaces[i].name,
                                       kind->interfaces[i].vtable, kind->find, host);
    return r;
}

/* What sd-bus gives each object, and names when it tells that one has come. */
static const char *const standard_interfaces[] = {
    "org.freedesktop.DBus.Peer",
    "org.freedesktop.DBus.Introspectable",
    "org.freedesktop.DBus.Properties",
};

void object_kind_emit_removed(const struct object_kind *kind, sd_bus *bus, const char *path)
{
    size_t n = 0;
    _cleanup_free_ char **names =
        calloc(kind->n_interfaces + ELEMENTSOF(standard_interfaces) + 1, sizeof(*names));

    if (!names)
        return;
    /* A client that keeps an object until its last interface has gone would keep it for ever. */
    for (size_t i = 0; i < ELEMENTSOF(standard_interfaces); i++)
        names[n++] = (char *)standard_interfaces[i];
    for (size_t i = 0; i < kind->n_interfaces; i++)
        names[n++] = (char *)kind->interfaces[i].name;
    (void)sd_bus_emit_interfaces_removed_strv(bus, path, names);
}

static void emit_names(sd_bus *bus, const char *path, const char *interface, char **names,
                       size_t *n_names)
{
    names[*n_names] = NULL;
    if (*n_names > 0)
        (void)sd_bus_emit_properties_changed_strv(bus, path, interface, names);
    *n_names = 0;
}

void object_emit_changed(sd_bus *bus, const char *path, const struct object_property *properties,
                         size_t n, unsigned changes)
{
    char *names[OBJECT_PROPERTIES_MAX + 1];
    const char *interface = NULL;
    size_t n_names = 0;

    assert(n <= OBJECT_PROPERTIES_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!(changes & properties[i].changes))
            continue;
        if (n_names > 0 && strcmp(properties[i].interface, interface) != 0)
            emit_names(bus, path, interface, names, &n_names);
        interface = properties[i].interface;
        names[n_names++] = (char *)properties[i].name;
    }
    emit_names(bus, path, interface, names, &n_names);
}

static void object_paths_free(struct object_paths *paths)
{
    for (size_t i = 0; i < paths->n; i++)
        free(paths->list[i]);
    free(paths->list);
}

void object_paths_add(struct object_paths *paths, const char *path)
{
    char **list = reallocarray(paths->list, paths->n + 2, sizeof(*list));

    if (list) {
        paths->list = list;
        list[paths->n] = path ? strdup(path) : NULL;
        list[paths->n + 1] = NULL;
    }
    if (list && list[paths->n])
        paths->n++;
    else
        paths->error = -ENOMEM;
}

int object_paths_take(struct object_paths *paths, char ***ret)
{
    if (paths->error < 0) {
        object_paths_free(paths);
        return paths->error;
    }
    *ret = paths->list;
    return 0;
}
