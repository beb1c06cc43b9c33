/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the command prints of sessions that are logged in and of records: as text, and as JSON. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/json.h"
#include "cli/show.h"
#include "printed.h"

#define TEXT(text)                                                                                 \
    (char[])                                                                                       \
    {                                                                                              \
        text                                                                                       \
    }

static struct iscsiwmi_connection_static_info connections[] = {
    {
        .UniqueConnectionId = 0xa1,
        .State = 1,
        .Protocol = 6,
        .HeaderIntegrity = 1,
        .MaxRecvDataSegmentLength = 262144,
        .AuthType = 2,
        .LocalAddr = {.Type = ISCSIWMI_IP_ADDRESS_IPV4, .TextAddress = TEXT("10.0.0.10")},
        .LocalPort = 40000,
        .RemoteAddr = {.Type = ISCSIWMI_IP_ADDRESS_IPV6, .TextAddress = TEXT("fd00::1")},
        .RemotePort = 3260,
        .EstimatedThroughput = 1250000000,
        .MaxDatagramSize = 9000,
    },
    {
        .UniqueConnectionId = 0xa2,
        .LocalAddr = {.Type = ISCSIWMI_IP_ADDRESS_EMPTY, .TextAddress = TEXT("")},
        .RemoteAddr = {.Type = ISCSIWMI_IP_ADDRESS_IPV4, .TextAddress = TEXT("10.0.0.2")},
        .RemotePort = 3260,
    },
};

static struct iscsiwmi_session_static_info session = {
    .UniqueSessionId = 0x5,
    .InitiatoriSCSIName = TEXT("iqn.x:host"),
    .TargetiSCSIName = TEXT("iqn.x:disks"),
    .ISID = {0x00, 0x02, 0x3d, 0x00, 0x00, 0x01},
    .ImmediateData = true,
    .Type = 2,
    .MaxOutstandingR2t = 1,
    .FirstBurstLength = 262144,
    .MaxBurstLength = 16776192,
    .MaxConnections = 1,
    .ConnectionCount = 2,
    .ConnectionsList = connections,
};

static struct iscsiwmi_connection_statistics counters = {
    .BytesSent = 1536,
    .BytesReceived = 5,
    .PDUCommandsSent = 77,
    .PDUResponsesReceived = 76,
};

static struct counters items[] = {{0xa1, &counters}};
static const struct statistics statistics = {items, 1};

static void assert_has(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("no '%s' in:\n%s", words, text);
}

static int print_session(void)
{
    return show_session_info(&session);
}

static void test_session(void **state)
{
    _cleanup_free_ char *text = printed(print_session);

    assert_has(text, "Session iqn.x:disks\n");
    assert_has(text, "  ISID       00023d000001, TSID 0\n");
    assert_has(text, "  Transfer   InitialR2T no, ImmediateData yes, ErrorRecoveryLevel 0\n");
    assert_has(text, "  Bursts     256K first, 16M at most, 1 R2T at a time\n");
    assert_has(text, "10.0.0.10:40000  [fd00::1]:3260  full feature  mutual CHAP  header");
    assert_has(text, "   10000  9000\n");
    assert_has(text, "-                10.0.0.2:3260   login         none         none");
}

static int print_statistics(void)
{
    return show_statistics(&session, &statistics);
}

static void test_statistics(void **state)
{
    _cleanup_free_ char *text = printed(print_statistics);

    assert_has(text, "00000000000000a1  1.5K        5B        77         76\n");
    assert_null(strstr(text, "a2"));
}

static void test_json(void **state)
{
    struct iscsiwmi_initiator_session_info infos = {.SessionCount = 1, .SessionsList = &session};
    struct report_adapter adapters[] = {{.id = 9, .session_infos = &infos}, {.id = 10}};
    struct report report = {.adapters = adapters, .n_adapters = 2};
    struct json_object *object = json_session_infos(&report, &statistics);

    assert_string_equal(
        json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
        "{\"sessions\":[{\"session_id\":\"0000000000000005\",\"adapter_id\":\"0000000000000009\","
        "\"initiator_name\":\"iqn.x:host\",\"target_name\":\"iqn.x:disks\",\"tsid\":0,"
        "\"isid\":\"00023d000001\",\"type\":2,\"initial_r2t\":false,\"immediate_data\":true,"
        "\"data_sequence_in_order\":false,\"data_pdu_in_order\":false,\"error_recovery_level\":0,"
        "\"max_outstanding_r2t\":1,\"first_burst_length\":262144,\"max_burst_length\":16776192,"
        "\"max_connections\":1,\"connections\":["
        "{\"connection_id\":\"00000000000000a1\",\"cid\":0,\"state\":1,\"header_digest\":true,"
        "\"data_digest\":false,\"max_recv_data_segment_length\":262144,\"auth\":2,"
        "\"local_address\":\"10.0.0.10\",\"local_port\":40000,\"remote_address\":\"fd00::1\","
        "\"remote_port\":3260,\"bytes_per_second\":1250000000,\"mtu\":9000,\"statistics\":"
        "{\"bytes_sent\":1536,\"bytes_received\":5,\"commands_sent\":77,"
        "\"responses_received\":76}},"
        "{\"connection_id\":\"00000000000000a2\",\"cid\":0,\"state\":0,\"header_digest\":false,"
        "\"data_digest\":false,\"max_recv_data_segment_length\":0,\"auth\":0,"
        "\"local_address\":\"\",\"local_port\":0,\"remote_address\":\"10.0.0.2\","
        "\"remote_port\":3260,\"bytes_per_second\":0,\"mtu\":0,\"statistics\":null}]}]}");
    json_object_put(object);
}

/* ---- records ---- */

static struct iscsiwmi_hba_information information = {.GenerationalGuid = {1}};
static const struct report_adapter adapter = {.id = 9, .name = "iqn.x:host", .info = &information};

static struct iscsiwmi_changed_record changed = {
    .Kind = TEXT("node"),
    .Name = TEXT("iqn.x:disks/10.0.0.1,3260,1/eth1"),
    .UniqueConnectionId = 0xa1,
    .Difference = TEXT("changed"),
    .FieldCount = 2,
    .Fields = (char *[]){TEXT("node.a"), TEXT("node.b")},
};
static struct iscsiwmi_changed_record added = {
    .Kind = TEXT("iface"), .Name = TEXT("eth1"), .Difference = TEXT("added")};
static const struct iscsiwmi_changed_records changes = {
    .RecordCount = 2,
    .Records = (struct iscsiwmi_changed_record *[]){&changed, &added},
    .Reason = TEXT("why"),
};
static const struct iscsiwmi_changed_records no_changes = {.Reason = TEXT("")};

static int print_changes(void)
{
    return show_changes(&adapter, &changes);
}

static int print_no_changes(void)
{
    return show_changes(&adapter, &no_changes);
}

static void test_changes(void **state)
{
    _cleanup_free_ char *text = printed(print_changes), *none = printed(print_no_changes);

    assert_has(text, "Adapter iqn.x:host\n");
    assert_has(text, "  node   iqn.x:disks/10.0.0.1,3260,1/eth1  changed  node.a node.b\n");
    assert_has(text, "  iface  eth1                              added");
    assert_string_equal(none, "");
}

static void test_json_changes(void **state)
{
    struct json_object *object = json_changes(&adapter, &changes);

    assert_string_equal(
        json_object_to_json_string_ext(object,
                                       JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
        "{\"adapter_id\":\"0000000000000009\",\"initiator_name\":\"iqn.x:host\","
        "\"generational_guid\":\"00000001-0000-0000-0000-000000000000\",\"cache_valid\":false,"
        "\"reason\":\"why\",\"records\":[{\"kind\":\"node\","
        "\"name\":\"iqn.x:disks/10.0.0.1,3260,1/eth1\","
        "\"connection_id\":\"00000000000000a1\",\"difference\":\"changed\","
        "\"fields\":[\"node.a\",\"node.b\"]},{\"kind\":\"iface\",\"name\":\"eth1\","
        "\"connection_id\":null,\"difference\":\"added\",\"fields\":[]}]}");
    json_object_put(object);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session),      cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_json),         cmocka_unit_test(test_changes),
        cmocka_unit_test(test_json_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
