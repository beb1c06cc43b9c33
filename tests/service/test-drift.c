/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* CacheValid and what has changed, with records of the test's own. Each test has a bus. */

#include "fixture.h"
#include "basic/clock.h"
#include "iscsi/digest.h"
#include "wmi/status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HBA INTERFACE("MSiSCSI_HBAInformation")
#define SECURITY INTERFACE("MSiSCSI_SecurityConfigOperations")
#define PROPERTIES "org.freedesktop.DBus.Properties"

#define IFACE "ifaces/eth1"
#define PORTAL "192.0.2.1,3260"
#define NODE "nodes/" TARGET "/" PORTAL ",1/eth1"
#define OTHER_NODE "nodes/iqn.2025-01.com.example:new/" PORTAL ",1/eth1"
#define DISCOVERY "send_targets/" PORTAL "/st_config"
#define SECRET "hush-hush-never-seen"

#define BEGIN "# BEGIN RECORD 2.1.8\n"
#define END "# END RECORD\n"
#define IFACE_TEXT BEGIN "iface.iscsi_ifacename = eth1\niface.initiatorname = " INITIATOR "\n" END
#define NODE_TEXT(password)                                                                        \
    BEGIN "node.name = " TARGET "\nnode.session.auth.password = " password "\nnode.tpgt = 1\n" END
#define DISCOVERY_TEXT BEGIN "discovery.startup = manual\n" END

#define PATIENCE_MS 30000 /* for a change that is to be told, on a slow machine */
#define SILENCE_MS 1500   /* after which none will be */

static const uint8_t guid[GUID_SIZE] = {0x5a, 1, 2, 3};

static void take_away(const struct harness *harness, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", harness->records, name);
    assert_int_equal(unlink(path), 0);
}

static int setup(void **state)
{
    struct harness *harness = harness_new();

    *state = harness;
    fixture_add_session(harness);
    put_record(harness, IFACE, IFACE_TEXT);
    put_record(harness, NODE, NODE_TEXT(SECRET));
    put_record(harness, DISCOVERY, DISCOVERY_TEXT);
    harness_start(harness);
    return 0;
}

static int teardown(void **state)
{
    struct harness *harness = *state;

    /* Whatever a test has done: no secret was told, or is kept. */
    size_t size;
    _cleanup_free_ char *stored = read_whole_file(harness->state_file, &size);
    assert_null(memmem(stored, size, SECRET, strlen(SECRET)));
    assert_null(strstr(harness_log(harness), SECRET));
    harness_stop(harness);
    harness_free(harness);
    return 0;
}

static const char *adapter(void)
{
    static char path[FIXTURE_PATH_MAX];
    fixture_adapter_path(path);
    return path;
}

static bool is_valid(struct harness *harness, const char *path)
{
    int value;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        get_property(harness, path, HBA, "CacheValid", "b");
    assert_true(sd_bus_message_read(reply, "b", &value) > 0);
    return value;
}

static void set_guid(struct harness *harness, const char *path)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
    uint32_t status;

    assert_true(sd_bus_message_new_method_call(harness->bus, &message, NAME, path, SECURITY,
                                               "SetGenerationalGuid") >= 0);
    assert_true(sd_bus_message_append_array(message, 'y', guid, sizeof(guid)) >= 0);
    assert_true(sd_bus_call(harness->bus, message, 0, NULL, &reply) >= 0);
    assert_true(sd_bus_message_read(reply, "u", &status) > 0);
    assert_int_equal(status, STATUS_SUCCESS);
    assert_true(is_valid(harness, path));
}

/* Signals that tell of a change, and how many of them there are to be. */
struct news {
    struct signal_count signals;
    unsigned expected;
};

static int on_change(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    ((struct news *)userdata)->signals.n++;
    return 0;
}

/* Those of HBAInformation: the adapter's other interfaces have their own news. */
static void news_begin(struct harness *harness, struct news *news)
{
    char match[512];

    *news = (struct news){0};
    snprintf(match, sizeof(match),
             "type='signal',sender='" NAME "',path='%s',interface='" PROPERTIES
             "',member='PropertiesChanged',arg0='" HBA "'",
             adapter());
    assert_true(sd_bus_add_match(harness->bus, &news->signals.slot, match, on_change, news) >= 0);
}

/* Nothing is told of what was done before. */
static void assert_stays(struct harness *harness, struct news *news)
{
    bool valid = is_valid(harness, adapter());

    usleep(SILENCE_MS * 1000);
    assert_int_equal(signal_count_now(harness, &news->signals), news->expected);
    assert_int_equal(is_valid(harness, adapter()), valid);
}

/* Nothing was told twice. */
static void news_end(struct harness *harness, struct news *news)
{
    usleep(SILENCE_MS / 3 * 1000);
    assert_int_equal(signal_count_now(harness, &news->signals), news->expected);
    signal_count_end(&news->signals);
}

/* Waits until CacheValid is as wanted, for which one signal comes: no other has come since the
 * last. */
static void assert_becomes(struct harness *harness, struct news *news, bool valid)
{
    int64_t deadline = monotonic_msec() + PATIENCE_MS;

    news->expected++;
    while (signal_count_now(harness, &news->signals) < news->expected &&
           monotonic_msec() < deadline)
        usleep(20000);
    assert_int_equal(news->signals.n, news->expected);
    assert_int_equal(is_valid(harness, adapter()), valid);
}

/* What ListChangedRecords says, as text: a line for each record. */
static void assert_list(struct harness *harness, const char *wanted)
{
    const char *kind, *name, *difference, *field, *reason;
    uint64_t id, node = connection_id(INITIATOR, TARGET, "eth1", "192.0.2.1", 3260, 0);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        call_well(harness, adapter(), INTERFACE("Adapter"), "ListChangedRecords", "");

    assert_non_null(out);
    assert_true(sd_bus_message_enter_container(reply, 'a', "(sstsas)") > 0);
    while (sd_bus_message_enter_container(reply, 'r', "sstsas") > 0) {
        assert_true(sd_bus_message_read(reply, "ssts", &kind, &name, &id, &difference) > 0);
        fprintf(out, "%s %s %s", kind, name, difference);
        assert_int_equal(id != 0, strcmp(kind, "node") == 0);
        if (strcmp(name, &NODE[strlen("nodes/")]) == 0)
            assert_true(id == node);
        assert_true(sd_bus_message_enter_container(reply, 'a', "s") > 0);
        while (sd_bus_message_read(reply, "s", &field) > 0)
            fprintf(out, " %s", field);
        assert_true(sd_bus_message_exit_container(reply) > 0);
        assert_true(sd_bus_message_exit_container(reply) > 0);
        fputc('\n', out);
    }
    assert_true(sd_bus_message_exit_container(reply) > 0);
    assert_true(sd_bus_message_read(reply, "s", &reason) > 0);
    assert_int_equal(reason[0] == '\0', is_valid(harness, adapter()));
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, wanted);
    free(text);
}

#define NODE_CHANGED "node " TARGET "/" PORTAL ",1/eth1 changed node.session.auth.password\n"

static void test_before_the_first(void **state)
{
    struct harness *harness = *state;
    struct news news;

    news_begin(harness, &news);
    assert_true(is_valid(harness, adapter()));
    put_record(harness, NODE, NODE_TEXT("another"));
    assert_stays(harness, &news);
    signal_count_end(&news.signals);
    assert_list(harness, "");
}

static void test_a_new_secret(void **state)
{
    struct harness *harness = *state;
    struct news news;

    set_guid(harness, adapter());
    assert_list(harness, "");
    news_begin(harness, &news);
    put_record(harness, NODE, NODE_TEXT("another"));
    assert_becomes(harness, &news, false);
    assert_list(harness, NODE_CHANGED);

    /* Taken back, and changed again; then that is what the GUID names. */
    put_record(harness, NODE, NODE_TEXT(SECRET));
    assert_becomes(harness, &news, true);
    assert_list(harness, "");
    put_record(harness, NODE, NODE_TEXT("another"));
    assert_becomes(harness, &news, false);
    set_guid(harness, adapter());
    assert_becomes(harness, &news, true);
    assert_list(harness, "");
    put_record(harness, NODE, NODE_TEXT(SECRET));
    assert_becomes(harness, &news, false);
    news_end(harness, &news);
}

static void test_records_come_and_go(void **state)
{
    struct harness *harness = *state;
    struct news news;

    set_guid(harness, adapter());
    news_begin(harness, &news);
    /* In directories that are new, as a discovery makes them. */
    put_record(harness, OTHER_NODE, NODE_TEXT("x"));
    put_record(harness, "isns/192.0.2.9,3205/isns_config", DISCOVERY_TEXT);
    assert_becomes(harness, &news, false);
    assert_list(harness, "discovery isns/192.0.2.9,3205 added\n"
                         "node iqn.2025-01.com.example:new/" PORTAL ",1/eth1 added\n");
    take_away(harness, "isns/192.0.2.9,3205/isns_config");
    take_away(harness, OTHER_NODE);
    assert_becomes(harness, &news, true);
    put_record(harness, OTHER_NODE, NODE_TEXT("x")); /* whose directory is there by now */
    assert_becomes(harness, &news, false);
    take_away(harness, OTHER_NODE);
    assert_becomes(harness, &news, true);

    take_away(harness, NODE);
    put_record(harness, DISCOVERY, BEGIN "discovery.startup = automatic\ndiscovery.more = 1\n" END);
    assert_becomes(harness, &news, false);
    assert_list(harness,
                "node " TARGET "/" PORTAL ",1/eth1 removed\n"
                "discovery send_targets/" PORTAL " changed discovery.more discovery.startup\n");
    news_end(harness, &news);
}

static void test_an_iface(void **state)
{
    struct harness *harness = *state;
    struct news news;

    set_guid(harness, adapter());
    news_begin(harness, &news);
    put_record(harness, IFACE,
               "iface.iscsi_ifacename = eth1\niface.initiatorname = " INITIATOR
               "\niface.mtu = 9000\n");
    assert_becomes(harness, &news, false);
    assert_list(harness, "iface eth1 changed iface.mtu\n");
    news_end(harness, &news);
}

static void test_no_change(void **state)
{
    struct harness *harness = *state;
    struct news news;

    set_guid(harness, adapter());
    news_begin(harness, &news);
    put_record(harness, NODE, NODE_TEXT(SECRET));
    put_record(harness, NODE,
               "# somebody's comment\nnode.tpgt = 1\nnode.session.auth.password =   " SECRET
               "\nnode.name = " TARGET "\n");
    put_record(harness, "iscsid.conf", "node.startup = automatic\n");
    /* What another initiator uses: the host's own, here none. */
    put_record(harness, "nodes/iqn.2025-01.com.example:new/" PORTAL ",1/default", NODE_TEXT("x"));
    assert_stays(harness, &news);
    signal_count_end(&news.signals);
    assert_list(harness, "");
}

static void test_while_it_was_away(void **state)
{
    struct harness *harness = *state;

    set_guid(harness, adapter());
    harness_restart(harness);
    assert_true(is_valid(harness, adapter()));
    harness_stop(harness);
    put_record(harness, NODE, NODE_TEXT("another"));
    harness_start(harness);
    assert_false(is_valid(harness, adapter()));
    assert_list(harness, NODE_CHANGED);
    harness_stop(harness);
    put_record(harness, NODE, NODE_TEXT(SECRET));
    harness_start(harness);
    assert_true(is_valid(harness, adapter()));
}

/* open-iscsi is installed, or makes its first record, later. */
static void test_no_directories_at_first(void **state)
{
    struct harness *harness = *state;
    struct news news;
    char away[64];

    snprintf(away, sizeof(away), "%s/away", harness->directory);
    assert_int_equal(rename(harness->records, away), 0);
    harness_restart(harness);
    set_guid(harness, adapter());
    news_begin(harness, &news);
    assert_int_equal(rename(away, harness->records), 0);
    assert_becomes(harness, &news, false);
    assert_int_equal(rename(harness->records, away), 0);
    put_record(harness, "x", "");
    assert_becomes(harness, &news, true);
    put_record(harness, DISCOVERY, DISCOVERY_TEXT);
    assert_becomes(harness, &news, false);
    news_end(harness, &news);
}

/* A lock that is held delays the news, and nothing else. */
static void test_lock(void **state)
{
    struct harness *harness = *state;
    struct news news;

    set_guid(harness, adapter());
    news_begin(harness, &news);
    harness_hold_lock(harness, true);
    put_record(harness, NODE, NODE_TEXT("another"));
    int64_t before = monotonic_msec();
    for (int i = 0; i < 20; i++) {
        assert_true(is_valid(harness, adapter()));
        usleep(50000);
    }
    assert_true(monotonic_msec() - before < 5000);
    harness_hold_lock(harness, false);
    assert_becomes(harness, &news, false);
    news_end(harness, &news);

    /* At start, nobody can say that it is valid. */
    set_guid(harness, adapter());
    harness_stop(harness);
    harness_hold_lock(harness, true);
    harness_start(harness);
    assert_false(is_valid(harness, adapter()));
    news_begin(harness, &news);
    harness_hold_lock(harness, false);
    assert_becomes(harness, &news, true);
    news_end(harness, &news);
}

/* The child that waits for the lock is left to itself, without the bus. */
static void test_end_under_lock(void **state)
{
    struct harness *harness = *state;

    set_guid(harness, adapter());
    harness_stop(harness);
    harness_hold_lock(harness, true);
    harness_start(harness);
    int64_t before = monotonic_msec();
    harness_stop(harness);
    while (sd_bus_get_name_creds(harness->bus, NAME, 0, NULL) >= 0)
        usleep(50000);
    assert_true(monotonic_msec() - before < 10000); /* the child waits for 30 s */
    harness_hold_lock(harness, false);
    harness_start(harness);
}

/* A state of version 0.1.0 has a GUID, and no digests. */
static void test_guid_without_digests(void **state)
{
    struct harness *harness = *state;
    struct store *store = NULL;
    char *message = NULL;

    harness_stop(harness);
    assert_int_equal(store_open(harness->state_file, &store, &message), 0);
    assert_int_equal(store_put_guid(store, INITIATOR, guid, NULL, 0, NULL), 0);
    store_close(store);
    harness_start(harness);
    assert_false(is_valid(harness, adapter()));
    assert_list(harness, "");
    set_guid(harness, adapter());
    harness_restart(harness);
    assert_true(is_valid(harness, adapter()));
}

static unsigned count_words(const char *text, const char *words)
{
    unsigned n = 0;
    for (; (text = strstr(text, words)); text += strlen(words))
        n++;
    return n;
}

static void wait_until_valid(struct harness *harness, bool valid)
{
    int64_t deadline = monotonic_msec() + 30000;
    while (is_valid(harness, adapter()) != valid && monotonic_msec() < deadline)
        usleep(100000);
    assert_int_equal(is_valid(harness, adapter()), valid);
}

/* More records than are compared: not valid while there are, which the journal says once. */
static void test_too_many(void **state)
{
    struct harness *harness = *state;
    char name[32];

    harness_forget_log(harness);
    set_guid(harness, adapter());
    for (unsigned i = 0; i < DIGEST_RECORDS_MAX; i++) {
        snprintf(name, sizeof(name), "ifaces/x%u", i);
        put_record(harness, name, "iface.mtu = 1\n");
    }
    wait_until_valid(harness, false);
    put_record(harness, "ifaces/more", "iface.mtu = 1\n");
    usleep(SILENCE_MS * 1000);
    assert_false(is_valid(harness, adapter()));
    assert_list(harness, "");
    assert_int_equal(count_words(harness_log(harness), "more than 10000 records: they"), 1);

    for (unsigned i = 0; i < DIGEST_RECORDS_MAX; i++) {
        snprintf(name, sizeof(name), "ifaces/x%u", i);
        take_away(harness, name);
    }
    wait_until_valid(harness, true); /* the one more is another initiator's */
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    *(sd_bus_message **)userdata = sd_bus_message_ref(reply);
    return 1;
}

/* The answer to SetGenerationalGuid waits for the lock; nothing else does. */
static void test_set_under_lock(void **state)
{
    struct harness *harness = *state;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
    uint32_t status;

    put_record(harness, "lock/lock", "");
    harness_hold_lock(harness, true);
    assert_true(sd_bus_message_new_method_call(harness->bus, &message, NAME, adapter(), SECURITY,
                                               "SetGenerationalGuid") >= 0);
    assert_true(sd_bus_message_append_array(message, 'y', guid, sizeof(guid)) >= 0);
    assert_true(sd_bus_call_async(harness->bus, NULL, message, on_reply, &reply, 0) >= 0);
    int64_t before = monotonic_msec();
    for (int i = 0; i < 10; i++) {
        assert_true(is_valid(harness, adapter()));
        usleep(50000);
    }
    assert_true(monotonic_msec() - before < 3000);
    assert_null(reply);
    harness_hold_lock(harness, false);
    while (!reply)
        if (sd_bus_process(harness->bus, NULL) == 0)
            assert_true(sd_bus_wait(harness->bus, UINT64_MAX) >= 0);
    assert_true(sd_bus_message_read(reply, "u", &status) > 0);
    assert_int_equal(status, STATUS_SUCCESS);
    assert_true(is_valid(harness, adapter()));
}

static void test_adapter_without_a_name(void **state)
{
    struct harness *harness = *state;

    if (!has_object(harness, BARE_ADAPTER))
        skip();
    set_guid(harness, BARE_ADAPTER);
    harness_restart(harness);
    assert_true(is_valid(harness, BARE_ADAPTER));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_before_the_first),
        TEST(test_a_new_secret),
        TEST(test_records_come_and_go),
        TEST(test_an_iface),
        TEST(test_no_change),
        TEST(test_while_it_was_away),
        TEST(test_no_directories_at_first),
        TEST(test_lock),
        TEST(test_end_under_lock),
        TEST(test_set_under_lock),
        TEST(test_guid_without_digests),
        TEST(test_too_many),
        TEST(test_adapter_without_a_name),
    };
    return harness_result(cmocka_run_group_tests(tests, NULL, NULL));
}
