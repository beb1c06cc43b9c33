/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wmi/status.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"

#define PREFIX "ISDSC_"

/* By code, for bsearch(). */
static const struct status_info statuses[] = {
    {STATUS_SUCCESS, "STATUS_SUCCESS", "The operation succeeded."},

    /* DSM_LB_Operations */
    {STATUS_DEVICE_BUSY, "STATUS_DEVICE_BUSY",
     "Another change to this disk or to one of its sessions still runs: try again later."},

    /* iSCSI: warnings */
    {ISDSC_OPERATION_NOT_ALL_SUCCESS, "ISDSC_OPERATION_NOT_ALL_SUCCESS",
     "Part of the operation failed and could not be undone, so that some maps may have "
     "changed; ask for the policy again."},
    {ISDSC_OPERATION_REQUIRES_REBOOT, "ISDSC_OPERATION_REQUIRES_REBOOT",
     "The change is saved and takes effect only after a reboot."},
    {ISDSC_SHORT_CHAP_SECRET, "ISDSC_SHORT_CHAP_SECRET",
     "The CHAP secret has fewer than 96 bits, which is too weak without IPsec; use 12 to 16 "
     "bytes."},

    /* DSM_LB_Operations */
    {STATUS_INVALID_PARAMETER, "STATUS_INVALID_PARAMETER",
     "The policy, or the paths given for it, do not fit this disk: query it, edit the answer and "
     "send all of it."},
    {STATUS_NO_SUCH_DEVICE, "STATUS_NO_SUCH_DEVICE",
     "There is no multipath map of this disk now: log in to its target first."},
    {STATUS_BUFFER_TOO_SMALL, "STATUS_BUFFER_TOO_SMALL",
     "More paths were counted than sent: make DSMPathCount the number of DSM_Paths."},
    {STATUS_INSUFFICIENT_RESOURCES, "STATUS_INSUFFICIENT_RESOURCES",
     "The service is out of memory, or has too many changes to do at a time: try again later."},
    {STATUS_NOT_SUPPORTED, "STATUS_NOT_SUPPORTED",
     "This kernel, this array or this service cannot do it: choose another policy, other primary "
     "paths or version 1 or 2."},
    {STATUS_IO_DEVICE_ERROR, "STATUS_IO_DEVICE_ERROR",
     "The kernel refused the new path groups, and the disk is as before: see the journal."},

    /* iSCSI: errors */
    {ISDSC_NON_SPECIFIC_ERROR, "ISDSC_NON_SPECIFIC_ERROR",
     "The operation failed for a reason that has no code of its own; the journal of "
     "iscsi-wmid says more."},
    {ISDSC_LOGIN_FAILED, "ISDSC_LOGIN_FAILED",
     "A login to the target failed; see the messages of iscsid."},
    {ISDSC_CONNECTION_FAILED, "ISDSC_CONNECTION_FAILED",
     "The TCP connection to the portal could not be opened; check its address, its port and "
     "the network."},
    {ISDSC_INITIATOR_NODE_ALREADY_EXISTS, "ISDSC_INITIATOR_NODE_ALREADY_EXISTS",
     "An initiator with that name is already there; name another or use the present one."},
    {ISDSC_INITIATOR_NODE_NOT_FOUND, "ISDSC_INITIATOR_NODE_NOT_FOUND",
     "No initiator has that name; compare it with initiatorname.iscsi and with the ifaces."},
    {ISDSC_TARGET_MOVED_TEMPORARILY, "ISDSC_TARGET_MOVED_TEMPORARILY",
     "The target has moved to another address for a while; log in there."},
    {ISDSC_TARGET_MOVED_PERMANENTLY, "ISDSC_TARGET_MOVED_PERMANENTLY",
     "The target has moved to another address for good; run discovery again."},
    {ISDSC_INITIATOR_ERROR, "ISDSC_INITIATOR_ERROR",
     "The initiator's side failed; where a policy was to be set, the kernel refused a table "
     "and every map is as it was."},
    {ISDSC_AUTHENTICATION_FAILURE, "ISDSC_AUTHENTICATION_FAILURE",
     "The target did not accept the credentials; check the CHAP name and secret in the node "
     "record."},
    {ISDSC_AUTHORIZATION_FAILURE, "ISDSC_AUTHORIZATION_FAILURE",
     "The target does not admit this initiator; check the target's access list for its name."},
    {ISDSC_NOT_FOUND, "ISDSC_NOT_FOUND", "What the request names does not exist."},
    {ISDSC_TARGET_REMOVED, "ISDSC_TARGET_REMOVED",
     "The portal no longer offers the target; run discovery again or delete its node record."},
    {ISDSC_UNSUPPORTED_VERSION, "ISDSC_UNSUPPORTED_VERSION",
     "The target speaks no version of iSCSI that this host speaks."},
    {ISDSC_TOO_MANY_CONNECTIONS, "ISDSC_TOO_MANY_CONNECTIONS",
     "The target takes no more connections in this session."},
    {ISDSC_MISSING_PARAMETER, "ISDSC_MISSING_PARAMETER",
     "A parameter that login requires is missing."},
    {ISDSC_CANT_INCLUDE_IN_SESSION, "ISDSC_CANT_INCLUDE_IN_SESSION",
     "The target cannot take this connection into the session; it has to be a session of its "
     "own."},
    {ISDSC_SESSION_TYPE_NOT_SUPPORTED, "ISDSC_SESSION_TYPE_NOT_SUPPORTED",
     "The target does not offer sessions of that type."},
    {ISDSC_TARGET_ERROR, "ISDSC_TARGET_ERROR",
     "The target failed while it handled the request; see the target's own log."},
    {ISDSC_SERVICE_UNAVAILABLE, "ISDSC_SERVICE_UNAVAILABLE",
     "The target is not in service at present; try again later."},
    {ISDSC_OUT_OF_RESOURCES, "ISDSC_OUT_OF_RESOURCES",
     "Memory ran out, or the request goes past a bound of the service; nothing was changed."},
    {ISDSC_CONNECTION_ALREADY_EXISTS, "ISDSC_CONNECTION_ALREADY_EXISTS",
     "The session already has that connection."},
    {ISDSC_SESSION_ALREADY_EXISTS, "ISDSC_SESSION_ALREADY_EXISTS",
     "That session is already there."},
    {ISDSC_INITIATOR_INSTANCE_NOT_FOUND, "ISDSC_INITIATOR_INSTANCE_NOT_FOUND",
     "No adapter has that instance name; list the adapters again."},
    {ISDSC_TARGET_ALREADY_EXISTS, "ISDSC_TARGET_ALREADY_EXISTS",
     "That target already has a node record."},
    {ISDSC_DRIVER_BUG, "ISDSC_DRIVER_BUG",
     "The service or the kernel answered in a way that it never should; please report it "
     "together with the journal."},
    {ISDSC_INVALID_TEXT_KEY, "ISDSC_INVALID_TEXT_KEY",
     "A text key in the exchange with the target is not valid."},
    {ISDSC_INVALID_SENDTARGETS_TEXT, "ISDSC_INVALID_SENDTARGETS_TEXT",
     "The portal's SendTargets answer could not be read."},
    {ISDSC_INVALID_SESSION_ID, "ISDSC_INVALID_SESSION_ID",
     "This adapter has no session with that UniqueSessionId; read the list of sessions again."},
    {ISDSC_SCSI_REQUEST_FAILED, "ISDSC_SCSI_REQUEST_FAILED",
     "A SCSI command to the device failed; see the kernel's log."},
    {ISDSC_TOO_MANY_SESSIONS, "ISDSC_TOO_MANY_SESSIONS",
     "No further session can be opened, here or on the target; log out of one first."},
    {ISDSC_SESSION_BUSY, "ISDSC_SESSION_BUSY",
     "Another change to this session still runs; try again when it is done."},
    {ISDSC_TARGET_MAPPING_UNAVAILABLE, "ISDSC_TARGET_MAPPING_UNAVAILABLE",
     "The target has no mapping to SCSI addresses."},
    {ISDSC_ADDRESS_TYPE_NOT_SUPPORTED, "ISDSC_ADDRESS_TYPE_NOT_SUPPORTED",
     "Addresses of that type are not supported; give an IPv4 or IPv6 address or a host name."},
    {ISDSC_LOGON_FAILED, "ISDSC_LOGON_FAILED",
     "The host could not log on to the target; see the messages of iscsid."},
    {ISDSC_SEND_FAILED, "ISDSC_SEND_FAILED",
     "Data could not be sent to the target; check the network."},
    {ISDSC_TRANSPORT_ERROR, "ISDSC_TRANSPORT_ERROR",
     "The transport below iSCSI failed; check the iface's transport module and the link."},
    {ISDSC_VERSION_MISMATCH, "ISDSC_VERSION_MISMATCH",
     "Two components are of versions that do not fit together; update both."},
    {ISDSC_TARGET_MAPPING_OUT_OF_RANGE, "ISDSC_TARGET_MAPPING_OUT_OF_RANGE",
     "The SCSI address that the mapping asks for is outside the range of the host."},
    {ISDSC_TARGET_PRESHAREDKEY_UNAVAILABLE, "ISDSC_TARGET_PRESHAREDKEY_UNAVAILABLE",
     "No preshared IPsec key is stored for this target."},
    {ISDSC_TARGET_AUTHINFO_UNAVAILABLE, "ISDSC_TARGET_AUTHINFO_UNAVAILABLE",
     "The target's node record has no credentials; set its CHAP name and secret."},
    {ISDSC_TARGET_NOT_FOUND, "ISDSC_TARGET_NOT_FOUND",
     "No node record has that target name; run discovery first."},
    {ISDSC_LOGIN_USER_INFO_BAD, "ISDSC_LOGIN_USER_INFO_BAD",
     "The user name or the secret for the login is not valid."},
    {ISDSC_TARGET_MAPPING_EXISTS, "ISDSC_TARGET_MAPPING_EXISTS",
     "The target already has a mapping to SCSI addresses."},
    {ISDSC_HBA_SECURITY_CACHE_FULL, "ISDSC_HBA_SECURITY_CACHE_FULL",
     "The adapter's cache of security settings is full; remove entries that are no longer "
     "used."},
    {ISDSC_INVALID_PORT_NUMBER, "ISDSC_INVALID_PORT_NUMBER",
     "The adapter has no port of that number."},
    {ISDSC_HBA_SECURITY_CACHE_NOT_SUPPORTED, "ISDSC_HBA_SECURITY_CACHE_NOT_SUPPORTED",
     "The adapter keeps no security settings apart from open-iscsi's records, so that there "
     "is no cache to clear."},
    {ISDSC_IKE_ID_PAYLOAD_TYPE_NOT_SUPPORTED, "ISDSC_IKE_ID_PAYLOAD_TYPE_NOT_SUPPORTED",
     "Identities of that type are not supported for IPsec's key exchange."},
    {ISDSC_IKE_ID_PAYLOAD_INCORRECT_SIZE, "ISDSC_IKE_ID_PAYLOAD_INCORRECT_SIZE",
     "The identity for IPsec's key exchange has the wrong size."},
    {ISDSC_TARGET_PORTAL_ALREADY_EXISTS, "ISDSC_TARGET_PORTAL_ALREADY_EXISTS",
     "That portal is already known."},
    {ISDSC_TARGET_ADDRESS_ALREADY_EXISTS, "ISDSC_TARGET_ADDRESS_ALREADY_EXISTS",
     "The target already has that address."},
    {ISDSC_NO_AUTH_INFO_AVAILABLE, "ISDSC_NO_AUTH_INFO_AVAILABLE",
     "No credentials are stored for this login; set them in the node record or in "
     "iscsid.conf."},
    {ISDSC_NO_TUNNEL_OUTER_MODE_ADDRESS, "ISDSC_NO_TUNNEL_OUTER_MODE_ADDRESS",
     "No outer address is set for IPsec's tunnel mode."},
    {ISDSC_CACHE_CORRUPTED, "ISDSC_CACHE_CORRUPTED",
     "Stored data is damaged and was not used; see the journal for the file."},
    {ISDSC_REQUEST_NOT_SUPPORTED, "ISDSC_REQUEST_NOT_SUPPORTED",
     "This adapter does not support that request."},
    {ISDSC_TARGET_OUT_OF_RESORCES, "ISDSC_TARGET_OUT_OF_RESORCES",
     "The target has no resources left for the request; try again later or free some on the "
     "target."},
    {ISDSC_SERVICE_DID_NOT_RESPOND, "ISDSC_SERVICE_DID_NOT_RESPOND",
     "A service that the operation needs did not answer in time; check iscsid and multipathd."},
    {ISDSC_ISNS_SERVER_NOT_FOUND, "ISDSC_ISNS_SERVER_NOT_FOUND", "That iSNS server is not known."},
    {ISDSC_NO_PORTAL_SPECIFIED, "ISDSC_NO_PORTAL_SPECIFIED",
     "The login names no portal and none is on record for the target."},
    {ISDSC_CANT_REMOVE_LAST_CONNECTION, "ISDSC_CANT_REMOVE_LAST_CONNECTION",
     "The last connection of a session cannot be removed; log out of the session instead."},
    {ISDSC_SERVICE_NOT_RUNNING, "ISDSC_SERVICE_NOT_RUNNING",
     "A service that the operation needs does not run; start iscsid or multipathd."},
    {ISDSC_TARGET_ALREADY_LOGGED_IN, "ISDSC_TARGET_ALREADY_LOGGED_IN",
     "The host is already logged in to this target."},
    {ISDSC_DEVICE_BUSY_ON_SESSION, "ISDSC_DEVICE_BUSY_ON_SESSION",
     "A disk of the session is in use; unmount it or stop its user first."},
    {ISDSC_COULD_NOT_SAVE_PERSISTENT_LOGIN_DATA, "ISDSC_COULD_NOT_SAVE_PERSISTENT_LOGIN_DATA",
     "The data could not be saved, and nothing was changed; check the space and the rights of "
     "the state directory."},
    {ISDSC_COULD_NOT_REMOVE_PERSISTENT_LOGIN_DATA, "ISDSC_COULD_NOT_REMOVE_PERSISTENT_LOGIN_DATA",
     "The stored data could not be removed; check the rights of open-iscsi's records and of "
     "the state directory."},
    {ISDSC_PORTAL_NOT_FOUND, "ISDSC_PORTAL_NOT_FOUND",
     "That portal is not known; run discovery on it first."},
    {ISDSC_INITIATOR_NOT_FOUND, "ISDSC_INITIATOR_NOT_FOUND", "No adapter has that initiator name."},
    {ISDSC_DISCOVERY_MECHANISM_NOT_FOUND, "ISDSC_DISCOVERY_MECHANISM_NOT_FOUND",
     "No discovery record of that kind is stored."},
    {ISDSC_IPSEC_NOT_SUPPORTED_ON_OS, "ISDSC_IPSEC_NOT_SUPPORTED_ON_OS",
     "IPsec is not set up through this interface; use the host's own IPsec configuration."},
    {ISDSC_PERSISTENT_LOGIN_TIMEOUT, "ISDSC_PERSISTENT_LOGIN_TIMEOUT",
     "Not every automatic login was done in time; see the messages of iscsid."},
    {ISDSC_EVALUATION_PEROID_EXPIRED, "ISDSC_EVALUATION_PEROID_EXPIRED",
     "The trial period of a component is over."},
    {ISDSC_INVALID_CHAP_SECRET, "ISDSC_INVALID_CHAP_SECRET",
     "The CHAP secret does not meet the rules for its length; use 12 to 16 bytes."},
    {ISDSC_INVALID_TARGET_CHAP_SECRET, "ISDSC_INVALID_TARGET_CHAP_SECRET",
     "The CHAP secret by which the target proves itself is not valid; use 12 to 16 bytes, not "
     "those of the initiator's."},
    {ISDSC_INVALID_INITIATOR_CHAP_SECRET, "ISDSC_INVALID_INITIATOR_CHAP_SECRET",
     "The initiator's CHAP secret is not valid; use 12 to 16 bytes, not those of the "
     "target's."},
    {ISDSC_INVALID_CHAP_USER_NAME, "ISDSC_INVALID_CHAP_USER_NAME",
     "The CHAP user name is not valid."},
    {ISDSC_INVALID_LOGON_AUTH_TYPE, "ISDSC_INVALID_LOGON_AUTH_TYPE",
     "The login names no known way to authenticate; choose none, CHAP or mutual CHAP."},
    {ISDSC_INVALID_TARGET_MAPPING, "ISDSC_INVALID_TARGET_MAPPING",
     "The mapping of the target to SCSI addresses is not valid."},
    {ISDSC_INVALID_TARGET_ID, "ISDSC_INVALID_TARGET_ID", "The target ID is not valid."},
    {ISDSC_INVALID_ISCSI_NAME, "ISDSC_INVALID_ISCSI_NAME",
     "That is no iSCSI name; it has to begin with iqn., eui. or naa. and to follow RFC 7143."},
    {ISDSC_INCOMPATIBLE_ISNS_VERSION, "ISDSC_INCOMPATIBLE_ISNS_VERSION",
     "The iSNS server speaks no version that this host speaks."},
    {ISDSC_FAILED_TO_CONFIGURE_IPSEC, "ISDSC_FAILED_TO_CONFIGURE_IPSEC",
     "IPsec could not be set up for the connection."},
    {ISDSC_BUFFER_TOO_SMALL, "ISDSC_BUFFER_TOO_SMALL",
     "The request is shorter than its counts say; send as many paths as iSCSI_PathCount "
     "announces."},
    {ISDSC_INVALID_LOAD_BALANCE_POLICY, "ISDSC_INVALID_LOAD_BALANCE_POLICY",
     "That is no load-balance policy; give a number from 1 to 6."},
    {ISDSC_INVALID_PARAMETER, "ISDSC_INVALID_PARAMETER",
     "A parameter of the request is not valid; check its length and its range."},
    {ISDSC_DUPLICATE_PATH_SPECIFIED, "ISDSC_DUPLICATE_PATH_SPECIFIED",
     "A UniqueConnectionId stands in the request twice; name each path once."},
    {ISDSC_PATH_COUNT_MISMATCH, "ISDSC_PATH_COUNT_MISMATCH",
     "The request does not name as many paths as the session has connections; name every one."},
    {ISDSC_INVALID_PATH_ID, "ISDSC_INVALID_PATH_ID",
     "A path of the request is no connection of this session; read the session's connections "
     "again."},
    {ISDSC_MULTIPLE_PRIMARY_PATHS_SPECIFIED, "ISDSC_MULTIPLE_PRIMARY_PATHS_SPECIFIED",
     "More than one path is marked as primary; FAILOVER takes exactly one."},
    {ISDSC_NO_PRIMARY_PATH_SPECIFIED, "ISDSC_NO_PRIMARY_PATH_SPECIFIED",
     "No path is marked as primary; this policy needs at least one."},
    {ISDSC_DEVICE_ALREADY_PERSISTENTLY_BOUND, "ISDSC_DEVICE_ALREADY_PERSISTENTLY_BOUND",
     "The device is already bound for start-up."},
    {ISDSC_DEVICE_NOT_FOUND, "ISDSC_DEVICE_NOT_FOUND",
     "No multipath map lies over the session's disks; check that multipathd runs and claims "
     "them."},
    {ISDSC_DEVICE_NOT_ISCSI_OR_PERSISTENT, "ISDSC_DEVICE_NOT_ISCSI_OR_PERSISTENT",
     "The device is not on iSCSI, or its session is not one that is logged in at start-up."},
    {ISDSC_DNS_NAME_UNRESOLVED, "ISDSC_DNS_NAME_UNRESOLVED",
     "The host name of the portal could not be resolved; check the DNS or give an address."},
    {ISDSC_NO_CONNECTION_AVAILABLE, "ISDSC_NO_CONNECTION_AVAILABLE",
     "No connection of the session is up; log in to the target first."},
    {ISDSC_LB_POLICY_NOT_SUPPORTED, "ISDSC_LB_POLICY_NOT_SUPPORTED",
     "The policy cannot be had here: the kernel lacks the path selector, or the array's ALUA "
     "states rule the chosen primaries out."},
    {ISDSC_REMOVE_CONNECTION_IN_PROGRESS, "ISDSC_REMOVE_CONNECTION_IN_PROGRESS",
     "The connection is just being removed."},
    {ISDSC_INVALID_CONNECTION_ID, "ISDSC_INVALID_CONNECTION_ID",
     "The session has no connection with that ID; read the session's connections again."},
    {ISDSC_CANNOT_REMOVE_LEADING_CONNECTION, "ISDSC_CANNOT_REMOVE_LEADING_CONNECTION",
     "The first connection of a session cannot be removed; log out of the session instead."},
    {ISDSC_RESTRICTED_BY_GROUP_POLICY, "ISDSC_RESTRICTED_BY_GROUP_POLICY",
     "The administrator's rules do not allow this operation."},
    {ISDSC_ISNS_FIREWALL_BLOCKED, "ISDSC_ISNS_FIREWALL_BLOCKED",
     "A firewall blocks the messages of the iSNS server; open its port."},
    {ISDSC_FAILURE_TO_PERSIST_LB_POLICY, "ISDSC_FAILURE_TO_PERSIST_LB_POLICY",
     "The policy is in force but could not be saved and is gone after a reboot; check the "
     "state directory and ask for the policy again."},
    {ISDSC_INVALID_HOST, "ISDSC_INVALID_HOST", "The host name or address is not valid."},
};

static int compare_code(const void *key, const void *entry)
{
    const uint32_t *code = key;
    const struct status_info *info = entry;

    return (*code > info->code) - (*code < info->code);
}

const struct status_info *status_find(uint32_t code)
{
    return bsearch(&code, statuses, ELEMENTSOF(statuses), sizeof(statuses[0]), compare_code);
}

const char *status_symbol(uint32_t code)
{
    const struct status_info *info = status_find(code);

    return info ? info->symbol : "UNKNOWN_STATUS";
}

/* Not strcasecmp(), which depends on the locale. */
static bool is_symbol(const char *text, const char *symbol)
{
    for (; *text; text++, symbol++) {
        char c = *text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') : *text;

        if (c != *symbol)
            return false;
    }
    return *symbol == '\0';
}

static const struct status_info *find_symbol(const char *text)
{
    for (size_t i = 0; i < ELEMENTSOF(statuses); i++) {
        const char *symbol = statuses[i].symbol;

        if (is_symbol(text, symbol))
            return &statuses[i];
        if (strncmp(symbol, PREFIX, strlen(PREFIX)) == 0 &&
            is_symbol(text, symbol + strlen(PREFIX)))
            return &statuses[i];
    }
    return NULL;
}

static const struct status_info *find_number(const char *text)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    const char *allowed = hex ? "0123456789abcdefABCDEF" : "0123456789";
    unsigned long long code;

    if (*digits == '\0' || digits[strspn(digits, allowed)] != '\0')
        return NULL;
    code = strtoull(digits, NULL, hex ? 16 : 10); /* ULLONG_MAX where it is larger than that */
    return code <= UINT32_MAX ? status_find((uint32_t)code) : NULL;
}

int status_parse(const char *text, uint32_t *ret_code)
{
    const struct status_info *info = find_number(text);

    if (!info)
        info = find_symbol(text);
    if (!info)
        return -EINVAL;
    *ret_code = info->code;
    return 0;
}
