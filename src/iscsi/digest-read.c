/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/macros.h"
#include "iscsi/digest-read.h"
#include "iscsi/record-lock.h"

/* For who writes a record before taking the lock, as iscsiadm does with ifaces. */
#define UNFINISHED_TRIES 10U
#define UNFINISHED_WAIT_USEC 50000U

#define WATCH_MASK                                                                                 \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR)

struct reader {
    struct digester *digester;
    int watch_fd;
    struct digest_set set;
    bool unfinished;
};

DEFINE_CLEANUP(struct digester *, digester_free);
DEFINE_CLEANUP(DIR *, closedir);

void record_places(struct record_places *ret)
{
    const char *root = getenv("ISCSI_WMI_RECORDS");

    if (!root || !root[0]) {
        *ret = (struct record_places){{"/etc/iscsi", "/var/lib/iscsi"}, RECORD_LOCK};
        return;
    }
    *ret = (struct record_places){.roots = {root}};
    snprintf(ret->lock_directory, sizeof(ret->lock_directory), "%s/lock", root);
}

/* --- Directories ------------------------------------------------------------------------------ */

static void watch(struct reader *reader, const char *directory)
{
    if (reader->watch_fd >= 0 && inotify_add_watch(reader->watch_fd, directory, WATCH_MASK) < 0 &&
        errno != ENOENT && errno != ENOTDIR)
        reader->set.unwatched = true;
}

typedef int (*entry_func_t)(struct reader *reader, const char *path, const char *name, mode_t type);

static int visit(struct reader *reader, DIR *dir, const char *directory, const char *name,
                 entry_func_t func)
{
    _cleanup_free_ char *path = NULL;
    struct stat st;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    return func(reader, path, name, st.st_mode & S_IFMT);
}

/* Watches a directory and calls func for what is in it; one that is not there is empty. */
static int for_each_entry(struct reader *reader, const char *directory, entry_func_t func)
{
    watch(reader, directory);
    _cleanup_(closedirp) DIR *dir = opendir(directory);
    if (!dir)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;

    struct dirent *entry;
    int r = 0;
    while (r >= 0 && (entry = readdir(dir)))
        r = visit(reader, dir, directory, entry->d_name, func);
    return r;
}

/* --- Records ---------------------------------------------------------------------------------- */

static int read_record(struct reader *reader, enum record_kind kind, const char *path)
{
    _cleanup_(record_digest_clear) struct record_digest record = {0};
    bool whole;

    if (reader->set.n == DIGEST_RECORDS_MAX) {
        reader->set.too_many = true;
        return 0;
    }
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    if (!file)
        return errno == ENOENT ? 0 : -errno;
    int r = digest_record(reader->digester, kind, path, file, &record, &whole);
    if (r < 0)
        return r;
    reader->unfinished = reader->unfinished || !whole;
    if (record.size == 0)
        return 0;
    r = digest_set_append(&reader->set, &record);
    if (r >= 0)
        record = (struct record_digest){0};
    return r;
}

static int on_node(struct reader *reader, const char *path, const char *name, mode_t type)
{
    return type == S_IFREG ? read_record(reader, RECORD_NODE, path) : 0;
}

static int on_portal(struct reader *reader, const char *path, const char *name, mode_t type)
{
    if (!strchr(name, ','))
        return 0;
    return type == S_IFDIR ? for_each_entry(reader, path, on_node)
                           : on_node(reader, path, name, type);
}

static int on_target(struct reader *reader, const char *path, const char *name, mode_t type)
{
    return type == S_IFDIR ? for_each_entry(reader, path, on_portal) : 0;
}

static int on_iface(struct reader *reader, const char *path, const char *name, mode_t type)
{
    return type == S_IFREG ? read_record(reader, RECORD_IFACE, path) : 0;
}

/* What else is there are links to the nodes that were found. */
static int on_discovery(struct reader *reader, const char *path, const char *name, mode_t type)
{
    bool is_config = strcmp(name, "st_config") == 0 || strcmp(name, "isns_config") == 0;

    return type == S_IFREG && is_config ? read_record(reader, RECORD_DISCOVERY, path) : 0;
}

static int on_server(struct reader *reader, const char *path, const char *name, mode_t type)
{
    if (type == S_IFREG)
        return read_record(reader, RECORD_DISCOVERY, path);
    return type == S_IFDIR ? for_each_entry(reader, path, on_discovery) : 0;
}

static const struct {
    const char *name;
    entry_func_t func;
} directories[] = {
    {"nodes", on_target},
    {"ifaces", on_iface},
    {"send_targets", on_server},
    {"isns", on_server},
};

/* A root that is moved leaves a link behind, at times: what is the same must not be read twice. */
static bool digest_read_is_same(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int digest_read_directory(struct reader *reader, const struct record_places *places,
                                 size_t root, size_t index)
{
    char path[4096], first[4096];

    snprintf(path, sizeof(path), "%s/%s", places->roots[root], directories[index].name);
    snprintf(first, sizeof(first), "%s/%s", places->roots[0], directories[index].name);
    if (root > 0 && digest_read_is_same(first, path))
        return 0;
    return for_each_entry(reader, path, directories[index].func);
}

static int read_all(struct reader *reader, const struct record_places *places)
{
    int r = 0;

    digest_set_clear(&reader->set);
    reader->unfinished = false;
    for (size_t root = 0; root < RECORD_ROOTS && places->roots[root]; root++) {
        watch(reader, places->roots[root]);
        for (size_t i = 0; i < ELEMENTSOF(directories) && r >= 0; i++)
            r = digest_read_directory(reader, places, root, i);
    }
    return r;
}

static int read_locked(struct reader *reader, const struct record_places *places)
{
    _cleanup_close_ int lock = record_lock_open(places->lock_directory);
    if (lock < 0)
        return lock;
    int r = record_lock_take(lock);
    if (r < 0)
        return r;
    r = read_all(reader, places);
    record_lock_release(lock);
    return r;
}

static bool has_root(const struct record_places *places)
{
    for (size_t i = 0; i < RECORD_ROOTS; i++)
        if (places->roots[i] && access(places->roots[i], F_OK) == 0)
            return true;
    return false;
}

int digests_read(int watch_fd, const uint8_t key[DIGEST_KEY_SIZE], struct digest_set *ret)
{
    _cleanup_(digester_freep) struct digester *digester = NULL;
    struct record_places places;
    int r = digester_new(key, &digester);
    if (r < 0)
        return r;
    struct reader reader = {.digester = digester, .watch_fd = watch_fd};

    record_places(&places);
    if (has_root(&places))
        r = read_locked(&reader, &places);
    for (unsigned i = 1; i < UNFINISHED_TRIES && r >= 0 && reader.unfinished; i++) {
        usleep(UNFINISHED_WAIT_USEC);
        r = read_locked(&reader, &places);
    }
    if (r < 0) {
        digest_set_clear(&reader.set);
        return r;
    }
    digest_set_sort(&reader.set);
    *ret = reader.set;
    return 0;
}
