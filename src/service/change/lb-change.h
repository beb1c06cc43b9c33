/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* SetLoadBalancePolicy: checks, plan, swap of all maps, saving, answer. */

#include <stdint.h>

#include "service/change/change.h"
#include "service/model/model.h"
#include "wmi/policy.h"

/*
 * Carries out a request on a session of `adapter`. `done` is called once, with the Status, maybe
 * before this returns; the request itself is not needed afterwards.
 */
void lb_change(struct host *host, const struct adapter *adapter, const struct lb_request *request,
               const struct requester *who, change_done_t done, void *userdata);
