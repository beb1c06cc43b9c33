/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * D-Bus texts are UTF-8. sd-bus takes no other, and the whole answer fails, which can be that for all
 * objects: what comes from a target, the kernel or a file must not get there as it is.
 */

#include <stdbool.h>

/* Whether the text is UTF-8 (RFC 3629). */
bool text_is_utf8(const char *text);

/* Replaces each byte that is part of no character by '?', in place; returns the text. */
char *make_utf8(char *text);
