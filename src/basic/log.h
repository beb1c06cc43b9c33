/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Messages for the administrator. One a line on standard error, with the priority prefix that
 * systemd reads ("<3>"); only who decides what an error means logs it. Never a secret. Debugging's
 * lines are for whoever sets SYSTEMD_LOG_LEVEL=debug, as systemd's own programs have it.
 */
#include <syslog.h>

void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
