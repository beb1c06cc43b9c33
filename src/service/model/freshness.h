/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Whether something may have changed since, so that what was read then need not be read again. The
 * kernel announces each device and each table of a map before whoever made it goes on: unlike
 * udev's word, which comes later, its own is there to be read when a client asks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct host;

/* How many changed tables are remembered: those of a session's maps, and of some more. */
#define FRESHNESS_TABLES 256U

/* From now on. Without the kernel's announcements, freshness_serial() says that it does not know.
 */
void freshness_begin(struct host *host);
void freshness_end(struct host *host);

/* The model of the host has changed, in what a client can ask for. */
void freshness_model_changed(struct host *host);

/*
 * A number that is another one where the model, a disk, a session or the table of a map may be
 * other than before. 0: that cannot be known, nothing may be kept.
 */
uint64_t freshness_serial(struct host *host);

/* A moment, for freshness_holds(). All zeros: before anything is known. */
struct freshness_mark {
    uint64_t topology;
    uint64_t n_tables;
};

void freshness_mark(struct host *host, struct freshness_mark *ret);

/*
 * Whether, since then, no disk, session or map has come or gone, and no map but those of `devices`
 * got another table: a path that joined one of others, or a new one, is told by its table. Moves
 * the mark forward then.
 */
bool freshness_holds(struct host *host, struct freshness_mark *mark, const dev_t *devices,
                     size_t n);

/* Likewise, where only a session of the kernel's may be, or have disks, other than before. */
uint64_t freshness_session_serial(struct host *host);

/*
 * A number that is another one for each message and each event: what was read while it is the same,
 * was read after the message had come that is being answered. For what the kernel does not
 * announce, which an answer of many properties would read again for each. 0: nothing may be kept.
 */
uint64_t freshness_moment(const struct host *host);

/* The next message or event comes. */
void freshness_next_moment(struct host *host);
