/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/strangers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "bus/arguments.h"
#include "bus/caller.h"
#include "bus/requests.h"
#include "service/base/bounds.h"

/* A connection of which the bus is asked. */
struct stranger {
    struct strangers *all;
    sd_bus_slot *asking;
    sd_bus_message *calls[STRANGER_CALLS_MAX];
    size_t n, bytes;
    struct stranger *next;
};

struct strangers {
    sd_bus *bus;
    struct requests *requests;
    struct stranger *first;
    size_t bytes; /* of all, as far as they are counted */
};

static void stranger_free(struct stranger *stranger)
{
    struct stranger **p = &stranger->all->first;

    while (*p && *p != stranger)
        p = &(*p)->next;
    if (*p)
        *p = stranger->next;
    for (size_t i = 0; i < stranger->n; i++)
        sd_bus_message_unref(stranger->calls[i]);
    stranger->all->bytes -= stranger->bytes;
    sd_bus_slot_unref(stranger->asking);
    free(stranger);
}

DEFINE_CLEANUP(struct stranger *, stranger_free);

static struct stranger *strangers_find(const struct strangers *strangers, sd_bus_message *message)
{
    const char *name = sd_bus_message_get_sender(message);

    for (struct stranger *stranger = strangers->first; stranger; stranger = stranger->next)
        if (strcmp(sd_bus_message_get_sender(stranger->calls[0]), name) == 0)
            return stranger;
    return NULL;
}

/* They are read once more, in their order, and by whoever is next. */
static int stranger_on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
    _cleanup_(stranger_freep) struct stranger *stranger = userdata;

    bus_take_uid(stranger->calls[0], answer);
    for (size_t i = 0; i < stranger->n; i++)
        if (sd_bus_enqueue_for_read(stranger->all->bus, stranger->calls[i]) < 0)
            break;
    return 0;
}

static void stranger_add(struct stranger *stranger, sd_bus_message *message, size_t bytes)
{
    stranger->calls[stranger->n++] = sd_bus_message_ref(message);
    stranger->bytes += bytes;
    stranger->all->bytes += bytes;
}

static int strangers_ask(struct strangers *strangers, sd_bus_message *message, size_t bytes)
{
    _cleanup_(stranger_freep) struct stranger *stranger = calloc(1, sizeof(*stranger));

    if (!stranger)
        return -ENOMEM;
    stranger->all = strangers;
    stranger_add(stranger, message, bytes);
    int r = bus_ask_uid(message, &stranger->asking, stranger_on_answer, stranger);
    if (r < 0)
        return r;
    stranger->next = strangers->first;
    strangers->first = TAKE_PTR(stranger);
    return 1;
}

/* What it counts for: most calls have some hundred bytes. */
static size_t strangers_weigh(sd_bus_message *message)
{
    int r = arguments_fit(message, STRANGER_BYTES_SMALL);

    if (r > 0)
        return STRANGER_BYTES_SMALL;
    return r == 0 && arguments_fit(message, ARGUMENTS_MAX) > 0 ? ARGUMENTS_MAX : 0;
}

int strangers_hold(struct strangers *strangers, sd_bus_message *message)
{
    struct stranger *stranger = strangers_find(strangers, message);
    size_t bytes = strangers_weigh(message);

    if (bytes == 0 || (stranger && stranger->n == STRANGER_CALLS_MAX))
        return request_refuse(strangers->requests, message, "Too many calls come at once");
    if (strangers->bytes + bytes > STRANGERS_BYTES_MAX)
        return 0;
    if (!stranger)
        return strangers_ask(strangers, message, bytes);
    stranger_add(stranger, message, bytes);
    return 1;
}

int strangers_new(sd_bus *bus, struct requests *requests, struct strangers **ret)
{
    struct strangers *strangers = calloc(1, sizeof(*strangers));

    if (!strangers)
        return -ENOMEM;
    *strangers = (struct strangers){.bus = bus, .requests = requests};
    *ret = strangers;
    return 0;
}

void strangers_free(struct strangers *strangers)
{
    while (strangers->first)
        stranger_free(strangers->first);
    free(strangers);
}
