/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What scripts read. The shape is at the top of json.c and of json-disk.c; keys are only ever
 * added. */

#include <json-c/json.h>

#include "cli/report.h"

struct json_object *json_host(const struct report *report, const struct iscsiwmi_manager *manager);

/* Every session, or, where one is given, that one alone. */
struct json_object *json_sessions(const struct report *report, const struct report_session *only);

/* What sessions that are logged in have negotiated. */
struct json_object *json_session_infos(const struct report *report,
                                       const struct statistics *statistics);

struct json_object *json_adapter(const struct report_adapter *adapter);

struct json_object *json_changes(const struct report_adapter *adapter,
                                 const struct iscsiwmi_changed_records *changes);

/* Every disk, or, where one is given, that one alone. */
struct json_object *json_disks(const struct report *report, const struct report_disk *only);

/* The policy of maps that appear: by itself, and into another object. */
struct json_object *json_default(const struct iscsiwmi_manager *manager);
void json_add_default(struct json_object *object, const struct iscsiwmi_manager *manager);

/* Print an object, on several lines or on one, and drop it. Return the exit status. */
int json_print(struct json_object *object);
int json_print_line(struct json_object *object);
