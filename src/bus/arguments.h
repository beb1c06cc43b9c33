/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The arguments of the methods that have more than a number or a text. Nothing in them has been
 * checked, apart from their form. Each gives 0 or more, or a negative errno, as sd-bus has it (of
 * more paths than PATHS_MAX, -E2BIG); what it points to is the message's, or to be freed.
 */

#include <systemd/sd-bus.h>

#include "service/base/bounds.h"
#include "wmi/dsm.h"
#include "wmi/ping.h"
#include "wmi/policy.h"

#define TOO_MANY_PATHS "The request names too many paths"

/*
 * Whether the arguments take so many bytes at most; then they are read from their beginning. A
 * negative errno where they cannot be read.
 */
int arguments_fit(sd_bus_message *message, size_t max);

/* SetLoadBalancePolicy. *ret_paths, which ret->paths is too, is to be freed. */
int lb_request_read(sd_bus_message *message, struct lb_request *ret, struct lb_path **ret_paths);

/* DsmSetLoadBalancePolicy and DsmSetLoadBalancePolicyALUA, likewise. */
int dsm_request_read(sd_bus_message *message, struct dsm_request *ret, struct dsm_path **ret_paths);
int dsm_request_read_alua(sd_bus_message *message, struct dsm_request *ret,
                          struct dsm_path **ret_paths);

/* PingIPAddress. */
int ping_request_read(sd_bus_message *message, struct ping_request *ret);
