/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The calls that are answered later: how many there are, of all clients and of each, within
 * service/base/bounds.h. One counts from its beginning until it is answered. Of a client that
 * leaves the bus, those that can be cancelled are; a change is carried to its end, and counts as
 * long.
 */

#include <systemd/sd-bus.h>

#include "basic/macros.h"
#include "service/base/bounds.h"

struct requests;
struct request;

/* Called once where the client has left: has to end the request. */
typedef void (*request_cancel_t)(struct request *request, void *userdata);

int requests_new(struct requests **ret);

/* Forgets those that are not answered. */
void requests_free(struct requests *requests);

DEFINE_CLEANUP(struct requests *, requests_free);

/*
 * Begins one for a call. Returns 0, and it is to be ended; 1: past a bound, and answered so; a
 * negative errno.
 */
int request_begin(struct requests *requests, sd_bus_message *message, enum request_kind kind,
                  struct request **ret);

/* Answers a call that is past a bound by itself, being too large. Returns 1 or a negative errno. */
int request_refuse(struct requests *requests, sd_bus_message *message, const char *why);

/*
 * The caller, as the bus knows the connection, which is the same as long as that lives. -ENXIO: it
 * has left. Other errors: the bus does not tell.
 */
int requests_get_uid(const struct requests *requests, sd_bus_message *message, uid_t *ret);

/* Whether a request of this very message has begun: it is read a second time. */
bool requests_has(const struct requests *requests, const sd_bus_message *message);

/* From now on the request can be cancelled; NULL: not any more. */
void request_set_cancel(struct request *request, request_cancel_t cancel, void *userdata);

sd_bus_message *request_message(const struct request *request);
void request_end(struct request *request);

DEFINE_CLEANUP(struct request *, request_end);

/* Answers with a Status, and ends; userdata is the request. */
void request_reply_status(uint32_t status, void *userdata);
