/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/classes.h"

#define MEMBER(structure, member, signature)                                                       \
    .name = #member, .offset = offsetof(structure, member),                                        \
    .size = sizeof(((structure *)0)->member), .type = signature
#define COUNTED_BY(structure, member)                                                              \
    .count_offset = offsetof(structure, member), .count_size = sizeof(((structure *)0)->member)

/* What stands within others. */
#define IP_ADDRESS "uuayuus"
#define CONNECTION_STATIC_INFO "tqyyyyquu(" IP_ADDRESS ")u(" IP_ADDRESS ")utu"
#define SESSION_STATIC_INFO "tssqaybbybbyuuuuqa(" CONNECTION_STATIC_INFO ")"

#define DSM_PATH "ttuu"
#define DSM_PATH_V2 "ttuuuuuuuyyquut"
#define DSM_LB_POLICY_V2 "uuuua(" DSM_PATH_V2 ")"

/* ---- Windows' ---- */

static const struct member path_members[] = {
    {MEMBER(struct iscsiwmi_path, UniqueConnectionId, "t")},
    {MEMBER(struct iscsiwmi_path, EstimatedLinkSpeed, "t")},
    {MEMBER(struct iscsiwmi_path, PathWeight, "u")},
    {MEMBER(struct iscsiwmi_path, PrimaryPath, "u")},
    {MEMBER(struct iscsiwmi_path, ConnectionStatus, "u")},
    {MEMBER(struct iscsiwmi_path, TCPOffLoadAvailable, "u")},
    {0},
};

const struct class class_path = {
    .name = "ISCSI_Path",
    .signature = "ttuuuu",
    .size = sizeof(struct iscsiwmi_path),
    .members = path_members,
};

static const struct member lb_policies_members[] = {
    {MEMBER(struct iscsiwmi_lb_policies, UniqueSessionId, "t")},
    {MEMBER(struct iscsiwmi_lb_policies, LoadBalancePolicy, "u")},
    {MEMBER(struct iscsiwmi_lb_policies, iSCSI_PathCount, "u")},
    {MEMBER(struct iscsiwmi_lb_policies, iSCSI_Paths, "a(ttuuuu)"), .class = &class_path,
     COUNTED_BY(struct iscsiwmi_lb_policies, iSCSI_PathCount)},
    {0},
};

const struct class class_lb_policies = {
    .name = "ISCSI_Supported_LB_Policies",
    .signature = "tuua(ttuuuu)",
    .size = sizeof(struct iscsiwmi_lb_policies),
    .members = lb_policies_members,
};

static const struct member query_lb_policy_members[] = {
    {MEMBER(struct iscsiwmi_query_lb_policy, InstanceName, "s")},
    {MEMBER(struct iscsiwmi_query_lb_policy, Active, "b")},
    {MEMBER(struct iscsiwmi_query_lb_policy, UniqueAdapterId, "t")},
    {MEMBER(struct iscsiwmi_query_lb_policy, Reserved, "u")},
    {MEMBER(struct iscsiwmi_query_lb_policy, SessionCount, "u")},
    {MEMBER(struct iscsiwmi_query_lb_policy, LoadBalancePolicies, "a(tuua(ttuuuu))"),
     .class = &class_lb_policies, COUNTED_BY(struct iscsiwmi_query_lb_policy, SessionCount)},
    {0},
};

const struct class class_query_lb_policy = {
    .name = "MSiSCSI_QueryLBPolicy",
    .size = sizeof(struct iscsiwmi_query_lb_policy),
    .members = query_lb_policy_members,
};

static const struct member hba_information_members[] = {
    {MEMBER(struct iscsiwmi_hba_information, InstanceName, "s")},
    {MEMBER(struct iscsiwmi_hba_information, Active, "b")},
    {MEMBER(struct iscsiwmi_hba_information, UniqueAdapterId, "t")},
    {MEMBER(struct iscsiwmi_hba_information, IntegratedTCPIP, "b")},
    {MEMBER(struct iscsiwmi_hba_information, RequiresBinaryIpAddresses, "b")},
    {MEMBER(struct iscsiwmi_hba_information, VersionMin, "y")},
    {MEMBER(struct iscsiwmi_hba_information, VersionMax, "y")},
    {MEMBER(struct iscsiwmi_hba_information, MultifunctionDevice, "b")},
    {MEMBER(struct iscsiwmi_hba_information, CacheValid, "b")},
    {MEMBER(struct iscsiwmi_hba_information, NumberOfPorts, "u")},
    {MEMBER(struct iscsiwmi_hba_information, Status, "u")},
    {MEMBER(struct iscsiwmi_hba_information, FunctionalitySupported, "u")},
    {MEMBER(struct iscsiwmi_hba_information, GenerationalGuid, "ay")},
    {MEMBER(struct iscsiwmi_hba_information, MaxCDBLength, "u")},
    {MEMBER(struct iscsiwmi_hba_information, BiDiScsiCommands, "b")},
    {MEMBER(struct iscsiwmi_hba_information, VendorID, "s")},
    {MEMBER(struct iscsiwmi_hba_information, VendorModel, "s")},
    {MEMBER(struct iscsiwmi_hba_information, VendorVersion, "s")},
    {MEMBER(struct iscsiwmi_hba_information, FirmwareVersion, "s")},
    {MEMBER(struct iscsiwmi_hba_information, AsicVersion, "s")},
    {MEMBER(struct iscsiwmi_hba_information, OptionRomVersion, "s")},
    {MEMBER(struct iscsiwmi_hba_information, SerialNumber, "s")},
    {MEMBER(struct iscsiwmi_hba_information, DriverName, "s")},
    {0},
};

const struct class class_hba_information = {
    .name = "MSiSCSI_HBAInformation",
    .size = sizeof(struct iscsiwmi_hba_information),
    .members = hba_information_members,
};

static const struct member hba_session_config_members[] = {
    {MEMBER(struct iscsiwmi_hba_session_config, InstanceName, "s")},
    {MEMBER(struct iscsiwmi_hba_session_config, Active, "b")},
    {MEMBER(struct iscsiwmi_hba_session_config, InitialR2T, "b")},
    {MEMBER(struct iscsiwmi_hba_session_config, ImmediateData, "b")},
    {MEMBER(struct iscsiwmi_hba_session_config, MaxRecvDataSegmentLength, "u")},
    {MEMBER(struct iscsiwmi_hba_session_config, MaxBurstLength, "u")},
    {MEMBER(struct iscsiwmi_hba_session_config, FirstBurstLength, "u")},
    {MEMBER(struct iscsiwmi_hba_session_config, MaxOutstandingR2T, "u")},
    {0},
};

const struct class class_hba_session_config = {
    .name = "MSiSCSI_HBASessionConfig",
    .size = sizeof(struct iscsiwmi_hba_session_config),
    .members = hba_session_config_members,
};

static const struct member ip_address_members[] = {
    {MEMBER(struct iscsiwmi_ip_address, Type, "u")},
    {MEMBER(struct iscsiwmi_ip_address, IpV4Address, "u")},
    {MEMBER(struct iscsiwmi_ip_address, IpV6Address, "ay")},
    {MEMBER(struct iscsiwmi_ip_address, IpV6FlowInfo, "u")},
    {MEMBER(struct iscsiwmi_ip_address, IpV6ScopeId, "u")},
    {MEMBER(struct iscsiwmi_ip_address, TextAddress, "s")},
    {0},
};

const struct class class_ip_address = {
    .name = "ISCSI_IP_Address",
    .signature = IP_ADDRESS,
    .size = sizeof(struct iscsiwmi_ip_address),
    .members = ip_address_members,
};

static const struct member connection_static_info_members[] = {
    {MEMBER(struct iscsiwmi_connection_static_info, UniqueConnectionId, "t")},
    {MEMBER(struct iscsiwmi_connection_static_info, CID, "q")},
    {MEMBER(struct iscsiwmi_connection_static_info, State, "y")},
    {MEMBER(struct iscsiwmi_connection_static_info, Protocol, "y")},
    {MEMBER(struct iscsiwmi_connection_static_info, HeaderIntegrity, "y")},
    {MEMBER(struct iscsiwmi_connection_static_info, DataIntegrity, "y")},
    {MEMBER(struct iscsiwmi_connection_static_info, Reserved, "q")},
    {MEMBER(struct iscsiwmi_connection_static_info, MaxRecvDataSegmentLength, "u")},
    {MEMBER(struct iscsiwmi_connection_static_info, AuthType, "u")},
    {MEMBER(struct iscsiwmi_connection_static_info, LocalAddr, "(" IP_ADDRESS ")"),
     .class = &class_ip_address},
    {MEMBER(struct iscsiwmi_connection_static_info, LocalPort, "u")},
    {MEMBER(struct iscsiwmi_connection_static_info, RemoteAddr, "(" IP_ADDRESS ")"),
     .class = &class_ip_address},
    {MEMBER(struct iscsiwmi_connection_static_info, RemotePort, "u")},
    {MEMBER(struct iscsiwmi_connection_static_info, EstimatedThroughput, "t")},
    {MEMBER(struct iscsiwmi_connection_static_info, MaxDatagramSize, "u")},
    {0},
};

const struct class class_connection_static_info = {
    .name = "ISCSI_ConnectionStaticInfo",
    .signature = CONNECTION_STATIC_INFO,
    .size = sizeof(struct iscsiwmi_connection_static_info),
    .members = connection_static_info_members,
};

static const struct member session_static_info_members[] = {
    {MEMBER(struct iscsiwmi_session_static_info, UniqueSessionId, "t")},
    {MEMBER(struct iscsiwmi_session_static_info, InitiatoriSCSIName, "s")},
    {MEMBER(struct iscsiwmi_session_static_info, TargetiSCSIName, "s")},
    {MEMBER(struct iscsiwmi_session_static_info, TSID, "q")},
    {MEMBER(struct iscsiwmi_session_static_info, ISID, "ay")},
    {MEMBER(struct iscsiwmi_session_static_info, InitialR2t, "b")},
    {MEMBER(struct iscsiwmi_session_static_info, ImmediateData, "b")},
    {MEMBER(struct iscsiwmi_session_static_info, Type, "y")},
    {MEMBER(struct iscsiwmi_session_static_info, DataSequenceInOrder, "b")},
    {MEMBER(struct iscsiwmi_session_static_info, DataPduInOrder, "b")},
    {MEMBER(struct iscsiwmi_session_static_info, ErrorRecoveryLevel, "y")},
    {MEMBER(struct iscsiwmi_session_static_info, MaxOutstandingR2t, "u")},
    {MEMBER(struct iscsiwmi_session_static_info, FirstBurstLength, "u")},
    {MEMBER(struct iscsiwmi_session_static_info, MaxBurstLength, "u")},
    {MEMBER(struct iscsiwmi_session_static_info, MaxConnections, "u")},
    {MEMBER(struct iscsiwmi_session_static_info, ConnectionCount, "q")},
    {MEMBER(struct iscsiwmi_session_static_info, ConnectionsList, "a(" CONNECTION_STATIC_INFO ")"),
     .class = &class_connection_static_info,
     COUNTED_BY(struct iscsiwmi_session_static_info, ConnectionCount)},
    {0},
};

const struct class class_session_static_info = {
    .name = "ISCSI_SessionStaticInfo",
    .signature = SESSION_STATIC_INFO,
    .size = sizeof(struct iscsiwmi_session_static_info),
    .members = session_static_info_members,
};

static const struct member initiator_session_info_members[] = {
    {MEMBER(struct iscsiwmi_initiator_session_info, InstanceName, "s")},
    {MEMBER(struct iscsiwmi_initiator_session_info, Active, "b")},
    {MEMBER(struct iscsiwmi_initiator_session_info, UniqueAdapterId, "t")},
    {MEMBER(struct iscsiwmi_initiator_session_info, SessionCount, "u")},
    {MEMBER(struct iscsiwmi_initiator_session_info, SessionsList, "a(" SESSION_STATIC_INFO ")"),
     .class = &class_session_static_info,
     COUNTED_BY(struct iscsiwmi_initiator_session_info, SessionCount)},
    {0},
};

const struct class class_initiator_session_info = {
    .name = "MSiSCSI_InitiatorSessionInfo",
    .size = sizeof(struct iscsiwmi_initiator_session_info),
    .members = initiator_session_info_members,
};

static const struct member portal_info_members[] = {
    {MEMBER(struct iscsiwmi_portal_info, Index, "u")},
    {MEMBER(struct iscsiwmi_portal_info, PortalType, "y")},
    {MEMBER(struct iscsiwmi_portal_info, Protocol, "y")},
    {MEMBER(struct iscsiwmi_portal_info, Reserved1, "y")},
    {MEMBER(struct iscsiwmi_portal_info, Reserved2, "y")},
    {MEMBER(struct iscsiwmi_portal_info, IPAddr, "(" IP_ADDRESS ")"), .class = &class_ip_address},
    {MEMBER(struct iscsiwmi_portal_info, Port, "u")},
    {MEMBER(struct iscsiwmi_portal_info, PortalTag, "q")},
    {0},
};

const struct class class_portal_info = {
    .name = "ISCSI_PortalInfo",
    .signature = "uyyyy(" IP_ADDRESS ")uq",
    .size = sizeof(struct iscsiwmi_portal_info),
    .members = portal_info_members,
};

static const struct member portal_info_class_members[] = {
    {MEMBER(struct iscsiwmi_portal_info_class, InstanceName, "s")},
    {MEMBER(struct iscsiwmi_portal_info_class, Active, "b")},
    {MEMBER(struct iscsiwmi_portal_info_class, PortalInfoCount, "u")},
    {MEMBER(struct iscsiwmi_portal_info_class, PortalInformation, "a(uyyyy(" IP_ADDRESS ")uq)"),
     .class = &class_portal_info, COUNTED_BY(struct iscsiwmi_portal_info_class, PortalInfoCount)},
    {0},
};

const struct class class_portal_info_class = {
    .name = "MSiSCSI_PortalInfoClass",
    .size = sizeof(struct iscsiwmi_portal_info_class),
    .members = portal_info_class_members,
};

static const struct member connection_statistics_members[] = {
    {MEMBER(struct iscsiwmi_connection_statistics, InstanceName, "s")},
    {MEMBER(struct iscsiwmi_connection_statistics, Active, "b")},
    {MEMBER(struct iscsiwmi_connection_statistics, iSCSIName, "s")},
    {MEMBER(struct iscsiwmi_connection_statistics, CID, "q")},
    {MEMBER(struct iscsiwmi_connection_statistics, USID, "t")},
    {MEMBER(struct iscsiwmi_connection_statistics, UniqueAdapterId, "t")},
    {MEMBER(struct iscsiwmi_connection_statistics, BytesSent, "t")},
    {MEMBER(struct iscsiwmi_connection_statistics, BytesReceived, "t")},
    {MEMBER(struct iscsiwmi_connection_statistics, PDUCommandsSent, "t")},
    {MEMBER(struct iscsiwmi_connection_statistics, PDUResponsesReceived, "t")},
    {0},
};

const struct class class_connection_statistics = {
    .name = "MSiSCSI_ConnectionStatistics",
    .size = sizeof(struct iscsiwmi_connection_statistics),
    .members = connection_statistics_members,
};

static const struct member dsm_path_members[] = {
    {MEMBER(struct iscsiwmi_dsm_path, DsmPathId, "t")},
    {MEMBER(struct iscsiwmi_dsm_path, Reserved, "t")},
    {MEMBER(struct iscsiwmi_dsm_path, PathWeight, "u")},
    {MEMBER(struct iscsiwmi_dsm_path, PrimaryPath, "u")},
    {0},
};

const struct class class_dsm_path = {
    .name = "MPIO_DSM_Path",
    .signature = DSM_PATH,
    .size = sizeof(struct iscsiwmi_dsm_path),
    .members = dsm_path_members,
};

static const struct member dsm_lb_policy_members[] = {
    {MEMBER(struct iscsiwmi_dsm_lb_policy, Version, "u")},
    {MEMBER(struct iscsiwmi_dsm_lb_policy, LoadBalancePolicy, "u")},
    {MEMBER(struct iscsiwmi_dsm_lb_policy, DSMPathCount, "u")},
    {MEMBER(struct iscsiwmi_dsm_lb_policy, Reserved, "u")},
    {MEMBER(struct iscsiwmi_dsm_lb_policy, DSM_Paths, "a(" DSM_PATH ")"), .class = &class_dsm_path,
     COUNTED_BY(struct iscsiwmi_dsm_lb_policy, DSMPathCount)},
    {0},
};

const struct class class_dsm_lb_policy = {
    .name = "DSM_Load_Balance_Policy",
    .signature = "uuuua(" DSM_PATH ")",
    .size = sizeof(struct iscsiwmi_dsm_lb_policy),
    .members = dsm_lb_policy_members,
};

static const struct member dsm_path_v2_members[] = {
    {MEMBER(struct iscsiwmi_dsm_path_v2, DsmPathId, "t")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, Reserved, "t")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, PathWeight, "u")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, PrimaryPath, "u")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, OptimizedPath, "u")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, PreferredPath, "u")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, FailedPath, "u")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, TargetPortGroup_State, "u")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, ALUASupport, "u")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, SymmetricLUA, "y")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, TargetPortGroup_Preferred, "y")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, TargetPortGroup_Identifier, "q")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, TargetPort_Identifier, "u")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, Reserved32, "u")},
    {MEMBER(struct iscsiwmi_dsm_path_v2, Reserved64, "t")},
    {0},
};

const struct class class_dsm_path_v2 = {
    .name = "MPIO_DSM_Path_V2",
    .signature = DSM_PATH_V2,
    .size = sizeof(struct iscsiwmi_dsm_path_v2),
    .members = dsm_path_v2_members,
};

static const struct member dsm_lb_policy_v2_members[] = {
    {MEMBER(struct iscsiwmi_dsm_lb_policy_v2, Version, "u")},
    {MEMBER(struct iscsiwmi_dsm_lb_policy_v2, LoadBalancePolicy, "u")},
    {MEMBER(struct iscsiwmi_dsm_lb_policy_v2, DSMPathCount, "u")},
    {MEMBER(struct iscsiwmi_dsm_lb_policy_v2, Reserved, "u")},
    {MEMBER(struct iscsiwmi_dsm_lb_policy_v2, DSM_Paths, "a(" DSM_PATH_V2 ")"),
     .class = &class_dsm_path_v2, COUNTED_BY(struct iscsiwmi_dsm_lb_policy_v2, DSMPathCount)},
    {0},
};

const struct class class_dsm_lb_policy_v2 = {
    .name = "DSM_Load_Balance_Policy_V2",
    .signature = DSM_LB_POLICY_V2,
    .size = sizeof(struct iscsiwmi_dsm_lb_policy_v2),
    .members = dsm_lb_policy_v2_members,
};

static const struct member dsm_query_lb_policy_members[] = {
    {MEMBER(struct iscsiwmi_dsm_query_lb_policy, InstanceName, "s")},
    {MEMBER(struct iscsiwmi_dsm_query_lb_policy, Active, "b")},
    {MEMBER(struct iscsiwmi_dsm_query_lb_policy, LoadBalancePolicy, "(" DSM_LB_POLICY_V2 ")"),
     .class = &class_dsm_lb_policy_v2},
    {0},
};

const struct class class_dsm_query_lb_policy = {
    .name = "DSM_QueryLBPolicy_V2",
    .size = sizeof(struct iscsiwmi_dsm_query_lb_policy),
    .members = dsm_query_lb_policy_members,
};

static const struct member dsm_query_supported_lb_policies_members[] = {
    {MEMBER(struct iscsiwmi_dsm_query_supported_lb_policies, InstanceName, "s")},
    {MEMBER(struct iscsiwmi_dsm_query_supported_lb_policies, Active, "b")},
    {MEMBER(struct iscsiwmi_dsm_query_supported_lb_policies, SupportedLBPoliciesCount, "u")},
    {MEMBER(struct iscsiwmi_dsm_query_supported_lb_policies, Reserved, "u")},
    {MEMBER(struct iscsiwmi_dsm_query_supported_lb_policies, Supported_LB_Policies,
            "a(" DSM_LB_POLICY_V2 ")"),
     .class = &class_dsm_lb_policy_v2,
     COUNTED_BY(struct iscsiwmi_dsm_query_supported_lb_policies, SupportedLBPoliciesCount)},
    {0},
};

const struct class class_dsm_query_supported_lb_policies = {
    .name = "DSM_QuerySupportedLBPolicies_V2",
    .size = sizeof(struct iscsiwmi_dsm_query_supported_lb_policies),
    .members = dsm_query_supported_lb_policies_members,
};

const struct class *const windows_classes[] = {
    &class_path,
    &class_lb_policies,
    &class_query_lb_policy,
    &class_hba_information,
    &class_hba_session_config,
    &class_ip_address,
    &class_connection_static_info,
    &class_session_static_info,
    &class_initiator_session_info,
    &class_portal_info,
    &class_portal_info_class,
    &class_connection_statistics,
    &class_dsm_path,
    &class_dsm_lb_policy,
    &class_dsm_path_v2,
    &class_dsm_lb_policy_v2,
    &class_dsm_query_lb_policy,
    &class_dsm_query_supported_lb_policies,
    NULL,
};

/* ---- Linux' own ---- */

static const struct member session_connection_members[] = {
    {MEMBER(struct iscsiwmi_session_connection, UniqueConnectionId, "t")},
    {MEMBER(struct iscsiwmi_session_connection, ConnectionStatus, "u")},
    {MEMBER(struct iscsiwmi_session_connection, Iface, "s")},
    {MEMBER(struct iscsiwmi_session_connection, PersistentAddress, "s")},
    {MEMBER(struct iscsiwmi_session_connection, PersistentPort, "q")},
    {MEMBER(struct iscsiwmi_session_connection, CurrentAddress, "s")},
    {MEMBER(struct iscsiwmi_session_connection, CurrentPort, "q")},
    {MEMBER(struct iscsiwmi_session_connection, State, "s")},
    {MEMBER(struct iscsiwmi_session_connection, Disks, "as"),
     COUNTED_BY(struct iscsiwmi_session_connection, DiskCount)},
    {MEMBER(struct iscsiwmi_session_connection, GenerationalGuid, "s")},
    {0},
};

static const struct class class_session_connection = {
    .name = "SessionConnection",
    .signature = "tussqsqsass",
    .size = sizeof(struct iscsiwmi_session_connection),
    .members = session_connection_members,
};

static const struct member map_group_members[] = {
    {MEMBER(struct iscsiwmi_map_group, Selector, "s")},
    {MEMBER(struct iscsiwmi_map_group, State, "s")},
    {MEMBER(struct iscsiwmi_map_group, Paths, "at"),
     COUNTED_BY(struct iscsiwmi_map_group, PathCount)},
    {0},
};

static const struct class class_map_group = {
    .name = "MapGroup",
    .signature = "ssat",
    .size = sizeof(struct iscsiwmi_map_group),
    .members = map_group_members,
};

static const struct member map_members[] = {
    {MEMBER(struct iscsiwmi_map, Name, "s")},
    {MEMBER(struct iscsiwmi_map, Wwid, "s")},
    {MEMBER(struct iscsiwmi_map, Size, "t")},
    {MEMBER(struct iscsiwmi_map, Groups, "a(ssat)"), .class = &class_map_group, .by_pointer = true,
     COUNTED_BY(struct iscsiwmi_map, GroupCount)},
    {0},
};

static const struct class class_map = {
    .name = "Map",
    .signature = "ssta(ssat)",
    .size = sizeof(struct iscsiwmi_map),
    .members = map_members,
};

static const struct member session_members[] = {
    {MEMBER(struct iscsiwmi_session, UniqueSessionId, "t")},
    {MEMBER(struct iscsiwmi_session, UniqueAdapterId, "t")},
    {MEMBER(struct iscsiwmi_session, InitiatorName, "s")},
    {MEMBER(struct iscsiwmi_session, TargetName, "s")},
    {MEMBER(struct iscsiwmi_session, Connections, "a(tussqsqsass)"),
     .class = &class_session_connection, .by_pointer = true,
     COUNTED_BY(struct iscsiwmi_session, ConnectionCount)},
    {MEMBER(struct iscsiwmi_session, Maps, "a(ssta(ssat))"), .class = &class_map,
     .by_pointer = true, COUNTED_BY(struct iscsiwmi_session, MapCount)},
    {MEMBER(struct iscsiwmi_session, LoadBalancePolicy, "u")},
    {MEMBER(struct iscsiwmi_session, Provenance, "s")},
    {MEMBER(struct iscsiwmi_session, Agreement, "s")},
    {MEMBER(struct iscsiwmi_session, MultipathdAgreement, "s")},
    {MEMBER(struct iscsiwmi_session, Reason, "s")},
    {MEMBER(struct iscsiwmi_session, Reapplications, "u")},
    {MEMBER(struct iscsiwmi_session, ChangedRecords, "at"),
     COUNTED_BY(struct iscsiwmi_session, ChangedRecordCount)},
    {0},
};

const struct class class_session = {
    .name = "Session",
    .size = sizeof(struct iscsiwmi_session),
    .members = session_members,
};

static const struct member disk_members[] = {
    {MEMBER(struct iscsiwmi_disk, WWID, "s")},
    {MEMBER(struct iscsiwmi_disk, Name, "s")},
    {MEMBER(struct iscsiwmi_disk, SizeBytes, "t")},
    {MEMBER(struct iscsiwmi_disk, LoadBalancePolicy, "u")},
    {MEMBER(struct iscsiwmi_disk, Provenance, "s")},
    {MEMBER(struct iscsiwmi_disk, Agreement, "s")},
    {MEMBER(struct iscsiwmi_disk, MultipathdAgreement, "s")},
    {MEMBER(struct iscsiwmi_disk, Reason, "s")},
    {MEMBER(struct iscsiwmi_disk, Reapplications, "u")},
    {0},
};

const struct class class_disk = {
    .name = "Disk",
    .size = sizeof(struct iscsiwmi_disk),
    .members = disk_members,
};

static const struct member manager_members[] = {
    {MEMBER(struct iscsiwmi_manager, Version, "s")},
    {MEMBER(struct iscsiwmi_manager, PathWeightOrder, "s")},
    {MEMBER(struct iscsiwmi_manager, Conditions, "as"),
     COUNTED_BY(struct iscsiwmi_manager, ConditionCount)},
    {MEMBER(struct iscsiwmi_manager, DefaultLoadBalancePolicy, "u")},
    {0},
};

const struct class class_manager = {
    .name = "Manager",
    .size = sizeof(struct iscsiwmi_manager),
    .members = manager_members,
};

static const struct member status_description_members[] = {
    {MEMBER(struct iscsiwmi_status_description, Symbol, "s")},
    {MEMBER(struct iscsiwmi_status_description, Text, "s")},
    {0},
};

const struct class class_status_description = {
    .name = "StatusDescription",
    .size = sizeof(struct iscsiwmi_status_description),
    .members = status_description_members,
};

static const struct member changed_record_members[] = {
    {MEMBER(struct iscsiwmi_changed_record, Kind, "s")},
    {MEMBER(struct iscsiwmi_changed_record, Name, "s")},
    {MEMBER(struct iscsiwmi_changed_record, UniqueConnectionId, "t")},
    {MEMBER(struct iscsiwmi_changed_record, Difference, "s")},
    {MEMBER(struct iscsiwmi_changed_record, Fields, "as"),
     COUNTED_BY(struct iscsiwmi_changed_record, FieldCount)},
    {0},
};

static const struct class class_changed_record = {
    .name = "ChangedRecord",
    .signature = "sstsas",
    .size = sizeof(struct iscsiwmi_changed_record),
    .members = changed_record_members,
};

static const struct member changed_records_members[] = {
    {MEMBER(struct iscsiwmi_changed_records, Records, "a(sstsas)"), .class = &class_changed_record,
     .by_pointer = true, COUNTED_BY(struct iscsiwmi_changed_records, RecordCount)},
    {MEMBER(struct iscsiwmi_changed_records, Reason, "s")},
    {0},
};

const struct class class_changed_records = {
    .name = "ChangedRecords",
    .size = sizeof(struct iscsiwmi_changed_records),
    .members = changed_records_members,
};
