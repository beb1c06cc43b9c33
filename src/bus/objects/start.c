/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/objects/start.h"

#include "basic/clock.h"
#include "basic/macros.h"
#include "bus/asker.h"
#include "bus/authorize.h"
#include "bus/interfaces/interfaces.h"
#include "bus/names.h"
#include "bus/objects/objects.h"
#include "bus/strangers.h"
#include "bus/turns.h"
#include "bus/unread.h"
#include "service/model/freshness.h"
#include "service/model/host.h"

#define QUEUED_USEC 200U /* so long may events wait for calls that are queued */

static int register_objects(sd_bus *bus, struct host *host)
{
    struct host_observer observer = {.userdata = bus};

    int r = sd_bus_add_object_manager(bus, NULL, BUS_PATH);
    if (r >= 0)
        r = sd_bus_add_object_vtable(bus, NULL, BUS_PATH, BUS_INTERFACE("Manager"), manager_vtable,
                                     host);
    if (r >= 0)
        r = adapters_register(bus, host, &observer);
    if (r >= 0)
        r = sessions_register(bus, host, &observer);
    if (r >= 0)
        r = connections_register(bus, host, &observer);
    if (r >= 0)
        r = disks_register(bus, host, &observer);
    if (r >= 0)
        host_observe(host, &observer);
    return r;
}

/*
 * Whoever calls may have seen a session before its login had named it to the service: it is looked
 * for before the call is, so that no look at an object changes which there are.
 */
static int start_on_message(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    if (sd_bus_message_is_method_call(message, NULL, NULL) > 0)
        host_refresh_unidentified(userdata);
    return 0;
}

static int start_front(sd_bus *bus, sd_bus *asker, struct host *host, struct bus_front *front)
{
    int r = bus_set_asker(asker);
    if (r >= 0)
        r = authorizer_new(bus, host, &front->authorizer);
    if (r >= 0)
        r = register_objects(bus, host);
    if (r >= 0)
        r = sd_bus_add_filter(bus, NULL, start_on_message, host);
    if (r >= 0)
        r = unread_new(bus, host->requests, &front->unread);
    if (r >= 0)
        r = strangers_new(bus, host->requests, &front->strangers);
    if (r >= 0) /* sees each call first */
        r = turns_new(bus, host->requests, front->strangers, &front->turns);
    if (r >= 0)
        r = sd_bus_request_name(bus, BUS_NAME, 0);
    return r;
}

int bus_start(sd_bus *bus, sd_bus *asker, struct host *host, struct bus_front *ret)
{
    struct bus_front front = {0};

    int r = start_front(bus, asker, host, &front);
    if (r < 0)
        bus_end(&front);
    else
        *ret = front;
    return r < 0 ? r : 0;
}

void bus_end(struct bus_front *front)
{
    if (front->turns)
        turns_free(front->turns);
    if (front->strangers)
        strangers_free(front->strangers);
    if (front->unread)
        unread_free(front->unread);
    if (front->authorizer)
        authorizer_free(front->authorizer);
}

void bus_answer_queued(sd_bus *bus, struct host *host, const struct bus_front *front)
{
    uint64_t until = monotonic_usec() + QUEUED_USEC;

    while (!host->changes && monotonic_usec() < until) {
        freshness_next_moment(host);
        if (sd_bus_process(bus, NULL) <= 0)
            break;
    }
    turns_settle(front->turns);
}
