/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The host's own initiator name, which may come after the service (made by a first boot, or by the
 * installation of open-iscsi), change, and go: adapters and the records that are theirs follow it.
 */

#include "service/model/model.h"

/* Watches its file. Without inotify, the name is read anew when a session comes with another one.
 */
int initiator_new(struct host *host);
void initiator_free(struct host *host);

/* It may be another one. */
void initiator_refresh(struct host *host);
