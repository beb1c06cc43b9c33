/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Replaces control characters, which a terminal would obey, by '?', in place; returns the text,
 * NULL for NULL. A target, for one, chooses its own name.
 */
char *make_printable(char *text);
