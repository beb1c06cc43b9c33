/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * libiscsiwmi against the running service: each function with real values, what fails, events in a
 * plain poll loop. Only public headers of it are used.
 */

#include "fixture.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iscsi-wmi/iscsi-wmi.h>

#define NO_ID 0x123456789abcdef0U
#define PATIENCE_MS 30000

static struct iscsiwmi_client *client;

static void result_freep(void *pointer)
{
    iscsiwmi_free(*(void **)pointer);
}
#define _cleanup_result_ _cleanup_(result_freep)

static uint64_t own_adapter(void)
{
    return adapter_id(INITIATOR);
}

static uint64_t own_session(void)
{
    return session_id(INITIATOR, TARGET);
}

/* A call on the client, which the service's log must not hold up. */
#define WELL(call)                                                                                 \
    do {                                                                                           \
        int _r = (call);                                                                           \
        (void)harness_log(*state);                                                                 \
        if (_r != 0)                                                                               \
            fail_msg("%s: %d, %s", #call, _r, iscsiwmi_client_error(client));                      \
    } while (0)

static void assert_error(int r, int expected, const char *words)
{
    assert_int_equal(r, expected);
    if (!strstr(iscsiwmi_client_error(client), words))
        fail_msg("'%s' does not have '%s'", iscsiwmi_client_error(client), words);
    assert_null(strchr(iscsiwmi_client_error(client), '\n'));
}

static int setup(void **state)
{
    struct harness *harness;

    fixture_setup(state);
    harness = *state;
    setenv("DBUS_SYSTEM_BUS_ADDRESS", harness->address, 1);
    assert_int_equal(iscsiwmi_client_new(&client), 0);
    return 0;
}

static int teardown(void **state)
{
    iscsiwmi_client_free(client);
    return harness_teardown(state);
}

/* ---- without a connection ---- */

static void test_not_connected(void **state)
{
    struct iscsiwmi_host *host = NULL;
    int fd;

    assert_string_equal(iscsiwmi_client_error(client), "");
    assert_error(iscsiwmi_get_host(client, &host), -ENOTCONN, "not connected");
    assert_null(host);
    assert_error(iscsiwmi_client_get_fd(client, &fd), -ENOTCONN, "not connected");
    assert_error(iscsiwmi_client_dispatch(client), -ENOTCONN, "not connected");
}

static void test_no_bus(void **state)
{
    struct harness *harness = *state;

    setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/at/all", 1);
    assert_error(iscsiwmi_client_connect(client, NULL), -ENOTCONN, "D-Bus");
    setenv("DBUS_SYSTEM_BUS_ADDRESS", harness->address, 1);
}

static void test_connect(void **state)
{
    WELL(iscsiwmi_client_connect(client, NULL));
    assert_error(iscsiwmi_client_connect(client, NULL), -EISCONN, "already");
}

/* ---- classes ---- */

static void test_host(void **state)
{
    _cleanup_result_ struct iscsiwmi_host *host = NULL;
    const struct iscsiwmi_adapter *adapter = NULL;

    WELL(iscsiwmi_get_host(client, &host));
    for (uint32_t i = 0; i < host->AdapterCount; i++)
        if (host->Adapters[i]->UniqueAdapterId == own_adapter())
            adapter = host->Adapters[i];
    assert_non_null(adapter);
    assert_string_equal(adapter->HBAInformation->InstanceName, INITIATOR);
    assert_int_equal(adapter->HBASessionConfig->MaxOutstandingR2T, 1);
    assert_int_equal(adapter->InitiatorSessionInfo->SessionCount, 0);
    assert_int_equal(adapter->PortalInfoClass->PortalInfoCount, 0);
    assert_int_equal(adapter->QueryLBPolicy->SessionCount, 0);
    assert_int_equal(host->SessionCount, 1);
    assert_string_equal(host->Sessions[0]->TargetName, TARGET);
    assert_int_equal(host->ConnectionCount, 0);
    assert_int_equal(host->DiskCount, 1);
    assert_string_equal(host->Disks[0]->WWID, DISK_WWID);
    assert_string_equal(host->Disks[0]->Disk->WWID, DISK_WWID);
    assert_string_equal(host->Disks[0]->QueryLBPolicy->InstanceName, DISK_WWID);
    assert_string_equal(host->Disks[0]->QuerySupportedLBPolicies->InstanceName, DISK_WWID);
}

static void test_hba_information(void **state)
{
    _cleanup_result_ struct iscsiwmi_hba_information *information = NULL;

    WELL(iscsiwmi_get_hba_information(client, own_adapter(), &information));
    assert_string_equal(information->InstanceName, INITIATOR);
    assert_true(information->Active);
    assert_true(information->UniqueAdapterId == own_adapter());
    assert_int_equal(information->MaxCDBLength, 260);
    assert_string_equal(information->VendorID, "open-iscsi");
    assert_string_equal(information->DriverName, "iscsi_tcp");
    assert_string_equal(information->SerialNumber, "");
}

static void test_other_classes_of_the_adapter(void **state)
{
    _cleanup_result_ struct iscsiwmi_hba_session_config *config = NULL;
    _cleanup_result_ struct iscsiwmi_initiator_session_info *info = NULL;
    _cleanup_result_ struct iscsiwmi_portal_info_class *portals = NULL;
    _cleanup_result_ struct iscsiwmi_query_lb_policy *policies = NULL;

    WELL(iscsiwmi_get_hba_session_config(client, own_adapter(), &config));
    assert_true(config->MaxBurstLength >= config->FirstBurstLength);
    assert_true(config->FirstBurstLength > 0);
    WELL(iscsiwmi_get_initiator_session_info(client, own_adapter(), &info));
    assert_true(info->UniqueAdapterId == own_adapter());
    WELL(iscsiwmi_get_portal_info_class(client, own_adapter(), &portals));
    assert_string_equal(portals->InstanceName, INITIATOR);
    WELL(iscsiwmi_get_query_lb_policy(client, own_adapter(), &policies));
    assert_true(policies->UniqueAdapterId == own_adapter());
}

static void test_session(void **state)
{
    _cleanup_result_ struct iscsiwmi_session *session = NULL;

    WELL(iscsiwmi_get_session(client, own_session(), &session));
    assert_true(session->UniqueSessionId == own_session());
    assert_true(session->UniqueAdapterId == own_adapter());
    assert_string_equal(session->InitiatorName, INITIATOR);
    assert_string_equal(session->TargetName, TARGET);
    assert_int_equal(session->LoadBalancePolicy, ISCSIWMI_LB_ROUND_ROBIN);
    assert_string_equal(session->Provenance, "session");
    assert_string_equal(session->Agreement, "Pending");
    assert_true(*session->Reason);
    assert_int_equal(session->ConnectionCount, 0);
    assert_int_equal(session->ChangedRecordCount, 0);
}

static void test_disk(void **state)
{
    _cleanup_result_ struct iscsiwmi_disk *disk = NULL;

    WELL(iscsiwmi_get_disk(client, DISK_WWID, &disk));
    assert_string_equal(disk->WWID, DISK_WWID);
    assert_string_equal(disk->Name, "");
    assert_int_equal(disk->SizeBytes, 0);
    assert_int_equal(disk->LoadBalancePolicy, ISCSIWMI_DSM_LEAST_BLOCKS);
    assert_string_equal(disk->Provenance, "disk");
    assert_string_equal(disk->Agreement, "Pending");
    assert_string_equal(disk->MultipathdAgreement, "Agrees");
    assert_true(*disk->Reason);
    assert_int_equal(disk->Reapplications, 0);
}

static void test_classes_of_the_disk(void **state)
{
    _cleanup_result_ struct iscsiwmi_dsm_query_lb_policy *query = NULL;
    _cleanup_result_ struct iscsiwmi_dsm_query_supported_lb_policies *supported = NULL;

    WELL(iscsiwmi_get_dsm_query_lb_policy(client, DISK_WWID, &query));
    assert_string_equal(query->InstanceName, DISK_WWID);
    assert_false(query->Active);
    assert_int_equal(query->LoadBalancePolicy.Version, 2);
    assert_int_equal(query->LoadBalancePolicy.LoadBalancePolicy, ISCSIWMI_DSM_LEAST_BLOCKS);
    assert_int_equal(query->LoadBalancePolicy.DSMPathCount, 0);
    WELL(iscsiwmi_get_dsm_query_supported_lb_policies(client, DISK_WWID, &supported));
    assert_string_equal(supported->InstanceName, DISK_WWID);
    /* Which those are is the kernel's. */
    for (uint32_t i = 0; i < supported->SupportedLBPoliciesCount; i++) {
        assert_int_equal(supported->Supported_LB_Policies[i].Version, 2);
        assert_non_null(
            iscsiwmi_dsm_policy_name(supported->Supported_LB_Policies[i].LoadBalancePolicy));
        assert_int_equal(supported->Supported_LB_Policies[i].DSMPathCount, 0);
    }
}

static void test_manager(void **state)
{
    _cleanup_result_ struct iscsiwmi_manager *manager = NULL;

    WELL(iscsiwmi_get_manager(client, &manager));
    assert_string_equal(manager->Version, PROJECT_VERSION);
    assert_string_equal(manager->PathWeightOrder, "lowest-first");
    assert_int_equal(manager->DefaultLoadBalancePolicy, ISCSIWMI_DSM_NONE);
    for (uint32_t i = 0; i < manager->ConditionCount; i++)
        assert_true(*manager->Conditions[i]);
}

static void test_no_such_object(void **state)
{
    struct iscsiwmi_hba_information *information = NULL;
    struct iscsiwmi_session *session = NULL;
    struct iscsiwmi_connection_statistics *statistics = NULL;
    struct iscsiwmi_changed_records *records = NULL;
    struct iscsiwmi_disk *disk = NULL;
    struct iscsiwmi_dsm_query_lb_policy *query = NULL;

    assert_error(iscsiwmi_get_hba_information(client, NO_ID, &information), -ENOENT, "adapter");
    assert_error(iscsiwmi_get_session(client, NO_ID, &session), -ENOENT, "session");
    assert_error(iscsiwmi_get_connection_statistics(client, NO_ID, &statistics), -ENOENT,
                 "connection");
    assert_error(iscsiwmi_list_changed_records(client, NO_ID, &records), -ENOENT, "adapter");
    assert_error(iscsiwmi_get_disk(client, "36001405", &disk), -ENOENT, "disk");
    assert_error(iscsiwmi_get_dsm_query_lb_policy(client, "", &query), -ENOENT, "disk");
    assert_null(disk);
    assert_null(query);
    assert_null(records);
    assert_null(information);
    assert_null(session);
    assert_null(statistics);
}

/* ---- methods ---- */

static void test_describe_status(void **state)
{
    _cleanup_result_ struct iscsiwmi_status_description *known = NULL, *disk = NULL,
                                                        *unknown = NULL;

    WELL(iscsiwmi_describe_status(client, ISDSC_INVALID_PATH_ID, &known));
    assert_string_equal(known->Symbol, iscsiwmi_status_symbol(ISDSC_INVALID_PATH_ID));
    assert_string_equal(known->Text, iscsiwmi_status_text(ISDSC_INVALID_PATH_ID));
    WELL(iscsiwmi_describe_status(client, STATUS_NO_SUCH_DEVICE, &disk));
    assert_string_equal(disk->Symbol, iscsiwmi_status_symbol(STATUS_NO_SUCH_DEVICE));
    assert_string_equal(disk->Text, iscsiwmi_status_text(STATUS_NO_SUCH_DEVICE));
    WELL(iscsiwmi_describe_status(client, 12345, &unknown));
    assert_string_equal(unknown->Symbol, "");
    assert_null(iscsiwmi_status_symbol(12345));
}

static void test_path_weight_order(void **state)
{
    _cleanup_result_ struct iscsiwmi_manager *manager = NULL;

    assert_error(iscsiwmi_set_path_weight_order(client, "sideways"), -EINVAL, "highest-first");
    WELL(iscsiwmi_set_path_weight_order(client, "highest-first"));
    WELL(iscsiwmi_get_manager(client, &manager));
    assert_string_equal(manager->PathWeightOrder, "highest-first");
    WELL(iscsiwmi_set_path_weight_order(client, "lowest-first"));
}

static void test_default_load_balance_policy(void **state)
{
    _cleanup_result_ struct iscsiwmi_manager *manager = NULL;

    assert_error(iscsiwmi_set_default_load_balance_policy(client, ISCSIWMI_DSM_WEIGHTED_PATHS),
                 -EINVAL, "DefaultLoadBalancePolicy is 0 (none)");
    WELL(iscsiwmi_set_default_load_balance_policy(client, ISCSIWMI_DSM_LEAST_BLOCKS));
    WELL(iscsiwmi_get_manager(client, &manager));
    assert_int_equal(manager->DefaultLoadBalancePolicy, ISCSIWMI_DSM_LEAST_BLOCKS);
    WELL(iscsiwmi_set_default_load_balance_policy(client, ISCSIWMI_DSM_NONE));
}

/* Whatever is asked of a disk that has no map. */
static void test_set_a_disks_policy(void **state)
{
    struct iscsiwmi_dsm_path path = {.DsmPathId = 7, .PrimaryPath = 1};
    struct iscsiwmi_dsm_path_v2 path_v2 = {.DsmPathId = 7, .PrimaryPath = 1, .OptimizedPath = 1};
    struct iscsiwmi_dsm_lb_policy policy = {1, ISCSIWMI_DSM_FAILOVER, 1, 0, &path};
    struct iscsiwmi_dsm_lb_policy_v2 policy_v2 = {2, ISCSIWMI_DSM_FAILOVER, 1, 0, &path_v2};
    uint32_t status = 99;

    WELL(iscsiwmi_dsm_set_load_balance_policy(client, DISK_WWID, &policy, &status));
    assert_int_equal(status, STATUS_NO_SUCH_DEVICE);
    status = 99;
    WELL(iscsiwmi_dsm_set_load_balance_policy_alua(client, DISK_WWID, &policy_v2, &status));
    assert_int_equal(status, STATUS_NO_SUCH_DEVICE);
    status = 99;
    assert_error(iscsiwmi_dsm_set_load_balance_policy(client, "x", &policy, &status), -ENOENT,
                 "disk");
    assert_error(iscsiwmi_dsm_set_load_balance_policy_alua(client, "x", &policy_v2, &status),
                 -ENOENT, "disk");
    assert_int_equal(status, 99);
}

static void test_set_load_balance_policy(void **state)
{
    struct iscsiwmi_path paths[] = {{.UniqueConnectionId = 7, .PrimaryPath = 1},
                                    {.UniqueConnectionId = 7}};
    struct iscsiwmi_lb_policies policies = {
        .UniqueSessionId = own_session(),
        .LoadBalancePolicy = ISCSIWMI_LB_FAILOVER,
        .iSCSI_PathCount = 2,
        .iSCSI_Paths = paths,
    };
    uint32_t status = 0;

    WELL(iscsiwmi_set_load_balance_policy(client, own_adapter(), &policies, &status));
    assert_int_equal(status, ISDSC_DUPLICATE_PATH_SPECIFIED);
    policies.iSCSI_PathCount = 1;
    WELL(iscsiwmi_set_load_balance_policy(client, own_adapter(), &policies, &status));
    assert_int_equal(status, ISDSC_PATH_COUNT_MISMATCH);
    policies.UniqueSessionId = NO_ID;
    WELL(iscsiwmi_set_load_balance_policy(client, own_adapter(), &policies, &status));
    assert_int_equal(status, ISDSC_INVALID_SESSION_ID);
    status = 99;
    assert_error(iscsiwmi_set_load_balance_policy(client, NO_ID, &policies, &status), -ENOENT,
                 "adapter");
    assert_int_equal(status, 99);
}

static void test_guid(void **state)
{
    static const uint8_t guid[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255};
    _cleanup_result_ struct iscsiwmi_hba_information *information = NULL;
    uint32_t status = 99;

    WELL(iscsiwmi_set_generational_guid(client, own_adapter(), guid, &status));
    assert_int_equal(status, STATUS_SUCCESS);
    WELL(iscsiwmi_get_hba_information(client, own_adapter(), &information));
    assert_memory_equal(information->GenerationalGuid, guid, sizeof(guid));
    WELL(iscsiwmi_clear_cache(client, own_adapter(), &status));
    assert_int_equal(status, ISDSC_HBA_SECURITY_CACHE_NOT_SUPPORTED);
}

#define IFACE "ifaces/eth1"
#define IFACE_TEXT "iface.iscsi_ifacename = eth1\niface.initiatorname = " INITIATOR "\niface.mtu = "

/* Until there is a reason, or none any more; to be freed. */
static struct iscsiwmi_changed_records *wait_for_reason(void **state, bool wanted)
{
    for (int i = 0; i < PATIENCE_MS / 50; i++) {
        struct iscsiwmi_changed_records *records;

        WELL(iscsiwmi_list_changed_records(client, own_adapter(), &records));
        if ((*records->Reason != '\0') == wanted)
            return records;
        iscsiwmi_free(records);
        (void)poll(NULL, 0, 50);
    }
    fail_msg("the reason %s", wanted ? "does not come" : "stays");
    return NULL;
}

static void test_list_changed_records(void **state)
{
    static const uint8_t guid[16] = {1};
    _cleanup_result_ struct iscsiwmi_changed_records *changes = NULL, *none = NULL;
    uint32_t status = 99;

    put_record(*state, IFACE, IFACE_TEXT "1500\n");
    WELL(iscsiwmi_set_generational_guid(client, own_adapter(), guid, &status));
    assert_int_equal(status, STATUS_SUCCESS);
    put_record(*state, IFACE, IFACE_TEXT "9000\n");
    changes = wait_for_reason(state, true);
    assert_int_equal(changes->RecordCount, 1);
    assert_string_equal(changes->Records[0]->Kind, "iface");
    assert_string_equal(changes->Records[0]->Name, "eth1");
    assert_int_equal(changes->Records[0]->UniqueConnectionId, 0);
    assert_string_equal(changes->Records[0]->Difference, "changed");
    assert_int_equal(changes->Records[0]->FieldCount, 1);
    assert_string_equal(changes->Records[0]->Fields[0], "iface.mtu");
    put_record(*state, IFACE, IFACE_TEXT "1500\n");
    none = wait_for_reason(state, false);
    assert_int_equal(none->RecordCount, 0);
}

static void test_ping(void **state)
{
    struct iscsiwmi_ip_address name = {.Type = ISCSIWMI_IP_ADDRESS_TEXT,
                                       .TextAddress = (char[]){"not.an.address"}};
    struct iscsiwmi_ip_address loopback = {.Type = ISCSIWMI_IP_ADDRESS_IPV4,
                                           .IpV4Address = 0x0100007f};
    uint32_t status = 99, responses = 99;

    WELL(iscsiwmi_ping_ip_address(client, own_adapter(), 1, 56, 1000, &name, &status, &responses));
    assert_int_equal(status, ISDSC_DNS_NAME_UNRESOLVED);
    assert_int_equal(responses, 0);
    WELL(iscsiwmi_ping_ip_address(client, own_adapter(), 0, 56, 1000, &loopback, &status,
                                  &responses));
    assert_int_equal(status, ISDSC_INVALID_PARAMETER);
    WELL(iscsiwmi_ping_ip_address(client, own_adapter(), 2, 56, 1000, &loopback, &status,
                                  &responses));
    if (status == ISDSC_REQUEST_NOT_SUPPORTED)
        skip(); /* this user may not ping */
    assert_int_equal(status, STATUS_SUCCESS);
    assert_int_equal(responses, 2);
}

#define NOBODY 65534

/* What somebody else than root gets: in a process of its own, whose exit status says it. */
static int check_as_nobody(void)
{
    static const uint8_t guid[16];
    struct iscsiwmi_client *own = NULL;
    struct iscsiwmi_manager *manager;
    struct iscsiwmi_dsm_lb_policy clear = {.Version = 1};
    struct iscsiwmi_changed_records *records;
    uint32_t status;

    if (setresuid(NOBODY, NOBODY, NOBODY) < 0 || iscsiwmi_client_new(&own) < 0 ||
        iscsiwmi_client_connect(own, NULL) < 0)
        return 10;
    if (iscsiwmi_get_manager(own, &manager) < 0 ||
        iscsiwmi_list_changed_records(own, own_adapter(), &records) != -EACCES)
        return 11;
    if (iscsiwmi_set_generational_guid(own, own_adapter(), guid, &status) != -EACCES ||
        !strstr(iscsiwmi_client_error(own), "only root"))
        return 12;
    if (iscsiwmi_set_path_weight_order(own, "lowest-first") != -EACCES)
        return 13;
    if (iscsiwmi_set_default_load_balance_policy(own, ISCSIWMI_DSM_NONE) != -EACCES)
        return 14;
    if (iscsiwmi_dsm_set_load_balance_policy(own, DISK_WWID, &clear, &status) != -EACCES)
        return 15;
    return 0;
}

static void test_not_permitted(void **state)
{
    int status;

    if (geteuid() != 0)
        skip();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(check_as_nobody());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* ---- another host: ssh is a script that reaches this one ---- */

static void write_ssh(const struct harness *harness, char *directory, size_t size)
{
    char path[80], text[128];

    snprintf(directory, size, "%s/bin", harness->directory);
    (void)mkdir(directory, 0700);
    snprintf(path, sizeof(path), "%s/ssh", directory);
    snprintf(text, sizeof(text),
             "#!/bin/sh\n[ \"$*\" ] && exec systemd-stdio-bridge -p "
             "\"$DBUS_SYSTEM_BUS_ADDRESS\"\n");
    write_whole_file(path, text, strlen(text));
    assert_int_equal(chmod(path, 0700), 0);
}

/* NULL: there is no bridge on this machine. */
static struct iscsiwmi_client *connect_remote(const struct harness *harness)
{
    _cleanup_free_ char *path = strdup(getenv("PATH"));
    struct iscsiwmi_client *remote = NULL;
    char directory[64], all[4096];

    if (system("command -v systemd-stdio-bridge >/dev/null") != 0)
        return NULL;
    write_ssh(harness, directory, sizeof(directory));
    snprintf(all, sizeof(all), "%s:%s", directory, path);
    setenv("PATH", all, 1);
    assert_int_equal(iscsiwmi_client_new(&remote), 0);
    int r = iscsiwmi_client_connect(remote, "user@host.example");
    setenv("PATH", path, 1);
    if (r < 0)
        fail_msg("%s", iscsiwmi_client_error(remote));
    return remote;
}

static void test_remote_host(void **state)
{
    _cleanup_result_ struct iscsiwmi_manager *manager = NULL;
    struct iscsiwmi_client *remote = connect_remote(*state);

    if (!remote)
        skip();
    assert_int_equal(iscsiwmi_get_manager(remote, &manager), 0);
    assert_string_equal(manager->Version, PROJECT_VERSION);
    struct iscsiwmi_session *session;
    assert_int_equal(iscsiwmi_get_session(remote, NO_ID, &session), -ENOENT);
    assert_non_null(strstr(iscsiwmi_client_error(remote), "user@host.example: "));
    iscsiwmi_client_free(remote);
}

static void test_remote_host_fails(void **state)
{
    _cleanup_free_ char *path = strdup(getenv("PATH"));
    struct iscsiwmi_client *remote = NULL;

    assert_int_equal(iscsiwmi_client_new(&remote), 0);
    setenv("PATH", "/nowhere", 1);
    int r = iscsiwmi_client_connect(remote, "user@host.example");
    setenv("PATH", path, 1);
    assert_int_equal(r, -ENOTCONN);
    assert_non_null(strstr(iscsiwmi_client_error(remote), "user@host.example: "));
    iscsiwmi_client_free(remote);
}

/* ---- events ---- */

/* What has come, one line each. */
static char seen[4096];

static void on_event(const struct iscsiwmi_event *event, void *userdata)
{
    size_t n = strlen(seen);

    assert_ptr_equal(userdata, seen);
    assert_non_null(event->Path);
    snprintf(seen + n, sizeof(seen) - n, "%u %u %016" PRIx64 " %s", event->Type, event->Object,
             event->Id, event->Class ?: "-");
    assert_int_equal(event->WWID != NULL, event->Object == ISCSIWMI_OBJECT_DISK);
    n = strlen(seen);
    snprintf(seen + n, sizeof(seen) - n, "%s%s", event->WWID ? " " : "", event->WWID ?: "");
    for (uint32_t i = 0; i < event->ChangeCount; i++) {
        n = strlen(seen);
        snprintf(seen + n, sizeof(seen) - n, " %s=%s", event->Changes[i]->Property,
                 event->Changes[i]->Value ?: "?");
    }
    n = strlen(seen);
    snprintf(seen + n, sizeof(seen) - n, "\n");
}

/* The whole of a main loop. */
static void run_until_of(struct harness *harness, struct iscsiwmi_client *of, const char *words)
{
    while (!strstr(seen, words)) {
        struct pollfd p = {0};
        int timeout;

        assert_int_equal(iscsiwmi_client_get_fd(of, &p.fd), 0);
        assert_int_equal(iscsiwmi_client_get_events(of, &p.events), 0);
        assert_int_equal(iscsiwmi_client_get_timeout(of, &timeout), 0);
        int n = poll(&p, 1, timeout >= 0 && timeout < PATIENCE_MS ? timeout : PATIENCE_MS);
        assert_true(n >= 0);
        if (n == 0 && timeout < 0)
            fail_msg("no '%s' among:\n%s", words, seen);
        assert_int_equal(iscsiwmi_client_dispatch(of), 0);
        (void)harness_log(harness);
    }
}

static void run_until(struct harness *harness, const char *words)
{
    run_until_of(harness, client, words);
}

static void test_changes(void **state)
{
    static const uint8_t guid[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                     0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    char line[256];
    uint32_t status;

    WELL(iscsiwmi_client_watch(client, on_event, seen));
    WELL(iscsiwmi_set_path_weight_order(client, "highest-first"));
    run_until(*state, "3 1 0000000000000000 Manager PathWeightOrder=highest-first\n");
    WELL(iscsiwmi_set_generational_guid(client, own_adapter(), guid, &status));
    snprintf(line, sizeof(line),
             "3 2 %016" PRIx64
             " MSiSCSI_HBAInformation GenerationalGuid=33221100-5544-7766-8899-aabbccddeeff",
             own_adapter());
    run_until(*state, line);
}

/* They come through ssh as they are. */
static void test_remote_changes(void **state)
{
    struct iscsiwmi_client *remote = connect_remote(*state);

    if (!remote)
        skip();
    seen[0] = '\0';
    assert_int_equal(iscsiwmi_client_watch(remote, on_event, seen), 0);
    assert_int_equal(iscsiwmi_set_path_weight_order(remote, "lowest-first"), 0);
    run_until_of(*state, remote, "3 1 0000000000000000 Manager PathWeightOrder=lowest-first\n");
    assert_int_equal(iscsiwmi_set_path_weight_order(remote, "highest-first"), 0);
    iscsiwmi_client_free(remote);
}

static void on_event_ask(const struct iscsiwmi_event *event, void *userdata)
{
    struct iscsiwmi_manager **manager = userdata;

    if (event->Object == ISCSIWMI_OBJECT_SERVICE && !*manager)
        assert_int_equal(iscsiwmi_get_manager(client, manager), 0);
}

static void test_call_within_an_event(void **state)
{
    _cleanup_result_ struct iscsiwmi_manager *manager = NULL;

    WELL(iscsiwmi_client_watch(client, on_event_ask, &manager));
    WELL(iscsiwmi_set_path_weight_order(client, "lowest-first"));
    for (int i = 0; i < 1000 && !manager; i++) {
        WELL(iscsiwmi_client_dispatch(client));
        (void)poll(NULL, 0, 10);
    }
    assert_non_null(manager);
    assert_string_equal(manager->PathWeightOrder, "lowest-first");
    WELL(iscsiwmi_client_watch(client, on_event, seen));
}

/* A disk that has no map and no policy any more is no object. */
static void test_removed_disk(void **state)
{
    struct iscsiwmi_dsm_lb_policy_v2 clear = {.Version = 2, .LoadBalancePolicy = ISCSIWMI_DSM_NONE};
    uint32_t status = 99;

    WELL(iscsiwmi_dsm_set_load_balance_policy_alua(client, DISK_WWID, &clear, &status));
    assert_int_equal(status, STATUS_SUCCESS);
    run_until(*state, "2 5 0000000000000000 - " DISK_WWID "\n");
}

/* Policy 6 takes the session's object away. */
static void test_removed(void **state)
{
    struct iscsiwmi_lb_policies policies = {.UniqueSessionId = own_session(),
                                            .LoadBalancePolicy = ISCSIWMI_LB_VENDOR_SPECIFIC};
    char line[64];
    uint32_t status = 99;

    WELL(iscsiwmi_set_load_balance_policy(client, own_adapter(), &policies, &status));
    assert_int_equal(status, STATUS_SUCCESS);
    snprintf(line, sizeof(line), "2 3 %016" PRIx64 " -\n", own_session());
    run_until(*state, line);
}

static void test_service_stops_and_starts(void **state)
{
    struct iscsiwmi_host *host = NULL;

    harness_stop(*state);
    run_until(*state, "5 1 0000000000000000 -\n");
    assert_error(iscsiwmi_get_host(client, &host), -ENXIO, "not running");
    assert_null(host);
    harness_start(*state);
    run_until(*state, "4 1 0000000000000000 -\n");
    WELL(iscsiwmi_get_host(client, &host));
    iscsiwmi_free(host);
}

static void test_watch_ends(void **state)
{
    WELL(iscsiwmi_client_watch(client, NULL, NULL));
    seen[0] = '\0';
    WELL(iscsiwmi_set_path_weight_order(client, "lowest-first"));
    WELL(iscsiwmi_client_dispatch(client));
    assert_string_equal(seen, "");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_connected),
        cmocka_unit_test(test_no_bus),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_hba_information),
        cmocka_unit_test(test_other_classes_of_the_adapter),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_classes_of_the_disk),
        cmocka_unit_test(test_manager),
        cmocka_unit_test(test_no_such_object),
        cmocka_unit_test(test_describe_status),
        cmocka_unit_test(test_path_weight_order),
        cmocka_unit_test(test_default_load_balance_policy),
        cmocka_unit_test(test_set_load_balance_policy),
        cmocka_unit_test(test_set_a_disks_policy),
        cmocka_unit_test(test_guid),
        cmocka_unit_test(test_list_changed_records),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_not_permitted),
        cmocka_unit_test(test_remote_host),
        cmocka_unit_test(test_remote_host_fails),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_remote_changes),
        cmocka_unit_test(test_call_within_an_event),
        cmocka_unit_test(test_removed_disk),
        cmocka_unit_test(test_removed),
        cmocka_unit_test(test_service_stops_and_starts),
        cmocka_unit_test(test_watch_ends),
        cmocka_unit_test(harness_test_clean_end),
    };
    return harness_result(cmocka_run_group_tests(tests, setup, teardown));
}
