/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <systemd/sd-device.h>

#include "basic/macros.h"
#include "multipath/mpathd.h"
#include "multipath/swap.h"

#define SWAP_ATTEMPTS 5U
#define HELD_MAX 20U /* attempts that find the map suspended */
#define GIVE_BACK_TIMEOUT_MS 20000

DEFINE_CLEANUP(struct dm_task *, dm_task_destroy);
DEFINE_CLEANUP(struct dm_map *, dm_map_free);

static const char *const stage_texts[] = {
    [SWAP_READ] = "reading the live table",
    [SWAP_SUSPENDED] = "waiting until whoever has suspended it has it run again",
    [SWAP_LOAD] = "loading the new table",
    [SWAP_RESUME] = "taking the new table into use",
    [SWAP_READ_BACK] = "keeping the new table against another one's",
    [SWAP_GIVE_BACK] = "having multipathd rebuild the map",
};

const char *swap_stage_text(enum swap_stage stage)
{
    return stage_texts[stage];
}

static struct swap_result swap_failed(enum swap_stage stage, int error)
{
    return (struct swap_result){.error = error, .stage = stage};
}

static int swap_run(struct dm_task *task)
{
    if (dm_task_run(task))
        return 0;
    int error = dm_task_get_errno(task);
    return error > 0 ? -error : -EIO;
}

static struct dm_task *task_for(const struct dm_map *map, int type)
{
    _cleanup_(dm_task_destroyp) struct dm_task *task = dm_task_create(type);
    if (!task || !dm_task_set_uuid(task, map->uuid) || !dm_task_no_open_count(task))
        return NULL;
    return TAKE_PTR(task);
}

/* Whether every path of the map has failed: udev then holds the device for not ready. */
static bool nothing_usable(const struct dm_map *map)
{
    for (size_t i = 0; i < map->status->n_paths; i++)
        if (!map->status->paths[i].failed)
            return false;
    return true;
}

enum kpartx kpartx_of_device(sd_device *device)
{
    const char *value;

    return sd_device_get_property_value(device, "DM_SUBSYSTEM_UDEV_FLAG1", &value) >= 0 &&
                   strcmp(value, "1") == 0
               ? KPARTX_SKIPPED
               : KPARTX_RUNS;
}

static enum kpartx look_up_kpartx(dev_t dev)
{
    _cleanup_(sd_device_unrefp) sd_device *device = NULL;

    return sd_device_new_from_devnum(&device, 'b', dev) < 0 ? KPARTX_RUNS
                                                            : kpartx_of_device(device);
}

/*
 * What udev's rules for multipath need in the cookie of every event (multipath-tools, 11-dm-mpath
 * rules): FLAG0 a reload, FLAG1 no partitions, FLAG2 no usable path. Without a cookie the rules
 * would take the event for a synthetic one, and scan.
 */
static uint16_t udev_flags(const struct dm_map *map, enum kpartx kpartx)
{
    uint16_t flags = DM_UDEV_DISABLE_LIBRARY_FALLBACK | DM_SUBSYSTEM_UDEV_FLAG0;
    if (kpartx == KPARTX_SKIPPED)
        flags |= DM_SUBSYSTEM_UDEV_FLAG1;
    if (nothing_usable(map))
        flags |= DM_SUBSYSTEM_UDEV_FLAG2;
    return flags;
}

static int swap_load(const struct dm_map *map, const struct mp_table *table)
{
    _cleanup_free_ char *params = NULL;
    struct mp_table fresh = *table;

    /* These can have changed since the plan was made: no_path_retry runs out, for one. */
    fresh.features = map->table->features;
    fresh.hwhandler = map->table->hwhandler;
    int r = mp_table_format(&fresh, &params);
    if (r < 0)
        return r;

    _cleanup_(dm_task_destroyp) struct dm_task *task = task_for(map, DM_DEVICE_RELOAD);
    if (!task || !dm_task_add_target(task, 0, map->sectors, "multipath", params) ||
        (map->read_only && !dm_task_set_ro(task)))
        return -ENOMEM;
    return swap_run(task);
}

static int resume(const struct dm_map *map, uint16_t flags)
{
    uint32_t cookie = 0;
    _cleanup_(dm_task_destroyp) struct dm_task *task = task_for(map, DM_DEVICE_RESUME);
    if (!task || !dm_task_no_flush(task) || !dm_task_skip_lockfs(task) ||
        !dm_task_set_cookie(task, &cookie, flags))
        return -ENOMEM;
    return swap_run(task);
}

/* A new table starts with every path usable; I/O would try the dead ones again. */
static void fail_again(const struct dm_map *before)
{
    for (size_t i = 0; i < before->status->n_paths; i++) {
        char message[64];
        const struct mp_path_state *path = &before->status->paths[i];
        if (!path->failed)
            continue;

        _cleanup_(dm_task_destroyp) struct dm_task *task = task_for(before, DM_DEVICE_TARGET_MSG);
        snprintf(message, sizeof(message), "fail_path %u:%u", major(path->dev), minor(path->dev));
        if (task && dm_task_set_sector(task, 0) && dm_task_set_message(task, message))
            (void)swap_run(task); /* the checker of multipathd finds it out as well, only later */
    }
}

/* Reads the map that was planned for. -ENXIO: it is gone, its number maybe another's by now. */
static int read_planned(const struct dm_map *planned, struct dm_map **ret)
{
    _cleanup_(dm_map_freep) struct dm_map *map = NULL;

    int r = dm_map_read(planned->dev, &map);
    if (r == -EMEDIUMTYPE || (r >= 0 && strcmp(map->uuid, planned->uuid) != 0))
        return -ENXIO;
    if (r < 0)
        return r;
    *ret = TAKE_PTR(map);
    return 0;
}

/*
 * The same, once it runs: whoever takes a table into use has the map suspended for that moment.
 * -EBUSY: it does not.
 */
static int read_running(const struct dm_map *planned, struct dm_map **ret)
{
    for (unsigned i = 0; i < SWAP_SUSPENDED_LOOKS; i++) {
        _cleanup_(dm_map_freep) struct dm_map *map = NULL;
        if (i > 0)
            usleep(SWAP_SUSPENDED_USEC);
        int r = read_planned(planned, &map);
        if (r < 0)
            return r;
        if (!map->suspended) {
            *ret = TAKE_PTR(map);
            return 0;
        }
    }
    return -EBUSY;
}

static bool read_info(const struct dm_map *map, struct dm_info *ret)
{
    _cleanup_(dm_task_destroyp) struct dm_task *task = task_for(map, DM_DEVICE_INFO);

    return task && swap_run(task) >= 0 && dm_task_get_info(task, ret) && ret->exists;
}

static bool is_suspended(const struct dm_map *map)
{
    struct dm_info info;
    return read_info(map, &info) && info.suspended;
}

/* A map on its way to another table. */
struct swap {
    const struct dm_map *planned;
    const struct mp_table *table;
    enum kpartx kpartx;
    int lost;     /* the error of the last RESUME, 0: it has succeeded, or there was none */
    bool same;    /* the live table is the wanted one */
    bool held;    /* the map was suspended before the last RESUME, which was not tried */
    bool touched; /* a RESUME had the map take the table into use, or may have */
};

/*
 * Whether the table that waits for the next RESUME, be it anybody's, is the one that was loaded: so
 * it is taken to be where it cannot be read.
 */
static bool has_own_in_slot(const struct swap *swap)
{
    _cleanup_(dm_task_destroyp) struct dm_task *task = task_for(swap->planned, DM_DEVICE_TABLE);
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    uint64_t start, length;
    char *target = NULL, *params = NULL;

    if (!task || !dm_task_query_inactive_table(task) || swap_run(task) < 0)
        return true;
    (void)dm_get_next_target(task, NULL, &start, &length, &target, &params);
    return target && strcmp(target, "multipath") == 0 && mp_table_parse(params, &table) >= 0 &&
           mp_table_same_meaning(table, swap->table, NULL);
}

/* One that somebody else has loaded since stays. Whether there was ours. */
static bool clear_own(const struct swap *swap)
{
    if (!has_own_in_slot(swap))
        return false;
    _cleanup_(dm_task_destroyp) struct dm_task *task = task_for(swap->planned, DM_DEVICE_CLEAR);
    if (task)
        (void)swap_run(task);
    return true;
}

/*
 * Clears away what a RESUME that failed has left (linux, drivers/md/dm-ioctl.c, do_resume()). Where
 * another one had suspended the map, the kernel puts the table back for the next RESUME, or answers
 * ENXIO for there was another by then: that suspension is its owner's. (Kernels from before
 * August 2024 end it, and RESUME does not fail.) Else the table is gone; the map runs where
 * another one had it do so in between, and is suspended where the kernel has refused the table only
 * after that: nobody but us ends it.
 */
static void clean_up(struct swap *swap, uint16_t flags)
{
    struct dm_info info = {0};

    if (swap->lost == -ENXIO)
        return;
    (void)read_info(swap->planned, &info);
    if (info.inactive_table && clear_own(swap))
        return;
    swap->touched = true;
    if (info.suspended && !info.inactive_table)
        (void)resume(swap->planned, flags);
}

/*
 * One attempt. EINVAL and ENXIO are how the kernel tells one of two that take a table into use at
 * the same moment: the other has suspended the map, let it run, or loaded a table, in between
 * (linux, drivers/md/dm.c, dm_suspend(), dm_swap_table() and dm_resume(); dm-ioctl.c, do_resume()).
 * Whether the map is gone, which is ENXIO too, shows when it is read again.
 */
static struct swap_result attempt(struct swap *swap)
{
    _cleanup_(dm_map_freep) struct dm_map *before = NULL, *after = NULL;

    swap->held = false;
    int r = read_running(swap->planned, &before);
    if (r < 0)
        return swap_failed(r == -EBUSY ? SWAP_SUSPENDED : SWAP_READ, r);
    if (!mp_table_same_paths(before->table, swap->table))
        return swap_failed(SWAP_READ, -ESTALE);
    swap->same = mp_table_same_meaning(before->table, swap->table, before->status);
    if (swap->same)
        return (struct swap_result){0};

    r = swap_load(before, swap->table);
    if (r < 0)
        return swap_failed(SWAP_LOAD, r);
    /* By another one's table, for a moment, or by somebody who means it: the next attempt waits. */
    swap->held = is_suspended(before);
    if (swap->held) {
        (void)clear_own(swap);
        return (struct swap_result){0};
    }

    uint16_t flags = udev_flags(before, swap->kpartx);
    r = swap->lost = resume(before, flags);
    if (r < 0)
        clean_up(swap, flags);
    if (r == -EINVAL || r == -ENXIO)
        return (struct swap_result){0};
    if (r < 0)
        return swap_failed(SWAP_RESUME, r);
    swap->touched = true;
    fail_again(before);

    r = read_planned(swap->planned, &after);
    if (r < 0)
        return swap_failed(SWAP_READ_BACK, r);
    swap->same = mp_table_same_meaning(after->table, swap->table, NULL);
    return (struct swap_result){0};
}

struct swap_result swap_table(const struct dm_map *planned, const struct mp_table *table,
                              enum kpartx kpartx)
{
    struct swap swap = {planned, table, kpartx};
    struct swap_result result = {0};

    if (kpartx == KPARTX_UNKNOWN)
        swap.kpartx = look_up_kpartx(planned->dev);
    for (unsigned i = 0, held = 0;
         i < SWAP_ATTEMPTS && held < HELD_MAX && result.error >= 0 && !swap.same;) {
        bool touched = swap.touched;

        result = attempt(&swap);
        if (swap.held)
            held++;
        else
            i++;
        if (result.error < 0 && touched)
            result.stage = SWAP_READ_BACK; /* an earlier attempt has changed the map */
    }
    if (result.error < 0 || swap.same)
        return result;
    if (!swap.touched)
        return swap_failed(SWAP_SUSPENDED, -EBUSY);
    return swap_failed(SWAP_READ_BACK, swap.lost == -EINVAL ? -EINVAL : -EBUSY);
}

struct swap_result swap_give_back(const struct dm_map *planned)
{
    char command[64];
    _cleanup_(dm_map_freep) struct dm_map *before = NULL, *after = NULL;
    _cleanup_free_ char *reply = NULL;

    int r = read_running(planned, &before);
    if (r < 0)
        return swap_failed(r == -EBUSY ? SWAP_SUSPENDED : SWAP_READ, r);

    /* Not by WWID, which multipathd finds no map by before 0.10, nor by a name, which can be
     * anything. */
    snprintf(command, sizeof(command), "reload map dm-%u", minor(planned->dev));
    int told = mpathd_command(command, GIVE_BACK_TIMEOUT_MS, &reply);

    /* The number can be another map's by now. */
    r = read_planned(planned, &after);
    if (r < 0)
        return swap_failed(SWAP_READ_BACK, r);
    if (told < 0)
        return swap_failed(SWAP_GIVE_BACK, told);
    return strncmp(reply, "ok", 2) == 0 ? (struct swap_result){0}
                                        : swap_failed(SWAP_GIVE_BACK, -EIO);
}
