/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The intent to give a map its first policy. A service that died while it changed maps has them
 * follow, when it starts again, what the store holds. Where there was no policy before, that is
 * nothing: so the store has an intent for each such map until its change is over. Those that a
 * start in the same boot finds, and those that could not be put back, are marked in the model: the
 * reconciler has multipathd build them again. Another boot has built its maps anew.
 */

#include "service/model/model.h"
#include "service/tables/transaction.h"

/* Marks the maps that have one, where the service has run in this boot before. */
int intents_new(struct host *host);
void intents_free(struct host *host); /* what the store does not know yet is saved */

/*
 * What an earlier boot has left is over, in this one's first run. Where that cannot be saved,
 * there is a warning, and a later run has such maps built once more.
 */
void intents_forget_others(struct host *host);

/*
 * A policy is about to change these maps: an intent for each that has none so far. Where that
 * fails, there is a warning: a store that fails is no reason to refuse a policy.
 */
void intents_record(struct host *host, struct map_change *maps, size_t n);

/*
 * Their change is over: their intents go, but for maps that could not be put back, and those whose
 * policy could not be saved, which the next start has to give back. A change that was undone leaves
 * alone what it found marked.
 */
void intents_end(struct host *host, enum transaction_result result, const struct map_change *maps,
                 size_t n);

/*
 * The map is no more as a first policy has left it. The store hears of it later, of many together:
 * a service that is killed before looks at such a map once more.
 */
void intents_forget(struct host_map *map);
