/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Watches what a path leads to, wherever that is and whenever it comes: each directory that the
 * kernel looks through on the way, links followed, is watched for the name that it looks for there.
 */

#include <stdbool.h>
#include <systemd/sd-event.h>

struct path_watch;

/* What is there may be another one by now, or is not there any more. */
typedef void (*path_watch_func_t)(void *userdata);

/* Whether what happens to a file of that name matters. */
typedef bool (*path_watch_filter_t)(const char *name);

/*
 * Watches a file; or a directory and, of what is in it, all that passes the filter, where links
 * lead to included. The path is absolute. -ENOMEM; what cannot be watched for another reason is
 * not.
 */
int path_watch_file(sd_event *event, const char *path, path_watch_func_t func, void *userdata,
                    struct path_watch **ret);
int path_watch_directory(sd_event *event, const char *path, path_watch_filter_t filter,
                         path_watch_func_t func, void *userdata, struct path_watch **ret);

struct path_watch *path_watch_free(struct path_watch *watch); /* NULL */
