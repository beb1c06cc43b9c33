/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* PingIPAddress: sends the requests and waits for their answers beside all other work. */

#include "service/model/model.h"
#include "wmi/ping.h"

typedef void (*ping_done_t)(uint32_t status, uint32_t n_received, void *userdata);

/*
 * Carries one call out; `done` is called once, maybe before this returns. That nobody answers is a
 * success with none received. Status: those of ping_check(); ISDSC_OUT_OF_RESOURCES;
 * ISDSC_REQUEST_NOT_SUPPORTED, this service may send no ICMP; ISDSC_SEND_FAILED, no request could
 * be sent at all (no route).
 */
void ping_start(struct host *host, const struct ping_request *request, ping_done_t done,
                void *userdata);

/* Ends the call with that userdata, if it still runs, with ISDSC_SERVICE_UNAVAILABLE. */
void ping_cancel(struct host *host, const void *userdata);

/* Ends all calls that run, with ISDSC_SERVICE_UNAVAILABLE: the service stops. */
void ping_cancel_all(struct host *host);
