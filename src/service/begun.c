/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/begun.h"
#include "service/maps.h"

int begun_load(struct host *host)
{
    char **wwids = NULL;
    size_t n = 0;

    if (!host->same_boot)
        return 0;
    int r = store_load_begun(host->store, &wwids, &n);
    for (size_t i = 0; i < n; i++) {
        if (r >= 0)
            r = maps_expect_begun(host, wwids[i]);
        free(wwids[i]);
    }
    free(wwids);
    return r;
}

void begun_forget_others(struct host *host)
{
    if (host->same_boot)
        return;
    int r = store_forget_begun(host->store, NULL, 0);
    if (r < 0)
        log_warning("Maps that were getting a policy when an earlier boot ended stay noted: %s.",
                    strerror(-r));
}

/* Sets the mark, or takes it away, where that is a change: *ret, to be freed, has their WWIDs. */
static int mark(struct host *host, const struct map_change *maps, size_t n, bool begun,
                const char ***ret, size_t *ret_n)
{
    const char **wwids = calloc(n + 1, sizeof(*wwids));
    if (!wwids)
        return -ENOMEM;
    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        struct host_map *map = maps_find_wwid(host, dm_map_wwid(maps[i].before));
        if (!map || map->begun == begun || (begun && map_has_any_policy(map)))
            continue;
        map->begun = begun;
        wwids[(*ret_n)++] = map->wwid;
    }
    *ret = wwids;
    return 0;
}

void begun_note(struct host *host, const struct map_change *maps, size_t n)
{
    _cleanup_free_ const char **wwids = NULL;
    size_t n_wwids = 0;

    int r = mark(host, maps, n, true, &wwids, &n_wwids);
    if (r >= 0 && n_wwids > 0)
        r = store_note_begun(host->store, wwids, n_wwids);
    if (r < 0)
        log_warning("That maps get their first policy cannot be saved: %s. Should the service be "
                    "killed before they have it, 'multipathd reconfigure' puts them back.",
                    strerror(-r));
}

void begun_over(struct host *host, const struct map_change *maps, size_t n)
{
    _cleanup_free_ const char **wwids = NULL;
    size_t n_wwids = 0;

    int r = mark(host, maps, n, false, &wwids, &n_wwids);
    if (r >= 0 && n_wwids > 0)
        r = store_forget_begun(host->store, wwids, n_wwids);
    if (r < 0)
        log_warning("That maps have got their first policy cannot be saved: %s.", strerror(-r));
}
