/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The default policy is offered to each map once, when it appears: one that has no policy takes it.
 * To whom it was offered in this boot is in the store, so that the next service leaves them alone,
 * however soon it comes. What was offered to many maps together is one change of the store.
 */

#include "service/model/model.h"

/* In the transaction that reads, after the settings and the disks' policies. */
int offers_new(struct host *host);
void offers_free(struct host *host); /* what is not in the store yet is saved */

/* Another boot may have begun: before settings_note_boot(). */
void offers_begin_boot(struct host *host);

/*
 * Sets and saves what is offered from now on; maps that are there keep what they have. -EINVAL: not
 * dsm_can_be_default(). Errors of the store: nothing has changed.
 */
int offers_set_policy(struct host *host, uint32_t policy);

/* The map has appeared. `old`: before the service, in this boot: an earlier offer counts. */
void offers_make(struct host_map *map, bool old);

/* It has gone: when it comes back, it appears. */
void offers_withdraw(struct host_map *map);
