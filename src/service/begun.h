/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * First policies that have begun. A service that died while it changed maps has them follow, when
 * it starts again, what the store holds. Where there was no policy before, that is nothing: so the
 * maps are noted in the store first, and those that a start in the same boot finds there go back to
 * multipathd (service/reconcile.c). Another boot has built its maps anew.
 */

#include "service/host.h"
#include "service/transaction.h"

/* Reads what is noted, where the service has run in this boot before. */
int begun_load(struct host *host);

/* The service runs in a boot of its own: what an earlier one has left is over. */
void begun_forget_others(struct host *host);

/*
 * A policy is about to change these maps: notes those that have none so far. Where that fails, there
 * is a warning: a store that fails is no reason to refuse a policy.
 */
void begun_note(struct host *host, const struct map_change *maps, size_t n);

/* Their change is saved, undone, or made up for. Nothing is written where none is noted. */
void begun_over(struct host *host, const struct map_change *maps, size_t n);
