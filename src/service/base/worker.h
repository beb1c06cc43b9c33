/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A child process for a call that may block (a swap under a hung path, open-iscsi's lock), so that
 * the main loop does not.
 */

#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

/* Runs in the child; what it writes to fd reaches the parent. Returns 0 or an errno. */
typedef int (*worker_func_t)(int fd, void *arg);

/*
 * Called once, from the main loop, when the child has ended. error: 0, the negated errno that the
 * function returned, -ECANCELED where the child was killed, or -ENOMEM where there was no room for
 * what it wrote. `data` is all that was read of it, also on failure.
 */
typedef void (*worker_done_t)(int error, const void *data, size_t size, void *userdata);

/*
 * Forks a child. `arg` is the child's copy of memory; `userdata` must live until done is called.
 * -EAGAIN, -ENOMEM, -EMFILE: no child, and done will not be called.
 */
int worker_start(sd_event *event, worker_func_t func, void *arg, worker_done_t done,
                 void *userdata);

/*
 * The same, for somebody who cannot wait for ever: `late` is called once when the child has not
 * ended within so long. The child is left to itself, for killed with somebody's lock in hand it
 * would keep it, and done is called at its end all the same. `deadline` NULL: there is none.
 */
struct worker_deadline {
    uint64_t usec;
    void (*late)(void *userdata);
};
int worker_start_until(sd_event *event, worker_func_t func, void *arg,
                       const struct worker_deadline *deadline, worker_done_t done, void *userdata);

/*
 * For a child that needs neither: from here on it starts no program and opens no socket but local
 * ones (EPERM). Where the kernel has no filters for system calls, it is as free as the service.
 */
void worker_confine(void);
