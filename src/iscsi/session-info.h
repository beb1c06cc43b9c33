/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a kernel session has negotiated and how its connection runs, from sysfs: the values of
 * Windows' ISCSI_SessionStaticInfo and ISCSI_ConnectionStaticInfo. A value that sysfs does not
 * have at this moment is 0: a session may go while it is read. Secrets are not read.
 */

#include <stdbool.h>
#include <stdint.h>

#include "iscsi/address.h"
#include "iscsi/kernel-session.h"
#include "iscsi/values.h"

struct session_info {
    uint16_t tsid; /* 0 where the kernel does not show it, as for iscsi_tcp and iser */
    uint8_t isid[ISID_SIZE];
    enum session_type type;
    bool initial_r2t;
    bool immediate_data;
    bool data_sequence_in_order;
    bool data_pdu_in_order;
    uint8_t error_recovery_level;
    uint32_t max_outstanding_r2t;
    uint32_t first_burst_length; /* bytes */
    uint32_t max_burst_length;   /* bytes */
};

struct connection_info {
    bool header_digest; /* CRC32C */
    bool data_digest;
    uint32_t max_recv_segment; /* bytes, what the initiator declared */
    enum auth_type auth;
    struct ip_address local, remote;
    uint16_t local_port, remote_port;
    uint64_t throughput;   /* bytes/s, of the network interface that has the local address */
    uint32_t max_datagram; /* bytes, its MTU */
};

void session_info_read(uint32_t sid, struct session_info *ret);

/* `moment`: see iscsi/netdev.h. */
void connection_info_read(uint32_t sid, const struct kernel_session_ends *ends, uint64_t moment,
                          struct connection_info *ret);

/* The initiator's end alone; an empty address while the connection is down. */
void connection_local_address(const struct kernel_session_ends *ends, uint64_t moment,
                              struct ip_address *ret);

/*
 * Mbit/s of the network interface that has the initiator's end; 0 where the interface is not known
 * or has no speed (the loopback interface, a bridge).
 */
uint64_t connection_link_speed(const struct kernel_session_ends *ends, uint64_t moment);
