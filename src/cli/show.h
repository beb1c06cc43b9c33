/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Adapters, sessions and disks for a person. -ENOMEM, or 0. */

#include "cli/report.h"
#include "cli/table.h"

int show_adapter(const struct report_adapter *adapter);

/* Heading and fields, without the tables. */
int show_session(const struct report_session *session);

int show_connections(const struct report_session *session);

/* With where the policy of each map comes from. */
int show_maps(const struct report *report, const struct report_session *session);

/* One row for each session. */
int show_policies(const struct report *report);

/* One row for each disk; and all of one disk. */
int show_disks(const struct report *report);
int show_disk(const struct report_disk *disk);
int show_disk_paths(const struct report_disk *disk);

/* The policy of maps that appear, a line. */
void show_default_policy(const struct iscsiwmi_manager *manager);

/* Of Agreement and of MultipathdAgreement. */
enum tone show_agreement_tone(const char *agreement);
enum tone show_multipathd_tone(const char *agreement);

/* Those of the adapter's records that have changed; nothing where none has. */
int show_changes(const struct report_adapter *adapter,
                 const struct iscsiwmi_changed_records *changes);

/* What a session and its connections have negotiated. */
int show_session_info(const struct iscsiwmi_session_static_info *session);

/* What its connections count; those that are in the statistics. */
int show_statistics(const struct iscsiwmi_session_static_info *session,
                    const struct statistics *statistics);
