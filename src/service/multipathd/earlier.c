/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "multipath/drop-in.h"
#include "plan/entry.h"
#include "service/model/host.h"
#include "service/model/maps.h"
#include "service/multipathd/earlier.h"
#include "service/multipathd/map-entry.h"

struct earlier_loading {
    struct host *host;
    struct earlier *earlier;
    bool all; /* any map can be one of a session with a policy */
};

static int earlier_add_device(struct earlier *earlier, const char *text)
{
    char **more = reallocarray(earlier->devices, earlier->n_devices + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    earlier->devices = more;
    more[earlier->n_devices] = strdup(text);
    if (!more[earlier->n_devices])
        return -ENOMEM;
    earlier->n_devices++;
    return 0;
}

static int earlier_take(const char *wwid, const char *text, void *userdata)
{
    struct earlier_loading *loading = userdata;
    struct host_map *map = wwid ? maps_find_wwid(loading->host, wwid) : NULL;

    if (!wwid)
        return earlier_add_device(loading->earlier, text);
    if (!loading->all && !(map && map->policy))
        return 0;
    int r = maps_expect(loading->host, wwid, &map);
    return r < 0 ? r : map_entry_restore(map, text);
}

void earlier_load(struct host *host, struct earlier *ret)
{
    struct earlier_loading loading = {host, ret, host_has_session_policy(host)};
    _cleanup_free_ char *text = NULL;

    *ret = (struct earlier){0};
    int r = drop_in_read_ours(&text);
    if (r >= 0)
        r = entry_file_split(text, earlier_take, &loading);
    if (r < 0 && r != -ENOENT && r != -ENOTDIR)
        log_warning("What multipathd was told earlier cannot be read: %s. Maps that come later may "
                    "get their path groups twice.",
                    strerror(-r));
}

void earlier_done(struct earlier *earlier)
{
    for (size_t i = 0; i < earlier->n_devices; i++)
        free(earlier->devices[i]);
    free(earlier->devices);
    *earlier = (struct earlier){0};
}
