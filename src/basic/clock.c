/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "basic/clock.h"

uint64_t monotonic_usec(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int64_t monotonic_msec(void)
{
    return (int64_t)(monotonic_usec() / 1000);
}
