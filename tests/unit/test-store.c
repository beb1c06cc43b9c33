/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The store, in a directory of its own. Its faults come from a file system layer of SQLite's that
 * stands between the store and the real one: each write, sync, truncation and deletion in turn
 * fails, or the process dies there.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/macros.h"
#include "store/schema.h"
#include "store/store.h"

#define INITIATOR "iqn.2025-01.com.example:host"
#define TARGET "iqn.2025-01.com.example:target"

static char directory[64];
static char path[128];

/* The layer. Operations that change a file are counted from 0. */
static struct {
    sqlite3_vfs vfs;
    sqlite3_io_methods methods[2]; /* the database's, which has locks, and a journal's */
    const sqlite3_io_methods *real_methods;
    sqlite3_vfs *real;
    long countdown; /* operations that still work; -1: all */
    int error;      /* of those after them; 0: the process dies */
    bool only_once;
} fault;

#define DIES 0

static int strike(void)
{
    if (fault.countdown < 0)
        return SQLITE_OK;
    if (fault.countdown > 0) {
        fault.countdown--;
        return SQLITE_OK;
    }
    if (fault.error == DIES)
        _exit(42);
    if (fault.only_once)
        fault.countdown = -1;
    return fault.error;
}

static int fault_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
    int rc = strike();
    return rc != SQLITE_OK ? rc : fault.real_methods->xWrite(file, data, size, at);
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int rc = strike();
    return rc != SQLITE_OK ? rc : fault.real_methods->xTruncate(file, size);
}

/* Nothing here takes the power away, and a real sync takes its time. */
static int fault_sync(sqlite3_file *file, int flags)
{
    return strike();
}

static int fault_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    int rc = strike();
    return rc != SQLITE_OK ? rc : fault.real->xDelete(fault.real, name, 0);
}

/* Every file has the real layer's state, and its methods but for those above. */
static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                      int *ret_flags)
{
    int rc = fault.real->xOpen(fault.real, name, file, flags, ret_flags);
    if (rc != SQLITE_OK || !file->pMethods)
        return rc;
    sqlite3_io_methods *methods = &fault.methods[flags & SQLITE_OPEN_MAIN_DB ? 0 : 1];
    fault.real_methods = file->pMethods; /* those that are called have the same functions in both */
    *methods = *file->pMethods;
    methods->xWrite = fault_write;
    methods->xTruncate = fault_truncate;
    methods->xSync = fault_sync;
    file->pMethods = methods;
    return SQLITE_OK;
}

static void install_fault_layer(void)
{
    fault.real = sqlite3_vfs_find(NULL);
    assert_non_null(fault.real);
    fault.vfs = *fault.real;
    fault.vfs.zName = "fault";
    fault.vfs.xOpen = fault_open;
    fault.vfs.xDelete = fault_delete;
    fault.countdown = -1;
    assert_int_equal(sqlite3_vfs_register(&fault.vfs, 1), SQLITE_OK);
}

static void set_fault(long countdown, int error)
{
    fault.countdown = countdown;
    fault.error = error;
    fault.only_once = false;
}

static void clear_fault(void)
{
    fault.countdown = -1;
}

static void store_closep(struct store **store)
{
    store_close(*store);
}

static struct store *open_store(void)
{
    struct store *store = NULL;
    char *message = NULL;

    int r = store_open(path, &store, &message);
    if (r < 0)
        fail_msg("store_open: %s", message);
    assert_null(message);
    return store;
}

static int remove_entry(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
    return ftw->level > 0 ? remove(name) : 0;
}

static int setup(void **state)
{
    clear_fault();
    return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* In memory, where there is such a place: thousands of files are made here, and no disk is meant.
 */
static int group_setup(void **state)
{
    snprintf(directory, sizeof(directory), "%s/iscsi-wmi-store-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/state.db", directory);
    install_fault_layer();
    return 0;
}

static int group_teardown(void **state)
{
    setup(state);
    return rmdir(directory);
}

/* A policy of n paths, made of a seed: whether two are the same shows in what they are made of. */
static struct store_policy *make_policy(const char *target, unsigned seed, size_t n)
{
    struct store_policy *policy = calloc(1, sizeof(*policy));

    assert_non_null(policy);
    policy->initiator = strdup(INITIATOR);
    policy->target = strdup(target);
    policy->policy = (enum lb_policy)(1 + seed % 5);
    policy->highest_first = seed % 2;
    policy->paths = calloc(n + 1, sizeof(*policy->paths));
    policy->n_paths = n;
    for (size_t i = 0; i < n; i++) {
        struct store_path *to = &policy->paths[i];
        to->connection_id = UINT64_MAX - seed * 1000 - (i * 7919 % 1000);
        assert_true(asprintf(&to->iface, "iface%u", seed) > 0);
        assert_true(asprintf(&to->address, "192.0.2.%zu", i) > 0);
        to->port = (uint16_t)(65535 - i);
        to->weight = UINT32_MAX - (uint32_t)i;
        to->primary = i % 2 == seed % 2;
    }
    return policy;
}

static void store_policy_freep(struct store_policy **policy)
{
    store_policy_free(*policy);
}

static void put_policy(struct store *store, const char *target, unsigned seed, size_t n)
{
    _cleanup_(store_policy_freep) struct store_policy *policy = make_policy(target, seed, n);
    assert_int_equal(store_put_policy(store, policy), 0);
    assert_true(policy->serial > 0);
}

static void assert_same_policy(const struct store_policy *found, const struct store_policy *wanted)
{
    assert_string_equal(found->initiator, wanted->initiator);
    assert_string_equal(found->target, wanted->target);
    assert_int_equal(found->policy, wanted->policy);
    assert_int_equal(found->highest_first, wanted->highest_first);
    assert_int_equal(found->n_paths, wanted->n_paths);
    for (size_t i = 0; i < wanted->n_paths; i++) {
        const struct store_path *a = &found->paths[i], *b = &wanted->paths[i];
        assert_true(a->connection_id == b->connection_id);
        assert_string_equal(a->iface, b->iface);
        assert_string_equal(a->address, b->address);
        assert_int_equal(a->port, b->port);
        assert_int_equal(a->weight, b->weight);
        assert_int_equal(a->primary, b->primary);
    }
}

/* All policies: targets, seeds and numbers of paths, the one chosen last first. */
struct expected {
    const char *target;
    unsigned seed;
    size_t n_paths;
};

static void assert_policies(struct store *store, const struct expected *expected, size_t n)
{
    struct store_policy **policies = NULL;
    size_t n_found = 0;
    uint64_t last = UINT64_MAX;

    assert_int_equal(store_load_policies(store, &policies, &n_found), 0);
    assert_int_equal(n_found, n);
    for (size_t i = 0; i < n; i++) {
        _cleanup_(store_policy_freep) struct store_policy *wanted =
            make_policy(expected[i].target, expected[i].seed, expected[i].n_paths);
        assert_same_policy(policies[i], wanted);
        assert_true(policies[i]->serial < last);
        last = policies[i]->serial;
        store_policy_free(policies[i]);
    }
    free(policies);
}

#define EXPECT(store, ...)                                                                         \
    do {                                                                                           \
        const struct expected _expected[] = {__VA_ARGS__};                                         \
        assert_policies(store, _expected, ELEMENTSOF(_expected));                                  \
    } while (0)

static void test_new_store_is_empty(void **state)
{
    _cleanup_(store_closep) struct store *store = open_store();
    uint8_t guid[GUID_SIZE];
    char *value = NULL;

    assert_policies(store, NULL, 0);
    assert_int_equal(store_get_guid(store, INITIATOR, guid), -ENODATA);
    assert_int_equal(store_get_setting(store, "x", &value), -ENODATA);
    assert_null(value);
}

static void test_policies_round_trip(void **state)
{
    struct store *store = open_store();

    for (unsigned seed = 0; seed < 5; seed++) {
        char target[32];
        snprintf(target, sizeof(target), "target%u", seed);
        put_policy(store, target, seed, seed == 4 ? 200 : seed);
    }
    for (int round = 0; round < 2; round++) {
        EXPECT(store, {"target4", 4, 200}, {"target3", 3, 3}, {"target2", 2, 2}, {"target1", 1, 1},
               {"target0", 0, 0});
        store_close(store);
        store = open_store();
    }
    store_close(store);
}

/* One session has one policy: a new one is the last chosen, wherever the old one stood. */
static void test_replace(void **state)
{
    _cleanup_(store_closep) struct store *store = open_store();

    put_policy(store, "a", 1, 4);
    put_policy(store, "b", 2, 4);
    put_policy(store, "a", 3, 2);
    EXPECT(store, {"a", 3, 2}, {"b", 2, 4});
    put_policy(store, "a", 3, 2);
    EXPECT(store, {"a", 3, 2}, {"b", 2, 4});
    put_policy(store, "b", 4, 0);
    EXPECT(store, {"b", 4, 0}, {"a", 3, 2});
}

/* Serials are not used again, not even that of the last one and after a restart. */
static void test_serials_grow(void **state)
{
    struct store *store = open_store();
    _cleanup_(store_policy_freep) struct store_policy *a = make_policy("a", 1, 1),
                                                      *b = make_policy("b", 1, 1);

    assert_int_equal(store_put_policy(store, a), 0);
    assert_int_equal(store_remove_policy(store, INITIATOR, "a"), 0);
    store_close(store);
    store = open_store();
    assert_int_equal(store_put_policy(store, b), 0);
    assert_true(b->serial > a->serial);
    store_close(store);
}

static int count_rows(const char *table)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    char sql[64];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int n = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return n;
}

static void test_remove(void **state)
{
    _cleanup_(store_closep) struct store *store = open_store();

    put_policy(store, "a", 1, 4);
    put_policy(store, "b", 2, 4);
    assert_int_equal(store_remove_policy(store, "iqn.2025-01.com.example:other", "a"), 0);
    assert_int_equal(store_remove_policy(store, INITIATOR, "c"), 0);
    EXPECT(store, {"b", 2, 4}, {"a", 1, 4});
    assert_int_equal(store_remove_policy(store, INITIATOR, "a"), 0);
    EXPECT(store, {"b", 2, 4});

    /* Its paths are gone with it: those of a successor are all that it has. */
    put_policy(store, "a", 3, 2);
    EXPECT(store, {"a", 3, 2}, {"b", 2, 4});
    assert_int_equal(count_rows("policy_path"), 2 + 4);
}

static void put_disk(struct store *store, const char *wwid, unsigned seed, size_t n)
{
    struct store_disk_path paths[8];
    const struct store_disk_policy policy = {
        .wwid = (char *)wwid,
        .policy = (enum dsm_policy)(1 + seed % 6),
        .by_default = n == 0,
        .paths = paths,
        .n_paths = n,
    };

    for (size_t i = 0; i < n; i++)
        paths[i] = (struct store_disk_path){
            .id = UINT64_MAX - seed * 10 - i,
            .weight = UINT32_MAX - (uint32_t)i,
            .primary = i % 2,
            .preferred = i == seed % 4,
        };
    assert_int_equal(store_put_disk_policy(store, &policy), 0);
}

static void print_disks(FILE *out, struct store *store)
{
    struct store_disk_policy **policies = NULL;
    size_t n = 0;

    assert_int_equal(store_load_disk_policies(store, &policies, &n), 0);
    for (size_t i = 0; i < n; i++) {
        const struct store_disk_policy *policy = policies[i];
        fprintf(out, "disk %s %d%s\n", policy->wwid, (int)policy->policy,
                policy->by_default ? " by default" : "");
        for (size_t k = 0; k < policy->n_paths; k++)
            fprintf(out, "  %zx %u%s%s\n", (size_t)policy->paths[k].id, policy->paths[k].weight,
                    policy->paths[k].primary ? " primary" : "",
                    policy->paths[k].preferred ? " preferred" : "");
        store_disk_policy_free(policies[i]);
    }
    free(policies);
}

static void assert_disks(struct store *store, const char *wanted)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    print_disks(out, store);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, wanted);
    free(text);
}

static void test_disk_policies(void **state)
{
    struct store *store = open_store();

    assert_disks(store, "");
    put_disk(store, "b", 5, 2);
    put_disk(store, "a", 0, 3);
    put_disk(store, "c", 3, 0);
    for (int round = 0; round < 2; round++) {
        assert_disks(store, "disk a 1\n"
                            "  ffffffffffffffff 4294967295 preferred\n"
                            "  fffffffffffffffe 4294967294 primary\n"
                            "  fffffffffffffffd 4294967293\n"
                            "disk b 6\n"
                            "  ffffffffffffffcd 4294967295\n"
                            "  ffffffffffffffcc 4294967294 primary preferred\n"
                            "disk c 4 by default\n");
        store_close(store);
        store = open_store();
    }

    /* One takes the place of the other, with its paths, and each can be removed. */
    put_disk(store, "b", 3, 0);
    assert_int_equal(store_remove_disk_policy(store, "a"), 0);
    assert_int_equal(store_remove_disk_policy(store, "nobody"), 0);
    assert_disks(store, "disk b 4 by default\ndisk c 4 by default\n");
    assert_int_equal(count_rows("disk_policy_path"), 0);
    store_close(store);
}

static void test_default_policies_go_together(void **state)
{
    static const char *const gone[] = {"c", "a", "nobody", "b"};
    struct store *store = open_store();

    put_disk(store, "a", 0, 3);
    put_disk(store, "b", 3, 0);
    put_disk(store, "c", 3, 0);
    put_disk(store, "d", 3, 0);
    assert_int_equal(store_remove_default_policies(store, gone, ELEMENTSOF(gone)), 0);
    assert_disks(store, "disk a 1\n"
                        "  ffffffffffffffff 4294967295 preferred\n"
                        "  fffffffffffffffe 4294967294 primary\n"
                        "  fffffffffffffffd 4294967293\n"
                        "disk d 4 by default\n");
    store_close(store);
}

static const char *const intents[] = {"w2", "w1", "w3"};

static int print_wwid(const char *wwid, void *userdata)
{
    fprintf(userdata, "intent %s\n", wwid);
    return 0;
}

static void assert_intents(struct store *store, const char *wanted)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_int_equal(store_load_intents(store, print_wwid, out), 0);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, wanted);
    free(text);
}

static int print_offer(const char *wwid, void *userdata)
{
    fprintf(userdata, "offer %s\n", wwid);
    return 0;
}

/* NULL: none are known of that boot. */
static void assert_offers(struct store *store, const char *boot, const char *wanted)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    int r = store_load_offers(store, boot, print_offer, out);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(r, wanted ? 0 : -ENODATA);
    assert_string_equal(text, wanted ?: "");
    free(text);
}

static int change_offers(struct store *store)
{
    static const char *const withdrawn[] = {"w3", "w1"}, *const made[] = {"w4", "w1", "w2"};
    const struct store_disk_policy policy = {
        .wwid = (char *)"w4",
        .policy = DSM_LEAST_BLOCKS,
        .by_default = true,
    };
    const struct store_disk_policy *const taken[] = {&policy};

    return store_change_offers(store, &(struct store_offers){
                                          .withdrawn = withdrawn,
                                          .n_withdrawn = ELEMENTSOF(withdrawn),
                                          .made = made,
                                          .n_made = ELEMENTSOF(made),
                                          .taken = taken,
                                          .n_taken = ELEMENTSOF(taken),
                                      });
}

static int begin_offers(struct store *store)
{
    return store_begin_offers(store, "that boot", intents + 1, 1);
}

static void test_offers(void **state)
{
    struct store *store = open_store();

    assert_offers(store, "this boot", NULL);
    assert_int_equal(store_begin_offers(store, "this boot", intents, ELEMENTSOF(intents)), 0);
    assert_offers(store, "this boot", "offer w1\noffer w2\noffer w3\n");
    assert_int_equal(change_offers(store), 0);
    store_close(store);
    store = open_store();
    assert_offers(store, "this boot", "offer w1\noffer w2\noffer w4\n");
    assert_disks(store, "disk w4 6 by default\n");

    assert_int_equal(begin_offers(store), 0);
    assert_offers(store, "this boot", NULL);
    assert_offers(store, "that boot", "offer w1\n");
    store_close(store);
}

static int refuse_wwid(const char *wwid, void *userdata)
{
    ++*(int *)userdata;
    return -ENOMEM;
}

static void test_intents(void **state)
{
    struct store *store = open_store();
    int n = 0;

    assert_intents(store, "");
    assert_int_equal(store_remove_intents(store, intents, 2), 0);
    assert_int_equal(store_add_intents(store, intents, 2), 0);
    assert_int_equal(store_add_intents(store, intents, 3), 0);
    for (int round = 0; round < 2; round++) {
        assert_intents(store, "intent w1\nintent w2\nintent w3\n");
        store_close(store);
        store = open_store();
    }
    assert_int_equal(store_load_intents(store, refuse_wwid, &n), -ENOMEM);
    assert_int_equal(n, 1);
    assert_int_equal(store_remove_intents(store, intents, 2), 0);
    assert_intents(store, "intent w3\n");
    assert_int_equal(store_add_intents(store, intents, 1), 0);
    assert_int_equal(store_remove_all_intents(store), 0);
    assert_intents(store, "");
    store_close(store);
}

static void test_odd_words(void **state)
{
    _cleanup_(store_closep) struct store *store = open_store();
    static const char odd[] = "'; DROP TABLE policy; --\"%s\xc3\xa4 \n";
    char *value = NULL;

    put_policy(store, odd, 1, 3);
    put_policy(store, "", 2, 3);
    EXPECT(store, {"", 2, 3}, {odd, 1, 3});
    assert_int_equal(store_put_setting(store, odd, odd), 0);
    assert_int_equal(store_get_setting(store, odd, &value), 0);
    assert_string_equal(value, odd);
    free(value);
}

static void test_settings(void **state)
{
    struct store *store = open_store();
    char *value = NULL;

    assert_int_equal(store_put_setting(store, "a", "1"), 0);
    assert_int_equal(store_put_setting(store, "b", ""), 0);
    assert_int_equal(store_put_setting(store, "a", "2"), 0);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(store_get_setting(store, "a", &value), 0);
        assert_string_equal(value, "2");
        free(TAKE_PTR(value));
        assert_int_equal(store_get_setting(store, "b", &value), 0);
        assert_string_equal(value, "");
        free(TAKE_PTR(value));
        assert_int_equal(store_get_setting(store, "c", &value), -ENODATA);
        store_close(store);
        store = open_store();
    }
    store_close(store);
}

/* What fails meanwhile comes out; after it, and while nobody reads, there are changes as ever. */
static void test_reading(void **state)
{
    static const int results[] = {0, -EIO};
    struct store *store = open_store();
    char *value = NULL;

    assert_int_equal(store_put_setting(store, "a", "1"), 0);
    for (size_t i = 0; i < ELEMENTSOF(results); i++) {
        assert_int_equal(store_begin_reading(store), 0);
        assert_int_equal(store_get_setting(store, "a", &value), 0);
        assert_string_equal(value, "1");
        free(TAKE_PTR(value));
        assert_int_equal(store_end_reading(store, results[i]), results[i]);
        assert_int_equal(store_put_setting(store, "a", "2"), 0);
        store_close(store);
        store = open_store();
        assert_int_equal(store_get_setting(store, "a", &value), 0);
        assert_string_equal(value, "2");
        free(TAKE_PTR(value));
        assert_int_equal(store_put_setting(store, "a", "1"), 0);
    }
    store_close(store);
}

static const uint8_t guid_a[GUID_SIZE] = {0, 0x27, 0, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0};
static const uint8_t guid_b[GUID_SIZE] = {0};

static const struct store_record records[] = {
    {TARGET, "192.0.2.1", 3260, "default"},
    {TARGET, "192.0.2.2", 3260, "default"},
    {TARGET, "192.0.2.1", 3261, "default"},
    {TARGET, "192.0.2.1", 3260, "eth1"},
    {"iqn.2025-01.com.example:more", "192.0.2.1", 3260, "default"},
};

static void assert_guid(struct store *store, const char *initiator, const uint8_t wanted[GUID_SIZE])
{
    uint8_t guid[GUID_SIZE];
    assert_int_equal(store_get_guid(store, initiator, guid), 0);
    assert_memory_equal(guid, wanted, GUID_SIZE);
}

/* Which of the records have the tag; those that have not have none. */
static void assert_tags(struct store *store, const uint8_t wanted[GUID_SIZE], unsigned mask)
{
    for (size_t i = 0; i < ELEMENTSOF(records); i++) {
        uint8_t guid[GUID_SIZE];
        int r = store_get_tag(store, INITIATOR, &records[i], guid);
        assert_int_equal(r, mask & 1U << i ? 0 : -ENODATA);
        if (r == 0)
            assert_memory_equal(guid, wanted, GUID_SIZE);
    }
}

static void test_guid_and_tags(void **state)
{
    struct store *store = open_store();

    assert_int_equal(store_put_guid(store, INITIATOR, guid_a, records, 3, NULL), 0);
    assert_guid(store, INITIATOR, guid_a);
    assert_tags(store, guid_a, 0x07);
    store_close(store);
    store = open_store();
    assert_guid(store, INITIATOR, guid_a);
    assert_tags(store, guid_a, 0x07);

    /* Another GUID: its records and no others, those of old have no tag. */
    assert_int_equal(store_put_guid(store, INITIATOR, guid_b, records + 2, 3, NULL), 0);
    assert_guid(store, INITIATOR, guid_b);
    assert_tags(store, guid_b, 0x1c);
    assert_int_equal(store_put_guid(store, INITIATOR, guid_a, NULL, 0, NULL), 0);
    assert_guid(store, INITIATOR, guid_a);
    assert_tags(store, guid_a, 0);
    store_close(store);
}

static void test_adapters_are_apart(void **state)
{
    _cleanup_(store_closep) struct store *store = open_store();
    uint8_t guid[GUID_SIZE];

    assert_int_equal(store_put_guid(store, INITIATOR, guid_a, records, 5, NULL), 0);
    assert_int_equal(store_get_guid(store, "", guid), -ENODATA);
    assert_int_equal(store_put_guid(store, "", guid_b, records, 5, NULL), 0);
    assert_guid(store, INITIATOR, guid_a);
    assert_guid(store, "", guid_b);
    assert_tags(store, guid_a, 0x1f);
    assert_int_equal(store_get_tag(store, "", &records[0], guid), 0);
    assert_memory_equal(guid, guid_b, GUID_SIZE);
}

/* A record twice in the list (a session of a record that is there too) has one tag. */
static void test_record_twice(void **state)
{
    _cleanup_(store_closep) struct store *store = open_store();
    const struct store_record twice[] = {records[0], records[1], records[0]};

    assert_int_equal(store_put_guid(store, INITIATOR, guid_a, twice, 3, NULL), 0);
    assert_tags(store, guid_a, 0x03);
}

static const struct store_digest some_digests[] = {
    {0, "/nodes/a", "abc", 3},
    {1, "/ifaces/b", "\0x\0", 3},
    {2, "/send_targets/c", "z", 1},
};
static const struct store_digests digests_a = {some_digests, 2}, digests_b = {some_digests + 1, 2};
static const struct store_digests digests_none = {0};

static int print_digest(const struct store_digest *digest, void *userdata)
{
    fprintf(userdata, "digest %s %d", digest->path, digest->kind);
    for (size_t i = 0; i < digest->size; i++)
        fprintf(userdata, " %02x", ((const uint8_t *)digest->fields)[i]);
    fputc('\n', userdata);
    return 0;
}

static void assert_digests(struct store *store, const char *initiator, const char *wanted)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_int_equal(store_load_digests(store, initiator, print_digest, out),
                     wanted ? 0 : -ENODATA);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, wanted ?: "");
    free(text);
}

static int refuse_digest(const struct store_digest *digest, void *userdata)
{
    return -EUCLEAN;
}

static void test_digests(void **state)
{
    struct store *store = open_store();

    assert_digests(store, INITIATOR, NULL);
    assert_int_equal(store_put_guid(store, INITIATOR, guid_a, NULL, 0, NULL), 0);
    assert_digests(store, INITIATOR, NULL);
    assert_int_equal(store_put_guid(store, INITIATOR, guid_a, NULL, 0, &digests_none), 0);
    assert_digests(store, INITIATOR, "");
    assert_int_equal(store_put_guid(store, INITIATOR, guid_a, NULL, 0, &digests_a), 0);
    assert_int_equal(store_put_guid(store, "", guid_a, NULL, 0, &digests_b), 0);
    for (int round = 0; round < 2; round++) {
        assert_digests(store, INITIATOR,
                       "digest /ifaces/b 1 00 78 00\ndigest /nodes/a 0 61 62 63\n");
        assert_digests(store, "", "digest /ifaces/b 1 00 78 00\ndigest /send_targets/c 2 7a\n");
        store_close(store);
        store = open_store();
    }
    assert_int_equal(store_load_digests(store, "", refuse_digest, NULL), -EUCLEAN);
    assert_int_equal(store_put_guid(store, INITIATOR, guid_b, NULL, 0, NULL), 0);
    assert_digests(store, INITIATOR, NULL);
    store_close(store);
}

static void test_key(void **state)
{
    static const uint8_t zeros[32];
    struct store *store = open_store();
    uint8_t first[32] = {0}, again[32] = {0};

    assert_int_equal(store_get_key(store, first, sizeof(first)), 0);
    assert_memory_not_equal(first, zeros, sizeof(first));
    for (int round = 0; round < 2; round++) {
        assert_int_equal(store_get_key(store, again, sizeof(again)), 0);
        assert_memory_equal(again, first, sizeof(first));
        store_close(store);
        store = open_store();
    }
    store_close(store);
    unlink(path);
    store = open_store();
    assert_int_equal(store_get_key(store, again, sizeof(again)), 0);
    assert_memory_not_equal(again, first, sizeof(first));
    store_close(store);
}

static void print_guid(FILE *out, const uint8_t guid[GUID_SIZE])
{
    char text[GUID_TEXT_SIZE];
    guid_format(guid, text);
    fprintf(out, " %s\n", text);
}

static void print_policies(FILE *out, struct store *store)
{
    struct store_policy **policies = NULL;
    size_t n = 0;

    assert_int_equal(store_load_policies(store, &policies, &n), 0);
    for (size_t i = 0; i < n; i++) {
        const struct store_policy *policy = policies[i];
        fprintf(out, "policy %s %s %d %d\n", policy->initiator, policy->target, (int)policy->policy,
                policy->highest_first);
        for (size_t k = 0; k < policy->n_paths; k++)
            fprintf(out, "  path %zx %s\n", (size_t)policy->paths[k].connection_id,
                    policy->paths[k].address);
        store_policy_free(policies[i]);
    }
    free(policies);
}

/* All that is in a store, as text. */
static char *content(struct store *store)
{
    char *text = NULL, *value = NULL;
    size_t size = 0;
    uint8_t guid[GUID_SIZE];
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    print_policies(out, store);
    print_disks(out, store);
    (void)store_load_intents(store, print_wwid, out);
    (void)store_load_offers(store, "this boot", print_offer, out);
    (void)store_load_offers(store, "that boot", print_offer, out);
    if (store_get_guid(store, INITIATOR, guid) == 0) {
        fprintf(out, "guid");
        print_guid(out, guid);
    }
    for (size_t i = 0; i < ELEMENTSOF(records); i++)
        if (store_get_tag(store, INITIATOR, &records[i], guid) == 0) {
            fprintf(out, "tag %zu", i);
            print_guid(out, guid);
        }
    (void)store_load_digests(store, INITIATOR, print_digest, out);
    if (store_get_setting(store, "order", &value) == 0)
        fprintf(out, "order %s\n", value);
    free(value);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* What the first version had a place for. */
static void put_first_content(struct store *store)
{
    put_policy(store, "a", 1, 4);
    put_policy(store, "b", 2, 4);
    assert_int_equal(store_put_guid(store, INITIATOR, guid_a, records, 2, NULL), 0);
    assert_int_equal(store_put_setting(store, "order", "old"), 0);
}

static void put_content(struct store *store)
{
    put_first_content(store);
    assert_int_equal(store_put_guid(store, INITIATOR, guid_a, records, 2, &digests_a), 0);
    put_disk(store, "d", 1, 4);
    put_disk(store, "e", 1, 0);
    assert_int_equal(store_add_intents(store, intents, 1), 0);
    assert_int_equal(store_begin_offers(store, "this boot", intents, ELEMENTSOF(intents)), 0);
}

static int change_policy(struct store *store)
{
    _cleanup_(store_policy_freep) struct store_policy *policy = make_policy("a", 3, 300);
    return store_put_policy(store, policy);
}

static int change_remove(struct store *store)
{
    return store_remove_policy(store, INITIATOR, "a");
}

static int change_guid(struct store *store)
{
    return store_put_guid(store, INITIATOR, guid_b, records + 1, 4, &digests_b);
}

static int change_disk(struct store *store)
{
    struct store_disk_path own = {.id = 5};
    const struct store_disk_policy policy = {
        .wwid = (char *)"d",
        .policy = DSM_LEAST_BLOCKS,
        .paths = &own,
        .n_paths = 1,
    };
    return store_put_disk_policy(store, &policy);
}

static int change_remove_disk(struct store *store)
{
    return store_remove_disk_policy(store, "d");
}

static int change_setting(struct store *store)
{
    return store_put_setting(store, "order", "new");
}

static int change_note(struct store *store)
{
    return store_add_intents(store, intents, ELEMENTSOF(intents));
}

static int change_forget(struct store *store)
{
    return store_remove_intents(store, intents, ELEMENTSOF(intents));
}

static int change_default_policies(struct store *store)
{
    static const char *const gone[] = {"d", "e"};
    return store_remove_default_policies(store, gone, ELEMENTSOF(gone));
}

typedef int (*change_t)(struct store *store);
static const change_t changes[] = {
    change_policy,           change_remove, change_guid,   change_setting, change_disk,
    change_remove_disk,      change_note,   change_forget, change_offers,  begin_offers,
    change_default_policies,
};

/* A store with content, and what it has before and after a change that works. */
struct trial {
    struct store *store;
    char *before, *after;
};

static void trial_done(struct trial *trial)
{
    store_close(trial->store);
    free(trial->before);
    free(trial->after);
}

static struct trial make_trial(change_t change)
{
    struct trial trial = {0};

    setup(NULL);
    trial.store = open_store();
    put_content(trial.store);
    assert_int_equal(change(trial.store), 0);
    trial.after = content(trial.store);
    store_close(trial.store);

    setup(NULL);
    trial.store = open_store();
    put_content(trial.store);
    trial.before = content(trial.store);
    assert_string_not_equal(trial.before, trial.after);
    return trial;
}

/* In this store, and in one that opens the file anew. */
static void assert_content(struct store *store, const char *wanted)
{
    _cleanup_free_ char *now = content(store);
    _cleanup_(store_closep) struct store *other = open_store();
    _cleanup_free_ char *anew = content(other);

    assert_string_equal(now, wanted);
    assert_string_equal(anew, wanted);
}

/* Fails from one operation on, or just there. Whether it was reached at all. */
static bool fail_at(change_t change, long at, int error, bool only_once, int wanted)
{
    _cleanup_(trial_done) struct trial trial = make_trial(change);

    set_fault(at, error);
    fault.only_once = only_once;
    int r = change(trial.store);
    bool reached = fault.countdown <= 0;
    clear_fault();

    if (!reached)
        assert_int_equal(r, 0);
    if (r < 0 && r != -EIO) /* what deleting a journal gets */
        assert_int_equal(r, wanted);
    assert_content(trial.store, r < 0 ? trial.before : trial.after);

    /* A fault that has passed leaves a store that works. */
    if (r < 0) {
        assert_int_equal(change(trial.store), 0);
        assert_content(trial.store, trial.after);
    }
    return reached;
}

static void fail_everywhere(int error, int wanted)
{
    for (size_t i = 0; i < ELEMENTSOF(changes); i++)
        for (int only_once = 0; only_once <= 1; only_once++) {
            long n = 0;
            while (fail_at(changes[i], n, error, only_once, wanted))
                n++;
            assert_true(n >= 4); /* a journal, a page, their syncs */
        }
}

static void test_disk_full(void **state)
{
    fail_everywhere(SQLITE_FULL, -ENOSPC);
}

static void test_disk_fails(void **state)
{
    fail_everywhere(SQLITE_IOERR_WRITE, -EIO);
}

static void test_read_only(void **state)
{
    _cleanup_(trial_done) struct trial trial = make_trial(change_guid);

    set_fault(0, SQLITE_READONLY);
    for (size_t i = 0; i < ELEMENTSOF(changes); i++)
        assert_int_equal(changes[i](trial.store), -EROFS);
    clear_fault();
    assert_content(trial.store, trial.before);
}

static void test_read_only_file(void **state)
{
    if (geteuid() == 0)
        skip(); /* whom a file's mode does not bind */

    _cleanup_(trial_done) struct trial trial = make_trial(change_guid);
    store_close(TAKE_PTR(trial.store));
    assert_int_equal(chmod(path, 0400), 0);
    trial.store = open_store();
    for (size_t i = 0; i < ELEMENTSOF(changes); i++)
        assert_int_equal(changes[i](trial.store), -EROFS);
    assert_content(trial.store, trial.before);
}

/* The kernel's own refusal, at each size that a file can have. */
static void test_file_size_limit(void **state)
{
    struct rlimit limit;
    bool worked = false;
    unsigned n_failed = 0;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t size = 0; !worked; size += 1024) {
        _cleanup_(trial_done) struct trial trial = make_trial(change_policy);
        struct rlimit lower = {.rlim_cur = size, .rlim_max = limit.rlim_max};

        assert_int_equal(setrlimit(RLIMIT_FSIZE, &lower), 0);
        int r = change_policy(trial.store);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        worked = r >= 0;
        if (!worked)
            assert_int_equal(r, -EIO);
        n_failed += !worked;
        assert_content(trial.store, worked ? trial.after : trial.before);
    }
    signal(SIGXFSZ, SIG_DFL);
    assert_true(n_failed > 10);
}

/* Makes a change in a process that dies at an operation. False: it got to its end. */
static bool die_at(change_t change, long at)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct store *store = NULL;
        char *message = NULL;
        if (!change)
            set_fault(at, DIES);
        if (store_open(path, &store, &message) < 0)
            _exit(1);
        if (change)
            set_fault(at, DIES);
        _exit(!change || change(store) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 42);
    return WEXITSTATUS(status) != 0;
}

static void test_process_dies(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
        bool died = true;
        long at = 0;
        for (; died; at++) {
            _cleanup_(trial_done) struct trial trial = make_trial(changes[i]);
            store_close(TAKE_PTR(trial.store));
            died = die_at(changes[i], at);

            trial.store = open_store();
            _cleanup_free_ char *now = content(trial.store);
            if (!died || strcmp(now, trial.before) != 0)
                assert_string_equal(now, trial.after);
            assert_content(trial.store, now);
        }
        assert_true(at > 4);
    }
}

static void test_process_dies_at_its_first_start(void **state)
{
    long at = 0;

    for (bool died = true; died; at++) {
        setup(NULL);
        died = die_at(NULL, at);
        _cleanup_(store_closep) struct store *store = open_store();
        assert_policies(store, NULL, 0);
        assert_int_equal(change_guid(store), 0);
    }
    assert_true(at > 4);
}

static void assert_open_fails(int wanted, const char *words)
{
    struct store *store = NULL;
    char *message = NULL;

    assert_int_equal(store_open(path, &store, &message), wanted);
    assert_null(store);
    assert_non_null(message);
    assert_non_null(strstr(message, path));
    assert_non_null(strstr(message, words));
    free(message);
}

static void test_first_start_on_a_full_disk(void **state)
{
    set_fault(0, SQLITE_FULL);
    assert_open_fails(-ENOSPC, "No space left");
    clear_fault();
    _cleanup_(store_closep) struct store *store = open_store();
    assert_policies(store, NULL, 0);
}

static void test_not_ours(void **state)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "something else altogether\n");
    fclose(file);
    assert_open_fails(-EUCLEAN, "corrupt or not ours");
}

static void set_version(sqlite3 *db, int version)
{
    char text[64];
    snprintf(text, sizeof(text), "PRAGMA user_version = %d", version);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
}

static void test_newer(void **state)
{
    sqlite3 *db = NULL;
    char words[64];

    store_close(open_store());
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    set_version(db, schema_version() + 1);
    sqlite3_close(db);
    snprintf(words, sizeof(words), "schema version %d", schema_version() + 1);
    assert_open_fails(-EPROTONOSUPPORT, words);
}

static int run_row(void *db, int n, char **values, char **names)
{
    return sqlite3_exec(db, values[0], NULL, NULL, NULL);
}

/* Makes of the store what an older version had of it: what its tables have a place for. */
static void make_version(int version)
{
    static const char copy_tables[] =
        "SELECT 'INSERT INTO main.' || t.name || ' (' || group_concat(c.name) || ') SELECT '"
        " || group_concat(c.name) || ' FROM newer.' || t.name"
        " FROM main.sqlite_master t, pragma_table_info(t.name) c"
        " WHERE t.name NOT LIKE 'sqlite_%' GROUP BY t.name";
    char newer[sizeof(path) + 8], attach[sizeof(newer) + 32];
    sqlite3 *db = NULL;

    snprintf(newer, sizeof(newer), "%s-newer", path);
    snprintf(attach, sizeof(attach), "ATTACH '%s' AS newer", newer);
    assert_int_equal(rename(path, newer), 0);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(schema_upgrade(db, 0, version), 0);
    assert_int_equal(sqlite3_exec(db, attach, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, copy_tables, run_row, db, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(unlink(newer), 0);
}

static void test_older(void **state)
{
    for (int version = 1; version < schema_version(); version++) {
        setup(NULL);
        struct store *store = open_store();
        put_first_content(store);
        char *before = content(store);
        store_close(store);
        make_version(version);

        store = open_store();
        assert_content(store, before);
        assert_digests(store, INITIATOR, NULL);
        assert_int_equal(store_put_guid(store, INITIATOR, guid_b, records, 2, &digests_a), 0);
        put_disk(store, "d", 2, 0);
        assert_int_equal(store_add_intents(store, intents, 1), 0);
        for (int round = 0; round < 2; round++) {
            assert_digests(store, INITIATOR,
                           "digest /ifaces/b 1 00 78 00\ndigest /nodes/a 0 61 62 63\n");
            assert_disks(store, "disk d 3 by default\n");
            assert_intents(store, "intent w2\n");
            store_close(store);
            store = open_store();
        }
        store_close(store);
        free(before);
    }
}

/* Whatever step of the upgrade fails, the next start does it again. */
static void test_older_with_faults(void **state)
{
    for (long at = 0, n_failed = 1; n_failed > 0; at++) {
        setup(NULL);
        struct store *store = open_store();
        put_first_content(store);
        char *before = content(store), *message = NULL;
        store_close(store);
        make_version(1);

        set_fault(at, SQLITE_FULL);
        n_failed = store_open(path, &store, &message) < 0;
        clear_fault();
        free(message);
        if (n_failed)
            store = open_store();
        assert_content(store, before);
        store_close(store);
        free(before);
        assert_true(n_failed || at > 3);
    }
}

static void test_no_directory(void **state)
{
    struct store *store = NULL;
    char *message = NULL;

    assert_int_equal(store_open("/nonexistent/state.db", &store, &message), -EACCES);
    assert_null(store);
    assert_non_null(strstr(message, "/nonexistent/state.db"));
    free(message);
}

/* Somebody looks into the file with another program, and holds it: not for ever waited for. */
static void test_busy(void **state)
{
    _cleanup_(trial_done) struct trial trial = make_trial(change_setting);
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(change_guid(trial.store), -EBUSY);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_content(trial.store, trial.before);
    assert_int_equal(change_setting(trial.store), 0);
    assert_content(trial.store, trial.after);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    static const struct CMUnitTest tests[] = {
        TEST(test_new_store_is_empty),
        TEST(test_policies_round_trip),
        TEST(test_replace),
        TEST(test_serials_grow),
        TEST(test_remove),
        TEST(test_odd_words),
        TEST(test_disk_policies),
        TEST(test_default_policies_go_together),
        TEST(test_intents),
        TEST(test_offers),
        TEST(test_settings),
        TEST(test_reading),
        TEST(test_guid_and_tags),
        TEST(test_adapters_are_apart),
        TEST(test_record_twice),
        TEST(test_digests),
        TEST(test_key),
        TEST(test_disk_full),
        TEST(test_disk_fails),
        TEST(test_read_only),
        TEST(test_read_only_file),
        TEST(test_file_size_limit),
        TEST(test_process_dies),
        TEST(test_process_dies_at_its_first_start),
        TEST(test_first_start_on_a_full_disk),
        TEST(test_not_ours),
        TEST(test_newer),
        TEST(test_older),
        TEST(test_older_with_faults),
        TEST(test_no_directory),
        TEST(test_busy),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
