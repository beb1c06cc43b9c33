/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The ways out of multipath/swap.c, with one map that is made up: libdevmapper's functions are
 * those below, which keep the two tables of the map as the kernel does. Others touch the map while
 * a RESUME is under way, for that is where the kernel has two who do so meet.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "basic/macros.h"
#include "multipath/mpathd.h"
#include "multipath/swap.h"

#define MAJOR 253
#define MINOR 7
#define OURS "mpath-3600"
#define OTHER "mpath-3601"
#define OLD "0 0 1 1 service-time 0 2 1 8:0 1 8:16 1"
#define NEW "0 0 2 1 service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1"
#define OTHERS "0 0 2 1 round-robin 0 1 1 8:16 1 round-robin 0 1 1 8:0 1"
#define MORE_PATHS "0 0 1 1 service-time 0 3 1 8:0 1 8:16 1 8:32 1"
#define SECTORS 2048

/* What comes of a RESUME that has a table to take into use. */
struct step {
    int error;               /* 0: it is taken */
    bool drops;              /* on failure; else the table stays where it is */
    void (*meanwhile)(void); /* what others have done by the time it ends */
};

/* The map. */
static struct {
    const char *target, *uuid;
    char live[128], inactive[128];
    bool gone, suspended;
    int read_error, load_error;
    struct step steps[8];
    unsigned n_resumes; /* that had a table to take into use */
    unsigned n_changes; /* calls that change the map */
    unsigned n_clears;
    unsigned n_failed_again;
    char command[64]; /* that multipathd had */
    const char *reply;
    int command_error;
    void (*at_command)(void); /* what others have done by the time it is answered */
    void (*at_pause)(void);   /* what they do while nobody asks */
    void (*at_load)(void);    /* when a table has been loaded */
    unsigned n_loads;
} kernel;

struct dm_task {
    int type, major, minor, error;
    bool of_inactive;
    char uuid[64], params[128], message[64];
};

int usleep(useconds_t usec)
{
    if (kernel.at_pause)
        kernel.at_pause();
    return 0;
}

static void bring_to_life(const char *table)
{
    snprintf(kernel.live, sizeof(kernel.live), "%s", table);
}

struct dm_task *dm_task_create(int type)
{
    struct dm_task *task = calloc(1, sizeof(*task));
    assert_non_null(task);
    task->type = type;
    return task;
}

void dm_task_destroy(struct dm_task *task)
{
    free(task);
}

int dm_task_set_uuid(struct dm_task *task, const char *uuid)
{
    snprintf(task->uuid, sizeof(task->uuid), "%s", uuid);
    return 1;
}

int dm_task_set_major_minor(struct dm_task *task, int ma, int mi, int allow_default_major_fallback)
{
    task->major = ma;
    task->minor = mi;
    return 1;
}

int dm_task_add_target(struct dm_task *task, uint64_t start, uint64_t size, const char *type,
                       const char *params)
{
    assert_int_equal(start, 0);
    assert_int_equal(size, SECTORS);
    assert_string_equal(type, "multipath");
    snprintf(task->params, sizeof(task->params), "%s", params);
    return 1;
}

int dm_task_set_message(struct dm_task *task, const char *message)
{
    snprintf(task->message, sizeof(task->message), "%s", message);
    return 1;
}

int dm_task_set_sector(struct dm_task *task, uint64_t sector)
{
    return 1;
}

int dm_task_set_cookie(struct dm_task *task, uint32_t *cookie, uint16_t flags)
{
    assert_int_equal(task->type, DM_DEVICE_RESUME);
    assert_true(flags & DM_SUBSYSTEM_UDEV_FLAG0);
    return 1;
}

int dm_task_set_ro(struct dm_task *task)
{
    return 1;
}

int dm_task_no_open_count(struct dm_task *task)
{
    return 1;
}

int dm_task_no_flush(struct dm_task *task)
{
    return 1;
}

int dm_task_skip_lockfs(struct dm_task *task)
{
    return 1;
}

int dm_task_query_inactive_table(struct dm_task *task)
{
    task->of_inactive = true;
    return 1;
}

static int resume(void)
{
    if (kernel.inactive[0]) {
        assert_true(kernel.n_resumes < ELEMENTSOF(kernel.steps));
        struct step step = kernel.steps[kernel.n_resumes++];
        if (step.error == 0)
            bring_to_life(kernel.inactive);
        if (step.error == 0 || step.drops)
            kernel.inactive[0] = '\0';
        if (step.meanwhile)
            step.meanwhile();
        if (step.error < 0)
            return step.error;
    }
    kernel.suspended = false;
    return 0;
}

static int call(const struct dm_task *task)
{
    bool is_ours = task->uuid[0] ? strcmp(task->uuid, kernel.uuid) == 0
                                 : task->major == MAJOR && task->minor == MINOR;
    if (kernel.gone || !is_ours)
        return task->type == DM_DEVICE_INFO ? 0 : -ENXIO; /* as the library has it */

    switch (task->type) {
    case DM_DEVICE_TABLE:
        return kernel.read_error;
    case DM_DEVICE_STATUS:
    case DM_DEVICE_INFO:
        return 0;
    case DM_DEVICE_RELOAD:
        kernel.n_changes++;
        kernel.n_loads++;
        if (kernel.load_error == 0)
            memcpy(kernel.inactive, task->params, sizeof(kernel.inactive));
        if (kernel.at_load)
            kernel.at_load();
        return kernel.load_error;
    case DM_DEVICE_RESUME:
        kernel.n_changes++;
        return resume();
    case DM_DEVICE_CLEAR:
        kernel.n_changes++;
        kernel.n_clears++;
        kernel.inactive[0] = '\0';
        return 0;
    case DM_DEVICE_TARGET_MSG:
        kernel.n_changes++;
        kernel.n_failed_again += strcmp(task->message, "fail_path 8:16") == 0;
        return 0;
    default:
        fail_msg("a task of type %d", task->type);
        return -ENOTTY;
    }
}

int dm_task_run(struct dm_task *task)
{
    task->error = -call(task);
    return task->error == 0;
}

int dm_task_get_errno(struct dm_task *task)
{
    return task->error;
}

int dm_task_get_info(struct dm_task *task, struct dm_info *info)
{
    *info = (struct dm_info){.exists = !kernel.gone,
                             .suspended = kernel.suspended,
                             .inactive_table = kernel.inactive[0] != '\0'};
    if (task->uuid[0] && strcmp(task->uuid, kernel.uuid) != 0)
        *info = (struct dm_info){0};
    return 1;
}

const char *dm_task_get_name(const struct dm_task *task)
{
    return "mpatha";
}

const char *dm_task_get_uuid(const struct dm_task *task)
{
    return kernel.uuid;
}

/* The second path has failed, wherever it stands. */
static const char *status_of(const char *table)
{
    if (strcmp(table, OLD) == 0)
        return "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 F 1 ";
    if (strcmp(table, NEW) == 0)
        return "2 0 0 0 2 1 A 0 1 0 8:0 A 0 E 0 1 0 8:16 F 1 ";
    if (strcmp(table, OTHERS) == 0)
        return "2 0 0 0 2 1 A 0 1 0 8:16 F 1 E 0 1 0 8:0 A 0 ";
    return "2 0 0 0 1 1 A 0 3 0 8:0 A 0 8:16 F 1 8:32 A 0 ";
}

void *dm_get_next_target(struct dm_task *task, void *next, uint64_t *start, uint64_t *length,
                         char **target_type, char **params)
{
    const char *text = task->type != DM_DEVICE_TABLE ? status_of(kernel.live)
                       : task->of_inactive           ? kernel.inactive
                                                     : kernel.live;

    *target_type = NULL;
    if (!text[0])
        return NULL;
    snprintf(task->params, sizeof(task->params), "%s", text);
    *start = 0;
    *length = SECTORS;
    *target_type = (char *)kernel.target;
    *params = task->params;
    return NULL;
}

int __wrap_mpathd_command(const char *command, int timeout_ms, char **ret_reply);

int __wrap_mpathd_command(const char *command, int timeout_ms, char **ret_reply)
{
    snprintf(kernel.command, sizeof(kernel.command), "%s", command);
    if (kernel.at_command)
        kernel.at_command();
    if (kernel.command_error < 0)
        return kernel.command_error;
    *ret_reply = strdup(kernel.reply);
    return *ret_reply ? 0 : -ENOMEM;
}

static int set_up(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    kernel.target = "multipath";
    kernel.uuid = OURS;
    kernel.reply = "ok\n";
    bring_to_life(OLD);
    return 0;
}

static struct swap_result swap(void)
{
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    char uuid[] = OURS;
    struct dm_map planned = {.dev = makedev(MAJOR, MINOR), .uuid = uuid};

    assert_int_equal(mp_table_parse(NEW, &table), 0);
    return swap_table(&planned, table, KPARTX_RUNS);
}

static struct swap_result give_back(void)
{
    char uuid[] = OURS;
    struct dm_map planned = {.dev = makedev(MAJOR, MINOR), .uuid = uuid};

    return swap_give_back(&planned);
}

static void assert_result(struct swap_result result, int error, enum swap_stage stage)
{
    assert_int_equal(result.error, error);
    if (error < 0)
        assert_int_equal(result.stage, stage);
}

/* The map runs with that table, and no other waits for the next RESUME. */
static void assert_clean(const char *live)
{
    assert_string_equal(kernel.live, live);
    assert_string_equal(kernel.inactive, "");
    assert_false(kernel.suspended);
}

static void test_swap(void **state)
{
    assert_result(swap(), 0, 0);
    assert_clean(NEW);
    assert_int_equal(kernel.n_resumes, 1);
    assert_int_equal(kernel.n_failed_again, 1);

    kernel.n_changes = 0;
    assert_result(swap(), 0, 0); /* it is so already */
    assert_int_equal(kernel.n_changes, 0);
}

/* The number of a map that is gone has another map, or what is no multipath map at all. */
static void test_number_is_anothers(void **state)
{
    kernel.uuid = OTHER;
    assert_result(swap(), -ENXIO, SWAP_READ);
    assert_result(give_back(), -ENXIO, SWAP_READ);

    kernel.uuid = "LVM-abc";
    kernel.target = "linear";
    assert_result(swap(), -ENXIO, SWAP_READ);
    assert_result(give_back(), -ENXIO, SWAP_READ);

    assert_clean(OLD);
    assert_int_equal(kernel.n_changes, 0);
    assert_string_equal(kernel.command, "");
}

static void become_another(void)
{
    kernel.uuid = OTHER;
    bring_to_life(OTHERS);
    kernel.inactive[0] = '\0';
}

/* Likewise after the new table was taken into use. */
static void test_number_is_anothers_late(void **state)
{
    kernel.steps[0].meanwhile = become_another;
    assert_result(swap(), -ENXIO, SWAP_READ_BACK);
    assert_clean(OTHERS);
    assert_int_equal(kernel.n_changes, 2); /* the load and the RESUME */
    assert_int_equal(kernel.n_failed_again, 0);
}

/* Others' doings while our RESUME fails. */
static void load_others_table(void)
{
    bring_to_life(OTHERS);
}

static void load_same_table(void)
{
    bring_to_life(NEW);
}

static void add_path(void)
{
    bring_to_life(MORE_PATHS);
}

static void refuse_reading(void)
{
    kernel.read_error = -EIO;
}

static void refuse_loading(void)
{
    kernel.load_error = -EIO;
}

static void vanish(void)
{
    kernel.gone = true;
}

static void suspend(void)
{
    kernel.suspended = true;
}

static void suspend_and_refuse_reading(void)
{
    suspend();
    refuse_reading();
}

static void load_others_into_slot(void)
{
    snprintf(kernel.inactive, sizeof(kernel.inactive), "%s", OTHERS);
    kernel.load_error = -EIO;
}

/*
 * How a RESUME is lost (linux, drivers/md/dm-ioctl.c, do_resume()). Another one has the map
 * suspended: the table is put back, or, where somebody has loaded another meanwhile, goes. Another
 * one has let it run: the table goes.
 */
static const struct loss {
    int error;
    bool drops;
    bool untouched; /* the map is as it was */
} losses[] = {
    {-EINVAL, false, true},
    {-ENXIO, true, true},
    {-EINVAL, true, false},
};

/* Each of these goes with each loss. */
static const struct way_out {
    void (*meanwhile)(void);
    int error;
    const char *live;
    unsigned n_resumes;
} ways_out[] = {
    {NULL, 0, NEW, 2},
    {load_others_table, 0, NEW, 2},
    {load_same_table, 0, NEW, 1},
    {add_path, -ESTALE, MORE_PATHS, 1},
    {refuse_reading, -EIO, OLD, 1},
    {refuse_loading, -EIO, OLD, 1},
};

static void assert_way_out(const struct way_out *way, const struct loss *loss)
{
    set_up(NULL);
    kernel.steps[0] = (struct step){loss->error, loss->drops, way->meanwhile};
    struct swap_result result = swap();
    assert_int_equal(result.error, way->error);
    if (result.error < 0)
        assert_int_equal(result.stage == SWAP_READ_BACK, !loss->untouched);
    assert_clean(way->live);
    assert_int_equal(kernel.n_resumes, way->n_resumes);
    assert_int_equal(kernel.n_clears, !loss->drops); /* what is not there needs no clearing */
}

static void test_lost_resume(void **state)
{
    for (size_t w = 0; w < ELEMENTSOF(ways_out); w++)
        for (size_t i = 0; i < ELEMENTSOF(losses); i++)
            assert_way_out(&ways_out[w], &losses[i]);
}

/* Who has suspended the map means it: a snapshot, a resize. Nothing of ours is left there. */
static void test_lost_to_an_owner(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(losses); i++) {
        if (!losses[i].untouched)
            continue;
        set_up(NULL);
        kernel.steps[0] = (struct step){losses[i].error, losses[i].drops, suspend};
        assert_result(swap(), -EBUSY, SWAP_SUSPENDED);
        assert_true(kernel.suspended);
        assert_string_equal(kernel.live, OLD);
        assert_string_equal(kernel.inactive, "");
    }
}

static void run(void)
{
    kernel.suspended = false;
}

/* Or only takes a table into use. */
static void test_lost_for_a_moment(void **state)
{
    kernel.steps[0] = (struct step){-EINVAL, false, suspend};
    kernel.at_pause = run;
    assert_result(swap(), 0, 0);
    assert_clean(NEW);
}

static void suspend_twice(void)
{
    kernel.suspended = kernel.n_loads < 3;
}

static void suspend_and_load_others(void)
{
    suspend();
    snprintf(kernel.inactive, sizeof(kernel.inactive), "%s", OTHERS);
}

/* It is suspended between our load and our RESUME: for moments, or each time. */
static void test_suspended_after_the_load(void **state)
{
    kernel.at_load = suspend_twice;
    kernel.at_pause = run;
    assert_result(swap(), 0, 0);
    assert_clean(NEW);
    assert_int_equal(kernel.n_loads, 3);
    assert_int_equal(kernel.n_resumes, 1);

    set_up(NULL);
    kernel.at_load = suspend;
    kernel.at_pause = run;
    assert_result(swap(), -EBUSY, SWAP_SUSPENDED);
    assert_string_equal(kernel.live, OLD);
    assert_string_equal(kernel.inactive, "");
    assert_int_equal(kernel.n_resumes, 0);
}

/* By somebody who has loaded a table since, and is about to take it into use. */
static void test_suspended_with_a_table(void **state)
{
    kernel.at_load = suspend_and_load_others;
    assert_result(swap(), -EBUSY, SWAP_SUSPENDED);
    assert_true(kernel.suspended);
    assert_string_equal(kernel.inactive, OTHERS);
    assert_int_equal(kernel.n_clears, 0);
}

/*
 * The kernel has suspended the map for our table, and then refuses it: nobody else lets the map run
 * again. Nor is it left so where it cannot be read any more.
 */
static void test_refused_when_suspended(void **state)
{
    kernel.steps[0] = (struct step){-EINVAL, true, suspend};
    assert_result(swap(), 0, 0);
    assert_clean(NEW);
    assert_int_equal(kernel.n_resumes, 2);

    set_up(NULL);
    kernel.steps[0] = (struct step){-EINVAL, true, suspend_and_refuse_reading};
    assert_result(swap(), -EIO, SWAP_READ_BACK);
    assert_clean(OLD);
}

/* A table that somebody else has loaded meanwhile waits for that one's RESUME. */
static void test_slot_of_somebody_else(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(losses); i++) {
        set_up(NULL);
        kernel.steps[0] = (struct step){losses[i].error, losses[i].drops, load_others_into_slot};
        assert_int_equal(swap().error, -EIO);
        assert_string_equal(kernel.inactive, OTHERS);
        assert_int_equal(kernel.n_clears, 0);
    }
}

/* The map is removed while its table is taken into use. */
static void test_gone_at_resume(void **state)
{
    kernel.steps[0] = (struct step){-ENXIO, true, vanish};
    assert_result(swap(), -ENXIO, SWAP_READ);
}

/* Its number has another map then, in which nothing is cleared away. */
static void test_number_is_anothers_at_resume(void **state)
{
    kernel.steps[0] = (struct step){-ENXIO, true, become_another};
    assert_result(swap(), -ENXIO, SWAP_READ);
    assert_clean(OTHERS);
    assert_int_equal(kernel.n_changes, 2); /* the load and the RESUME of our own */
}

static void test_lost_each_time(void **state)
{
    for (size_t i = 0; i < ELEMENTSOF(kernel.steps); i++)
        kernel.steps[i] = (struct step){.error = i % 2 ? -EINVAL : -ENXIO, .drops = i % 2 == 0};
    assert_result(swap(), -EBUSY, SWAP_SUSPENDED);
    assert_clean(OLD);
    assert_int_equal(kernel.n_resumes, 5);

    set_up(NULL);
    for (size_t i = 0; i < ELEMENTSOF(kernel.steps); i++)
        kernel.steps[i] = (struct step){.error = -EINVAL, .drops = true};
    assert_result(swap(), -EINVAL, SWAP_READ_BACK);
    assert_clean(OLD);
}

/* Any other error ends it at once. */
static void test_refused_resume(void **state)
{
    kernel.steps[0] = (struct step){-EIO, true, suspend};
    assert_result(swap(), -EIO, SWAP_RESUME);
    assert_clean(OLD);
    assert_int_equal(kernel.n_resumes, 1);
    assert_int_equal(kernel.n_failed_again, 0);
}

/* What was not loaded is not cleared: what stands there is somebody else's. */
static void test_refused_load(void **state)
{
    kernel.load_error = -EIO;
    assert_result(swap(), -EIO, SWAP_LOAD);
    assert_clean(OLD);
    assert_int_equal(kernel.n_clears, 0);
}

static void test_give_back(void **state)
{
    assert_result(give_back(), 0, 0);
    assert_string_equal(kernel.command, "reload map dm-7");
    assert_int_equal(kernel.n_changes, 0);
}

static void test_give_back_refused(void **state)
{
    kernel.reply = "fail\n";
    assert_result(give_back(), -EIO, SWAP_GIVE_BACK);

    kernel.command_error = -ETIMEDOUT;
    assert_result(give_back(), -ETIMEDOUT, SWAP_GIVE_BACK);
    assert_int_equal(kernel.n_changes, 0);
}

/* While multipathd was asked, the map went, or another one got its number: whatever it says of
 * that. */
static void test_give_back_of_what_goes(void **state)
{
    static void (*const goes[])(void) = {become_another, vanish};

    for (size_t i = 0; i < ELEMENTSOF(goes); i++) {
        set_up(NULL);
        kernel.at_command = goes[i];
        assert_result(give_back(), -ENXIO, SWAP_READ_BACK);

        set_up(NULL);
        kernel.at_command = goes[i];
        kernel.reply = "fail\n";
        assert_result(give_back(), -ENXIO, SWAP_READ_BACK);
    }
}

static void test_give_back_cannot_be_read_back(void **state)
{
    kernel.at_command = refuse_reading;
    assert_result(give_back(), -EIO, SWAP_READ_BACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_swap, set_up),
        cmocka_unit_test_setup(test_number_is_anothers, set_up),
        cmocka_unit_test_setup(test_number_is_anothers_late, set_up),
        cmocka_unit_test_setup(test_lost_resume, set_up),
        cmocka_unit_test_setup(test_lost_to_an_owner, set_up),
        cmocka_unit_test_setup(test_lost_for_a_moment, set_up),
        cmocka_unit_test_setup(test_suspended_after_the_load, set_up),
        cmocka_unit_test_setup(test_suspended_with_a_table, set_up),
        cmocka_unit_test_setup(test_refused_when_suspended, set_up),
        cmocka_unit_test_setup(test_slot_of_somebody_else, set_up),
        cmocka_unit_test_setup(test_gone_at_resume, set_up),
        cmocka_unit_test_setup(test_number_is_anothers_at_resume, set_up),
        cmocka_unit_test_setup(test_lost_each_time, set_up),
        cmocka_unit_test_setup(test_refused_resume, set_up),
        cmocka_unit_test_setup(test_refused_load, set_up),
        cmocka_unit_test_setup(test_give_back, set_up),
        cmocka_unit_test_setup(test_give_back_refused, set_up),
        cmocka_unit_test_setup(test_give_back_of_what_goes, set_up),
        cmocka_unit_test_setup(test_give_back_cannot_be_read_back, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
