/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/arguments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"

/* --- Their size ------------------------------------------------------------------------------- */

/* What one value takes, or costs to hold: no less than it has bytes. */
#define VALUE_SIZE 8U

/* Reads the value of a basic type, to the end of its text. */
static int measure_basic(sd_bus_message *message, char type, size_t *ret)
{
    const char *text = NULL;
    int r;

    *ret = VALUE_SIZE;
    if (!strchr("sog", type))
        return sd_bus_message_skip(message, (const char[]){type, '\0'});
    r = sd_bus_message_read_basic(message, type, &text);
    if (r > 0)
        *ret += strlen(text);
    return r;
}

static int measure_bytes(sd_bus_message *message, size_t *ret)
{
    const void *bytes;
    int r = sd_bus_message_read_array(message, 'y', &bytes, ret);

    *ret += VALUE_SIZE;
    return r;
}

/*
 * Takes what the values of a container take from what is left. -E2BIG: they are more. Containers
 * stand in each other as deep as sd-bus allows them to, which is not deep.
 */
static int measure(sd_bus_message *message, size_t *left)
{
    const char *contents;
    char type;
    int r;

    while ((r = sd_bus_message_peek_type(message, &type, &contents)) > 0) {
        size_t size = VALUE_SIZE;
        bool is_bytes = type == 'a' && strcmp(contents, "y") == 0;

        if (is_bytes)
            r = measure_bytes(message, &size);
        else if (!strchr("arve", type))
            r = measure_basic(message, type, &size);
        if (r < 0)
            return r;
        if (size > *left)
            return -E2BIG;
        *left -= size;
        if (is_bytes || !strchr("arve", type))
            continue;
        r = sd_bus_message_enter_container(message, type, contents);
        if (r > 0)
            r = measure(message, left);
        if (r >= 0)
            r = sd_bus_message_exit_container(message);
        if (r < 0)
            return r;
    }
    return r;
}

int arguments_fit(sd_bus_message *message, size_t max)
{
    size_t left = max;
    int r = measure(message, &left);

    if (r < 0 && r != -E2BIG)
        return r;
    bool fit = r >= 0;
    r = sd_bus_message_rewind(message, true);
    return r < 0 ? r : fit;
}

/* --- Paths ------------------------------------------------------------------------------------ */

/* Reads one path of an array into its element; > 0: there was one. */
typedef int (*read_path_t)(sd_bus_message *message, void *ret);

/* An array of structures of that type. */
static int read_paths(sd_bus_message *message, const char *type, read_path_t read_path, size_t size,
                      void **ret, size_t *ret_n)
{
    _cleanup_free_ char *paths = NULL;
    size_t n = 0, allocated = 0;

    int r = sd_bus_message_enter_container(message, 'a', type);
    if (r < 0)
        return r;
    for (;;) {
        if (n > PATHS_MAX)
            return -E2BIG;
        if (n == allocated) {
            allocated = allocated ? 2 * allocated : 16;
            char *more = reallocarray(paths, allocated, size);
            if (!more)
                return -ENOMEM;
            paths = more;
        }
        r = read_path(message, paths + n * size);
        if (r <= 0)
            break;
        n++;
    }
    if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
        return r;
    *ret = TAKE_PTR(paths);
    *ret_n = n;
    return 0;
}

/* --- ISCSI_Supported_LB_Policies -------------------------------------------------------------- */

static int read_lb_path(sd_bus_message *message, void *ret)
{
    struct lb_path *path = ret;
    return sd_bus_message_read(message, "(ttuuuu)", &path->connection_id, &path->link_speed,
                               &path->weight, &path->primary, &path->status, &path->offload);
}

int lb_request_read(sd_bus_message *message, struct lb_request *ret, struct lb_path **ret_paths)
{
    struct lb_request request;
    void *paths = NULL;

    int r = sd_bus_message_enter_container(message, 'r', "tuua(ttuuuu)");
    if (r < 0)
        return r;
    r = sd_bus_message_read(message, "tuu", &request.session_id, &request.policy,
                            &request.path_count);
    if (r >= 0)
        r = read_paths(message, "(ttuuuu)", read_lb_path, sizeof(struct lb_path), &paths,
                       &request.n_paths);
    if (r < 0)
        return r;
    request.paths = *ret_paths = paths;
    *ret = request;
    return 0;
}

/* --- DSM_Load_Balance_Policy and its V2 ------------------------------------------------------- */

/* MPIO_DSM_Path: a primary is active/optimized, another path standby. */
static int read_path_v1(sd_bus_message *message, void *ret)
{
    struct dsm_path *path = ret;

    *path = (struct dsm_path){.optimized = 1};
    return sd_bus_message_read(message, "(ttuu)", &path->id, &path->reserved, &path->weight,
                               &path->primary);
}

static int read_path_v2(sd_bus_message *message, void *ret)
{
    struct dsm_path *path = ret;

    *path = (struct dsm_path){0};
    return sd_bus_message_read(message, "(ttuuuuuuuyyquut)", &path->id, &path->reserved,
                               &path->weight, &path->primary, &path->optimized, &path->preferred,
                               &path->failed, &path->group_state, &path->alua_support,
                               &path->symmetric, &path->group_preferred, &path->group_id,
                               &path->port_id, &path->reserved32, &path->reserved64);
}

static int read_dsm_request(sd_bus_message *message, const char *contents, const char *path_type,
                            read_path_t read_path, struct dsm_request *ret,
                            struct dsm_path **ret_paths)
{
    struct dsm_request request;
    uint32_t reserved;
    void *paths = NULL;

    int r = sd_bus_message_enter_container(message, 'r', contents);
    if (r < 0)
        return r;
    r = sd_bus_message_read(message, "uuuu", &request.version, &request.policy, &request.path_count,
                            &reserved);
    if (r >= 0)
        r = read_paths(message, path_type, read_path, sizeof(struct dsm_path), &paths,
                       &request.n_paths);
    if (r < 0)
        return r;
    request.paths = *ret_paths = paths;
    *ret = request;
    return 0;
}

int dsm_request_read(sd_bus_message *message, struct dsm_request *ret, struct dsm_path **ret_paths)
{
    return read_dsm_request(message, "uuuua(ttuu)", "(ttuu)", read_path_v1, ret, ret_paths);
}

int dsm_request_read_alua(sd_bus_message *message, struct dsm_request *ret,
                          struct dsm_path **ret_paths)
{
    return read_dsm_request(message, "uuuua(ttuuuuuuuyyquut)", "(ttuuuuuuuyyquut)", read_path_v2,
                            ret, ret_paths);
}

/* --- PingIPAddress ---------------------------------------------------------------------------- */

/* ISCSI_IP_Address; bytes and text stay the message's. */
static int read_address(sd_bus_message *message, struct ping_address *ret)
{
    const void *bytes;

    int r = sd_bus_message_enter_container(message, 'r', "uuayuus");
    if (r >= 0)
        r = sd_bus_message_read(message, "uu", &ret->type, &ret->ipv4);
    if (r >= 0)
        r = sd_bus_message_read_array(message, 'y', &bytes, &ret->ipv6_size);
    if (r < 0)
        return r;
    ret->ipv6 = bytes;
    r = sd_bus_message_read(message, "uus", &ret->ipv6_flow_info, &ret->ipv6_scope_id, &ret->text);
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

int ping_request_read(sd_bus_message *message, struct ping_request *ret)
{
    struct ping_request request;

    int r =
        sd_bus_message_read(message, "uuu", &request.count, &request.size, &request.timeout_msec);
    if (r >= 0)
        r = read_address(message, &request.address);
    if (r < 0)
        return r;
    *ret = request;
    return 0;
}
