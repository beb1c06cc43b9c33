/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A host that was made up, for the real service and its real libraries: to be preloaded. What they
 * look for in sysfs, in open-iscsi's directories and in /run, they find below $FAKE_HOST, where
 * host.py has put it; so it needs no root, no mount and no kernel module. device-mapper is a file
 * of maps there, udev a socket. Each call costs the same system calls as on a real host.
 *
 * Behind the maps, that file has what tests ask for: calls that fail or wait, and kernel modules
 * that are not there. device_mapper.py has both as methods. Then comes the lock of the maps, by
 * which each call is one step for all others, as the kernel's are.
 */

/* Both forms of each call are defined here. */
#undef _FILE_OFFSET_BITS

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/dm-ioctl.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAPS_MAX 1024
#define CONTROL "/dev/mapper/control"
#define CONTROL_DEV makedev(10, 236) /* as in host.py's /proc/misc */
#define MPATHD_PATH "/run/multipathd.socket"
#define MPATHD_ABSTRACT "/org/kernel/linux/storage/multipathd"

/* One map, as device_mapper.py knows it too. A slot whose major number is 0 is free. */
struct fake_map {
    uint32_t major, minor;
    uint64_t sectors;
    uint32_t suspended, event_nr;
    char name[128];
    char uuid[136];
    char failed[256]; /* paths, each with a blank before and after it */
    char table[7920];
    char inactive[7920];
};
_Static_assert(sizeof(struct fake_map) == 16384, "device_mapper.py counts on it");

#define FAULTS_MAX 16
#define ANY_MAP UINT32_MAX

/*
 * Of the calls of this name for this map, by all processes, the first `skip` pass; the next `count`
 * wait until the time is over or the fault is taken away, and then fail where there is an error.
 * One without a name is free.
 */
struct fake_fault {
    char call[16]; /* of call_name(), or "sync", "fork" or "watch" */
    uint32_t map;  /* its minor number */
    uint32_t skip, count, error, milliseconds;
    uint32_t in_child; /* not those that the service makes itself */
    uint32_t seen;     /* such calls until now, ... */
    uint32_t waiting;  /* ... and those that wait */
};

struct fake_controls {
    struct fake_fault faults[FAULTS_MAX];
    char absent[256]; /* modules, each with a blank before and after it */
};
_Static_assert(sizeof(struct fake_controls) == 1024, "device_mapper.py counts on it");

struct fake_device_mapper {
    struct fake_map maps[MAPS_MAX];
    struct fake_controls controls;
    pthread_mutex_t lock; /* device_mapper.py makes it: shared, and not lost with who dies */
};

static const char *root;
static struct fake_map *maps;
static struct fake_controls *controls;
static pthread_mutex_t *lock;
static pid_t service;

/* The sockets that hear of devices: the kernel's own group, and udev's, as netlink numbers them. */
#define GROUPS 2
static int group_fds[GROUPS] = {-1, -1};
static const char *const group_names[GROUPS] = {"/kernel-events", "/uevents"};
static int unbound_fd = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void)
{
    char path[PATH_MAX];

    root = getenv("FAKE_HOST");
    snprintf(path, sizeof(path), "%s" CONTROL, root ?: "");
    int fd = root ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    struct fake_device_mapper *all = MAP_FAILED;
    if (fd >= 0)
        all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (all == MAP_FAILED) {
        fprintf(stderr, "FAKE_HOST: %s: %s\n", path, strerror(errno));
        _exit(127);
    }
    close(fd);
    maps = all->maps;
    controls = &all->controls;
    lock = &all->lock;
    service = getpid();
}

/* --- Faults --------------------------------------------------------------------------------- */

static bool is_fault_of(const struct fake_fault *fault, const char *call, uint32_t map)
{
    return strncmp(fault->call, call, sizeof(fault->call)) == 0 &&
           (fault->map == ANY_MAP || fault->map == map) &&
           (!fault->in_child || getpid() != service);
}

static void wait_for_end(const volatile struct fake_fault *fault)
{
    const struct timespec millisecond = {.tv_nsec = 1000000};

    for (uint32_t i = 0; i < fault->milliseconds && fault->call[0]; i++)
        nanosleep(&millisecond, NULL);
}

/* The errno that this call is to fail with, 0: none. */
static int fault(const char *call, uint32_t map)
{
    int error = 0;

    for (size_t i = 0; i < FAULTS_MAX; i++) {
        struct fake_fault *each = &controls->faults[i];
        if (!is_fault_of(each, call, map))
            continue;
        uint32_t seen = __atomic_add_fetch(&each->seen, 1, __ATOMIC_ACQ_REL);
        if (seen <= each->skip || seen - each->skip > each->count)
            continue;
        __atomic_add_fetch(&each->waiting, 1, __ATOMIC_ACQ_REL);
        wait_for_end(each);
        error = (int)each->error;
        if (each->call[0])
            __atomic_sub_fetch(&each->waiting, 1, __ATOMIC_ACQ_REL);
    }
    return error;
}

static bool fails(const char *call)
{
    int error = fault(call, ANY_MAP);

    if (error > 0)
        errno = error;
    return error > 0;
}

int fsync(int fd)
{
    return fails("sync") ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return fails("sync") ? -1 : (int)syscall(SYS_fdatasync, fd);
}

pid_t fork(void)
{
    static __typeof__(&fork) real;

    real = real ?: REAL(fork);
    return fails("fork") ? -1 : real();
}

int inotify_init1(int flags)
{
    return fails("watch") ? -1 : (int)syscall(SYS_inotify_init1, flags);
}

/* --- Paths ---------------------------------------------------------------------------------- */

/* What is watched for a directory that has yet to come. */
static bool is_parent(const char *path)
{
    return strcmp(path, "/etc") == 0 || strcmp(path, "/var/lib") == 0;
}

static const char *redirect(const char *path, char buffer[PATH_MAX])
{
    static const char *const moved[] = {"/sys/",          "/run/",          "/etc/iscsi",
                                        "/var/lib/iscsi", "/etc/multipath", "/dev/mapper",
                                        "/proc/misc",     "/proc/devices"};

    for (size_t i = 0; path && i < sizeof(moved) / sizeof(moved[0]); i++)
        if (strncmp(path, moved[i], strlen(moved[i])) == 0 || is_parent(path)) {
            snprintf(buffer, PATH_MAX, "%s%s", root, path);
            return buffer;
        }
    return path;
}

static void move_back(char *path)
{
    size_t n = strlen(root);

    if (strncmp(path, root, n) == 0)
        memmove(path, path + n, strlen(path + n) + 1);
}

/* A device's file for synthetic uevents that is open for writing, and the device. */
static int uevent_fd = -1;
static char uevent_device[PATH_MAX];

static void note_uevent_file(int fd, const char *path)
{
    const char *name = strrchr(path, '/');

    if (fd >= 0 && name && strcmp(name, "/uevent") == 0) {
        uevent_fd = fd;
        snprintf(uevent_device, sizeof(uevent_device), "%.*s", (int)(name - path), path);
    }
}

int open64(const char *path, int flags, ...);
int open64(const char *path, int flags, ...)
{
    char buffer[PATH_MAX];
    va_list ap;

    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, redirect(path, buffer), flags, mode);
    if ((flags & O_ACCMODE) == O_WRONLY)
        note_uevent_file(fd, path);
    return fd;
}

int open(const char *path, int flags, ...) __attribute__((alias("open64")));

/* open() of a library that is built with _FORTIFY_SOURCE, where the flags are no constant. */
int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
    return open64(path, flags);
}

int openat64(int dir, const char *path, int flags, ...);
int openat64(int dir, const char *path, int flags, ...)
{
    char buffer[PATH_MAX];
    va_list ap;

    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return (int)syscall(SYS_openat, dir, redirect(path, buffer), flags, mode);
}

int openat(int dir, const char *path, int flags, ...) __attribute__((alias("openat64")));

FILE *fopen64(const char *path, const char *mode)
{
    static __typeof__(&fopen64) real;
    char buffer[PATH_MAX];

    real = real ?: REAL(fopen64);
    return real(redirect(path, buffer), mode);
}

FILE *fopen(const char *path, const char *mode) __attribute__((alias("fopen64")));

DIR *opendir(const char *path)
{
    static __typeof__(&opendir) real;
    char buffer[PATH_MAX];

    real = real ?: REAL(opendir);
    return real(redirect(path, buffer));
}

int scandir(const char *path, struct dirent ***list, int (*want)(const struct dirent *),
            int (*compare)(const struct dirent **, const struct dirent **))
{
    static __typeof__(&scandir) real;
    char buffer[PATH_MAX];

    real = real ?: REAL(scandir);
    return real(redirect(path, buffer), list, want, compare);
}

int scandir64(const char *path, struct dirent64 ***list, int (*want)(const struct dirent64 *),
              int (*compare)(const struct dirent64 **, const struct dirent64 **))
{
    static __typeof__(&scandir64) real;
    char buffer[PATH_MAX];

    real = real ?: REAL(scandir64);
    return real(redirect(path, buffer), list, want, compare);
}

int access(const char *path, int mode)
{
    char buffer[PATH_MAX];
    return (int)syscall(SYS_access, redirect(path, buffer), mode);
}

int mkdir(const char *path, mode_t mode)
{
    char buffer[PATH_MAX];
    return (int)syscall(SYS_mkdir, redirect(path, buffer), mode);
}

int unlink(const char *path)
{
    char buffer[PATH_MAX];
    return (int)syscall(SYS_unlink, redirect(path, buffer));
}

int link(const char *from, const char *to)
{
    char buffer[PATH_MAX], other[PATH_MAX];
    return (int)syscall(SYS_link, redirect(from, buffer), redirect(to, other));
}

ssize_t readlink(const char *path, char *text, size_t size)
{
    char buffer[PATH_MAX];
    return syscall(SYS_readlink, redirect(path, buffer), text, size);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    char buffer[PATH_MAX];
    return (int)syscall(SYS_inotify_add_watch, fd, redirect(path, buffer), mask);
}

/* The control device is a file here, which must not show. */
static int look(const char *path, struct stat64 *st, int flags)
{
    static __typeof__(&fstatat64) real;
    char buffer[PATH_MAX];

    real = real ?: REAL(fstatat64);
    int r = real(AT_FDCWD, redirect(path, buffer), st, flags);
    if (r == 0 && strcmp(path, CONTROL) == 0) {
        st->st_mode = S_IFCHR | 0600;
        st->st_rdev = CONTROL_DEV;
    }
    return r;
}

int stat64(const char *path, struct stat64 *st)
{
    return look(path, st, 0);
}

int lstat64(const char *path, struct stat64 *st)
{
    return look(path, st, AT_SYMLINK_NOFOLLOW);
}

int stat(const char *path, struct stat *st)
{
    return look(path, (struct stat64 *)st, 0);
}

char *realpath(const char *path, char *resolved)
{
    static __typeof__(&realpath) real;
    char buffer[PATH_MAX];

    real = real ?: REAL(realpath);
    char *found = real(redirect(path, buffer), resolved);
    if (found)
        move_back(found);
    return found;
}

int glob64(const char *pattern, int flags, int (*on_error)(const char *, int), glob64_t *found)
{
    static __typeof__(&glob64) real;
    char buffer[PATH_MAX];

    real = real ?: REAL(glob64);
    int r = real(redirect(pattern, buffer), flags, on_error, found);
    for (size_t i = 0; r == 0 && i < found->gl_pathc; i++)
        move_back(found->gl_pathv[i]);
    return r;
}

/* --- udev's events, and multipathd ---------------------------------------------------------- */

int socket(int family, int type, int protocol)
{
    bool is_udev = family == AF_NETLINK && protocol == NETLINK_KOBJECT_UEVENT;

    if (!is_udev)
        return (int)syscall(SYS_socket, family, type, protocol);
    type = SOCK_DGRAM | (type & (SOCK_CLOEXEC | SOCK_NONBLOCK));
    unbound_fd = (int)syscall(SYS_socket, AF_UNIX, type, 0);
    return unbound_fd;
}

static bool hears_of_devices(int fd)
{
    return fd >= 0 && (fd == unbound_fd || fd == group_fds[0] || fd == group_fds[1]);
}

static socklen_t address_below_root(struct sockaddr_un *address, const char *name)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof(address->sun_path), "%s%s", root, name);
    return sizeof(*address);
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
    const struct sockaddr_nl *netlink = (const struct sockaddr_nl *)address;
    struct sockaddr_un own;

    if (!hears_of_devices(fd))
        return (int)syscall(SYS_bind, fd, address, size);
    unsigned group = netlink->nl_groups - 1;
    if (group >= GROUPS) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    unbound_fd = -1;
    group_fds[group] = fd;
    size = address_below_root(&own, group_names[group]);
    (void)unlink(own.sun_path);
    return (int)syscall(SYS_bind, fd, &own, size);
}

int getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    struct sockaddr_nl own = {.nl_family = AF_NETLINK, .nl_pid = 1, .nl_groups = 2};

    if (!hears_of_devices(fd))
        return (int)syscall(SYS_getsockname, fd, address, size);
    memcpy(address, &own, *size < sizeof(own) ? *size : sizeof(own));
    *size = sizeof(own);
    return 0;
}

/* A kernel's filter would know netlink's messages only by their hashes, which nobody makes here. */
int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    if (hears_of_devices(fd) && level == SOL_SOCKET && name == SO_ATTACH_FILTER)
        return 0;
    return (int)syscall(SYS_setsockopt, fd, level, name, value, size);
}

/* What comes on the socket has come from udev, and udev is root. */
static void make_udevs(struct msghdr *message)
{
    struct sockaddr_nl sender = {.nl_family = AF_NETLINK, .nl_pid = 1, .nl_groups = 2};

    if (message->msg_name) {
        memcpy(message->msg_name, &sender, sizeof(sender));
        message->msg_namelen = sizeof(sender);
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
            ((struct ucred *)CMSG_DATA(c))->uid = 0;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t n = syscall(SYS_recvmsg, fd, message, flags);
    if (n >= 0 && hears_of_devices(fd))
        make_udevs(message);
    return n;
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    const struct sockaddr_un *name = (const struct sockaddr_un *)address;
    struct sockaddr_un own;

    if (address->sa_family == AF_UNIX && strcmp(name->sun_path, MPATHD_PATH) == 0)
        size = address_below_root(&own, MPATHD_PATH);
    else if (address->sa_family == AF_UNIX && name->sun_path[0] == '\0' &&
             strncmp(name->sun_path + 1, MPATHD_ABSTRACT, strlen(MPATHD_ABSTRACT)) == 0) {
        errno = ECONNREFUSED;
        return -1;
    } else
        return (int)syscall(SYS_connect, fd, address, size);
    return (int)syscall(SYS_connect, fd, &own, size);
}

static void send_to(const char *name, const void *data, size_t size, int flags)
{
    const struct timeval patience = {.tv_sec = 20};
    struct sockaddr_un to;
    socklen_t length = address_below_root(&to, name);
    int fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    (void)sendto(fd, data, size, flags, (struct sockaddr *)&to, length);
    close(fd);
}

/* What is written to a uevent file is an event: udev.py hears of it, the device in front. */
ssize_t write(int fd, const void *data, size_t size)
{
    char text[PATH_MAX + 256];

    if (fd != uevent_fd || fd < 0)
        return syscall(SYS_write, fd, data, size);
    uevent_fd = -1;
    int n = snprintf(text, sizeof(text), "%s %.*s", uevent_device, (int)size, (const char *)data);
    send_to("/synthetic", text, (size_t)n, 0);
    return (ssize_t)size;
}

/*
 * The kernel's word, and udev's, which is a head and then the properties. For udev's, netlink has
 * more room than the ten messages of this socket: the sender waits.
 */
static void send_change(const struct dm_ioctl *io)
{
    struct {
        char prefix[8];
        uint32_t magic, header_size, properties_off, properties_size;
        uint32_t filters[4];
        char properties[1024];
    } message = {.prefix = "libudev",
                 .magic = __builtin_bswap32(0xfeedcafe),
                 .header_size = 40,
                 .properties_off = 40};
    unsigned ma = major((dev_t)io->dev), mi = minor((dev_t)io->dev);
    char text[64];

    int n = snprintf(text, sizeof(text), "change@/devices/virtual/block/dm-%u", mi);
    send_to(group_names[0], text, (size_t)n + 1, MSG_DONTWAIT);
    n = snprintf(message.properties, sizeof(message.properties),
                 "ACTION=change%cDEVPATH=/devices/virtual/block/dm-%u%cSUBSYSTEM=block%c"
                 "DEVNAME=/dev/dm-%u%cDEVTYPE=disk%cMAJOR=%u%cMINOR=%u%cSEQNUM=%u%cDM_UUID=%s",
                 0, mi, 0, 0, mi, 0, 0, ma, 0, mi, 0, io->event_nr, 0, io->uuid);
    message.properties_size = (uint32_t)n + 1;
    send_to(group_names[1], &message, 40 + (size_t)message.properties_size, 0);
}

/* --- Modules -------------------------------------------------------------------------------- */

struct kmod_ctx;
struct kmod_list;
int kmod_module_new_from_lookup(struct kmod_ctx *, const char *, struct kmod_list **);

/* What is not said to be absent is not known here: the service takes it that the kernel has it. */
int kmod_module_new_from_lookup(struct kmod_ctx *kmod, const char *alias, struct kmod_list **list)
{
    char word[64];

    (void)kmod;
    snprintf(word, sizeof(word), " %s ", alias);
    if (!strstr(controls->absent, word))
        return -ENOENT;
    *list = NULL;
    return 0;
}

/* --- device-mapper -------------------------------------------------------------------------- */

static struct fake_map *find_map(const struct dm_ioctl *io)
{
    unsigned ma = major((dev_t)io->dev), mi = minor((dev_t)io->dev);

    for (size_t i = 0; i < MAPS_MAX; i++) {
        struct fake_map *map = &maps[i];
        if (map->major == 0)
            continue;
        if (io->uuid[0]   ? strcmp(map->uuid, io->uuid) == 0
            : io->name[0] ? strcmp(map->name, io->name) == 0
                          : map->major == ma && map->minor == mi)
            return map;
    }
    return NULL;
}

static const char *skip_words(const char *text, unsigned n)
{
    for (; n > 0 && *text; n--) {
        text += strcspn(text, " ");
        text += strspn(text, " ");
    }
    return text;
}

static unsigned number(const char **text)
{
    unsigned n = (unsigned)strtoul(*text, NULL, 10);
    *text = skip_words(*text, 1);
    return n;
}

/* A number, and as many words. */
static void skip_counted(const char **text)
{
    unsigned n = number(text);
    *text = skip_words(*text, n);
}

static bool has_failed(const struct fake_map *map, const char *dev, size_t length)
{
    char word[32];
    snprintf(word, sizeof(word), " %.*s ", (int)length, dev);
    return strstr(map->failed, word);
}

/* The status of a table, in which the first group has the I/O. */
static void print_status(const struct fake_map *map, FILE *out)
{
    const char *at = map->table;

    skip_counted(&at); /* features */
    skip_counted(&at); /* hardware handler */
    unsigned n_groups = number(&at), current = number(&at);
    fprintf(out, "2 0 0 0 %u %u ", n_groups, current);
    for (unsigned g = 0; g < n_groups; g++) {
        at = skip_words(at, 1); /* selector */
        skip_counted(&at);
        unsigned n_paths = number(&at), n_args = number(&at);
        fprintf(out, "%c 0 %u 0 ", g + 1 == current ? 'A' : 'E', n_paths);
        for (unsigned p = 0; p < n_paths; p++) {
            size_t length = strcspn(at, " ");
            bool failed = has_failed(map, at, length);
            fprintf(out, "%.*s %c %d ", (int)length, at, failed ? 'F' : 'A', failed);
            at = skip_words(at, 1 + n_args);
        }
    }
}

static int reply_target(const struct fake_map *map, struct dm_ioctl *io)
{
    char text[sizeof(map->table)];
    size_t room = io->data_size - sizeof(*io);
    struct dm_target_spec *spec = (struct dm_target_spec *)(io + 1);

    io->target_count = 0;
    if (io->flags & DM_QUERY_INACTIVE_TABLE_FLAG && !map->inactive[0])
        return 0;
    if (io->flags & DM_STATUS_TABLE_FLAG)
        snprintf(text, sizeof(text), "%s",
                 io->flags & DM_QUERY_INACTIVE_TABLE_FLAG ? map->inactive : map->table);
    else {
        FILE *out = fmemopen(text, sizeof(text), "w");
        print_status(map, out);
        fclose(out);
    }
    io->data_start = sizeof(*io);
    io->target_count = 1;
    if (sizeof(*spec) + strlen(text) + 1 > room) {
        io->flags |= DM_BUFFER_FULL_FLAG;
        return 0;
    }
    *spec = (struct dm_target_spec){.length = map->sectors, .target_type = "multipath"};
    strcpy((char *)(spec + 1), text);
    spec->next = (uint32_t)(sizeof(*spec) + strlen(text) + 1);
    io->data_size = io->data_start + spec->next;
    return 0;
}

static void resume(struct fake_map *map)
{
    if (map->inactive[0]) {
        memcpy(map->table, map->inactive, sizeof(map->table));
        map->inactive[0] = '\0';
        map->failed[0] = '\0';
    }
    map->suspended = 0;
    map->event_nr++;
}

/* "fail_path 8:0" */
static void take_message(struct fake_map *map, const char *text)
{
    size_t length = strlen(map->failed);
    const char *dev = strchr(text, ' ');

    if (strncmp(text, "fail_path ", 10) == 0 && !has_failed(map, dev + 1, strlen(dev + 1)))
        snprintf(map->failed + length, sizeof(map->failed) - length, "%s ", length ? dev + 1 : dev);
}

static int run(struct fake_map *map, unsigned command, struct dm_ioctl *io)
{
    const struct dm_target_msg *message = (void *)((char *)io + io->data_start);
    const struct dm_target_spec *spec = (void *)((char *)io + io->data_start);

    switch (command) {
    case DM_TABLE_STATUS_CMD:
        return reply_target(map, io);
    case DM_TABLE_LOAD_CMD:
        snprintf(map->inactive, sizeof(map->inactive), "%s", (const char *)(spec + 1));
        return 0;
    case DM_TABLE_CLEAR_CMD:
        map->inactive[0] = '\0';
        return 0;
    case DM_DEV_SUSPEND_CMD:
        if (io->flags & DM_SUSPEND_FLAG)
            map->suspended = 1;
        else
            resume(map);
        return 0;
    case DM_TARGET_MSG_CMD:
        take_message(map, message->message);
        return 0;
    case DM_DEV_STATUS_CMD:
        return 0;
    default:
        return -ENOTTY;
    }
}

static void describe(const struct fake_map *map, struct dm_ioctl *io)
{
    io->dev = makedev(map->major, map->minor);
    io->event_nr = map->event_nr;
    io->flags |= DM_ACTIVE_PRESENT_FLAG;
    if (map->suspended)
        io->flags |= DM_SUSPEND_FLAG;
    else
        io->flags &= ~(unsigned)DM_SUSPEND_FLAG;
    if (map->inactive[0])
        io->flags |= DM_INACTIVE_PRESENT_FLAG;
    snprintf(io->name, sizeof(io->name), "%s", map->name);
    snprintf(io->uuid, sizeof(io->uuid), "%.*s", (int)sizeof(io->uuid) - 1, map->uuid);
}

static const char *call_name(unsigned command, const struct dm_ioctl *io)
{
    switch (command) {
    case DM_TABLE_STATUS_CMD:
        return io->flags & DM_QUERY_INACTIVE_TABLE_FLAG ? "inactive"
               : io->flags & DM_STATUS_TABLE_FLAG       ? "table"
                                                        : "status";
    case DM_TABLE_LOAD_CMD:
        return "load";
    case DM_TABLE_CLEAR_CMD:
        return "clear";
    case DM_DEV_SUSPEND_CMD:
        return io->flags & DM_SUSPEND_FLAG ? "suspend" : "resume";
    case DM_TARGET_MSG_CMD:
        return "message";
    case DM_DEV_STATUS_CMD:
        return "info";
    default:
        return "?";
    }
}

static void lock_maps(void)
{
    if (pthread_mutex_lock(lock) == EOWNERDEAD)
        (void)pthread_mutex_consistent(lock);
}

static void unlock_maps(void)
{
    (void)pthread_mutex_unlock(lock);
}

/* A map stays in its slot, or leaves it. */
static int run_locked(struct fake_map *map, unsigned command, struct dm_ioctl *io)
{
    lock_maps();
    int r = map->major ? run(map, command, io) : -ENXIO;
    if (r >= 0)
        describe(map, io);
    unlock_maps();
    return r;
}

static int run_or_fail(unsigned command, struct dm_ioctl *io)
{
    const char *call = call_name(command, io);

    lock_maps();
    struct fake_map *map = find_map(io);
    unlock_maps();
    if (!map)
        return -ENXIO;
    int error = fault(call, (uint32_t)(map - maps));
    int r = error > 0 ? -error : run_locked(map, command, io);
    if (r >= 0 && strcmp(call, "resume") == 0)
        send_change(io);
    return r;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;

    va_start(ap, request);
    struct dm_ioctl *io = va_arg(ap, void *);
    va_end(ap);
    long result = syscall(SYS_ioctl, fd, request, io);
    if (_IOC_TYPE(request) != DM_IOCTL)
        return (int)result;

    if (_IOC_NR(request) == DM_VERSION_CMD) {
        io->version[0] = DM_VERSION_MAJOR;
        io->version[1] = DM_VERSION_MINOR;
        io->version[2] = DM_VERSION_PATCHLEVEL;
        return 0;
    }
    int r = run_or_fail(_IOC_NR(request), io);
    if (r < 0) {
        errno = -r;
        return -1;
    }
    return 0;
}
