/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What objects of one kind have in common: where they are, and which interfaces each has. */

#include <stddef.h>
#include <systemd/sd-bus.h>

struct host;

struct object_interface {
    const char *name;
    const sd_bus_vtable *vtable;
};

struct object_kind {
    const char *prefix; /* of their paths */
    const struct object_interface *interfaces;
    size_t n_interfaces;
    sd_bus_object_find_t find; /* userdata is the struct host */
    sd_bus_node_enumerator_t enumerate;
};

int object_kind_register(const struct object_kind *kind, sd_bus *bus, struct host *host);

/* Tells clients of one that has gone and cannot be asked for its interfaces any more. */
void object_kind_emit_removed(const struct object_kind *kind, sd_bus *bus, const char *path);

/* A property, and the changes that show in it, as bits. Those of an interface stand together. */
struct object_property {
    const char *interface;
    const char *name;
    unsigned changes;
};

#define OBJECT_PROPERTIES_MAX 16U /* that can change, of one kind */

/* Tells clients of the properties in which the changes show, those of an interface at once. */
void object_emit_changed(sd_bus *bus, const char *path, const struct object_property *properties,
                         size_t n, unsigned changes);

/* The paths that an enumerator gives. */
struct object_paths {
    char **list;
    size_t n;
    int error;
};

/* Where there is no memory for one (NULL), object_paths_take() fails. */
void object_paths_add(struct object_paths *paths, const char *path);
int object_paths_take(struct object_paths *paths, char ***ret);
