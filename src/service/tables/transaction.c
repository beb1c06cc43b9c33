/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/base/worker.h"
#include "service/tables/transaction.h"

#define WORKERS_MAX 12U /* child processes of all transactions together */
#define ROUNDS_MAX 16U  /* of planning, where paths come and go meanwhile: a login's, one by one */

struct transactions {
    sd_event *event;
    size_t n_workers;            /* children that still run, of all */
    struct transaction *waiting; /* for one of them to end, in the order they came */
};

struct transaction {
    struct transactions *all;
    struct transaction *next; /* that waits */
    struct map_change *maps;
    size_t n_maps;
    size_t *to_do; /* the maps of this round */
    size_t n_to_do;
    size_t n_workers; /* children that still run */
    unsigned rounds;
    bool rolling_back;
    bool no_worker; /* a child could not be made */
    enum transaction_result result;
    struct transaction_calls calls;
    void *userdata;
};

/* A child's share: every `step`th map of the round. */
struct share {
    struct transaction *transaction;
    size_t first, step;
};

/* What a child writes for each map when it is done with it. */
struct transaction_report {
    size_t map;
    struct swap_result result;
};

void map_changes_free(struct map_change *maps, size_t n_maps)
{
    for (size_t i = 0; i < n_maps; i++) {
        dm_map_free(maps[i].before);
        mp_table_free(maps[i].after);
    }
    free(maps);
}

static void transaction_finish(struct transaction *t)
{
    t->calls.done(t->result, t->maps, t->n_maps, t->userdata);
    map_changes_free(t->maps, t->n_maps);
    free(t->to_do);
    free(t);
}

static struct swap_result transaction_swap_one(const struct transaction *t,
                                               const struct map_change *map)
{
    if (t->rolling_back)
        return swap_table(map->before, map->before->table, map->kpartx);
    if (!map->after)
        return swap_give_back(map->before);
    return swap_table(map->before, map->after, map->kpartx);
}

/* In the child. */
static int transaction_swap_share(int fd, void *arg)
{
    const struct share *share = arg;
    const struct transaction *t = share->transaction;

    worker_confine();
    for (size_t i = share->first; i < t->n_to_do; i += share->step) {
        struct transaction_report report = {.map = t->to_do[i]};
        report.result = transaction_swap_one(t, &t->maps[report.map]);
        if (write(fd, &report, sizeof(report)) != sizeof(report))
            return EIO;
    }
    return 0;
}

static void transaction_take_result(const struct transaction *t, struct map_change *map,
                                    struct swap_result result)
{
    if (t->rolling_back) {
        map->put_back = result;
        map->progress = map_progress_after_putting_back(result);
    } else {
        map->result = result;
        map->progress = map_progress_after_swap(result);
    }
}

/* The child died, maybe in the middle of this map. */
static void transaction_take_death(const struct transaction *t, struct map_change *map, int error)
{
    transaction_take_result(t, map, (struct swap_result){error < 0 ? error : -EIO, SWAP_RESUME});
    map->progress = map_progress_after_death(t->rolling_back);
}

static void transaction_end_round(struct transaction *t);
static void transactions_release(struct transactions *all);

static void transaction_on_child_done(int error, const void *data, size_t size, void *userdata)
{
    _cleanup_free_ struct share *share = userdata;
    struct transaction *t = share->transaction;
    struct transaction_report report;

    for (size_t at = 0; at + sizeof(report) <= size; at += sizeof(report)) {
        memcpy(&report, (const char *)data + at, sizeof(report));
        if (report.map < t->n_maps)
            transaction_take_result(t, &t->maps[report.map], report.result);
    }
    for (size_t i = share->first; i < t->n_to_do; i += share->step) {
        struct map_change *map = &t->maps[t->to_do[i]];
        if (map->progress == MAP_SENT)
            transaction_take_death(t, map, error);
    }

    t->n_workers--;
    transactions_release(t->all);
    if (t->n_workers == 0)
        transaction_end_round(t);
}

static int transaction_start_child(struct transaction *t, size_t first, size_t step)
{
    _cleanup_free_ struct share *share = malloc(sizeof(*share));
    if (!share)
        return -ENOMEM;
    *share = (struct share){t, first, step};

    int r = worker_start(t->all->event, transaction_swap_share, share, transaction_on_child_done,
                         share);
    if (r < 0)
        return r;
    (void)TAKE_PTR(share);
    t->n_workers++;
    t->all->n_workers++;
    for (size_t i = first; i < t->n_to_do; i += step)
        t->maps[t->to_do[i]].progress = MAP_SENT;
    return 0;
}

/* Two thirds of the children that there may be yet: the next ones need not wait for maps that hang.
 */
static size_t transaction_share(const struct transaction *t)
{
    size_t n = (2 * (WORKERS_MAX - t->all->n_workers) + 2) / 3;

    return t->n_to_do < n ? t->n_to_do : n;
}

/* A map that gets no child stays to be done. */
static void transaction_start_children(struct transaction *t)
{
    size_t n = transaction_share(t);

    for (size_t i = 0; i < n; i++) {
        int r = transaction_start_child(t, i, n);
        if (r < 0) {
            log_error("Cannot make a child process to change maps: %s.", strerror(-r));
            t->no_worker = true;
            break;
        }
    }
    if (t->n_workers == 0)
        transaction_end_round(t);
}

static void transactions_enqueue(struct transactions *all, struct transaction *t)
{
    struct transaction **last = &all->waiting;

    while (*last)
        last = &(*last)->next;
    *last = t;
}

/* A child has ended. One that waits may get none in spite of that, and the next one has its turn.
 */
static void transactions_release(struct transactions *all)
{
    all->n_workers--;
    while (all->waiting && all->n_workers < WORKERS_MAX) {
        struct transaction *first = all->waiting;
        all->waiting = TAKE_PTR(first->next);
        transaction_start_children(first);
    }
}

/* Swaps all maps that are to do. */
static void transaction_start_round(struct transaction *t)
{
    t->n_to_do = 0;
    for (size_t i = 0; i < t->n_maps; i++)
        if (t->maps[i].progress == MAP_TO_DO)
            t->to_do[t->n_to_do++] = i;
    if (t->n_to_do > 0 && t->all->n_workers == WORKERS_MAX)
        transactions_enqueue(t->all, t);
    else
        transaction_start_children(t);
}

/* Plans the stale maps again, should nothing else be wrong. False: there is nothing to plan. */
static bool transaction_replan(struct transaction *t)
{
    bool any = false;

    for (size_t i = 0; i < t->n_maps; i++) {
        bool stale = map_progress_is_stale(t->maps[i].progress);
        if (!stale && map_progress_is_failure(t->maps[i].progress))
            return false;
        any = any || stale;
    }
    if (!any || ++t->rounds >= ROUNDS_MAX)
        return false;

    for (size_t i = 0; i < t->n_maps; i++) {
        if (!map_progress_is_stale(t->maps[i].progress))
            continue;
        int r = t->calls.replan(&t->maps[i], t->userdata);
        if (r < 0 && r != -ENXIO)
            return false;
        t->maps[i].progress = r < 0 ? MAP_GONE : MAP_TO_DO;
    }
    return true;
}

static enum transaction_result transaction_failure(const struct transaction *t)
{
    if (t->no_worker)
        return TRANSACTION_NO_RESOURCES;
    for (size_t i = 0; i < t->n_maps; i++)
        if (t->maps[i].result.error == -ENOMEM)
            return TRANSACTION_NO_RESOURCES;
    for (size_t i = 0; i < t->n_maps; i++)
        if (t->maps[i].result.error < 0 && t->maps[i].result.stage == SWAP_SUSPENDED)
            return TRANSACTION_BUSY;
    return TRANSACTION_UNDONE;
}

static void transaction_end_forward(struct transaction *t)
{
    if (!t->calls.one_way && transaction_replan(t)) {
        transaction_start_round(t);
        return;
    }

    bool failed = false;
    for (size_t i = 0; i < t->n_maps; i++)
        failed = failed || map_progress_is_failure(t->maps[i].progress);
    if (!failed) {
        t->result = TRANSACTION_DONE;
        transaction_finish(t);
        return;
    }

    t->result = transaction_failure(t);
    if (t->calls.one_way) {
        transaction_finish(t);
        return;
    }
    t->rolling_back = true;
    for (size_t i = 0; i < t->n_maps; i++)
        t->maps[i].progress = map_progress_to_undo(t->maps[i].progress);
    transaction_start_round(t);
}

static void transaction_end_backward(struct transaction *t)
{
    for (size_t i = 0; i < t->n_maps; i++) {
        if (t->maps[i].progress == MAP_TO_DO)
            t->maps[i].progress = MAP_LOST;
        if (t->maps[i].progress == MAP_LOST)
            t->result = TRANSACTION_TORN;
    }
    transaction_finish(t);
}

static void transaction_end_round(struct transaction *t)
{
    if (t->rolling_back)
        transaction_end_backward(t);
    else
        transaction_end_forward(t);
}

int transactions_new(sd_event *event, struct transactions **ret)
{
    struct transactions *all = calloc(1, sizeof(*all));
    if (!all)
        return -ENOMEM;
    all->event = sd_event_ref(event);
    *ret = all;
    return 0;
}

struct transactions *transactions_free(struct transactions *all)
{
    if (all)
        sd_event_unref(all->event);
    free(all);
    return NULL;
}

int transaction_start(struct transactions *all, struct map_change *maps, size_t n_maps,
                      const struct transaction_calls *calls, void *userdata)
{
    _cleanup_free_ struct transaction *t = calloc(1, sizeof(*t));
    _cleanup_free_ size_t *to_do = calloc(n_maps + 1, sizeof(*to_do));
    if (!t || !to_do)
        return -ENOMEM;

    t->all = all;
    t->maps = maps;
    t->n_maps = n_maps;
    t->to_do = TAKE_PTR(to_do);
    t->calls = *calls;
    t->userdata = userdata;
    transaction_start_round(TAKE_PTR(t));
    return 0;
}
