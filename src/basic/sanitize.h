/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a target, a remote host, a map or a file calls itself is data wherever it goes. These two
 * functions alone decide what may stand there as it is. Pure.
 */

#include <stdbool.h>

/* Where a text goes. */
enum sink {
    SINK_BUS,            /* D-Bus. sd-bus refuses what this does not take, and then the whole answer
                            fails, which can be that for all objects */
    SINK_TERMINAL,       /* one line, or part of one */
    SINK_JOURNAL,        /* likewise: a second line would be a message of its own */
    SINK_COMPLETION,     /* a line for a shell's script, which quotes it */
    SINK_JSON,           /* a whole document of json-c's, which has escaped what it must */
    SINK_POLKIT,         /* a dialog, which may read markup */
    SINK_MULTIPATH_CONF, /* between double quotes */
    SINK_METRIC_LABEL,   /* likewise */
};

/* Whether the text may go there as it is. */
bool sink_takes(enum sink sink, const char *text);

/*
 * Replaces each character, and each byte that is part of none, that may not go there by '?', in
 * place, where the text can get shorter; returns it, NULL for NULL. No name of iSCSI's has a '?'
 * (RFC 3722): what was replaced is nobody else's name.
 */
char *sanitize(char *text, enum sink sink);
