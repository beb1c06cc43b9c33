/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Classes as tables, and the two ways between a D-Bus message and a structure that a table
 * describes. classes.c has the tables: a new class is a structure in include/iscsi-wmi/classes.h
 * and a table there.
 */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "client/result.h"

/*
 * One member. By its D-Bus type:
 *
 *   y q u t   an integer of that width      ay      bytes in the structure itself, all of them
 *   b         bool                          (...)   a structure of `class` in the structure itself
 *   s         char *                        as at   array of char * or uint64_t
 *                                           a(...)  array of `class`, or of pointers to such
 */
struct member {
    const char *name;
    size_t offset, size;
    const char *type;
    const struct class *class;
    bool by_pointer;
    size_t count_offset, count_size; /* of the member that counts the array: 2 or 4 bytes */
};

struct class
{
    const char *name;      /* of the D-Bus interface without its prefix, or of the structure */
    const char *signature; /* of a structure, without its brackets; NULL for an interface */
    size_t size;
    const struct member *members; /* in D-Bus order; the last has no name */
};

/* A record of a class with nothing but empty texts. NULL: out of memory. */
void *class_new(const struct class *class);

/*
 * Each reads into a record of `result`, which may be the result itself. -EBADMSG, -ENXIO: it is not
 * of that form; -ENOMEM. Otherwise 0 or more, as sd-bus has it.
 */
typedef int class_read_fn(sd_bus_message *message, const struct class *class, void *record,
                          void *result);
class_read_fn class_read_members;    /* without brackets */
class_read_fn class_read_properties; /* a{sv}; what the class does not have is passed over */

/* Appends a structure with its brackets. A text of NULL is empty. */
int class_append(sd_bus_message *message, const struct class *class, const void *record);

/* Fills in empty texts. -ENOMEM, or 0. */
int class_init(const struct class *class, void *record, void *result);

/* Appends a zeroed item to an array of `n` that grows within `result`. NULL: out of memory. */
void *array_append(void *result, void *items_field, size_t n, size_t size);
