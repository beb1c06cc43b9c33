/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A small generator (xorshift64*), so that a seed gives the same test on every machine. */

#include <stddef.h>
#include <stdint.h>

struct prng {
    uint64_t state; /* never 0 */
};

static inline uint64_t prng_next(struct prng *prng)
{
    prng->state ^= prng->state >> 12;
    prng->state ^= prng->state << 25;
    prng->state ^= prng->state >> 27;
    return prng->state * UINT64_C(0x2545F4914F6CDD1D);
}

/* A number below the limit, which is small: the bias does not matter here. */
static inline size_t prng_below(struct prng *prng, size_t limit)
{
    return (size_t)((prng_next(prng) >> 16) % limit);
}
