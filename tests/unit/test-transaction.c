/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * All or none of service/tables/transaction.c, with real child processes and maps that are made up:
 * the linker hands swap_table(), swap_give_back() and worker_start() to those below. What the
 * children do stands in memory that they share with the test; the test looks at the tables that are
 * there in the end.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "basic/macros.h"
#include "service/base/worker.h"
#include "service/tables/transaction.h"

#define MAPS_MAX 32U
#define MAJOR 253U
#define ALL_WORKERS_MAX 12U /* as in transaction.c */
#define WORKERS_MAX 8U      /* likewise, of a lone transaction */
#define N_ROUNDS 15U        /* of planning again, likewise */
#define NEVER UINT32_MAX
#define PATIENCE_USEC (60U * 1000000U)

static const size_t set_sizes[] = {1, 2, 8, 9, 32};
#define N_SMALL 4U /* of them, where more would only take time */

enum table { OLD, NEW, OTHERS, REBUILT, OLD_AGAIN, NEW_AGAIN };
static const char *const table_names[] = {"old",     "new",       "others",
                                          "rebuilt", "old again", "new again"};

/* A made-up map, in shared memory. */
struct map {
    enum table live;
    unsigned n_forward, n_backward, n_given_back;
    unsigned n_wrong_kpartx;
    pid_t pid; /* that touched it last */
};

enum kind {
    WORKS,
    REFUSED_AT_READ,
    REFUSED_AT_LOAD,
    REFUSED_AT_RESUME,
    OTHERS_TABLE,  /* read back, and it was somebody else's */
    KILLED_BEFORE, /* the child, the map untouched */
    KILLED_AFTER,  /* the child, the new table live */
    GONE,
    GONE_LATE, /* after the table was set */
    NO_MEMORY,
    STALE,
    STALE_LATE, /* after the table was set: somebody else's has come with other paths */
    NO_ANSWER,  /* of multipathd's, which has rebuilt the map */
};

/* What the maps do; the children have a copy. */
static struct {
    size_t n;
    struct map *maps; /* shared */
    enum kind forward[MAPS_MAX], backward[MAPS_MAX];
    unsigned n_stale[MAPS_MAX]; /* STALE does it as often, and works then */
    uint32_t refuse_worker;     /* worker_start() that fails, counted from 0, and all after it */
    uint32_t n_workers;
    enum kind replan;
    unsigned n_replans;
} scene;

/* What the transaction said at its end. */
static struct {
    unsigned n_calls;
    enum transaction_result result;
    enum map_progress progress[MAPS_MAX];
    int errors[MAPS_MAX], errors_back[MAPS_MAX];
} answer;

int __real_worker_start(sd_event *event, worker_func_t func, void *arg, worker_done_t done,
                        void *userdata);
int __wrap_worker_start(sd_event *event, worker_func_t func, void *arg, worker_done_t done,
                        void *userdata);
struct swap_result __wrap_swap_table(const struct dm_map *planned, const struct mp_table *table,
                                     enum kpartx kpartx);
struct swap_result __wrap_swap_give_back(const struct dm_map *planned);

int __wrap_worker_start(sd_event *event, worker_func_t func, void *arg, worker_done_t done,
                        void *userdata)
{
    if (scene.n_workers++ >= scene.refuse_worker)
        return -EAGAIN;
    return __real_worker_start(event, func, arg, done, userdata);
}

static struct swap_result act(size_t i, enum kind kind, enum table wanted)
{
    struct map *map = &scene.maps[i];

    switch (kind) {
    case REFUSED_AT_READ:
        return (struct swap_result){-EIO, SWAP_READ};
    case REFUSED_AT_LOAD:
        return (struct swap_result){-EINVAL, SWAP_LOAD};
    case REFUSED_AT_RESUME:
        return (struct swap_result){-EINVAL, SWAP_RESUME};
    case OTHERS_TABLE:
        map->live = OTHERS;
        return (struct swap_result){-EBUSY, SWAP_READ_BACK};
    case KILLED_BEFORE:
        raise(SIGKILL);
        break;
    case KILLED_AFTER:
        map->live = wanted;
        raise(SIGKILL);
        break;
    case GONE:
        return (struct swap_result){-ENXIO, SWAP_READ};
    case GONE_LATE:
        map->live = wanted;
        return (struct swap_result){-ENXIO, SWAP_READ_BACK};
    case NO_MEMORY:
        return (struct swap_result){-ENOMEM, SWAP_LOAD};
    case STALE:
        if (map->n_forward + map->n_backward <= scene.n_stale[i])
            return (struct swap_result){-ESTALE, SWAP_READ};
        break;
    case STALE_LATE:
        if (map->n_forward + map->n_backward > scene.n_stale[i])
            break;
        map->live = OTHERS;
        return (struct swap_result){-ESTALE, SWAP_READ_BACK};
    case WORKS:
    case NO_ANSWER:
        break;
    }
    map->live = wanted;
    return (struct swap_result){0};
}

static bool is_old(enum table table)
{
    return table == OLD || table == OLD_AGAIN;
}

static enum kpartx kpartx_of(size_t i)
{
    return (enum kpartx)(i % 3);
}

/* A table's name is in its features. */
struct swap_result __wrap_swap_table(const struct dm_map *planned, const struct mp_table *table,
                                     enum kpartx kpartx)
{
    size_t i = minor(planned->dev);
    struct map *map = &scene.maps[i];
    enum table wanted = OLD;

    while (strcmp(table->features, table_names[wanted]) != 0)
        wanted++;
    map->pid = getpid();
    map->n_wrong_kpartx += kpartx != kpartx_of(i);
    if (is_old(wanted)) {
        map->n_backward++;
        return act(i, scene.backward[i], wanted);
    }
    map->n_forward++;
    return act(i, scene.forward[i], wanted);
}

struct swap_result __wrap_swap_give_back(const struct dm_map *planned)
{
    size_t i = minor(planned->dev);

    scene.maps[i].n_given_back++;
    if (scene.forward[i] == NO_ANSWER) {
        scene.maps[i].live = REBUILT;
        return (struct swap_result){-ETIMEDOUT, SWAP_GIVE_BACK};
    }
    return act(i, scene.forward[i], REBUILT);
}

static struct mp_table *new_table(enum table name)
{
    struct mp_table *table = calloc(1, sizeof(*table));
    assert_non_null(table);
    table->features = strdup(table_names[name]);
    assert_non_null(table->features);
    return table;
}

static struct dm_map *new_map(size_t i, enum table name)
{
    struct dm_map *map = calloc(1, sizeof(*map));
    assert_non_null(map);
    map->dev = makedev(MAJOR, (unsigned)i);
    map->table = new_table(name);
    return map;
}

/* The map has other paths now, so that both of its tables are others. */
static int on_replan(struct map_change *map, void *userdata)
{
    size_t i = minor(map->before->dev);

    scene.n_replans++;
    if (scene.replan == GONE)
        return -ENXIO;
    if (scene.replan == REFUSED_AT_READ)
        return -EOPNOTSUPP;
    dm_map_free(map->before);
    map->before = new_map(i, OLD_AGAIN);
    mp_table_free(map->after);
    map->after = new_table(NEW_AGAIN);
    return 0;
}

static void on_done(enum transaction_result result, const struct map_change *maps, size_t n_maps,
                    void *userdata)
{
    assert_ptr_equal(userdata, &scene);
    assert_int_equal(n_maps, scene.n);
    answer.n_calls++;
    answer.result = result;
    for (size_t i = 0; i < n_maps; i++) {
        assert_int_equal(minor(maps[i].before->dev), i);
        answer.progress[i] = maps[i].progress;
        answer.errors[i] = maps[i].result.error;
        answer.errors_back[i] = maps[i].put_back.error;
    }
}

/* All maps work, n of them. */
static void set_scene(size_t n)
{
    struct map *maps = scene.maps;

    memset(&scene, 0, sizeof(scene));
    memset(&answer, 0, sizeof(answer));
    memset(maps, 0, MAPS_MAX * sizeof(*maps));
    scene.maps = maps;
    scene.n = n;
    scene.refuse_worker = NEVER;
    for (size_t i = 0; i < MAPS_MAX; i++)
        scene.n_stale[i] = NEVER;
}

static struct transactions *all;
static bool one_way;

/* `n_given_back` maps, the last ones, are to be rebuilt by multipathd. */
static void start(sd_event *event, size_t n_given_back)
{
    const struct transaction_calls calls = {
        .replan = on_replan,
        .done = on_done,
        .one_way = one_way,
    };
    struct map_change *maps = calloc(scene.n + 1, sizeof(*maps));

    assert_non_null(maps);
    for (size_t i = 0; i < scene.n; i++)
        maps[i] = (struct map_change){
            .before = new_map(i, OLD),
            .after = i + n_given_back < scene.n ? new_table(NEW) : NULL,
            .kpartx = kpartx_of(i),
        };
    assert_int_equal(transaction_start(all, maps, scene.n, &calls, &scene), 0);
}

static void finish(sd_event *event)
{
    while (answer.n_calls == 0)
        assert_true(sd_event_run(event, PATIENCE_USEC) > 0);
    assert_int_equal(answer.n_calls, 1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, nor a zombie */
    assert_int_equal(errno, ECHILD);
    for (size_t i = 0; i < scene.n; i++)
        assert_int_equal(scene.maps[i].n_wrong_kpartx, 0);
}

static void run(sd_event *event)
{
    start(event, 0);
    finish(event);
}

static void assert_live(size_t i, enum table wanted)
{
    if (scene.maps[i].live != wanted)
        fail_msg("map %zu of %zu has the table \"%s\", expected \"%s\"", i, scene.n,
                 table_names[scene.maps[i].live], table_names[wanted]);
}

static void assert_all_live(enum table wanted)
{
    for (size_t i = 0; i < scene.n; i++)
        assert_live(i, wanted);
}

static void assert_undone(enum transaction_result result)
{
    assert_int_equal(answer.result, result);
    assert_all_live(OLD);
    for (size_t i = 0; i < scene.n; i++)
        assert_int_equal(answer.progress[i], MAP_AS_BEFORE);
}

static void test_all_work(void **state)
{
    for (size_t s = 0; s < ELEMENTSOF(set_sizes); s++) {
        set_scene(set_sizes[s]);
        run(*state);
        assert_int_equal(answer.result, TRANSACTION_DONE);
        assert_all_live(NEW);
        for (size_t i = 0; i < scene.n; i++) {
            assert_int_equal(answer.progress[i], MAP_CHANGED);
            assert_int_equal(scene.maps[i].n_forward, 1);
            assert_int_equal(scene.maps[i].n_backward, 0);
        }
        assert_int_equal(scene.n_workers, scene.n < WORKERS_MAX ? scene.n : WORKERS_MAX);
    }
}

/* The children share the work: as many as there may be, and each its part. */
static void test_children_share(void **state)
{
    size_t per_child[MAPS_MAX] = {0};

    set_scene(32);
    run(*state);
    for (size_t i = 0; i < scene.n; i++) {
        assert_true(scene.maps[i].pid > 0 && scene.maps[i].pid != getpid());
        for (size_t k = 0; k < scene.n; k++)
            per_child[i] += scene.maps[k].pid == scene.maps[i].pid;
        assert_int_equal(per_child[i], scene.n / WORKERS_MAX);
    }
}

/* Those that find no place begin as children of the others end. */
static void test_several_share(void **state)
{
    const unsigned n = 6;

    set_scene(8);
    for (unsigned i = 0; i < n; i++)
        start(*state, 0);
    assert_int_equal(scene.n_workers, ALL_WORKERS_MAX);
    while (answer.n_calls < n)
        assert_true(sd_event_run(*state, PATIENCE_USEC) > 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(answer.result, TRANSACTION_DONE);
    for (size_t i = 0; i < scene.n; i++)
        assert_int_equal(scene.maps[i].n_forward, n);
}

/* One whose maps hang leaves places to the next ones, which need not wait for it. */
static void test_lone_one_leaves_places(void **state)
{
    set_scene(32);
    start(*state, 0);
    assert_int_equal(scene.n_workers, WORKERS_MAX);
    start(*state, 0);
    assert_true(scene.n_workers > WORKERS_MAX && scene.n_workers < ALL_WORKERS_MAX);
    start(*state, 0);
    assert_int_equal(scene.n_workers, ALL_WORKERS_MAX);
    while (answer.n_calls < 3)
        assert_true(sd_event_run(*state, PATIENCE_USEC) > 0);
}

/* Who waits when no more children are to be had is refused, and nobody is left waiting. */
static void test_several_without_children(void **state)
{
    const unsigned n = 3 * ALL_WORKERS_MAX;

    set_scene(1);
    scene.refuse_worker = ALL_WORKERS_MAX;
    for (unsigned i = 0; i < n; i++)
        start(*state, 0);
    while (answer.n_calls < n)
        assert_true(sd_event_run(*state, PATIENCE_USEC) > 0);
    assert_int_equal(scene.maps[0].n_forward, ALL_WORKERS_MAX);
}

static void test_no_map(void **state)
{
    set_scene(0);
    start(*state, 0);
    assert_int_equal(answer.n_calls, 1);
    assert_int_equal(answer.result, TRANSACTION_DONE);
    assert_int_equal(scene.n_workers, 0);
}

/* The larger set has the same places, only more of them. */
static size_t n_sizes(enum kind kind)
{
    return kind == REFUSED_AT_LOAD || kind == KILLED_AFTER ? ELEMENTSOF(set_sizes) : N_SMALL;
}

/* A failure at every place of every set. */
static void assert_undone_wherever(sd_event *event, enum kind kind, enum transaction_result result)
{
    for (size_t s = 0; s < n_sizes(kind); s++)
        for (size_t at = 0; at < set_sizes[s]; at++) {
            set_scene(set_sizes[s]);
            scene.forward[at] = kind;
            run(event);
            assert_undone(result);
            assert_true(answer.errors[at] < 0);
        }
}

/* A map that was not touched is not put back either. */
static void assert_left_alone_wherever(sd_event *event, enum kind kind,
                                       enum transaction_result result)
{
    for (size_t s = 0; s < n_sizes(kind); s++)
        for (size_t at = 0; at < set_sizes[s]; at++) {
            set_scene(set_sizes[s]);
            scene.forward[at] = kind;
            run(event);
            assert_undone(result);
            for (size_t i = 0; i < scene.n; i++)
                assert_int_equal(scene.maps[i].n_backward, i != at);
        }
}

static void test_third_of_five_refuses(void **state)
{
    set_scene(5);
    scene.forward[2] = REFUSED_AT_LOAD;
    run(*state);
    assert_undone(TRANSACTION_UNDONE);
    for (size_t i = 0; i < scene.n; i++) {
        assert_int_equal(scene.maps[i].n_forward, 1);
        assert_int_equal(scene.maps[i].n_backward, i != 2);
        assert_int_equal(answer.errors[i], i == 2 ? -EINVAL : 0);
    }
}

static void test_refused_at_read(void **state)
{
    assert_left_alone_wherever(*state, REFUSED_AT_READ, TRANSACTION_UNDONE);
}

static void test_refused_at_load(void **state)
{
    assert_left_alone_wherever(*state, REFUSED_AT_LOAD, TRANSACTION_UNDONE);
}

static void test_refused_at_resume(void **state)
{
    assert_left_alone_wherever(*state, REFUSED_AT_RESUME, TRANSACTION_UNDONE);
}

static void test_no_memory(void **state)
{
    assert_left_alone_wherever(*state, NO_MEMORY, TRANSACTION_NO_RESOURCES);
}

static void test_others_table(void **state)
{
    assert_undone_wherever(*state, OTHERS_TABLE, TRANSACTION_UNDONE);
}

static void test_child_killed_before(void **state)
{
    assert_undone_wherever(*state, KILLED_BEFORE, TRANSACTION_UNDONE);
}

static void test_child_killed_after(void **state)
{
    assert_undone_wherever(*state, KILLED_AFTER, TRANSACTION_UNDONE);
}

static void test_all_refuse(void **state)
{
    set_scene(9);
    for (size_t i = 0; i < scene.n; i++)
        scene.forward[i] = REFUSED_AT_LOAD;
    run(*state);
    assert_undone(TRANSACTION_UNDONE);
    for (size_t i = 0; i < scene.n; i++)
        assert_int_equal(scene.maps[i].n_backward, 0);
}

/* A map refuses, and another then cannot be put back: the rest still is. */
static void assert_torn(sd_event *event, size_t n, size_t refuses, size_t stays, enum kind kind)
{
    set_scene(n);
    scene.forward[refuses] = REFUSED_AT_LOAD;
    scene.backward[stays] = kind;
    run(event);
    assert_int_equal(answer.result, TRANSACTION_TORN);
    assert_int_equal(answer.progress[stays], MAP_LOST);
    assert_true(answer.errors_back[stays] < 0);
    assert_int_equal(answer.errors[stays], 0);
}

static void test_torn(void **state)
{
    static const enum kind kinds[] = {REFUSED_AT_READ, REFUSED_AT_LOAD, REFUSED_AT_RESUME,
                                      OTHERS_TABLE, KILLED_BEFORE};

    for (size_t s = 1; s < ELEMENTSOF(set_sizes); s++)
        for (size_t at = 0; at < set_sizes[s]; at += 1 + s / N_SMALL) {
            enum kind kind = kinds[(s + at) % ELEMENTSOF(kinds)];
            size_t refuses = (at + 1) % set_sizes[s];
            assert_torn(*state, set_sizes[s], refuses, at, kind);
            for (size_t i = 0; i < scene.n; i++)
                if (i == at)
                    assert_live(i, kind == OTHERS_TABLE ? OTHERS : NEW);
                else if (kind != KILLED_BEFORE) /* a dead child leaves the rest of its share */
                    assert_live(i, OLD);
        }
}

/* The table is back, but who put it there died before he could say so: taken for the worst. */
static void test_killed_after_putting_back(void **state)
{
    assert_torn(*state, 5, 2, 0, KILLED_AFTER);
    assert_all_live(OLD);
}

/* Without a child nothing happens, and the answer is there at once. */
static void test_fork_refused(void **state)
{
    for (size_t s = 0; s < ELEMENTSOF(set_sizes); s++) {
        set_scene(set_sizes[s]);
        scene.refuse_worker = 0;
        start(*state, 0);
        assert_int_equal(answer.n_calls, 1);
        assert_undone(TRANSACTION_NO_RESOURCES);
        for (size_t i = 0; i < scene.n; i++)
            assert_int_equal(scene.maps[i].n_forward, 0);
    }
}

/* Some children could be made, and one for putting back. */
static int refuse_once_start(sd_event *event, size_t n, uint32_t at)
{
    set_scene(n);
    scene.refuse_worker = at;
    start(event, 0);
    scene.refuse_worker = NEVER; /* all children of the round have been asked for */
    finish(event);
    return answer.result;
}

static void test_fork_refused_in_between(void **state)
{
    for (size_t s = 1; s < ELEMENTSOF(set_sizes); s++) {
        size_t n_children = set_sizes[s] < WORKERS_MAX ? set_sizes[s] : WORKERS_MAX;
        for (uint32_t at = 1; at < n_children; at++) {
            assert_int_equal(refuse_once_start(*state, set_sizes[s], at), TRANSACTION_NO_RESOURCES);
            assert_undone(TRANSACTION_NO_RESOURCES);
        }
    }
}

/* The change needs two children, and no more are to be had for putting back. */
static void test_fork_refused_when_putting_back(void **state)
{
    set_scene(2);
    scene.forward[1] = REFUSED_AT_LOAD;
    scene.refuse_worker = 2;
    run(*state);
    assert_int_equal(answer.result, TRANSACTION_TORN);
    assert_live(0, NEW);
    assert_live(1, OLD);
    assert_int_equal(answer.progress[0], MAP_LOST);
    assert_int_equal(answer.progress[1], MAP_AS_BEFORE);

    set_scene(9);
    scene.forward[8] = REFUSED_AT_LOAD;
    scene.refuse_worker = 8 + 3;
    run(*state);
    assert_int_equal(answer.result, TRANSACTION_TORN);
    for (size_t i = 0; i < scene.n; i++)
        assert_live(i, i < 3 || i == 8 ? OLD : NEW);
}

/* A map that vanishes has no table to carry. */
static void test_gone(void **state)
{
    for (size_t s = 0; s < N_SMALL; s++)
        for (size_t at = 0; at < set_sizes[s]; at++) {
            set_scene(set_sizes[s]);
            scene.forward[at] = at % 2 ? GONE : GONE_LATE;
            run(*state);
            assert_int_equal(answer.result, TRANSACTION_DONE);
            for (size_t i = 0; i < scene.n; i++)
                if (i != at)
                    assert_live(i, NEW);
            assert_int_equal(answer.progress[at], MAP_GONE);
        }

    set_scene(9);
    for (size_t i = 0; i < scene.n; i++)
        scene.forward[i] = GONE;
    run(*state);
    assert_int_equal(answer.result, TRANSACTION_DONE);
}

static void test_gone_when_putting_back(void **state)
{
    set_scene(5);
    scene.forward[2] = REFUSED_AT_LOAD;
    scene.backward[0] = GONE;
    run(*state);
    assert_int_equal(answer.result, TRANSACTION_UNDONE);
    for (size_t i = 1; i < scene.n; i++)
        assert_live(i, OLD);
}

/* Paths came or went, before the map had its new table or after: planned again, that map alone. */
static void test_stale(void **state)
{
    for (unsigned n_stale = 1; n_stale <= N_ROUNDS; n_stale++)
        for (size_t at = 0; at < 9; at += n_stale) {
            set_scene(9);
            scene.forward[at] = at % 2 ? STALE : STALE_LATE;
            scene.n_stale[at] = n_stale;
            run(*state);
            assert_int_equal(answer.result, TRANSACTION_DONE);
            assert_int_equal(scene.n_replans, n_stale);
            for (size_t i = 0; i < scene.n; i++) {
                assert_live(i, i == at ? NEW_AGAIN : NEW);
                assert_int_equal(scene.maps[i].n_forward, i == at ? n_stale + 1 : 1);
                assert_int_equal(answer.errors[i], 0);
            }
        }
}

static void test_stale_for_ever(void **state)
{
    for (size_t at = 0; at < 9; at++) {
        set_scene(9);
        scene.forward[at] = STALE;
        run(*state);
        assert_undone(TRANSACTION_UNDONE);
        assert_int_equal(scene.n_replans, N_ROUNDS);
        assert_int_equal(scene.maps[at].n_forward, N_ROUNDS + 1);
        assert_int_equal(scene.maps[at].n_backward, 0);
        assert_int_equal(answer.errors[at], -ESTALE);
    }
}

/* What is put back is what the map had last, not what it had when the call came. */
static void test_put_back_after_replanning(void **state)
{
    set_scene(3);
    scene.forward[0] = scene.forward[1] = STALE;
    scene.n_stale[0] = 1; /* the other is stale for ever */
    run(*state);
    assert_int_equal(answer.result, TRANSACTION_UNDONE);
    assert_live(0, OLD_AGAIN);
    assert_live(1, OLD);
    assert_live(2, OLD);
    assert_int_equal(scene.n_replans, N_ROUNDS + 1);
}

/* The last plan was for others' table: that is what the map has then. */
static void test_stale_late_for_ever(void **state)
{
    set_scene(3);
    scene.forward[1] = STALE_LATE;
    run(*state);
    assert_int_equal(answer.result, TRANSACTION_UNDONE);
    assert_live(0, OLD);
    assert_live(1, OLD_AGAIN);
    assert_live(2, OLD);
}

/* Paths come while a map is put back: it has a table of those who brought them. */
static void test_stale_when_putting_back(void **state)
{
    set_scene(5);
    scene.forward[2] = REFUSED_AT_LOAD;
    scene.backward[0] = STALE_LATE;
    run(*state);
    assert_int_equal(answer.result, TRANSACTION_UNDONE);
    assert_live(0, OTHERS);
    for (size_t i = 1; i < scene.n; i++)
        assert_live(i, OLD);
}

/* With another fault there is no use in planning again. */
static void test_stale_and_refused(void **state)
{
    set_scene(5);
    scene.forward[1] = STALE;
    scene.forward[3] = REFUSED_AT_LOAD;
    run(*state);
    assert_undone(TRANSACTION_UNDONE);
    assert_int_equal(scene.n_replans, 0);
}

static void test_replan_refused(void **state)
{
    set_scene(5);
    scene.forward[1] = scene.forward[4] = STALE;
    scene.replan = REFUSED_AT_READ;
    run(*state);
    assert_undone(TRANSACTION_UNDONE);
    assert_int_equal(scene.n_replans, 1);
}

static void test_gone_when_replanning(void **state)
{
    set_scene(5);
    scene.forward[1] = scene.forward[4] = STALE;
    scene.replan = GONE;
    run(*state);
    assert_int_equal(answer.result, TRANSACTION_DONE);
    for (size_t i = 0; i < scene.n; i++)
        assert_live(i, i == 1 || i == 4 ? OLD : NEW);
}

static void test_given_back(void **state)
{
    set_scene(9);
    start(*state, 4);
    finish(*state);
    assert_int_equal(answer.result, TRANSACTION_DONE);
    for (size_t i = 0; i < scene.n; i++) {
        assert_live(i, i < 5 ? NEW : REBUILT);
        assert_int_equal(scene.maps[i].n_given_back, i >= 5);
    }
}

/* multipathd may have rebuilt the map and not said so: it gets its old table. */
static void test_give_back_fails(void **state)
{
    for (size_t at = 0; at < 9; at++) {
        set_scene(9);
        scene.forward[at] = NO_ANSWER;
        start(*state, 9);
        finish(*state);
        assert_undone(TRANSACTION_UNDONE);
        for (size_t i = 0; i < scene.n; i++)
            assert_int_equal(scene.maps[i].n_backward, 1);
    }
}

/* Where there is no way back, it keeps what multipathd has made of it. */
static void test_one_way(void **state)
{
    one_way = true;
    for (size_t at = 0; at < 3; at++) {
        set_scene(3);
        scene.forward[at] = NO_ANSWER;
        start(*state, 3);
        finish(*state);
        assert_int_equal(answer.result, TRANSACTION_UNDONE);
        assert_all_live(REBUILT);
    }
    one_way = false;
}

static int setup(void **state)
{
    sigset_t signals;
    sd_event *event = NULL;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0 || sd_event_new(&event) < 0 ||
        transactions_new(event, &all) < 0)
        return -1;
    void *shared = mmap(NULL, MAPS_MAX * sizeof(struct map), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return -1;
    scene.maps = shared;
    *state = event;
    return 0;
}

static int teardown(void **state)
{
    transactions_free(all);
    sd_event_unref(*state);
    munmap(scene.maps, MAPS_MAX * sizeof(struct map));
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_work),
        cmocka_unit_test(test_children_share),
        cmocka_unit_test(test_several_share),
        cmocka_unit_test(test_lone_one_leaves_places),
        cmocka_unit_test(test_several_without_children),
        cmocka_unit_test(test_no_map),
        cmocka_unit_test(test_third_of_five_refuses),
        cmocka_unit_test(test_refused_at_read),
        cmocka_unit_test(test_refused_at_load),
        cmocka_unit_test(test_refused_at_resume),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_others_table),
        cmocka_unit_test(test_child_killed_before),
        cmocka_unit_test(test_child_killed_after),
        cmocka_unit_test(test_all_refuse),
        cmocka_unit_test(test_torn),
        cmocka_unit_test(test_killed_after_putting_back),
        cmocka_unit_test(test_fork_refused),
        cmocka_unit_test(test_fork_refused_in_between),
        cmocka_unit_test(test_fork_refused_when_putting_back),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_gone_when_putting_back),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_stale_for_ever),
        cmocka_unit_test(test_stale_late_for_ever),
        cmocka_unit_test(test_stale_when_putting_back),
        cmocka_unit_test(test_put_back_after_replanning),
        cmocka_unit_test(test_stale_and_refused),
        cmocka_unit_test(test_replan_refused),
        cmocka_unit_test(test_gone_when_replanning),
        cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_give_back_fails),
        cmocka_unit_test(test_one_way),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
