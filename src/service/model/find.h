/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the model knows, found by its ID or number. NULL: it does not know it. */

#include "service/model/model.h"

/* For the sorted arrays and the tree: by the ID that each begins with; by the kernel's number. */
int model_compare_ids(const void *a, const void *b);
int model_compare_sids(const void *a, const void *b);

struct adapter *host_adapter(struct host *host, uint64_t id);
struct session *host_session(struct host *host, uint64_t id);
struct connection *session_connection(const struct session *session, uint64_t id);

/*
 * The one that a policy names: policies outlive the ranks of connections that share a portal, and
 * the first of several is the one that was alone, or will be.
 */
struct connection *session_named_connection(const struct session *session, uint64_t id);

/* The one with that ID, whichever session it is of. */
struct connection *host_connection(struct host *host, uint64_t id);

/* The connection that a kernel session is. */
struct connection *host_find_sid(const struct host *host, uint32_t sid);

/* Calls func for each map, in the order of WWIDs. It must not add or drop any. */
void maps_each(const struct host *host, void (*func)(struct host_map *map, void *userdata),
               void *userdata);
