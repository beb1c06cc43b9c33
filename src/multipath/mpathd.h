/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * multipathd's control socket: a command and its reply, each a native size_t of length, NUL
 * included, and then the text (multipath-tools, libmpathcmd).
 */

#include <stdbool.h>

/*
 * Sends one command and waits for its reply, at most timeout_ms in all; asks again where it is too
 * busy to listen, or says so. -ENOTCONN: multipathd does not run, or
 * another user has its name. -ETIMEDOUT, -EMSGSIZE
 * (command over 511 bytes), -EPROTO (no reply of the protocol's, or none at all). Blocks: for
 * child processes.
 */
int mpathd_command(const char *command, int timeout_ms, char **ret_reply);

/* The same on a socket that is connected already. */
int mpathd_exchange(int fd, const char *command, int timeout_ms, char **ret_reply);

/* Whether multipathd runs; does not wait, and does not start it. */
bool mpathd_runs(void);

/* The release that answers, as 10000 * major + 100 * minor + patch. Errors as above. */
int mpathd_version(int timeout_ms, unsigned *ret);

/* The same from its answer. Pure. */
int mpathd_parse_version(const char *reply, unsigned *ret);

/*
 * Has multipathd read its configuration again, and returns when it has begun: what it is in the
 * midst of comes first. A release before 0.10 may begin a moment later. -EBUSY: it will not now.
 * Other errors as above.
 */
int mpathd_begin_reconfigure(int timeout_ms);

/* Waits until it has ended. */
int mpathd_wait_until_idle(int timeout_ms);

/* Its configuration as it is in force, merged of all files (an answer of many KiB). */
int mpathd_config(int timeout_ms, char **ret);

/* The states of all its paths, for mpathd_is_marginal(). */
int mpathd_path_states(int timeout_ms, char **ret);

/* Whether multipathd has taken a path of the map with that WWID for marginal. Pure. */
bool mpathd_is_marginal(const char *states, const char *wwid);
