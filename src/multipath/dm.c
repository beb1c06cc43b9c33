/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <libdevmapper.h>
#include <libkmod.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "basic/fileio.h"
#include "basic/log.h"
#include "basic/macros.h"
#include "basic/sanitize.h"
#include "multipath/dm.h"

DEFINE_CLEANUP(struct dm_task *, dm_task_destroy);
DEFINE_CLEANUP(struct dm_map *, dm_map_free);
DEFINE_CLEANUP(struct kmod_ctx *, kmod_unref);
DEFINE_CLEANUP(struct kmod_list *, kmod_module_unref_list);
DEFINE_CLEANUP(struct kmod_module *, kmod_module_unref);

__attribute__((format(printf, 5, 6))) static void
log_of_library(int level, const char *file, int line, int dm_errno, const char *format, ...)
{
    char text[512];
    va_list ap;

    /* Who called decides what an error means; the library's words are for whoever debugs. */
    if (level > 4)
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    log_debug("libdevmapper: %s", text);
}

void dm_setup(void)
{
    dm_log_with_errno_init(log_of_library);
    dm_udev_set_sync_support(0);
}

int dm_devno_of_name(const char *kernel_name, dev_t *ret)
{
    _cleanup_free_ char *text = NULL;
    unsigned ma, mi;

    int r = read_first_linef(&text, "/sys/class/block/%s/dev", kernel_name);
    if (r < 0)
        return r;
    if (sscanf(text, "%u:%u", &ma, &mi) != 2)
        return -EINVAL;
    *ret = makedev(ma, mi);
    return 0;
}

void dm_map_free(struct dm_map *map)
{
    if (!map)
        return;
    mp_table_free(map->table);
    mp_status_free(map->status);
    free(map->name);
    free(map->uuid);
    free(map);
}

const char *dm_map_wwid(const struct dm_map *map)
{
    return map->uuid + strlen(MPATH_UUID_PREFIX);
}

/* Runs DM_TABLE_STATUS and gives back the one target's parameters, which live as long as task. */
static int query(int type, dev_t dev, struct dm_task **ret_task, const char **ret_params,
                 uint64_t *ret_sectors)
{
    _cleanup_(dm_task_destroyp) struct dm_task *task = dm_task_create(type);
    if (!task)
        return -ENOMEM;
    if (!dm_task_set_major_minor(task, (int)major(dev), (int)minor(dev), 0) ||
        !dm_task_no_flush(task) || !dm_task_no_open_count(task))
        return -ENOMEM;
    if (!dm_task_run(task)) {
        int error = dm_task_get_errno(task);
        return error > 0 ? -error : -EIO;
    }

    uint64_t start, length;
    char *target = NULL, *params = NULL;
    void *next = dm_get_next_target(task, NULL, &start, &length, &target, &params);
    if (next || !target || strcmp(target, "multipath") != 0 || !params)
        return -EMEDIUMTYPE;

    *ret_task = TAKE_PTR(task);
    *ret_params = params;
    *ret_sectors = length;
    return 0;
}

static int dm_copy_identity(struct dm_task *task, struct dm_map *map)
{
    struct dm_info info;

    if (!dm_task_get_info(task, &info) || !info.exists)
        return -ENXIO;
    map->read_only = info.read_only;
    map->suspended = info.suspended;

    const char *name = dm_task_get_name(task), *uuid = dm_task_get_uuid(task);
    if (!name || !uuid || strncmp(uuid, MPATH_UUID_PREFIX, strlen(MPATH_UUID_PREFIX)) != 0)
        return -EMEDIUMTYPE;
    map->name = strdup(name);
    map->uuid = strdup(uuid);
    if (!map->name || !map->uuid)
        return -ENOMEM;
    sanitize(map->name, SINK_BUS);
    return sink_takes(SINK_BUS, uuid) ? 0 : -EMEDIUMTYPE;
}

/* The table first: a path that the status alone has, or lacks, is then no path of the map's. */
int dm_map_read(dev_t dev, struct dm_map **ret)
{
    _cleanup_(dm_map_freep) struct dm_map *map = calloc(1, sizeof(*map));
    _cleanup_(dm_task_destroyp) struct dm_task *table = NULL, *status = NULL;
    const char *params;

    if (!map)
        return -ENOMEM;
    map->dev = dev;

    int r = query(DM_DEVICE_TABLE, dev, &table, &params, &map->sectors);
    if (r < 0)
        return r;
    r = mp_table_parse(params, &map->table);
    if (r < 0)
        return r;
    r = dm_copy_identity(table, map);
    if (r < 0)
        return r;

    r = query(DM_DEVICE_STATUS, dev, &status, &params, &map->sectors);
    if (r < 0)
        return r;
    r = mp_status_parse(params, &map->status);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(map);
    return 0;
}

bool dm_multipath_loaded(void)
{
    return access("/sys/module/dm_multipath", F_OK) == 0;
}

/* "queue-length 0" -> "dm-queue-length", the alias that the kernel asks modprobe for. */
static int selector_alias(const char *selector, char *alias, size_t size)
{
    int n = snprintf(alias, size, "dm-%.*s", (int)strcspn(selector, " "), selector);
    return n > 0 && (size_t)n < size ? 0 : -EINVAL;
}

/* Without libkmod's index, which takes longer than all else that a request looks at. */
static bool is_live(const char *module)
{
    _cleanup_free_ char *state = NULL, *name = strdup(module);

    for (char *c = name; c && *c; c++)
        if (*c == '-')
            *c = '_';
    return name && read_first_linef(&state, "/sys/module/%s/initstate", name) >= 0 &&
           strcmp(state, "live") == 0;
}

/*
 * The index of the running kernel's modules. The unit hides the modules themselves, and has the
 * index in the service's own directory in place of that.
 */
static struct kmod_ctx *open_modules(void)
{
    const char *directory = getenv("RUNTIME_DIRECTORY");
    _cleanup_free_ char *path = NULL;

    if (directory && asprintf(&path, "%s/modules", directory) < 0) {
        path = NULL;
        return NULL;
    }
    return kmod_new(path && access(path, F_OK) == 0 ? path : NULL, NULL);
}

bool dm_selector_available(const char *selector)
{
    char alias[64];

    /* Where nothing can be read, the kernel has the last word. */
    if (selector_alias(selector, alias, sizeof(alias)) < 0 || is_live(alias))
        return true;

    _cleanup_(kmod_unrefp) struct kmod_ctx *kmod = open_modules();
    _cleanup_(kmod_module_unref_listp) struct kmod_list *list = NULL;
    if (!kmod)
        return true;
    if (kmod_module_new_from_lookup(kmod, alias, &list) < 0)
        return true;

    struct kmod_list *item;
    kmod_list_foreach(item, list)
    {
        _cleanup_(kmod_module_unrefp) struct kmod_module *module = kmod_module_get_module(item);
        int state = kmod_module_get_initstate(module);
        if (state == KMOD_MODULE_BUILTIN || state == KMOD_MODULE_LIVE)
            return true;
        /* An "install" line is what administrators forbid a module with. */
        const char *install = kmod_module_get_install_commands(module);
        if (kmod_module_get_path(module) && !(install && install[0]))
            return true;
    }
    return false;
}
