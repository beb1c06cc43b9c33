/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the service is called on the bus, and where its objects are. */

#define BUS_NAME "com.open_iscsi.WMI1"
#define BUS_INTERFACE(name) BUS_NAME "." name

#define BUS_PATH "/com/open_iscsi/WMI1"
#define ADAPTER_PREFIX BUS_PATH "/adapter"
#define SESSION_PREFIX BUS_PATH "/session"
#define CONNECTION_PREFIX BUS_PATH "/connection"
#define DISK_PREFIX BUS_PATH "/disk"

#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"
