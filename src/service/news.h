/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Whether something may have changed since, so that what was read then need not be read again. The
 * kernel announces each device and each table of a map before whoever made it goes on: unlike
 * udev's word, which comes later, its own is there to be read when a client asks.
 */

#include <stdint.h>

struct host;

/* From now on. Without the kernel's announcements, news_serial() says that it does not know. */
void news_begin(struct host *host);
void news_end(struct host *host);

/* The model of the host has changed, in what a client can ask for. */
void news_of_model(struct host *host);

/*
 * A number that is another one where the model, a disk, a session or the table of a map may be
 * other than before. 0: that cannot be known, nothing may be kept.
 */
uint64_t news_serial(struct host *host);
