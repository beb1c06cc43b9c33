/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "basic/fileio.h"
#include "basic/macros.h"
#include "iscsi/kernel-session.h"
#include "iscsi/netdev.h"
#include "iscsi/session-info.h"

#define BYTES_PER_MBIT 125000ULL

/* One attribute, NULL where the kernel does not have it; to be freed. */
static char *session_text(uint32_t sid, const char *name)
{
    char *text = NULL;
    (void)read_first_linef(&text, "/sys/class/iscsi_session/session%u/%s", sid, name);
    return text;
}

static uint32_t session_number(uint32_t sid, const char *name)
{
    _cleanup_free_ char *text = session_text(sid, name);
    return value_number(text);
}

static uint32_t connection_number(uint32_t sid, const char *name)
{
    _cleanup_free_ char *text = NULL;
    (void)read_first_linef(&text, "/sys/class/iscsi_connection/connection%u:0/%s", sid, name);
    return value_number(text);
}

void session_info_read(uint32_t sid, struct session_info *ret)
{
    _cleanup_free_ char *isid = session_text(sid, "isid");
    _cleanup_free_ char *boot_target = session_text(sid, "boot_target");

    *ret = (struct session_info){
        .tsid = (uint16_t)session_number(sid, "tsid"),
        .type = value_session_type(boot_target),
        .initial_r2t = session_number(sid, "initial_r2t") > 0,
        .immediate_data = session_number(sid, "immediate_data") > 0,
        .data_sequence_in_order = session_number(sid, "data_seq_in_order") > 0,
        .data_pdu_in_order = session_number(sid, "data_pdu_in_order") > 0,
        .error_recovery_level = (uint8_t)session_number(sid, "erl"),
        .max_outstanding_r2t = session_number(sid, "max_outstanding_r2t"),
        .first_burst_length = session_number(sid, "first_burst_len"),
        .max_burst_length = session_number(sid, "max_burst_len"),
    };
    value_isid(isid, sid, ret->isid);
}

/* The initiator's end; 0, and the interface that has it, where one does. */
static int find_local(const struct kernel_session_ends *ends, uint64_t moment,
                      struct ip_address *ret, struct netdev *ret_netdev)
{
    ip_address_parse(value_is_set(ends->local) ? ends->local : NULL, ret);
    int r = netdev_of_address(ret, moment, ret_netdev);
    if (r >= 0 && ip_address_is_link_local(ret))
        ret->scope = ret_netdev->index;
    return r;
}

static void take_ends(const struct kernel_session_ends *ends, uint64_t moment,
                      struct connection_info *info)
{
    struct netdev netdev;

    info->remote_port = ends->peer_port;
    ip_address_parse(ends->peer, &info->remote);
    if (find_local(ends, moment, &info->local, &netdev) < 0)
        return;
    info->throughput = netdev.mbits * BYTES_PER_MBIT;
    info->max_datagram = netdev.mtu;
    if (ip_address_is_link_local(&info->remote))
        info->remote.scope = netdev.index; /* both ends of such a connection are on one link */
}

void connection_local_address(const struct kernel_session_ends *ends, uint64_t moment,
                              struct ip_address *ret)
{
    struct netdev netdev;
    (void)find_local(ends, moment, ret, &netdev);
}

uint64_t connection_link_speed(const struct kernel_session_ends *ends, uint64_t moment)
{
    struct ip_address local;
    struct netdev netdev;
    return find_local(ends, moment, &local, &netdev) < 0 ? 0 : netdev.mbits;
}

void connection_info_read(uint32_t sid, const struct kernel_session_ends *ends, uint64_t moment,
                          struct connection_info *ret)
{
    _cleanup_free_ char *username = session_text(sid, "username");
    _cleanup_free_ char *username_in = session_text(sid, "username_in");

    *ret = (struct connection_info){
        .header_digest = connection_number(sid, "header_digest") > 0,
        .data_digest = connection_number(sid, "data_digest") > 0,
        .max_recv_segment = connection_number(sid, "max_recv_dlength"),
        .auth = value_auth_type(username, username_in),
        .local_port = (uint16_t)connection_number(sid, "local_port"),
    };
    take_ends(ends, moment, ret);
}
