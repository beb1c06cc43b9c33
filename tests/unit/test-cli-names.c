/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How the command names things: IDs, portals, sizes, and what a person may call a session. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/names.h"
#include "cli/text.h"
#include "client/result.h"

/* Two adapters; two sessions, of which "two" has portals that several ifaces share. */
static struct report_connection connections_one[] = {
    {.id = 0x0011aa0000000001,
     .iface = "default",
     .address = "10.0.0.1",
     .port = 3260,
     .current_address = "10.9.9.9",
     .current_port = 3260},
    {.id = 0x22bb000000000002,
     .iface = "default",
     .address = "10.0.0.2",
     .port = 3260,
     .current_address = ""},
    {.id = 0x22bc000000000003,
     .iface = "default",
     .address = "10.0.0.2",
     .port = 3261,
     .current_address = ""},
    {.id = 0xabcdef0000000004,
     .iface = "default",
     .address = "fd00::1",
     .port = 3260,
     .current_address = ""},
};

static struct report_connection connections_two[] = {
    {.id = 1, .iface = "eth0", .address = "10.0.0.2", .port = 3260, .current_address = ""},
    {.id = 2, .iface = "eth1", .address = "10.0.0.2", .port = 3260, .current_address = ""},
    {.id = 3, .iface = "eth1", .address = "10.0.0.2", .port = 3260, .current_address = ""},
};

static struct report_session sessions[] = {
    {.id = 0x0a1b2c3d4e5f6071,
     .adapter_id = 7,
     .initiator = "iqn.x:host",
     .target = "iqn.x:one",
     .connections = {connections_one, 4}},
    {.id = 0x0a1bffff4e5f6072,
     .adapter_id = 7,
     .initiator = "iqn.x:host",
     .target = "iqn.x:two",
     .connections = {connections_two, 3}},
};

static struct report_adapter adapters[] = {
    {.id = 7, .name = "iqn.x:host"},
    {.id = 8, .name = "iqn.x:other"},
};

static struct report report = {adapters, 2, sessions, 2};

static void test_ids(void **state)
{
    static const char *const wrong[] = {
        "",     "0x", "123456789abcdef", "0x123456789abcdef01", "0x12g4", "123456789abcdefg",
        " 0x1", "-1"};
    char text[ID_TEXT_SIZE];
    uint64_t id = 5;

    for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
        assert_int_equal(text_parse_id(wrong[i], &id), -EINVAL);
    assert_int_equal(id, 5);
    assert_int_equal(text_parse_id("0123456789ABCDEF", &id), 0);
    assert_true(id == 0x0123456789abcdef);
    assert_int_equal(text_parse_id("0X1f", &id), 0);
    assert_true(id == 0x1f);
    assert_int_equal(text_parse_id("0xffffffffffffffff", &id), 0);
    assert_true(id == UINT64_MAX);
    text_id(0x1f, text);
    assert_string_equal(text, "000000000000001f");
}

static void test_id_prefixes(void **state)
{
    assert_true(text_is_id_prefix("0aB1"));
    assert_true(text_is_id_prefix("0123456789abcdef"));
    assert_false(text_is_id_prefix("0ab"));
    assert_false(text_is_id_prefix("0123456789abcdef0"));
    assert_false(text_is_id_prefix("0abx"));
    assert_false(text_is_id_prefix(""));
}

static void test_numbers(void **state)
{
    static const char *const wrong[] = {"", "-1", "+1", " 1", "1 ", "0x1", "1.5"};
    uint32_t value = 9;

    for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
        assert_int_equal(text_parse_u32(wrong[i], &value), -EINVAL);
    assert_int_equal(text_parse_u32("4294967296", &value), -ERANGE);
    assert_int_equal(text_parse_u32("99999999999999999999999999", &value), -ERANGE);
    assert_int_equal(value, 9);
    assert_int_equal(text_parse_u32("4294967295", &value), 0);
    assert_int_equal(value, UINT32_MAX);
    assert_int_equal(text_parse_u32("007", &value), 0);
    assert_int_equal(value, 7);
}

static void test_sizes(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0B"},
        {1023, "1023B"},
        {1024, "1K"},
        {1536, "1.5K"},
        {10737418240, "10G"},
        {1649267441664, "1.5T"},
        {1048575, "1M"}, /* not 1024K */
        {1099511627775, "1T"},
        {1047527424, "999M"},
        {UINT64_MAX, "16E"},
    };
    char text[SIZE_TEXT_SIZE];

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        text_size(cases[i].bytes, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_portal_text(void **state)
{
    _cleanup_free_ char *v4 = text_portal("10.0.0.1", 3260);
    _cleanup_free_ char *v6 = text_portal("fd00::1", 3261);
    _cleanup_free_ char *bracketed = text_portal("[fd00::1]", 1);

    assert_string_equal(v4, "10.0.0.1:3260");
    assert_string_equal(v6, "[fd00::1]:3261");
    assert_string_equal(bracketed, "[fd00::1]:1");
}

static void test_portal_parse(void **state)
{
    static const struct {
        const char *text;
        const char *address; /* NULL: not a portal */
        uint16_t port;
        const char *iface;
    } cases[] = {
        {"10.0.0.1", "10.0.0.1", 0, NULL},
        {"10.0.0.1:3260", "10.0.0.1", 3260, NULL},
        {"10.0.0.1:65535@eth0", "10.0.0.1", 65535, "eth0"},
        {"10.0.0.1@eth0", "10.0.0.1", 0, "eth0"},
        {"fd00::1", "fd00::1", 0, NULL},
        {"::1", "::1", 0, NULL},
        {"fe80::1%eth0", "fe80::1%eth0", 0, NULL},
        {"[fd00::1]", "fd00::1", 0, NULL},
        {"[fd00::1]:3260", "fd00::1", 3260, NULL},
        {"[fd00::1]:3260@a", "fd00::1", 3260, "a"},
        {"store.example:860", "store.example", 860, NULL},
        {"", NULL, 0, NULL},
        {":3260", NULL, 0, NULL},
        {"[]:3260", NULL, 0, NULL},
        {"10.0.0.1:", NULL, 0, NULL},
        {"10.0.0.1:0", NULL, 0, NULL},
        {"10.0.0.1:65536", NULL, 0, NULL},
        {"10.0.0.1:x", NULL, 0, NULL},
        {"10.0.0.1@", NULL, 0, NULL},
        {"[fd00::1", NULL, 0, NULL},
        {"[fd00::1]3260", NULL, 0, NULL},
        {"[fd00::1]:", NULL, 0, NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_portal_ struct portal portal = {0};
        int r = text_parse_portal(cases[i].text, &portal);

        assert_int_equal(r, cases[i].address ? 0 : -EINVAL);
        if (r < 0) {
            assert_null(portal.address);
            continue;
        }
        assert_string_equal(portal.address, cases[i].address);
        assert_int_equal(portal.port, cases[i].port);
        assert_string_equal(portal.iface ? portal.iface : "", cases[i].iface ? cases[i].iface : "");
    }
}

static void test_addresses(void **state)
{
    assert_true(text_same_address("fd00::1", "FD00:0:0:0:0:0:0:1"));
    assert_true(text_same_address("Store.example", "store.EXAMPLE"));
    assert_true(text_same_address("10.0.0.1", "10.0.0.1"));
    assert_false(text_same_address("10.0.0.1", "10.0.0.10"));
    assert_false(text_same_address("fd00::1", "fd00::2"));
    assert_false(text_same_address("fd00::1", ""));
}

static void test_roles(void **state)
{
    struct report_connection connection = {.in_policy = true,
                                           .path = {.PathWeight = UINT32_MAX, .PrimaryPath = 1}};
    char role[ROLE_TEXT_SIZE];

    text_role(ISCSIWMI_LB_FAILOVER, &connection, role);
    assert_string_equal(role, "primary");
    text_role(ISCSIWMI_LB_WEIGHTED_PATHS, &connection, role);
    assert_string_equal(role, "weight 4294967295");
    text_role(ISCSIWMI_LB_VENDOR_SPECIFIC, &connection, role);
    assert_string_equal(role, "-");
    connection.path.PrimaryPath = 0;
    text_role(ISCSIWMI_LB_ROUND_ROBIN_WITH_SUBSET, &connection, role);
    assert_string_equal(role, "standby");
    connection.in_policy = false;
    text_role(ISCSIWMI_LB_FAILOVER, &connection, role);
    assert_string_equal(role, "-");
    text_role(ISCSIWMI_LB_WEIGHTED_PATHS, &connection, role);
    assert_string_equal(role, "-");
}

static void test_connection_labels(void **state)
{
    _cleanup_free_ char *plain = text_connection(&sessions[0].connections, &connections_one[1]);
    _cleanup_free_ char *iface = text_connection(&sessions[1].connections, &connections_two[0]);
    _cleanup_free_ char *id = text_connection(&sessions[1].connections, &connections_two[1]);

    assert_string_equal(plain, "10.0.0.2:3260");
    assert_string_equal(iface, "10.0.0.2:3260@eth0");
    assert_string_equal(id, "0000000000000002");
}

/* What a name means among the connections of session one: an index, or a negative errno. */
static int find_one(const char *name, char **message)
{
    const struct report_connection *found = NULL;
    int r = names_connection(&sessions[0].connections, name, &found, message);

    assert_true(r < 0 ? found == NULL && *message : found != NULL && !*message);
    return r < 0 ? r : (int)(found - connections_one);
}

static void test_connection_names(void **state)
{
    static const struct {
        const char *name;
        int expected;
    } cases[] = {
        {"22bb000000000002", 1},
        {"0x22BB000000000002", 1},
        {"0x0011aa0000000001", 0},
        {"0x11aa0000000001", 0},
        {"0011", 0},
        {"22bb", 1},
        {"22BB0", 1},
        {"22b", -ENOENT},
        {"0x22bb", -ENOENT}, /* a number, not a prefix */
        {"10.0.0.1", 0},
        {"10.9.9.9", 0}, /* where it is connected now */
        {"10.0.0.2", -ENOTUNIQ},
        {"10.0.0.2:3260", 1},
        {"10.0.0.2:3261", 2},
        {"10.0.0.2:3261@default", 2},
        {"10.0.0.2:3261@eth9", -ENOENT},
        {"10.0.0.3", -ENOENT},
        {"fd00::1", 3},
        {"[fd00:0::1]:3260", 3},
        {"[fd00::1]:3261", -ENOENT},
        {"", -ENOENT},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_free_ char *message = NULL;

        assert_int_equal(find_one(cases[i].name, &message), cases[i].expected);
    }
}

static void test_candidates(void **state)
{
    _cleanup_free_ char *ambiguous = NULL;
    _cleanup_free_ char *unknown = NULL;

    assert_int_equal(find_one("10.0.0.2", &ambiguous), -ENOTUNIQ);
    assert_non_null(strstr(ambiguous, "'10.0.0.2'"));
    assert_null(strstr(ambiguous, "0011aa0000000001"));
    assert_non_null(strstr(ambiguous, "\n  22bb000000000002  10.0.0.2:3260@default"));
    assert_non_null(strstr(ambiguous, "\n  22bc000000000003  10.0.0.2:3261@default"));
    assert_int_equal(find_one("nothing", &unknown), -ENOENT);
    assert_non_null(strstr(unknown, "0011aa0000000001"));
    assert_non_null(strstr(unknown, "[fd00::1]:3260@default"));
}

static int find_session(const char *name)
{
    _cleanup_free_ char *message = NULL;
    const struct report_session *found = NULL;
    int r = names_session(&report, name, &found, &message);

    return r < 0 ? r : (int)(found - sessions);
}

static void test_session_names(void **state)
{
    assert_int_equal(find_session("iqn.x:one"), 0);
    assert_int_equal(find_session("IQN.X:TWO"), 1);
    assert_int_equal(find_session("iqn.x"), -ENOENT);
    assert_int_equal(find_session("0a1b2c3d4e5f6071"), 0);
    assert_int_equal(find_session("0x0a1bffff4e5f6072"), 1);
    assert_int_equal(find_session("0xa1bffff4e5f6072"), 1);
    assert_int_equal(find_session("0a1bf"), 1);
    assert_int_equal(find_session("0a1b"), -ENOTUNIQ);
    assert_int_equal(find_session("10.0.0.1"), 0);
    assert_int_equal(find_session("10.0.0.2:3261"), 0);
    assert_int_equal(find_session("10.0.0.2"), -ENOTUNIQ);
    /* Several connections of one session at a portal are still one session. */
    assert_int_equal(find_session("10.0.0.2@eth1"), 1);
}

static void test_adapter_names(void **state)
{
    _cleanup_free_ char *several = NULL, *none = NULL, *portal = NULL;
    const struct report_adapter *found = NULL;
    struct report one = {adapters, 1, NULL, 0};
    struct report empty = {0};

    assert_int_equal(names_adapter(&report, "iqn.x:other", &found, &portal), 0);
    assert_ptr_equal(found, &adapters[1]);
    assert_int_equal(names_adapter(&report, "0x7", &found, &portal), 0);
    assert_ptr_equal(found, &adapters[0]);
    assert_int_equal(names_adapter(&report, "10.0.0.1", &found, &portal), -ENOENT);

    assert_int_equal(names_only_adapter(&report, &found, &several), -ENOTUNIQ);
    assert_non_null(strstr(several, "--adapter"));
    assert_non_null(strstr(several, "iqn.x:other"));
    assert_int_equal(names_only_adapter(&empty, &found, &none), -ENOENT);
    assert_int_equal(names_only_adapter(&one, &found, &none), 0);
    assert_ptr_equal(found, &adapters[0]);
}

static struct iscsiwmi_session_connection connection_infos[] = {
    {.UniqueConnectionId = UINT64_MAX, .Iface = (char[]){"b\033[2J\xc2\x9b"}},
    {.UniqueConnectionId = 2, .Iface = (char[]){"a"}},
};

static struct iscsiwmi_session session_infos[] = {
    {.UniqueSessionId = 6,
     .UniqueAdapterId = 1,
     .InitiatorName = (char[]){"i"},
     .TargetName = (char[]){"t2"}},
    {.UniqueSessionId = 5,
     .UniqueAdapterId = 1,
     .InitiatorName = (char[]){"i"},
     .TargetName = (char[]){"t1"},
     .ConnectionCount = 2,
     .Connections =
         (struct iscsiwmi_session_connection *[]){&connection_infos[0], &connection_infos[1]}},
    {.UniqueSessionId = 5,
     .UniqueAdapterId = 2,
     .InitiatorName = (char[]){"i"},
     .TargetName = (char[]){"t3"}},
};

static struct iscsiwmi_hba_information hba_infos[] = {{.InstanceName = (char[]){"b"}},
                                                      {.InstanceName = (char[]){"a"}}};

/* Its policy names a connection that is not there. */
static struct iscsiwmi_query_lb_policy policies = {
    .SessionCount = 1,
    .LoadBalancePolicies =
        (struct iscsiwmi_lb_policies[]){
            {.UniqueSessionId = 5,
             .LoadBalancePolicy = ISCSIWMI_LB_FAILOVER,
             .iSCSI_PathCount = 2,
             .iSCSI_Paths = (struct iscsiwmi_path[]){{.UniqueConnectionId = 2, .PrimaryPath = 1},
                                                     {.UniqueConnectionId = 9}}}},
};

static struct iscsiwmi_adapter adapter_objects[] = {
    {.UniqueAdapterId = 1, .HBAInformation = &hba_infos[0], .QueryLBPolicy = &policies},
    {.UniqueAdapterId = 2, .HBAInformation = &hba_infos[1]},
    {.UniqueAdapterId = 3}, /* of a service that has not this class */
};

/* Nothing is sorted as it comes. */
static void test_link(void **state)
{
    struct iscsiwmi_host *objects = result_new(sizeof(*objects));
    assert_non_null(objects);
    *objects = (struct iscsiwmi_host){
        .AdapterCount = 3,
        .Adapters = (struct iscsiwmi_adapter *[]){&adapter_objects[0], &adapter_objects[1],
                                                  &adapter_objects[2]},
        .SessionCount = 3,
        .Sessions =
            (struct iscsiwmi_session *[]){&session_infos[0], &session_infos[1], &session_infos[2]},
    };
    _cleanup_report_ struct report *linked = report_new(objects);

    assert_non_null(linked);
    assert_int_equal(linked->n_adapters, 2);
    assert_string_equal(linked->adapters[0].name, "a");
    assert_int_equal(linked->n_sessions, 3);
    assert_string_equal(linked->sessions[0].target, "t1");
    assert_string_equal(linked->sessions[2].target, "t3");
    assert_int_equal(linked->sessions[0].policy, ISCSIWMI_LB_FAILOVER);
    assert_int_equal(linked->sessions[1].policy, 0);
    assert_int_equal(linked->sessions[2].policy, 0);

    const struct report_connection *connections = linked->sessions[0].connections.items;
    assert_true(connections[0].id == 2);
    assert_true(connections[0].in_policy && connections[0].path.PrimaryPath == 1);
    assert_false(connections[1].in_policy);
    assert_string_equal(connections[1].iface, "b?[2J?");
}

static void test_link_nothing(void **state)
{
    _cleanup_report_ struct report *linked = report_new(result_new(sizeof(struct iscsiwmi_host)));

    assert_non_null(linked);
    assert_int_equal(linked->n_adapters + linked->n_sessions, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_id_prefixes),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_portal_text),
        cmocka_unit_test(test_portal_parse),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_connection_labels),
        cmocka_unit_test(test_connection_names),
        cmocka_unit_test(test_candidates),
        cmocka_unit_test(test_session_names),
        cmocka_unit_test(test_adapter_names),
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_link_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
