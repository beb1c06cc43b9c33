/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Seconds that the service waits for others, who can take longer. */

#define LOCK_PATIENCE 15U       /* a child, for open-iscsi's lock */
#define STATISTICS_PATIENCE 10U /* iscsid; less than the 25 s that D-Bus clients wait */
#define UDEV_PATIENCE 5U        /* each session's tag */
