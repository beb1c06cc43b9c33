/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>

#include "basic/sanitize.h"
#include "service/model/host.h"
#include "service/model/maps.h"
#include "service/view/agreement.h"

/* The first reason counts. */
__attribute__((format(printf, 2, 3))) static void agreement_give_reason(struct map_agreement *to,
                                                                        const char *format, ...)
{
    va_list ap;

    if (to->reason[0])
        return;
    va_start(ap, format);
    vsnprintf(to->reason, sizeof(to->reason), format, ap);
    va_end(ap);
}

static void agreement_of_kernel(const struct host_map *map, struct map_agreement *to)
{
    if (!map->dev) {
        to->kernel = AGREEMENT_PENDING;
        agreement_give_reason(to, "There is no multipath map of the disk now.");
    } else if (map->state.table == TABLE_CONTESTED) {
        to->kernel = AGREEMENT_CONTESTED;
        if (map->override)
            agreement_give_reason(to, "%s wins over the policy for map %s.", map->override,
                                  map->name);
        agreement_give_reason(to, "Map %s was given other path groups again and again.", map->name);
    } else if (!map_state_agrees(&map->state)) {
        to->kernel = AGREEMENT_PENDING;
        agreement_give_reason(to, "The table of %s does not mean the policy.", map->name);
    }
}

static void agreement_of_mpathd(const struct host_map *map, struct map_agreement *to)
{
    const char *alone = map->inexpressible ?: map->entry ? host_mpathd_deferred(map->host) : NULL;

    if (!map->dev)
        return;
    if (alone || map->state.sync == SYNC_OVERRIDDEN) {
        to->mpathd = MPATHD_ALONE;
        if (alone)
            agreement_give_reason(to, "multipathd cannot be told of map %s: %s", map->name, alone);
        else
            agreement_give_reason(to, "multipathd builds map %s another way: %s wins.", map->name,
                                  map->override);
    } else if (map_awaits_mpathd(map)) {
        to->mpathd = MPATHD_PENDING;
        agreement_give_reason(
            to, "%s", host_mpathd_error(map->host) ?: "multipathd has not read the policy yet.");
    }
}

void map_agreement_read(const struct host_map *map, struct map_agreement *ret)
{
    *ret = (struct map_agreement){0};
    agreement_of_kernel(map, ret);
    agreement_of_mpathd(map, ret);
    sanitize(ret->reason, SINK_BUS); /* a file's name can be anything, and be cut anywhere */
}

void map_agreement_merge(struct map_agreement *into, const struct map_agreement *other)
{
    bool worse = other->kernel > into->kernel ||
                 (other->kernel == into->kernel && other->mpathd > into->mpathd);

    if (worse)
        snprintf(into->reason, sizeof(into->reason), "%s", other->reason);
    if (other->kernel > into->kernel)
        into->kernel = other->kernel;
    if (other->mpathd > into->mpathd)
        into->mpathd = other->mpathd;
}

const char *agreement_word(enum agreement agreement)
{
    static const char *const words[] = {"Applied", "Pending", "Contested"};
    return words[agreement];
}

const char *mpathd_agreement_word(enum mpathd_agreement agreement)
{
    static const char *const words[] = {"Agrees", "Pending", "Alone"};
    return words[agreement];
}
