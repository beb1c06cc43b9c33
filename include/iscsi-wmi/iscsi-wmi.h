/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ISCSI_WMI_ISCSI_WMI_H
#define ISCSI_WMI_ISCSI_WMI_H

/* libiscsiwmi: Windows' iSCSI WMI classes of a Linux host, from C and C++. */

#include <iscsi-wmi/classes.h>
#include <iscsi-wmi/client.h>
#include <iscsi-wmi/names.h>
#include <iscsi-wmi/status.h>

#endif
