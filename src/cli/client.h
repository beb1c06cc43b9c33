/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The service as seen from the command: everything that knows the bus. The connection is made by
 * the first call. Each call returns 0 or a negative errno, after which client_error() has one line
 * for the user that says what to do.
 */

#include <stdint.h>

#include "basic/macros.h"
#include "cli/host.h"

struct client;

int client_new(struct client **ret_client);
struct client *client_free(struct client *client);
DEFINE_CLEANUP(struct client *, client_free);
#define _cleanup_client_ _cleanup_(client_freep)

/* Why the last call failed. */
const char *client_error(const struct client *client);

/* Adapters and sessions, in one call and already linked (host_link). */
int client_fetch_host(struct client *client, struct host **ret_host);

int client_fetch_manager(struct client *client, struct manager **ret_manager);

/* SetLoadBalancePolicy. */
int client_set_policy(struct client *client, const struct adapter *adapter,
                      const struct lb_request *request, uint32_t *ret_status);

/* SetGenerationalGuid. */
int client_set_guid(struct client *client, const struct adapter *adapter,
                    const uint8_t guid[GUID_SIZE], uint32_t *ret_status);
