/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* CLOCK_MONOTONIC as it is now: an event loop's own word is that of the beginning of its round. */
uint64_t monotonic_usec(void);

/* The same in milliseconds, for poll() and its deadlines. */
int64_t monotonic_msec(void);
