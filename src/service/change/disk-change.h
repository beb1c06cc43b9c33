/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * DsmSetLoadBalancePolicy and DsmSetLoadBalancePolicyALUA: checks, plan, swap of the disk's map,
 * saving, answer. As on Windows a policy that is live and cannot be saved is a success (MSDSM,
 * DsmpSetLoadBalancePolicy: "Persist failure ignored"); the journal has it.
 */

#include <stdint.h>

#include "service/change/change.h"
#include "service/model/model.h"
#include "wmi/dsm.h"

/*
 * Carries out a request on a disk. `done` is called once, with the NTSTATUS, maybe before this
 * returns; neither the request nor the map is to be used afterwards.
 */
void disk_change(struct host_map *map, const struct dsm_request *request,
                 const struct requester *who, change_done_t done, void *userdata);
