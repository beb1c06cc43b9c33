/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Devices that are to be inspected: at a time, or as soon as a repair ends and leaves its place, or
 * both, whichever comes first. Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct inspection {
    dev_t dev;
    uint64_t usec; /* CLOCK_MONOTONIC, UINT64_MAX: no time */
    bool awaits_place;
};

/* All zeros: empty. Who came first is first. */
struct inspection_queue {
    struct inspection *inspections;
    size_t n;
};

void inspection_queue_done(struct inspection_queue *queue);

/* Has a device inspected at that time, should it not be sooner. -ENOMEM. */
int inspection_queue_add(struct inspection_queue *queue, dev_t dev, uint64_t usec);

/* Has it inspected as soon as there is a place for its repair. -ENOMEM. */
int inspection_queue_await_place(struct inspection_queue *queue, dev_t dev);

/* There are so many places: for as many devices that await one, the time is `now`. */
void inspection_queue_give_places(struct inspection_queue *queue, size_t places, uint64_t now);

/* When the next inspection is; UINT64_MAX: at no time. */
uint64_t inspection_queue_next(const struct inspection_queue *queue);

/* Takes out one whose time has come. */
bool inspection_queue_take(struct inspection_queue *queue, uint64_t now, dev_t *ret);
