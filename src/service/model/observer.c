/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>

#include "service/model/model.h"
#include "service/model/observer.h"

void host_observe(struct host *host, const struct host_observer *observer)
{
    struct host_observers *observers = &host->observers;

    assert(observers->n < OBSERVERS_MAX);
    if (observers->n < OBSERVERS_MAX)
        observers->list[observers->n++] = *observer;
}

void host_observe_no_more(struct host *host)
{
    host->observers.n = 0;
}

/* Calls one member of each observer that has it. */
#define TELL(host, member, ...)                                                                    \
    do {                                                                                           \
        const struct host_observers *all = &(host)->observers;                                     \
        for (unsigned i = 0; i < all->n; i++)                                                      \
            if (all->list[i].member)                                                               \
                all->list[i].member(__VA_ARGS__, all->list[i].userdata);                           \
    } while (0)

void observe_adapter_added(struct adapter *adapter)
{
    TELL(adapter->host, adapter_added, adapter);
}

void observe_adapter_changed(const struct adapter *adapter, unsigned changes)
{
    TELL(adapter->host, adapter_changed, adapter, changes);
}

void observe_adapter_removed(const struct host *host, uint64_t id)
{
    TELL(host, adapter_removed, id);
}

void observe_login(struct connection *connection, bool new_adapter)
{
    TELL(connection->session->host, login, connection, new_adapter);
}

void observe_session_added(struct session *session)
{
    TELL(session->host, session_added, session);
}

void observe_session_changed(const struct session *session, unsigned changes)
{
    TELL(session->host, session_changed, session, changes);
}

void observe_session_removed(const struct host *host, uint64_t id, uint64_t adapter_id)
{
    TELL(host, session_removed, id, adapter_id);
}

void observe_connection_added(const struct host *host, uint64_t id)
{
    TELL(host, connection_added, id);
}

void observe_connection_removed(const struct host *host, uint64_t id)
{
    TELL(host, connection_removed, id);
}

void observe_disk_added(struct host_map *map)
{
    TELL(map->host, disk_added, map);
}

void observe_disk_changed(const struct host_map *map, unsigned changes)
{
    TELL(map->host, disk_changed, map, changes);
}

void observe_disk_removed(const struct host *host, const char *wwid)
{
    TELL(host, disk_removed, wwid);
}
