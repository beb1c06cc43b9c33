/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A state with what this machine need not have: a session that is logged out, and a disk that has
 * no map, each with a policy.
 */

#include "basic/macros.h"
#include "harness.h"
#include "iscsi/identity.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>

#define INITIATOR "iqn.2025-01.com.example:host"
#define TARGET "iqn.2025-01.com.example:target"

/* A WWID with what object paths have to escape, and its object, by the rules of sd_bus_path_encode.
 */
#define DISK_WWID "36001405.a-b"
#define DISKS_PATH ROOT_PATH "/disk"
#define DISK_PATH DISKS_PATH "/_336001405_2ea_2db"

#define FIXTURE_PATH_MAX 64U

static inline void fixture_adapter_path(char path[FIXTURE_PATH_MAX])
{
    snprintf(path, FIXTURE_PATH_MAX, ADAPTERS_PATH "/%016" PRIx64, adapter_id(INITIATOR));
}

static inline void fixture_session_path(char path[FIXTURE_PATH_MAX])
{
    snprintf(path, FIXTURE_PATH_MAX, SESSIONS_PATH "/%016" PRIx64, session_id(INITIATOR, TARGET));
}

/* Puts a policy for a session of the initiator's into the state, where no service runs. */
static inline void fixture_add_target(const struct harness *harness, const char *target)
{
    struct store *store = NULL;
    char *message = NULL;
    struct store_path path = {
        .connection_id = connection_id(INITIATOR, target, "default", "192.0.2.1", 3260, 0),
        .iface = (char *)"default",
        .address = (char *)"192.0.2.1",
        .port = 3260,
        .primary = true,
    };
    struct store_policy policy = {
        .initiator = (char *)INITIATOR,
        .target = (char *)target,
        .policy = LB_ROUND_ROBIN,
        .paths = &path,
        .n_paths = 1,
    };

    assert_int_equal(store_open(harness->state_file, &store, &message), 0);
    assert_int_equal(store_put_policy(store, &policy), 0);
    store_close(store);
}

static inline void fixture_add_session(const struct harness *harness)
{
    fixture_add_target(harness, TARGET);
}

/* The same for the disk. */
static inline void fixture_add_disk(const struct harness *harness)
{
    struct store *store = NULL;
    char *message = NULL;
    struct store_disk_path path = {.id = 7, .primary = true};
    const struct store_disk_policy policy = {
        .wwid = (char *)DISK_WWID,
        .policy = DSM_LEAST_BLOCKS,
        .paths = &path,
        .n_paths = 1,
    };

    assert_int_equal(store_open(harness->state_file, &store, &message), 0);
    assert_int_equal(store_put_disk_policy(store, &policy), 0);
    store_close(store);
}

/* The service, with both. */
static inline int fixture_setup(void **state)
{
    struct harness *harness = harness_new();
    *state = harness;
    fixture_add_session(harness);
    fixture_add_disk(harness);
    harness_start(harness);
    return 0;
}
