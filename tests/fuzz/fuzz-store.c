/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The state's file: a whole one, or, where the input does not begin as one, a file of the store's
 * own making with some of its bytes changed (for each, two bytes of offset and the new byte). What
 * the store opens, it can read, and what it gives out is what it could have written.
 */

#include <errno.h>
#include <fcntl.h>

#include "fuzz.h"
#include "store/store.h"

#define MAGIC "SQLite format 3"
#define SEED_MAX 65536U
#define INITIATOR "iqn.2024-01.org.example:host"
#define TARGET "iqn.2024-01.org.example:disks"

static char directory[] = "/tmp/fuzz-store-XXXXXX";
static char path[sizeof(directory) + 16];
static uint8_t seed[SEED_MAX];
static size_t seed_size;

static void storep(struct store **store)
{
    store_close(*store);
}

/* --- The store's own file --------------------------------------------------------------------- */

static void put_policies(struct store *store)
{
    struct store_path paths[] = {
        {.connection_id = 1,
         .iface = (char *)"default",
         .address = (char *)"10.0.0.1",
         .port = 3260,
         .weight = 7,
         .primary = true},
        {.connection_id = 2, .iface = (char *)"eth1", .address = (char *)"fe80::1", .port = 860},
    };
    struct store_policy policy = {
        .initiator = (char *)INITIATOR,
        .target = (char *)TARGET,
        .policy = LB_WEIGHTED_PATHS,
        .paths = paths,
        .n_paths = ELEMENTSOF(paths),
    };
    struct store_disk_path disk_paths[] = {{.id = 3, .primary = true, .preferred = true}};
    const struct store_disk_policy disk = {
        .wwid = (char *)"36001405aaaa",
        .policy = DSM_FAILOVER,
        .paths = disk_paths,
        .n_paths = ELEMENTSOF(disk_paths),
    };

    CHECK(store_put_policy(store, &policy) == 0);
    CHECK(store_put_disk_policy(store, &disk) == 0);
    CHECK(store_add_intents(store, (const char *const[]){"36001405bbbb"}, 1) == 0);
}

static void make_seed(void)
{
    static const uint8_t guid[GUID_SIZE] = {1, 2, 3};
    static const struct store_record record = {TARGET, "10.0.0.1", 3260, "default"};
    static const struct store_digest digest = {0, "/etc/iscsi/ifaces/eth1",
                                               "node.name\0"
                                               "0123456789abcdef",
                                               26};
    static const struct store_digests digests = {&digest, 1};
    _cleanup_(storep) struct store *store = NULL;
    char *message = NULL;

    CHECK(store_open(path, &store, &message) == 0);
    put_policies(store);
    CHECK(store_put_guid(store, INITIATOR, guid, &record, 1, &digests) == 0);
    CHECK(store_put_setting(store, "path-weight-order", "highest-first") == 0);
}

static void remove_files(void)
{
    char journal[sizeof(path) + 16];

    snprintf(journal, sizeof(journal), "%s-journal", path);
    (void)unlink(journal);
    (void)unlink(path);
}

static void end(void)
{
    remove_files();
    (void)rmdir(directory);
}

/* Once: SQLite's errors are expected here, and nobody's power fails. */
static void begin(void)
{
    FILE *file;

    if (path[0])
        return;
    CHECK(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/state", directory);
    CHECK(atexit(end) == 0);
    make_seed();
    file = fopen(path, "re");
    CHECK(file);
    seed_size = fread(seed, 1, sizeof(seed), file);
    CHECK(seed_size > 0 && feof(file));
    fclose(file);
}

/* --- One file --------------------------------------------------------------------------------- */

static void write_file(const void *data, size_t size)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    CHECK(write(fd, data, size) == (ssize_t)size);
}

static void write_input(const uint8_t *data, size_t size)
{
    _cleanup_free_ uint8_t *copy = NULL;

    remove_files();
    if (size >= sizeof(MAGIC) && memcmp(data, MAGIC, sizeof(MAGIC)) == 0) {
        write_file(data, size);
        return;
    }
    copy = malloc(seed_size);
    CHECK(copy);
    memcpy(copy, seed, seed_size);
    for (size_t i = 0; i + 2 < size; i += 3)
        copy[(data[i] << 8 | data[i + 1]) % seed_size] = data[i + 2];
    write_file(copy, seed_size);
}

static void check_policies(struct store *store)
{
    struct store_policy **policies = NULL;
    size_t n = 0;

    if (store_load_policies(store, &policies, &n) < 0) {
        CHECK(!policies && n == 0);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        CHECK(policies[i]->policy >= LB_FAILOVER && policies[i]->policy <= LB_WEIGHTED_PATHS);
        for (size_t k = 0; k < policies[i]->n_paths; k++)
            CHECK(policies[i]->paths[k].iface && policies[i]->paths[k].address);
        store_policy_free(policies[i]);
    }
    free(policies);
}

static void check_disk_policies(struct store *store)
{
    struct store_disk_policy **policies = NULL;
    size_t n = 0;

    if (store_load_disk_policies(store, &policies, &n) < 0) {
        CHECK(!policies && n == 0);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        CHECK(policies[i]->policy >= DSM_FAILOVER && policies[i]->policy <= DSM_LEAST_BLOCKS);
        CHECK(policies[i]->wwid);
        store_disk_policy_free(policies[i]);
    }
    free(policies);
}

static int on_wwid(const char *wwid, void *userdata)
{
    CHECK(wwid);
    return 0;
}

static int on_digest(const struct store_digest *digest, void *userdata)
{
    CHECK(digest->path && (digest->size == 0 || digest->fields));
    return 0;
}

static void check_rest(struct store *store)
{
    static const struct store_record record = {TARGET, "10.0.0.1", 3260, "default"};
    _cleanup_free_ char *order = NULL;
    uint8_t guid[GUID_SIZE], key[32];

    (void)store_get_guid(store, INITIATOR, guid);
    (void)store_get_tag(store, INITIATOR, &record, guid);
    (void)store_load_intents(store, on_wwid, NULL);
    (void)store_load_digests(store, INITIATOR, on_digest, NULL);
    CHECK((store_get_setting(store, "path-weight-order", &order) < 0) == !order);
    (void)store_get_key(store, key, sizeof(key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(storep) struct store *store = NULL;
    _cleanup_free_ char *message = NULL;
    int r;

    begin();
    if (size > SEED_MAX)
        return 0;
    write_input(data, size);
    r = store_open(path, &store, &message);
    if (r < 0) {
        CHECK(!store && message);
        return 0;
    }
    check_policies(store);
    check_disk_policies(store);
    check_rest(store);
    return 0;
}
