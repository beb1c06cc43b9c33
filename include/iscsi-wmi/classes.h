/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ISCSI_WMI_CLASSES_H
#define ISCSI_WMI_CLASSES_H

/*
 * The classes that the service offers. Members have Windows' names, widths and order (iscsimgt.h,
 * iscsiop.h, iscsiprf.h, mpiodisk.h); what each means here is said in com.open_iscsi.WMI1.*.xml,
 * which are installed among the D-Bus interfaces.
 *
 * A count is always that of the array behind it, and a text is never NULL but may be empty. What a
 * service of another version does not send is 0, false or empty.
 *
 * A structure that the library gives out can have more members at its end in a later version. Those
 * that stand in others or in arrays by value are Windows' and never change. So no program of yours
 * makes one but iscsiwmi_path, iscsiwmi_lb_policies, iscsiwmi_ip_address, iscsiwmi_dsm_path and
 * iscsiwmi_dsm_lb_policy with their _v2, and none copies another by value.
 */

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ConnectionStatus */
enum iscsiwmi_connection_status {
    ISCSIWMI_CONNECTED = 1,
    ISCSIWMI_DISCONNECTED = 2,
    ISCSIWMI_RECONNECTING = 3
};

/* ISCSI_Path */
struct iscsiwmi_path {
    uint64_t UniqueConnectionId;
    uint64_t EstimatedLinkSpeed; /* Mbit/s, 0: unknown */
    uint32_t PathWeight;         /* WEIGHTED_PATHS */
    uint32_t PrimaryPath;        /* nonzero: a primary */
    uint32_t ConnectionStatus;   /* enum iscsiwmi_connection_status */
    uint32_t TCPOffLoadAvailable;
};

/* ISCSI_Supported_LB_Policies */
struct iscsiwmi_lb_policies {
    uint64_t UniqueSessionId;
    uint32_t LoadBalancePolicy; /* enum iscsiwmi_lb_policy */
    uint32_t iSCSI_PathCount;
    struct iscsiwmi_path *iSCSI_Paths;
};

/* MSiSCSI_QueryLBPolicy */
struct iscsiwmi_query_lb_policy {
    char *InstanceName;
    bool Active;
    uint64_t UniqueAdapterId;
    uint32_t Reserved;
    uint32_t SessionCount;
    struct iscsiwmi_lb_policies *LoadBalancePolicies;
};

/* MSiSCSI_HBAInformation */
struct iscsiwmi_hba_information {
    char *InstanceName; /* the initiator name */
    bool Active;
    uint64_t UniqueAdapterId;
    bool IntegratedTCPIP;
    bool RequiresBinaryIpAddresses;
    uint8_t VersionMin;
    uint8_t VersionMax;
    bool MultifunctionDevice;
    bool CacheValid;
    uint32_t NumberOfPorts;
    uint32_t Status; /* 0 working, 1 degraded, 2 critical, 3 failed */
    uint32_t FunctionalitySupported;
    uint8_t GenerationalGuid[16];
    uint32_t MaxCDBLength;
    bool BiDiScsiCommands;
    char *VendorID;
    char *VendorModel;
    char *VendorVersion;
    char *FirmwareVersion;
    char *AsicVersion;
    char *OptionRomVersion;
    char *SerialNumber;
    char *DriverName;
};

/* MSiSCSI_HBASessionConfig */
struct iscsiwmi_hba_session_config {
    char *InstanceName;
    bool Active;
    bool InitialR2T;
    bool ImmediateData;
    uint32_t MaxRecvDataSegmentLength;
    uint32_t MaxBurstLength;
    uint32_t FirstBurstLength;
    uint32_t MaxOutstandingR2T;
};

/* ISCSI_IP_Address.Type */
enum iscsiwmi_ip_address_type {
    ISCSIWMI_IP_ADDRESS_TEXT = 0,
    ISCSIWMI_IP_ADDRESS_IPV4 = 1,
    ISCSIWMI_IP_ADDRESS_IPV6 = 2,
    ISCSIWMI_IP_ADDRESS_EMPTY = 3
};

/* ISCSI_IP_Address */
struct iscsiwmi_ip_address {
    uint32_t Type;
    uint32_t IpV4Address; /* the first octet is the lowest byte: 127.0.0.2 is 0x0200007f */
    uint8_t IpV6Address[16];
    uint32_t IpV6FlowInfo;
    uint32_t IpV6ScopeId;
    char *TextAddress; /* from the service: whatever the type. To the service: NULL is empty */
};

/* ISCSI_ConnectionStaticInfo */
struct iscsiwmi_connection_static_info {
    uint64_t UniqueConnectionId;
    uint16_t CID;
    uint8_t State; /* 0 login, 1 full feature phase, 2 logout */
    uint8_t Protocol;
    uint8_t HeaderIntegrity; /* 0 none, 1 CRC32C */
    uint8_t DataIntegrity;
    uint16_t Reserved;
    uint32_t MaxRecvDataSegmentLength;
    uint32_t AuthType; /* 0 none, 1 CHAP, 2 mutual CHAP */
    struct iscsiwmi_ip_address LocalAddr;
    uint32_t LocalPort;
    struct iscsiwmi_ip_address RemoteAddr;
    uint32_t RemotePort;
    uint64_t EstimatedThroughput; /* bytes/s */
    uint32_t MaxDatagramSize;
};

/* ISCSI_SessionStaticInfo */
struct iscsiwmi_session_static_info {
    uint64_t UniqueSessionId;
    char *InitiatoriSCSIName;
    char *TargetiSCSIName;
    uint16_t TSID;
    uint8_t ISID[6];
    bool InitialR2t;
    bool ImmediateData;
    uint8_t Type; /* 0 discovery, 1 informational, 2 data, 3 boot */
    bool DataSequenceInOrder;
    bool DataPduInOrder;
    uint8_t ErrorRecoveryLevel;
    uint32_t MaxOutstandingR2t;
    uint32_t FirstBurstLength;
    uint32_t MaxBurstLength;
    uint32_t MaxConnections;
    uint16_t ConnectionCount;
    struct iscsiwmi_connection_static_info *ConnectionsList;
};

/* MSiSCSI_InitiatorSessionInfo */
struct iscsiwmi_initiator_session_info {
    char *InstanceName;
    bool Active;
    uint64_t UniqueAdapterId;
    uint32_t SessionCount;
    struct iscsiwmi_session_static_info *SessionsList;
};

/* ISCSI_PortalInfo */
struct iscsiwmi_portal_info {
    uint32_t Index;
    uint8_t PortalType;
    uint8_t Protocol;
    uint8_t Reserved1;
    uint8_t Reserved2;
    struct iscsiwmi_ip_address IPAddr;
    uint32_t Port;
    uint16_t PortalTag;
};

/* MSiSCSI_PortalInfoClass */
struct iscsiwmi_portal_info_class {
    char *InstanceName;
    bool Active;
    uint32_t PortalInfoCount;
    struct iscsiwmi_portal_info *PortalInformation;
};

/* MSiSCSI_ConnectionStatistics */
struct iscsiwmi_connection_statistics {
    char *InstanceName; /* the 16 hex digits of UniqueConnectionId */
    bool Active;
    char *iSCSIName;
    uint16_t CID;
    uint64_t USID; /* UniqueSessionId */
    uint64_t UniqueAdapterId;
    uint64_t BytesSent;
    uint64_t BytesReceived;
    uint64_t PDUCommandsSent;
    uint64_t PDUResponsesReceived;
};

/* MPIO_DSM_Path */
struct iscsiwmi_dsm_path {
    uint64_t DsmPathId; /* UniqueConnectionId of a path by iSCSI */
    uint64_t Reserved;
    uint32_t PathWeight;  /* WEIGHTED_PATHS: the lowest is the best */
    uint32_t PrimaryPath; /* nonzero: active/optimized, else standby */
};

/* DSM_Load_Balance_Policy */
struct iscsiwmi_dsm_lb_policy {
    uint32_t Version;           /* 1 */
    uint32_t LoadBalancePolicy; /* enum iscsiwmi_dsm_policy */
    uint32_t DSMPathCount;
    uint32_t Reserved;
    struct iscsiwmi_dsm_path *DSM_Paths;
};

/* MPIO_DSM_Path_V2.TargetPortGroup_State */
enum iscsiwmi_dsm_state {
    ISCSIWMI_DSM_ACTIVE_OPTIMIZED = 0,
    ISCSIWMI_DSM_ACTIVE_UNOPTIMIZED = 1,
    ISCSIWMI_DSM_STANDBY = 2,
    ISCSIWMI_DSM_UNAVAILABLE = 3,
    ISCSIWMI_DSM_STATE_NOT_USED = 16 /* no asymmetric access */
};

/*
 * MPIO_DSM_Path_V2. PrimaryPath and OptimizedPath together are the state that a path has or is to
 * have: 1 and 1 active/optimized, 1 and 0 active/unoptimized, 0 and 1 standby, 0 and 0 unavailable.
 */
struct iscsiwmi_dsm_path_v2 {
    uint64_t DsmPathId; /* UniqueConnectionId of a path by iSCSI */
    uint64_t Reserved;
    uint32_t PathWeight; /* WEIGHTED_PATHS: the lowest is the best */
    uint32_t PrimaryPath;
    uint32_t OptimizedPath;
    uint32_t PreferredPath;         /* FAILOVER: leads whenever it can */
    uint32_t FailedPath;            /* this and what follows is only ever answered */
    uint32_t TargetPortGroup_State; /* enum iscsiwmi_dsm_state */
    uint32_t ALUASupport;           /* 0 none, 1 implicit, 2 explicit, 3 both */
    uint8_t SymmetricLUA;
    uint8_t TargetPortGroup_Preferred;
    uint16_t TargetPortGroup_Identifier;
    uint32_t TargetPort_Identifier;
    uint32_t Reserved32;
    uint64_t Reserved64;
};

/* DSM_Load_Balance_Policy_V2 */
struct iscsiwmi_dsm_lb_policy_v2 {
    uint32_t Version;           /* 2 */
    uint32_t LoadBalancePolicy; /* enum iscsiwmi_dsm_policy */
    uint32_t DSMPathCount;
    uint32_t Reserved;
    struct iscsiwmi_dsm_path_v2 *DSM_Paths;
};

/* DSM_QueryLBPolicy_V2 */
struct iscsiwmi_dsm_query_lb_policy {
    char *InstanceName; /* the disk's WWID */
    bool Active;        /* the disk has a multipath map */
    struct iscsiwmi_dsm_lb_policy_v2 LoadBalancePolicy;
};

/* DSM_QuerySupportedLBPolicies_V2 */
struct iscsiwmi_dsm_query_supported_lb_policies {
    char *InstanceName;
    bool Active;
    uint32_t SupportedLBPoliciesCount;
    uint32_t Reserved;
    struct iscsiwmi_dsm_lb_policy_v2 *Supported_LB_Policies; /* without paths */
};

/* ---- Linux' own additions, which Windows does not have ---- */

/* An entry of Session.Connections. */
struct iscsiwmi_session_connection {
    uint64_t UniqueConnectionId;
    uint32_t ConnectionStatus; /* enum iscsiwmi_connection_status */
    char *Iface;
    char *PersistentAddress; /* that of the node record */
    uint16_t PersistentPort;
    char *CurrentAddress; /* empty: not connected */
    uint16_t CurrentPort;
    char *State; /* of the kernel's session: "LOGGED_IN", "FAILED", "FREE" */
    uint32_t DiskCount;
    char **Disks;           /* "sda", ... */
    char *GenerationalGuid; /* of its node record, in Windows' text form; empty: none */
};

/* A priority group of a multipath map. */
struct iscsiwmi_map_group {
    char *Selector;
    char *State; /* "active", "enabled", "disabled" */
    uint32_t PathCount;
    uint64_t *Paths; /* UniqueConnectionId, 0: a path that is not this session's */
};

/* An entry of Session.Maps. */
struct iscsiwmi_map {
    char *Name;
    char *Wwid;
    uint64_t Size; /* bytes */
    uint32_t GroupCount;
    struct iscsiwmi_map_group **Groups; /* in table order */
};

/* Session */
struct iscsiwmi_session {
    uint64_t UniqueSessionId;
    uint64_t UniqueAdapterId;
    char *InitiatorName;
    char *TargetName;
    uint32_t ConnectionCount;
    struct iscsiwmi_session_connection **Connections;
    uint32_t MapCount;
    struct iscsiwmi_map **Maps;
    uint32_t LoadBalancePolicy; /* the one that was chosen, 0: none */
    char *Provenance;           /* "session", "host" */
    char *Agreement;            /* "Applied", "Pending", "Contested" */
    char *MultipathdAgreement;  /* "Agrees", "Pending", "Alone" */
    char *Reason;
    uint32_t Reapplications;
    uint32_t ChangedRecordCount;
    uint64_t *ChangedRecords; /* UniqueConnectionId of each whose node record has changed */
};

/* Manager */
struct iscsiwmi_manager {
    char *Version;
    char *PathWeightOrder; /* "lowest-first", "highest-first" */
    uint32_t ConditionCount;
    char **Conditions;
    uint32_t DefaultLoadBalancePolicy; /* of maps that appear: enum iscsiwmi_dsm_policy */
};

/* Disk */
struct iscsiwmi_disk {
    char *WWID;
    char *Name;                 /* of its map, or of the last one; empty: it has had none */
    uint64_t SizeBytes;         /* 0 likewise */
    uint32_t LoadBalancePolicy; /* the one that was chosen, 0: none. enum iscsiwmi_dsm_policy */
    char *Provenance;           /* "disk", "session", "default", "host" */
    char *Agreement;            /* "Applied", "Pending", "Contested" */
    char *MultipathdAgreement;  /* "Agrees", "Pending", "Alone" */
    char *Reason;
    uint32_t Reapplications;
};

/* Symbol and text of a status code as the service has them; both empty: it knows no such code. */
struct iscsiwmi_status_description {
    char *Symbol;
    char *Text;
};

/* An entry of iscsiwmi_changed_records: one of open-iscsi's records. */
struct iscsiwmi_changed_record {
    char *Kind; /* "node", "iface", "discovery" */
    char *Name;
    uint64_t UniqueConnectionId; /* that a node's session has or would have; else 0 */
    char *Difference;            /* "changed", "added", "removed" */
    uint32_t FieldCount;
    char **Fields; /* names of those that differ; none of a record that was added or removed */
};

/* What an adapter's GenerationalGuid does not hold for any more. */
struct iscsiwmi_changed_records {
    uint32_t RecordCount;
    struct iscsiwmi_changed_record **Records;
    char *Reason; /* why MSiSCSI_HBAInformation.CacheValid is false; empty: it is true */
};

/* The classes of one adapter. NULL: the service does not have this one. */
struct iscsiwmi_adapter {
    uint64_t UniqueAdapterId;
    struct iscsiwmi_hba_information *HBAInformation;
    struct iscsiwmi_hba_session_config *HBASessionConfig;
    struct iscsiwmi_initiator_session_info *InitiatorSessionInfo;
    struct iscsiwmi_portal_info_class *PortalInfoClass;
    struct iscsiwmi_query_lb_policy *QueryLBPolicy;
};

/* The classes of one disk, likewise. */
struct iscsiwmi_disk_classes {
    char *WWID;
    struct iscsiwmi_disk *Disk;
    struct iscsiwmi_dsm_query_lb_policy *QueryLBPolicy;
    struct iscsiwmi_dsm_query_supported_lb_policies *QuerySupportedLBPolicies;
};

/* All of a host at one moment, in no order. */
struct iscsiwmi_host {
    uint32_t AdapterCount;
    struct iscsiwmi_adapter **Adapters;
    uint32_t SessionCount;
    struct iscsiwmi_session **Sessions;
    uint32_t ConnectionCount;
    uint64_t *Connections; /* UniqueConnectionId of each that has statistics */
    uint32_t DiskCount;
    struct iscsiwmi_disk_classes **Disks;
};

#ifdef __cplusplus
}
#endif

#endif
