/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the path of a record's file says of the record: open-iscsi keeps a node at
 * nodes/TARGET/ADDRESS,PORT,GROUP/IFACE, one of very old versions at nodes/TARGET/ADDRESS,PORT, an
 * iface at ifaces/NAME, a discovery at send_targets/ADDRESS,PORT/st_config or
 * isns/ADDRESS,PORT/isns_config. Pure.
 */

#include <stdint.h>

#include "iscsi/digest.h"

struct node_name {
    char *text; /* what the words point into */
    const char *target;
    const char *address;
    uint16_t port;
    const char *iface;
};

/* -EINVAL: no path of a node. -ENOMEM. ret->text is to be freed. */
int node_name_parse(const char *path, struct node_name *ret);

/*
 * What people call the record, to be freed: the path without the part that all of its kind share,
 * and without the last one of a discovery. NULL: out of memory.
 */
char *record_name(enum record_kind kind, const char *path);

/* "node", "iface", "discovery". */
const char *record_kind_name(enum record_kind kind);

/* "changed", "added", "removed". */
const char *record_difference_name(enum record_difference difference);
