/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Paths of objects, and the object that a path is of. */

#include <stdbool.h>
#include <stdint.h>

struct adapter;
struct connection;
struct host;
struct host_map;
struct session;

/* Longest path of an adapter, a session or a connection, with its NUL. */
#define OBJECT_PATH_MAX 64U

void adapter_path(uint64_t id, char ret[OBJECT_PATH_MAX]);
void session_path(uint64_t id, char ret[OBJECT_PATH_MAX]);
void connection_path(uint64_t id, char ret[OBJECT_PATH_MAX]);

/* WWIDs are as long as a disk likes them: to be freed. NULL: no memory. */
char *disk_path(const char *wwid);

/* Whether a path, any, may be a connection's, and of which. */
bool connection_id_of_path(const char *path, uint64_t *ret_id);

/* The object that a path, any, is of; NULL: none. */
struct adapter *adapter_of_path(struct host *host, const char *path);
struct session *session_of_path(struct host *host, const char *path);
struct connection *connection_of_path(struct host *host, const char *path);

/* The same for a disk. Returns > 0: there is one, or a negative errno. */
int disk_of_path(struct host *host, const char *path, struct host_map **ret);
