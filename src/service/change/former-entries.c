/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/change/former-entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "service/model/maps.h"
#include "service/multipathd/map-entry.h"
#include "service/reconcile/gone.h"

struct former_entry {
    char *wwid;
    char *text;                /* NULL: it had none, ... */
    const char *inexpressible; /* ... for this reason, or, NULL, for no policy counted */
};

static bool former_entries_has(const struct former_entries *former, const char *wwid)
{
    for (size_t i = 0; i < former->n; i++)
        if (strcmp(former->entries[i].wwid, wwid) == 0)
            return true;
    return false;
}

int former_entries_keep(struct former_entries *former, const struct host_map *map)
{
    _cleanup_free_ char *wwid = NULL, *text = NULL;

    if (former_entries_has(former, map->wwid))
        return 0;
    struct former_entry *more =
        reallocarray(former->entries, former->n + 1, sizeof(*former->entries));
    if (!more)
        return -ENOMEM;
    former->entries = more;
    wwid = strdup(map->wwid);
    text = map->entry ? strdup(map->entry) : NULL;
    if (!wwid || (map->entry && !text))
        return -ENOMEM;
    more[former->n++] = (struct former_entry){TAKE_PTR(wwid), TAKE_PTR(text), map->inexpressible};
    return 0;
}

void former_entries_take_back(struct former_entries *former, struct host *host)
{
    for (size_t i = 0; i < former->n; i++) {
        struct host_map *map = maps_find_wwid(host, former->entries[i].wwid);
        if (!map)
            continue;
        map_entry_take_back(map, TAKE_PTR(former->entries[i].text),
                            former->entries[i].inexpressible);
        if (map->entry && !map->dev)
            gone_add(map); /* it waits for its return, like others */
    }
    former_entries_done(former);
}

void former_entries_done(struct former_entries *former)
{
    for (size_t i = 0; i < former->n; i++) {
        free(former->entries[i].wwid);
        free(former->entries[i].text);
    }
    free(former->entries);
    *former = (struct former_entries){0};
}
