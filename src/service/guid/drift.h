/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Drift: whether open-iscsi's records still are what an adapter's GUID names.
 * What they were is in the store, as digests; what they are is read by a child process, soon after
 * a directory with records says that something in it has changed, and at start. Logins and logouts
 * do not write records: in open-iscsi, only operations on records and discoveries do.
 */

#include "iscsi/digest.h"
#include "service/model/model.h"

#define DRIFT_REASON_SIZE 160U

/* Follows the records from now on, and compares them for every adapter that has a GUID. */
int drift_new(struct host *host);
void drift_free(struct host *host);

/* Whether nothing that is known to have happened still waits to be compared. */
bool drift_is_settled(const struct host *host);

/*
 * An observer: an adapter that is new has what its records were from the store, and a connection
 * whether its record has changed since.
 */
void drift_follow(struct host *host);

/* HBAInformation.CacheValid. */
bool drift_cache_valid(const struct adapter *adapter);

/* Why it is false, in one sentence; empty where it is true. */
void drift_reason(const struct adapter *adapter, char ret[DRIFT_REASON_SIZE]);

/*
 * Reads all records in a child process. Within LOCK_PATIENCE `done` is called once, with the set,
 * or a negative errno and NULL. Negative: no child, or no key, and it is not.
 */
typedef void (*drift_read_done_t)(int error, const struct digest_set *set, void *userdata);
int drift_read(struct host *host, drift_read_done_t done, void *userdata);

/* The store has another GUID for the adapter, and the digests that go with it. */
void drift_restart(struct adapter *adapter);

/* Records are other adapters' by now: they are compared again. */
void drift_reconsider(struct host *host);

/* Tells clients where CacheValid is not what they were told, and of `changes` besides. */
void drift_announce(struct adapter *adapter, unsigned changes);
