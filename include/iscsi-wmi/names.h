/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ISCSI_WMI_NAMES_H
#define ISCSI_WMI_NAMES_H

/* Numbers of Windows as text and back. These functions need no service. */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* LoadBalancePolicy of an iSCSI session. */
enum iscsiwmi_lb_policy {
    ISCSIWMI_LB_FAILOVER = 1,
    ISCSIWMI_LB_ROUND_ROBIN = 2,
    ISCSIWMI_LB_ROUND_ROBIN_WITH_SUBSET = 3,
    ISCSIWMI_LB_DYN_LEAST_QUEUE_DEPTH = 4,
    ISCSIWMI_LB_WEIGHTED_PATHS = 5,
    ISCSIWMI_LB_VENDOR_SPECIFIC = 6 /* the host's own multipath configuration */
};

/* Windows' name of a policy ("FAILOVER", ...). NULL: a number that is none. Not freed. */
const char *iscsiwmi_lb_policy_name(uint32_t policy);

/* A policy from its number or its name, in any case, '-' and '_' alike. 0, or -EINVAL: neither. */
int iscsiwmi_lb_policy_parse(const char *text, uint32_t *ret_policy);

/* LoadBalancePolicy of an MPIO disk. 1 to 5 are those of a session. */
enum iscsiwmi_dsm_policy {
    ISCSIWMI_DSM_NONE = 0, /* to be set: the disk's own is cleared */
    ISCSIWMI_DSM_FAILOVER = 1,
    ISCSIWMI_DSM_ROUND_ROBIN = 2,
    ISCSIWMI_DSM_ROUND_ROBIN_WITH_SUBSET = 3,
    ISCSIWMI_DSM_DYN_LEAST_QUEUE_DEPTH = 4,
    ISCSIWMI_DSM_WEIGHTED_PATHS = 5,
    ISCSIWMI_DSM_LEAST_BLOCKS = 6,
    ISCSIWMI_DSM_VENDOR_SPECIFIC = 7 /* only ever answered: groups that are no policy's */
};

/* The same two for a disk's: "NONE", "LEAST_BLOCKS" and so on, from 0 to 7. */
const char *iscsiwmi_dsm_policy_name(uint32_t policy);
int iscsiwmi_dsm_policy_parse(const char *text, uint32_t *ret_policy);

#define ISCSIWMI_GUID_SIZE 16
#define ISCSIWMI_GUID_TEXT_SIZE 37 /* with the NUL */

/*
 * Windows' text form of 16 opaque bytes, lower case: the first three fields are little-endian, so
 * bytes 00 11 22 ... ff read 33221100-5544-7766-8899-aabbccddeeff.
 */
void iscsiwmi_guid_format(const uint8_t guid[ISCSIWMI_GUID_SIZE],
                          char ret_text[ISCSIWMI_GUID_TEXT_SIZE]);

/* The reverse; braces around the text and either case are accepted. 0, or -EINVAL: not a GUID. */
int iscsiwmi_guid_parse(const char *text, uint8_t ret_guid[ISCSIWMI_GUID_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
