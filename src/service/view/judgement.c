/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>

#include "basic/sanitize.h"
#include "service/model/maps.h"
#include "service/view/judgement.h"

/* The first reason counts. */
__attribute__((format(printf, 2, 3))) static void give_reason(struct judgement *judgement,
                                                              const char *format, ...)
{
    va_list ap;

    if (judgement->reason[0])
        return;
    va_start(ap, format);
    vsnprintf(judgement->reason, sizeof(judgement->reason), format, ap);
    va_end(ap);
}

static void judge_kernel(const struct host_map *map, struct judgement *judgement)
{
    if (!map->dev) {
        judgement->agreement = AGREEMENT_PENDING;
        give_reason(judgement, "There is no multipath map of the disk now.");
    } else if (map->state.table == TABLE_CONTESTED) {
        judgement->agreement = AGREEMENT_CONTESTED;
        if (map->rival)
            give_reason(judgement, "%s wins over the policy for map %s.", map->rival, map->name);
        give_reason(judgement, "Map %s was given other path groups again and again.", map->name);
    } else if (!map_state_agrees(&map->state)) {
        judgement->agreement = AGREEMENT_PENDING;
        give_reason(judgement, "The table of %s does not mean the policy.", map->name);
    }
}

static void judge_mpathd(const struct host_map *map, struct judgement *judgement)
{
    const char *alone = map->alone ?: map->entry ? host_mpathd_alone(map->host) : NULL;

    if (!map->dev)
        return;
    if (alone || map->state.told == TOLD_OVERRIDDEN) {
        judgement->mpathd = MPATHD_ALONE;
        if (alone)
            give_reason(judgement, "multipathd cannot be told of map %s: %s", map->name, alone);
        else
            give_reason(judgement, "multipathd builds map %s another way: %s wins.", map->name,
                        map->rival);
    } else if (map_awaits_mpathd(map)) {
        judgement->mpathd = MPATHD_PENDING;
        give_reason(judgement, "%s",
                    host_mpathd_error(map->host) ?: "multipathd has not read the policy yet.");
    }
}

void judge_map(const struct host_map *map, struct judgement *ret)
{
    *ret = (struct judgement){0};
    judge_kernel(map, ret);
    judge_mpathd(map, ret);
    sanitize(ret->reason, SINK_BUS); /* a file's name can be anything, and be cut anywhere */
}

void judgement_merge(struct judgement *into, const struct judgement *other)
{
    bool worse = other->agreement > into->agreement ||
                 (other->agreement == into->agreement && other->mpathd > into->mpathd);

    if (worse)
        snprintf(into->reason, sizeof(into->reason), "%s", other->reason);
    if (other->agreement > into->agreement)
        into->agreement = other->agreement;
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
