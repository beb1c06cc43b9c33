/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who may call what, for all of the service: what is on no list here is refused, root's calls
 * included. data/com.open_iscsi.WMI1.conf has the same list for the bus, data/ the actions for
 * polkit; a test compares the three with dbus-interfaces/.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

struct host;

#define ACTION(name) "com.open-iscsi.wmi1." name

/* What polkit is told of a call. A value is what a dialog can show. */
#define DETAILS_MAX 4U

struct details {
    struct detail {
        const char *key;
        char value[256];
    } items[DETAILS_MAX];
    size_t n;
};

struct rule {
    const char *interface;
    const char *member;
    bool is_property;   /* setting it; reading is a method of org.freedesktop.DBus.Properties */
    const char *action; /* polkit's name of what the caller needs; NULL: any user may */

    /* From here on only where there is an action. */
    const char *signature;     /* of the method's arguments, or the property's type */
    const char *answer;        /* what it answers, Status first; NULL: it has no Status */
    uint32_t out_of_resources; /* that Status */

    /*
     * Adds to the details. What the caller could make up or make long is no part of them. -ENOENT:
     * no such object. `arguments` has the types of `signature`, and stands at the beginning, for a
     * property at its value.
     */
    int (*describe)(sd_bus_message *arguments, struct host *host, struct details *details);
};

extern const struct rule rules[];
extern const size_t n_rules;

/*
 * The rule of a method call, which is then read from its beginning. Fails, with the error for the
 * caller, for what is on no list.
 */
int rules_find(sd_bus_message *message, const struct rule **ret, sd_bus_error *error);
