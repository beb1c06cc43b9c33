/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Disks as the command has them: names, what it prints, and what it asks for. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/disk-request.h"
#include "cli/json.h"
#include "cli/names.h"
#include "cli/show.h"
#include "cli/text.h"
#include "printed.h"

/* Of client/result.h, which has a cleanup that cli/cli.h has as well. */
void *result_new(size_t size);

#define TEXT(text)                                                                                 \
    (char[])                                                                                       \
    {                                                                                              \
        text                                                                                       \
    }

#define A 0xa1U
#define B 0xb2U
#define C 0xc3U
#define OTHER 0x05U /* no iSCSI path */

#define CONNECTION(id, text)                                                                       \
    {.UniqueConnectionId = id,                                                                     \
     .Iface = TEXT("default"),                                                                     \
     .PersistentAddress = TEXT(text),                                                              \
     .PersistentPort = 3260,                                                                       \
     .CurrentAddress = TEXT(""),                                                                   \
     .State = TEXT(""),                                                                            \
     .GenerationalGuid = TEXT("")}

static struct iscsiwmi_session_connection connections[] = {
    CONNECTION(A, "10.0.0.1"), CONNECTION(B, "10.0.0.2"), CONNECTION(C, "10.0.0.3")};

static struct iscsiwmi_map map = {.Name = TEXT("mpatha"), .Wwid = TEXT("36001a"), .Size = 1024};

/* Two targets have paths to the disk. */
static struct iscsiwmi_session sessions[] = {
    {.UniqueSessionId = 1,
     .InitiatorName = TEXT("i"),
     .TargetName = TEXT("t1"),
     .ConnectionCount = 2,
     .Connections = (struct iscsiwmi_session_connection *[]){&connections[0], &connections[1]},
     .MapCount = 1,
     .Maps = (struct iscsiwmi_map *[]){&map},
     .Provenance = TEXT("host"),
     .Agreement = TEXT("Applied"),
     .MultipathdAgreement = TEXT("Agrees"),
     .Reason = TEXT("")},
    {.UniqueSessionId = 2,
     .InitiatorName = TEXT("i"),
     .TargetName = TEXT("t2"),
     .ConnectionCount = 1,
     .Connections = (struct iscsiwmi_session_connection *[]){&connections[2]},
     .Provenance = TEXT("host"),
     .Agreement = TEXT("Applied"),
     .MultipathdAgreement = TEXT("Agrees"),
     .Reason = TEXT("")},
};

/* In table order, which is not that of their numbers. */
static struct iscsiwmi_dsm_path_v2 paths[] = {
    {.DsmPathId = C,
     .PrimaryPath = 1,
     .OptimizedPath = 1,
     .PreferredPath = 1,
     .TargetPortGroup_Identifier = 1,
     .TargetPort_Identifier = 9,
     .TargetPortGroup_Preferred = 1,
     .ALUASupport = 1},
    {.DsmPathId = A, .OptimizedPath = 1, .FailedPath = 1, .ALUASupport = 1},
    {.DsmPathId = OTHER, .PrimaryPath = 1, .TargetPortGroup_State = 1, .ALUASupport = 1},
    {.DsmPathId = B, .TargetPortGroup_State = 3, .ALUASupport = 1},
};

static struct iscsiwmi_dsm_query_lb_policy query = {
    .Active = true,
    .LoadBalancePolicy = {2, ISCSIWMI_DSM_FAILOVER, ELEMENTSOF(paths), 0, paths},
};

static struct iscsiwmi_dsm_query_supported_lb_policies supported = {
    .SupportedLBPoliciesCount = 2,
    .Supported_LB_Policies =
        (struct iscsiwmi_dsm_lb_policy_v2[]){{.LoadBalancePolicy = 1}, {.LoadBalancePolicy = 6}},
};

#define DISK(wwid, name)                                                                           \
    {.WWID = TEXT(wwid),                                                                           \
     .Name = TEXT(name),                                                                           \
     .SizeBytes = 1024,                                                                            \
     .LoadBalancePolicy = ISCSIWMI_DSM_LEAST_BLOCKS,                                               \
     .Provenance = TEXT("disk"),                                                                   \
     .Agreement = TEXT("Contested"),                                                               \
     .MultipathdAgreement = TEXT("Alone"),                                                         \
     .Reason = TEXT("why")}

static struct iscsiwmi_disk disks[] = {DISK("36001b", "mpathb"), DISK("36001a", "mpatha"),
                                       DISK("36001c", "mpathb"), DISK("36001\033", "")};

static struct iscsiwmi_disk_classes disk_objects[] = {
    {.WWID = TEXT("36001b"), .Disk = &disks[0]},
    {.WWID = TEXT("36001a"),
     .Disk = &disks[1],
     .QueryLBPolicy = &query,
     .QuerySupportedLBPolicies = &supported},
    {.WWID = TEXT("36001c"), .Disk = &disks[2]},
    {.WWID = TEXT("36001\033"), .Disk = &disks[3]},
    {.WWID = TEXT("later")}, /* of a service that has not this class */
};

static struct report *report;
static const struct report_disk *disk; /* the one with paths */

static int link_host(void **state)
{
    struct iscsiwmi_host *objects = result_new(sizeof(*objects));

    assert_non_null(objects);
    *objects = (struct iscsiwmi_host){
        .SessionCount = 2,
        .Sessions = (struct iscsiwmi_session *[]){&sessions[0], &sessions[1]},
        .DiskCount = 5,
        .Disks =
            (struct iscsiwmi_disk_classes *[]){&disk_objects[0], &disk_objects[1], &disk_objects[2],
                                               &disk_objects[3], &disk_objects[4]},
    };
    report = report_new(objects);
    assert_non_null(report);
    disk = report_find_disk(report, "36001a");
    return 0;
}

static int unlink_host(void **state)
{
    report_free(report);
    return 0;
}

/* ---- names ---- */

static void test_link(void **state)
{
    assert_int_equal(report->n_disks, 4);
    /* By name; what a terminal would obey is only in what calls name it by. */
    assert_string_equal(report->disks[0].wwid, "36001?");
    assert_string_equal(report->disks[0].key, "36001\033");
    assert_string_equal(report->disks[1].name, "mpatha");
    assert_string_equal(report->disks[2].wwid, "36001b");
    assert_string_equal(report->disks[3].wwid, "36001c");
    assert_null(report_find_disk(report, "later"));
    assert_false(report->disks[0].active);
    assert_true(disk->active);
    assert_int_equal(disk->connections.n, ELEMENTSOF(paths));
    assert_string_equal(disk->connections.items[0].address, "10.0.0.3");
    assert_string_equal(disk->connections.items[2].address, "");
    assert_int_equal(disk->connections.items[2].id, OTHER);
}

static int find(const char *name)
{
    _cleanup_free_ char *message = NULL;
    const struct report_disk *found = NULL;
    int r = names_disk(report, name, &found, &message);

    return r < 0 ? r : (int)(found - report->disks);
}

static void test_names(void **state)
{
    _cleanup_free_ char *several = NULL, *unknown = NULL;
    const struct report_disk *found = NULL;

    assert_int_equal(find("36001a"), 1);
    assert_int_equal(find("mpatha"), 1);
    assert_int_equal(find("/dev/mapper/mpatha"), 1);
    assert_int_equal(find("/dev/mapper/36001a"), 1);
    assert_int_equal(find("36001b"), 2);
    assert_int_equal(find("mpathb"), -ENOTUNIQ);
    assert_int_equal(find("MPATHA"), -ENOENT);
    assert_int_equal(find("36001"), -ENOENT); /* no beginning does */
    assert_int_equal(find(""), -ENOENT);
    assert_int_equal(find("/dev/mapper/"), -ENOENT);

    assert_int_equal(names_disk(report, "mpathb", &found, &several), -ENOTUNIQ);
    assert_non_null(strstr(several, "\n  36001b  mpathb\n  36001c  mpathb"));
    assert_null(strstr(several, "mpatha"));
    assert_int_equal(names_disk(report, "sda", &found, &unknown), -ENOENT);
    assert_non_null(strstr(unknown, "no disk 'sda'"));
    assert_null(found);
}

static void test_labels_of_paths(void **state)
{
    const struct report_connections *list = &disk->connections;
    _cleanup_free_ char *portal = text_connection(list, &list->items[0]);
    _cleanup_free_ char *other = text_connection(list, &list->items[2]);

    assert_string_equal(portal, "10.0.0.3:3260");
    assert_string_equal(other, "0000000000000005");
}

/* ---- what is printed ---- */

static int print_list(void)
{
    return show_disks(report);
}

static int print_disk(void)
{
    return show_disk(disk);
}

static int print_paths(void)
{
    return show_disk_paths(disk);
}

static int print_maps(void)
{
    return show_maps(report, &report->sessions[0]);
}

static void assert_has(const char *text, const char *words)
{
    if (!text || !strstr(text, words))
        fail_msg("no '%s' in:\n%s", words, text ? text : "nothing");
}

static void test_tables(void **state)
{
    _cleanup_free_ char *list = printed(print_list), *maps = printed(print_maps);

    assert_has(list, "  -       36001?  no map  none        disk  Contested\n");
    assert_has(list, "  mpatha  36001a      1K  1 FAILOVER  disk  Contested\n");
    assert_has(maps, "FROM");
    assert_has(maps, "  mpatha    1K  disk");
}

static void test_disk(void **state)
{
    _cleanup_free_ char *text = printed(print_disk), *table = printed(print_paths);

    assert_has(text, "Disk mpatha\n");
    assert_has(text, "  WWID       36001a\n");
    assert_has(text, "  Size       1K\n");
    assert_has(text, "  Policy     1 FAILOVER, from disk, Contested\n");
    assert_has(text, "  multipathd Alone\n");
    assert_has(text, "  Chosen     6 LEAST_BLOCKS\n");
    assert_has(text, "  Reason     why\n");
    assert_has(text, "  Can have   1 6\n");
    assert_has(text, "  Access     ALUA implicit, paths differ\n");
    assert_has(table, "  00000000000000c3  10.0.0.3:3260  usable  optimized, preferred  optimized  "
                      "     1*     9\n");
    assert_has(table, "  00000000000000a1  10.0.0.1:3260  failed  standby               optimized");
    assert_has(table,
               "  0000000000000005  (other)        usable  unoptimized           unoptimized");
    assert_has(table,
               "  00000000000000b2  10.0.0.2:3260  usable  unavailable           unavailable");
}

static void test_weights(void **state)
{
    struct iscsiwmi_dsm_path_v2 path = {.PathWeight = UINT32_MAX, .PreferredPath = 1};
    char role[ROLE_TEXT_SIZE];

    text_path_role(ISCSIWMI_DSM_WEIGHTED_PATHS, &path, role);
    assert_string_equal(role, "weight 4294967295");
    text_path_role(ISCSIWMI_DSM_FAILOVER, &path, role);
    assert_string_equal(role, "unavailable, preferred");
}

static void test_json(void **state)
{
    struct json_object *object = json_disks(report, disk);
    const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);

    assert_has(text, "{\"disks\":[{\"wwid\":\"36001a\",\"name\":\"mpatha\",\"size_bytes\":1024,"
                     "\"active\":true,\"policy\":1,\"policy_name\":\"FAILOVER\","
                     "\"chosen_policy\":6,\"provenance\":\"disk\",\"agreement\":\"Contested\","
                     "\"multipathd\":\"Alone\",\"reason\":\"why\",\"reapplications\":0,"
                     "\"supported_policies\":[1,6],\"paths\":["
                     "{\"path_id\":\"00000000000000c3\",\"portal\":\"10.0.0.3:3260\","
                     "\"iface\":\"default\",\"weight\":0,\"primary\":true,\"optimized\":true,"
                     "\"preferred\":true,\"failed\":false,\"state\":\"optimized\","
                     "\"access_state\":0,\"alua\":1,\"symmetric\":false,\"group\":1,"
                     "\"group_preferred\":true,\"port\":9},");
    assert_has(text, "{\"path_id\":\"0000000000000005\",\"portal\":null,\"iface\":null,");
    json_object_put(object);

    object = json_disks(report, NULL);
    assert_int_equal(json_object_array_length(json_object_object_get(object, "disks")), 4);
    json_object_put(object);
}

static void test_json_default(void **state)
{
    const struct iscsiwmi_manager manager = {.DefaultLoadBalancePolicy = ISCSIWMI_DSM_NONE};
    struct json_object *object = json_default(&manager);

    assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
                        "{\"default_policy\":0,\"default_policy_name\":\"NONE\"}");
    json_object_put(object);
}

static void test_json_of_maps(void **state)
{
    struct json_object *object = json_sessions(report, &report->sessions[0]);

    assert_has(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
               "\"size_bytes\":1024,\"provenance\":\"disk\",");
    json_object_put(object);
}

/* ---- what is asked for ---- */

#define AO ISCSIWMI_DSM_ACTIVE_OPTIMIZED
#define AU ISCSIWMI_DSM_ACTIVE_UNOPTIMIZED
#define SB ISCSIWMI_DSM_STANDBY
#define UA ISCSIWMI_DSM_UNAVAILABLE
#define NO ISCSIWMI_DSM_STATE_NOT_USED

/* Its number, what it is to be, and its weight. */
static void describe(const struct iscsiwmi_dsm_path_v2 *path, FILE *out)
{
    fprintf(out, "%s%x %s", ftell(out) > 0 ? ", " : "", (unsigned)path->DsmPathId,
            text_path_state(path));
    if (path->PreferredPath)
        fputs(" preferred", out);
    if (path->PathWeight)
        fprintf(out, " %u", path->PathWeight);
}

static void assert_asks(const uint32_t states[ELEMENTSOF(paths)], uint32_t policy,
                        struct path_option *options, size_t n_options, const char *wanted)
{
    struct iscsiwmi_dsm_path_v2 own[ELEMENTSOF(paths)];
    struct iscsiwmi_dsm_lb_policy_v2 policy_now = {.DSM_Paths = own};
    struct report_disk changed = *disk;
    struct cli cli = {.paths = options, .n_paths = n_options};
    _cleanup_free_ struct iscsiwmi_dsm_path_v2 *asked = NULL;
    _cleanup_free_ char *text = NULL;
    size_t size;

    memcpy(own, paths, sizeof(own));
    for (size_t i = 0; i < ELEMENTSOF(own); i++)
        own[i].TargetPortGroup_State = states[i];
    changed.policy = &policy_now;
    assert_int_equal(disk_request_paths(&cli, &changed, policy, &asked), EXIT_OK);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    for (size_t i = 0; i < ELEMENTSOF(own); i++)
        describe(&asked[i], out);
    fclose(out);
    assert_string_equal(text, wanted);
}

#define ASKS(states, policy, wanted, ...)                                                          \
    assert_asks(states, policy, (struct path_option[]){__VA_ARGS__},                               \
                sizeof((struct path_option[]){__VA_ARGS__}) / sizeof(struct path_option), wanted)

/* Of c3, a1, 05 and b2. */
static const uint32_t no_alua[] = {NO, NO, NO, NO}, symmetric[] = {AO, AO, AO, AO},
                      mixed[] = {AO, AU, AO, SB}, none_optimized[] = {AU, AU, UA, AU};

static void test_all_lead(void **state)
{
    const char *all = "5 optimized, a1 optimized, b2 optimized, c3 optimized";

    for (uint32_t policy = 2; policy <= 6; policy++) {
        assert_asks(no_alua, policy, NULL, 0, all);
        assert_asks(symmetric, policy, NULL, 0, all);
        assert_asks(mixed, policy, NULL, 0,
                    "5 optimized, a1 unoptimized, b2 standby, c3 optimized");
    }
}

static void test_primaries(void **state)
{
    ASKS(symmetric, 3, "b2 optimized, 5 optimized, a1 standby, c3 standby",
         {PATH_PRIMARY, "10.0.0.2"}, {PATH_PRIMARY, "0x5"});
    ASKS(no_alua, 1, "c3 optimized, 5 standby, a1 standby, b2 standby",
         {PATH_PRIMARY, "10.0.0.3:3260@default"});
    /* The array's own states stay, but one that is to lead is asked for: that is for the service.
     */
    ASKS(mixed, 1, "c3 optimized, 5 standby, a1 unoptimized, b2 standby",
         {PATH_PRIMARY, "10.0.0.3"});
    ASKS(mixed, 3, "a1 optimized, 5 standby, b2 standby, c3 standby", {PATH_PRIMARY, "10.0.0.1"});
}

static void test_failover(void **state)
{
    /* Without anything that leads: the service says so. */
    assert_asks(symmetric, 1, NULL, 0, "5 standby, a1 standby, b2 standby, c3 standby");
    assert_asks(none_optimized, 1, NULL, 0,
                "5 unavailable, a1 unoptimized, b2 unoptimized, c3 unoptimized");
    ASKS(symmetric, 1, "b2 optimized preferred, 5 standby, a1 standby, c3 standby",
         {PATH_PREFERRED, "10.0.0.2"});
    ASKS(symmetric, 1, "b2 standby preferred, a1 optimized, 5 standby, c3 standby",
         {PATH_PREFERRED, "10.0.0.2"}, {PATH_PRIMARY, "10.0.0.1"});
}

static void test_request_of_weights(void **state)
{
    ASKS(no_alua, 5, "c3 optimized 7, a1 optimized 4294967295, 5 optimized, b2 optimized",
         {PATH_WEIGHT, "10.0.0.3=7"}, {PATH_WEIGHT, "10.0.0.1=1"},
         {PATH_WEIGHT, "10.0.0.1:3260=4294967295"});
}

static void test_unknown_path(void **state)
{
    struct path_option option = {PATH_PRIMARY, "10.0.0.9"};
    struct cli cli = {.paths = &option, .n_paths = 1};
    struct iscsiwmi_dsm_path_v2 *asked = NULL;

    assert_int_equal(disk_request_paths(&cli, disk, 1, &asked), EXIT_FAILED);
    assert_null(asked);
}

/* Nothing to ask for but the policy. */
static void test_no_path(void **state)
{
    struct cli cli = {0};
    _cleanup_free_ struct iscsiwmi_dsm_path_v2 *asked = NULL;

    assert_int_equal(disk_request_paths(&cli, &report->disks[0], 4, &asked), EXIT_OK);
    assert_non_null(asked);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_labels_of_paths),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_default),
        cmocka_unit_test(test_json_of_maps),
        cmocka_unit_test(test_all_lead),
        cmocka_unit_test(test_primaries),
        cmocka_unit_test(test_failover),
        cmocka_unit_test(test_request_of_weights),
        cmocka_unit_test(test_unknown_path),
        cmocka_unit_test(test_no_path),
    };

    return cmocka_run_group_tests(tests, link_host, unlink_host);
}
