/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The tables of all classes that the library knows. */

#include "client/class.h"

extern const struct class class_path;
extern const struct class class_lb_policies;
extern const struct class class_query_lb_policy;
extern const struct class class_hba_information;
extern const struct class class_hba_session_config;
extern const struct class class_ip_address;
extern const struct class class_connection_static_info;
extern const struct class class_session_static_info;
extern const struct class class_initiator_session_info;
extern const struct class class_portal_info;
extern const struct class class_portal_info_class;
extern const struct class class_connection_statistics;
extern const struct class class_dsm_path;
extern const struct class class_dsm_lb_policy;
extern const struct class class_dsm_path_v2;
extern const struct class class_dsm_lb_policy_v2;
extern const struct class class_dsm_query_lb_policy;
extern const struct class class_dsm_query_supported_lb_policies;

extern const struct class class_session;
extern const struct class class_disk;
extern const struct class class_manager;
extern const struct class class_status_description;
extern const struct class class_changed_records;

/* Those that Windows has, NULL at the end. */
extern const struct class *const windows_classes[];
