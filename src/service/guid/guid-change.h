/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* SetGenerationalGuid: saved, and then shown as a tag on records and sessions. */

#include <stddef.h>
#include <stdint.h>

#include "service/base/requester.h"
#include "service/model/model.h"

typedef void (*guid_change_done_t)(uint32_t status, void *userdata);

/*
 * Sets the GUID of an adapter; `done` is called once, with the Status, maybe before this returns.
 * On success every session of the adapter that has a record carries the tag in udev's database,
 * or udev did not take it within UDEV_PATIENCE, which the journal says.
 */
void guid_change(struct host *host, struct adapter *adapter, const uint8_t *guid, size_t size,
                 const struct requester *who, guid_change_done_t done, void *userdata);

/* Sends the tag of a connection's record to udev once more: at start, and after a login. */
void guid_tag_connection(const struct connection *connection);

/* udev has taken the tag `text` of a kernel session. */
void guid_on_udev_event(struct host *host, uint32_t sid, const char *text);
