/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a person calls an adapter, a session or a connection, found among those of the host. Pure.
 *
 * A name is tried in this order, and the first kind that fits anything decides: an ID (16 hex
 * digits, or 0x and any number of them); an initiator or target name; a portal as
 * text_parse_portal() takes it; the first 4 or more hex digits of an ID.
 *
 * 0, or -ENOENT: nothing is called so, -ENOTUNIQ: several things are, -ENOMEM. With the first two
 * `message` gets a text for the user that lists the candidates, one a line, to be freed.
 */

#include "cli/report.h"

int names_adapter(const struct report *report, const char *name,
                  const struct report_adapter **ret_adapter, char **message);

int names_session(const struct report *report, const char *name,
                  const struct report_session **ret_session, char **message);

int names_connection(const struct report_connections *connections, const char *name,
                     const struct report_connection **ret_connection, char **message);

/* A disk has no number: its WWID, the name of its map, or that with /dev/mapper/ before it. */
int names_disk(const struct report *report, const char *name, const struct report_disk **ret_disk,
               char **message);

/* The host's only adapter; with none or several, as above. */
int names_only_adapter(const struct report *report, const struct report_adapter **ret_adapter,
                       char **message);
