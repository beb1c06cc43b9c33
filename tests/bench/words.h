/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

/*
 * Appends arguments of a signature to a message, from words as busctl takes them: an array begins
 * with the number of its elements. `words` ends with NULL. Knows y, b, u, t, s, o, structures and
 * arrays. -EINVAL: signature and words do not fit together.
 */
int append_words(sd_bus_message *message, const char *signature, char **words);
