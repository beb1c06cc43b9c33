/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "basic/macros.h"
#include "service/host.h"
#include "service/settings.h"

#define WEIGHT_ORDER "path-weight-order"
#define LOWEST_FIRST "lowest-first"
#define HIGHEST_FIRST "highest-first"

int settings_load(struct host *host)
{
    _cleanup_free_ char *order = NULL;

    int r = store_get_setting(host->store, WEIGHT_ORDER, &order);
    if (r < 0 && r != -ENODATA)
        return r;
    host->highest_first = order && strcmp(order, HIGHEST_FIRST) == 0;
    return 0;
}

const char *settings_weight_order(const struct host *host)
{
    return host->highest_first ? HIGHEST_FIRST : LOWEST_FIRST;
}

int settings_set_weight_order(struct host *host, const char *order)
{
    bool highest_first = strcmp(order, HIGHEST_FIRST) == 0;

    if (!highest_first && strcmp(order, LOWEST_FIRST) != 0)
        return -EINVAL;
    int r = store_put_setting(host->store, WEIGHT_ORDER, order);
    if (r < 0)
        return r;
    host->highest_first = highest_first;
    return 0;
}
