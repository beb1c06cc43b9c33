/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Adapters and sessions for a person. -ENOMEM, or 0. */

#include "cli/host.h"

int show_adapter(const struct adapter *adapter);

/* Heading and fields, without the tables. */
int show_session(const struct session *session);

int show_connections(const struct session *session);
int show_maps(const struct session *session);

/* One row for each session. */
int show_policies(const struct host *host);

/* Those of the adapter's records that have changed; nothing where none has. */
int show_changes(const struct adapter *adapter, const struct iscsiwmi_changed_records *changes);

/* What a session and its connections have negotiated. */
int show_session_info(const struct iscsiwmi_session_static_info *session);

/* What its connections count; those that are in the statistics. */
int show_statistics(const struct iscsiwmi_session_static_info *session,
                    const struct statistics *statistics);
