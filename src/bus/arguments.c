/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/arguments.h"

#include <errno.h>
#include <stdlib.h>

#include "basic/macros.h"

/* --- ISCSI_Supported_LB_Policies -------------------------------------------------------------- */

/* As many paths as came, here and below. */
static int read_lb_paths(sd_bus_message *message, struct lb_path **ret, size_t *ret_n)
{
    _cleanup_free_ struct lb_path *paths = NULL;
    size_t n = 0, allocated = 0;
    struct lb_path path;

    int r = sd_bus_message_enter_container(message, 'a', "(ttuuuu)");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_read(message, "(ttuuuu)", &path.connection_id, &path.link_speed,
                                    &path.weight, &path.primary, &path.status, &path.offload)) >
           0) {
        if (n == allocated) {
            allocated = allocated ? 2 * allocated : 16;
            struct lb_path *more = reallocarray(paths, allocated, sizeof(*paths));
            if (!more)
                return -ENOMEM;
            paths = more;
        }
        paths[n++] = path;
    }
    if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
        return r;
    *ret = TAKE_PTR(paths);
    *ret_n = n;
    return 0;
}

int lb_request_read(sd_bus_message *message, struct lb_request *ret, struct lb_path **ret_paths)
{
    struct lb_request request;

    int r = sd_bus_message_enter_container(message, 'r', "tuua(ttuuuu)");
    if (r < 0)
        return r;
    r = sd_bus_message_read(message, "tuu", &request.session_id, &request.policy,
                            &request.path_count);
    if (r >= 0)
        r = read_lb_paths(message, ret_paths, &request.n_paths);
    if (r < 0)
        return r;
    request.paths = *ret_paths;
    *ret = request;
    return 0;
}

/* --- DSM_Load_Balance_Policy and its V2 --------------------------------------------------------
 */

/* Reads one path of an array; > 0: there was one. */
typedef int (*read_path_t)(sd_bus_message *message, struct dsm_path *ret);

/* MPIO_DSM_Path: a primary is active/optimized, another path standby. */
static int read_path_v1(sd_bus_message *message, struct dsm_path *ret)
{
    *ret = (struct dsm_path){.optimized = 1};
    return sd_bus_message_read(message, "(ttuu)", &ret->id, &ret->reserved, &ret->weight,
                               &ret->primary);
}

static int read_path_v2(sd_bus_message *message, struct dsm_path *ret)
{
    *ret = (struct dsm_path){0};
    return sd_bus_message_read(message, "(ttuuuuuuuyyquut)", &ret->id, &ret->reserved, &ret->weight,
                               &ret->primary, &ret->optimized, &ret->preferred, &ret->failed,
                               &ret->group_state, &ret->alua_support, &ret->symmetric,
                               &ret->group_preferred, &ret->group_id, &ret->port_id,
                               &ret->reserved32, &ret->reserved64);
}

static int read_dsm_paths(sd_bus_message *message, const char *type, read_path_t read_path,
                          struct dsm_path **ret, size_t *ret_n)
{
    _cleanup_free_ struct dsm_path *paths = NULL;
    size_t n = 0, allocated = 0;
    struct dsm_path path;

    int r = sd_bus_message_enter_container(message, 'a', type);
    if (r < 0)
        return r;
    while ((r = read_path(message, &path)) > 0) {
        if (n == allocated) {
            allocated = allocated ? 2 * allocated : 16;
            struct dsm_path *more = reallocarray(paths, allocated, sizeof(*paths));
            if (!more)
                return -ENOMEM;
            paths = more;
        }
        paths[n++] = path;
    }
    if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
        return r;
    *ret = TAKE_PTR(paths);
    *ret_n = n;
    return 0;
}

static int read_dsm_request(sd_bus_message *message, const char *contents, const char *path_type,
                            read_path_t read_path, struct dsm_request *ret,
                            struct dsm_path **ret_paths)
{
    struct dsm_request request;
    uint32_t reserved;

    int r = sd_bus_message_enter_container(message, 'r', contents);
    if (r < 0)
        return r;
    r = sd_bus_message_read(message, "uuuu", &request.version, &request.policy, &request.path_count,
                            &reserved);
    if (r >= 0)
        r = read_dsm_paths(message, path_type, read_path, ret_paths, &request.n_paths);
    if (r < 0)
        return r;
    request.paths = *ret_paths;
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
static int read_address(sd_bus_message *message, struct ip_address *ret)
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
