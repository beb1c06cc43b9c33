/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/reconcile/inspection-queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void inspection_queue_done(struct inspection_queue *queue)
{
    free(queue->inspections);
    *queue = (struct inspection_queue){0};
}

/* The device's inspection, which may be new; NULL: out of memory. */
static struct inspection *inspection_queue_get(struct inspection_queue *queue, dev_t dev)
{
    for (size_t i = 0; i < queue->n; i++)
        if (queue->inspections[i].dev == dev)
            return &queue->inspections[i];

    struct inspection *more = reallocarray(queue->inspections, queue->n + 1, sizeof(*more));
    if (!more)
        return NULL;
    queue->inspections = more;
    more[queue->n] = (struct inspection){.dev = dev, .usec = UINT64_MAX};
    return &more[queue->n++];
}

int inspection_queue_add(struct inspection_queue *queue, dev_t dev, uint64_t usec)
{
    struct inspection *inspection = inspection_queue_get(queue, dev);

    if (!inspection)
        return -ENOMEM;
    if (usec < inspection->usec)
        inspection->usec = usec;
    return 0;
}

int inspection_queue_await_place(struct inspection_queue *queue, dev_t dev)
{
    struct inspection *inspection = inspection_queue_get(queue, dev);

    if (!inspection)
        return -ENOMEM;
    inspection->awaits_place = true;
    return 0;
}

void inspection_queue_give_places(struct inspection_queue *queue, size_t places, uint64_t now)
{
    for (size_t i = 0; i < queue->n && places > 0; i++) {
        struct inspection *inspection = &queue->inspections[i];

        if (!inspection->awaits_place)
            continue;
        if (now < inspection->usec)
            inspection->usec = now;
        places--;
    }
}

uint64_t inspection_queue_next(const struct inspection_queue *queue)
{
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < queue->n; i++)
        if (queue->inspections[i].usec < next)
            next = queue->inspections[i].usec;
    return next;
}

bool inspection_queue_take(struct inspection_queue *queue, uint64_t now, dev_t *ret)
{
    size_t i = 0;

    while (i < queue->n && queue->inspections[i].usec > now)
        i++;
    if (i == queue->n)
        return false;
    *ret = queue->inspections[i].dev;
    memmove(&queue->inspections[i], &queue->inspections[i + 1],
            (--queue->n - i) * sizeof(*queue->inspections));
    return true;
}
