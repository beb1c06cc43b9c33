/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The library's structures against the list of Windows' classes, and their way through a message.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/classes.h"
#include "client/client.h"

/* ---- tests/data/classes.tsv ---- */

enum {
    COLUMN_CLASS = 0,
    COLUMN_KIND = 2,
    COLUMN_NAME = 4,
    COLUMN_DBUS = 7,
    N_COLUMNS = 8,
};

static bool split(char *line, char *columns[N_COLUMNS])
{
    size_t n = 0;

    line[strcspn(line, "\n")] = '\0';
    while (n < N_COLUMNS && (columns[n] = strsep(&line, "\t")))
        n++;
    return n == N_COLUMNS;
}

/* The class has all properties that the list has, in their order, and no other. */
static void assert_listed(const struct class *class)
{
    const struct member *m = class->members;
    const char *directory = getenv("TEST_DATA_DIR");
    char path[4096], line[1024], *columns[N_COLUMNS];

    assert_non_null(directory);
    snprintf(path, sizeof(path), "%s/classes.tsv", directory);
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        if (line[0] == '#' || !split(line, columns) ||
            strcmp(columns[COLUMN_CLASS], class->name) != 0 ||
            strcmp(columns[COLUMN_KIND], "property") != 0)
            continue;
        assert_non_null(m->name);
        assert_string_equal(m->name, columns[COLUMN_NAME]);
        assert_string_equal(m->type, columns[COLUMN_DBUS]);
        m++;
    }
    assert_ptr_not_equal(m, class->members);
    assert_null(m->name);
}

static void test_windows_names_and_types(void **state)
{
    for (size_t i = 0; windows_classes[i]; i++)
        assert_listed(windows_classes[i]);
}

/* ---- dbus-interfaces/ ---- */

static const struct member *find_member(const struct class *class, const char *name)
{
    const struct member *m = class->members;

    while (m->name && strcmp(m->name, name) != 0)
        m++;
    return m->name ? m : NULL;
}

/* The class has the properties of its interface, whatever their order, and no other. */
static void assert_as_interface(const struct class *class)
{
    const char *directory = getenv("INTERFACES_DIR");
    char path[4096], line[1024], name[64], type[64];
    size_t n = 0;

    assert_non_null(directory);
    snprintf(path, sizeof(path), "%s/com.open_iscsi.WMI1.%s.xml", directory, class->name);
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    assert_non_null(file);
    for (const struct member *m = class->members; m->name; m++)
        n++;
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, " <property name=\"%63[^\"]\" type=\"%63[^\"]\"", name, type) != 2)
            continue;
        const struct member *member = find_member(class, name);
        if (!member)
            fail_msg("the library does not have %s.%s", class->name, name);
        assert_string_equal(member->type, type);
        n--;
    }
    assert_int_equal(n, 0);
}

static void test_own_names_and_types(void **state)
{
    assert_as_interface(&class_session);
    assert_as_interface(&class_disk);
    assert_as_interface(&class_manager);
}

/* ---- the tables agree with the structures ---- */

static size_t size_of_type(const struct member *member)
{
    switch (member->type[0]) {
    case 'y':
        return 1;
    case 'b':
        return sizeof(bool);
    case 'q':
        return 2;
    case 'u':
        return 4;
    case 't':
        return 8;
    case '(':
        return member->class->size;
    case 'a':
        return member->type[1] == 'y' ? member->size : sizeof(void *);
    default:
        return sizeof(void *);
    }
}

static void assert_table(const struct class *class)
{
    char signature[256] = "";
    size_t end = 0;

    for (const struct member *m = class->members; m->name; m++) {
        assert_int_equal(m->size, size_of_type(m));
        assert_true(m->offset >= end || m->count_size > 0);
        end = m->offset + m->size;
        assert_true(end <= class->size);
        strcat(signature, m->type);
        if (m->type[0] == 'a' && m->type[1] != 'y')
            assert_true(m->count_size == 2 || m->count_size == 4);
        if (m->class) {
            assert_non_null(strstr(m->type, m->class->signature));
            assert_table(m->class);
        }
    }
    if (class->signature)
        assert_string_equal(signature, class->signature);
}

static void test_tables(void **state)
{
    for (size_t i = 0; windows_classes[i]; i++)
        assert_table(windows_classes[i]);
    assert_table(&class_session);
    assert_table(&class_disk);
    assert_table(&class_manager);
    assert_table(&class_status_description);
    assert_table(&class_changed_records);
}

/* ---- through a message and back ---- */

static sd_bus_message *new_message(void)
{
    sd_bus_message *message = NULL;
    _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;

    assert_true(sd_bus_new(&bus) >= 0);
    assert_true(sd_bus_set_address(bus, "unix:path=/nowhere") >= 0);
    (void)sd_bus_start(bus);
    assert_true(sd_bus_message_new(bus, &message, SD_BUS_MESSAGE_METHOD_CALL) >= 0);
    return message;
}

static void seal(sd_bus_message *message)
{
    assert_true(sd_bus_message_seal(message, 1, 0) >= 0);
}

static void test_policies_there_and_back(void **state)
{
    struct iscsiwmi_path paths[] = {{UINT64_MAX, 1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, UINT32_MAX}};
    struct iscsiwmi_lb_policies policies = {11, 12, 2, paths};
    _cleanup_message_ sd_bus_message *message = new_message();
    _cleanup_result_ struct iscsiwmi_lb_policies *back = class_new(&class_lb_policies);

    assert_true(class_append(message, &class_lb_policies, &policies) >= 0);
    seal(message);
    assert_string_equal(sd_bus_message_get_signature(message, 1), "(tuua(ttuuuu))");
    assert_true(sd_bus_message_enter_container(message, 'r', "tuua(ttuuuu)") > 0);
    assert_true(class_read_members(message, &class_lb_policies, back, back) >= 0);
    assert_int_equal(back->UniqueSessionId, 11);
    assert_int_equal(back->LoadBalancePolicy, 12);
    assert_int_equal(back->iSCSI_PathCount, 2);
    assert_memory_equal(back->iSCSI_Paths, paths, sizeof(paths));
}

static void test_address_without_text(void **state)
{
    struct iscsiwmi_ip_address address = {.Type = 2, .IpV6Address = {1, 2, 3}};
    _cleanup_message_ sd_bus_message *message = new_message();
    _cleanup_result_ struct iscsiwmi_ip_address *back = class_new(&class_ip_address);

    assert_true(class_append(message, &class_ip_address, &address) >= 0);
    seal(message);
    assert_true(sd_bus_message_enter_container(message, 'r', "uuayuus") > 0);
    assert_true(class_read_members(message, &class_ip_address, back, back) >= 0);
    assert_int_equal(back->Type, 2);
    assert_memory_equal(back->IpV6Address, address.IpV6Address, 16);
    assert_string_equal(back->TextAddress, "");
}

static void fill(struct iscsiwmi_dsm_path_v2 *path, uint8_t from)
{
    *path = (struct iscsiwmi_dsm_path_v2){
        .DsmPathId = UINT64_MAX - from,
        .Reserved = 1U + from,
        .PathWeight = 2U + from,
        .PrimaryPath = 3U + from,
        .OptimizedPath = 4U + from,
        .PreferredPath = 5U + from,
        .FailedPath = 6U + from,
        .TargetPortGroup_State = 7U + from,
        .ALUASupport = 8U + from,
        .SymmetricLUA = (uint8_t)(9U + from),
        .TargetPortGroup_Preferred = (uint8_t)(10U + from),
        .TargetPortGroup_Identifier = (uint16_t)(UINT16_MAX - from),
        .TargetPort_Identifier = UINT32_MAX - from,
        .Reserved32 = 11U + from,
        .Reserved64 = 12U + from,
    };
}

/* Sent as a method takes it, and read back as a property that holds it. */
static void test_disk_policy_there_and_back(void **state)
{
    struct iscsiwmi_dsm_path_v2 paths[2];
    struct iscsiwmi_dsm_lb_policy_v2 policy = {2, 6, ELEMENTSOF(paths), 5, paths};
    _cleanup_message_ sd_bus_message *message = new_message();
    _cleanup_result_ struct iscsiwmi_dsm_query_lb_policy *query =
        class_new(&class_dsm_query_lb_policy);

    memset(paths, 0, sizeof(paths));
    fill(&paths[0], 0);
    fill(&paths[1], 20);
    assert_true(sd_bus_message_open_container(message, 'a', "{sv}") >= 0);
    assert_true(sd_bus_message_open_container(message, 'e', "sv") >= 0);
    assert_true(sd_bus_message_append(message, "s", "LoadBalancePolicy") >= 0);
    assert_true(sd_bus_message_open_container(message, 'v', "(uuuua(ttuuuuuuuyyquut))") >= 0);
    assert_true(class_append(message, &class_dsm_lb_policy_v2, &policy) >= 0);
    for (int i = 0; i < 3; i++)
        assert_true(sd_bus_message_close_container(message) >= 0);
    seal(message);
    assert_true(class_read_properties(message, &class_dsm_query_lb_policy, query, query) >= 0);
    assert_string_equal(query->InstanceName, "");
    assert_int_equal(query->LoadBalancePolicy.Version, 2);
    assert_int_equal(query->LoadBalancePolicy.LoadBalancePolicy, 6);
    assert_int_equal(query->LoadBalancePolicy.DSMPathCount, 2);
    assert_int_equal(query->LoadBalancePolicy.Reserved, 5);
    assert_memory_equal(query->LoadBalancePolicy.DSM_Paths, paths, sizeof(paths));
}

/* As a session comes: in any order, with what this version does not know, and with lies. */
static void test_properties(void **state)
{
    _cleanup_message_ sd_bus_message *message = new_message();
    _cleanup_result_ struct iscsiwmi_session *session = class_new(&class_session);

    assert_true(sd_bus_message_append(
                    message, "a{sv}", 6, "FromTheFuture", "a{sv}", 1, "x", "s", "y", "Reason", "s",
                    "why", "ConnectionCount", "u", 77, "ChangedRecords", "at", 2, UINT64_C(5),
                    UINT64_C(6), "Maps", "a(ssta(ssat))", 1, "mpatha", "wwid", UINT64_C(1) << 40, 1,
                    "round-robin 0", "active", 3, UINT64_C(1), UINT64_C(0), UINT64_C(2),
                    "Connections", "a(tussqsqsass)", 1, UINT64_C(5), 1, "default", "10.0.0.1", 3260,
                    "", 0, "LOGGED_IN", 2, "sda", "sdb", "") >= 0);
    seal(message);
    assert_true(class_read_properties(message, &class_session, session, session) >= 0);
    assert_string_equal(session->Reason, "why");
    assert_string_equal(session->Agreement, "");
    assert_int_equal(session->ConnectionCount, 1);
    assert_string_equal(session->Connections[0]->PersistentAddress, "10.0.0.1");
    assert_int_equal(session->Connections[0]->PersistentPort, 3260);
    assert_int_equal(session->Connections[0]->DiskCount, 2);
    assert_string_equal(session->Connections[0]->Disks[1], "sdb");
    assert_int_equal(session->MapCount, 1);
    assert_true(session->Maps[0]->Size == UINT64_C(1) << 40);
    assert_int_equal(session->Maps[0]->Groups[0]->PathCount, 3);
    assert_int_equal(session->Maps[0]->Groups[0]->Paths[2], 2);
    assert_int_equal(session->ChangedRecordCount, 2);
    assert_int_equal(session->ChangedRecords[1], 6);
}

static void test_changed_records(void **state)
{
    _cleanup_message_ sd_bus_message *message = new_message();
    _cleanup_result_ struct iscsiwmi_changed_records *changes = class_new(&class_changed_records);

    assert_true(sd_bus_message_append(message, "a(sstsas)s", 2, "node",
                                      "iqn.x/10.0.0.1,3260,1/eth1", UINT64_C(5), "changed", 2,
                                      "node.a", "node.b", "iface", "eth1", UINT64_C(0), "added", 0,
                                      "why") >= 0);
    seal(message);
    assert_true(class_read_members(message, &class_changed_records, changes, changes) >= 0);
    assert_int_equal(changes->RecordCount, 2);
    assert_string_equal(changes->Records[0]->Kind, "node");
    assert_string_equal(changes->Records[0]->Name, "iqn.x/10.0.0.1,3260,1/eth1");
    assert_int_equal(changes->Records[0]->UniqueConnectionId, 5);
    assert_int_equal(changes->Records[0]->FieldCount, 2);
    assert_string_equal(changes->Records[0]->Fields[1], "node.b");
    assert_string_equal(changes->Records[1]->Difference, "added");
    assert_int_equal(changes->Records[1]->FieldCount, 0);
    assert_string_equal(changes->Reason, "why");
}

/* SessionCount behind its list, and larger: the list alone counts. */
static void test_count_that_is_wrong(void **state)
{
    _cleanup_message_ sd_bus_message *message = new_message();
    _cleanup_result_ struct iscsiwmi_query_lb_policy *query = class_new(&class_query_lb_policy);

    assert_true(sd_bus_message_append(message, "a{sv}", 3, "LoadBalancePolicies", "a(tuua(ttuuuu))",
                                      1, UINT64_C(5), 2, 9, 0, "SessionCount", "u", 1000,
                                      "InstanceName", "s", "iqn.x") >= 0);
    seal(message);
    assert_true(class_read_properties(message, &class_query_lb_policy, query, query) >= 0);
    assert_int_equal(query->SessionCount, 1);
    assert_int_equal(query->LoadBalancePolicies[0].iSCSI_PathCount, 0);
    assert_null(query->LoadBalancePolicies[0].iSCSI_Paths);
    assert_string_equal(query->InstanceName, "iqn.x");
}

static int read_information(sd_bus_message *message)
{
    _cleanup_result_ void *information = class_new(&class_hba_information);

    seal(message);
    return class_read_properties(message, &class_hba_information, information, information);
}

static void test_other_forms(void **state)
{
    _cleanup_message_ sd_bus_message *type = new_message(), *size = new_message(),
                                     *whole = new_message();

    assert_true(sd_bus_message_append(type, "a{sv}", 1, "Status", "s", "working") >= 0);
    assert_true(read_information(type) < 0);
    assert_true(sd_bus_message_append(size, "a{sv}", 1, "GenerationalGuid", "ay", 2, 1, 2) >= 0);
    assert_int_equal(read_information(size), -EBADMSG);
    assert_true(sd_bus_message_append(whole, "s", "a{sv}") >= 0);
    assert_true(read_information(whole) < 0);
}

static void test_long_array(void **state)
{
    _cleanup_result_ void *result = result_new(1);
    uint64_t *items = NULL;

    for (size_t i = 0; i < 1000; i++) {
        uint64_t *item = array_append(result, &items, i, sizeof(*item));
        assert_non_null(item);
        assert_int_equal(*item, 0);
        *item = i;
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    assert_null(result_alloc(result, SIZE_MAX / 2, 4));
    assert_null(result_alloc(result, SIZE_MAX, 1));
}

/* ---- paths ---- */

static void test_disk_paths(void **state)
{
    _cleanup_free_ char *path = client_disk_path("36001405.a-b"), *wwid = client_disk_wwid(path);

    assert_string_equal(path, "/com/open_iscsi/WMI1/disk/_336001405_2ea_2db");
    assert_string_equal(wwid, "36001405.a-b");
    assert_null(client_disk_wwid(ROOT_PATH));
    assert_null(client_disk_wwid(SESSION_PREFIX "0000000000000abc"));
}

static void test_object_paths(void **state)
{
    char path[OBJECT_PATH_MAX];
    uint64_t id = 0;

    object_path(SESSION_PREFIX, 0xabc, path);
    assert_string_equal(path, "/com/open_iscsi/WMI1/session/0000000000000abc");
    assert_int_equal(object_id(path, SESSION_PREFIX, &id), 0);
    assert_int_equal(id, 0xabc);
    id = 7;
    assert_int_equal(object_id(path, ADAPTER_PREFIX, &id), -EINVAL);
    assert_int_equal(object_id(SESSION_PREFIX "abc", SESSION_PREFIX, &id), -EINVAL);
    assert_int_equal(object_id(SESSION_PREFIX "0000000000000ABC", SESSION_PREFIX, &id), -EINVAL);
    assert_int_equal(object_id(SESSION_PREFIX "0000000000000abc0", SESSION_PREFIX, &id), -EINVAL);
    assert_int_equal(object_id(SESSION_PREFIX "0000000000000abc/x", SESSION_PREFIX, &id), -EINVAL);
    assert_int_equal(id, 7);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows_names_and_types),
        cmocka_unit_test(test_own_names_and_types),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_policies_there_and_back),
        cmocka_unit_test(test_disk_policy_there_and_back),
        cmocka_unit_test(test_address_without_text),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_changed_records),
        cmocka_unit_test(test_count_that_is_wrong),
        cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_long_array),
        cmocka_unit_test(test_object_paths),
        cmocka_unit_test(test_disk_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
