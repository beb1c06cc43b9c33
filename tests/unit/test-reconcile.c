/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * When a repair is tried, and one that does not begin. The map is made up, and its table never what
 * is planned for it; the clock is the test's.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "basic/macros.h"
#include "service/model/find.h"
#include "service/model/host.h"
#include "service/model/maps.h"
#include "service/reconcile/map-update.h"
#include "service/reconcile/reconcile.h"
#include "service/tables/lb-plan.h"
#include "service/tables/transaction.h"

#define DEV makedev(253, 0)
#define TABLE "0 0 1 1 round-robin 0 3 1 8:0 1 8:1 1 8:2 1"
#define N_PATHS 3U
#define SECOND UINT64_C(1000000)

static struct {
    struct host host;
    struct session session, *sorted[1];
    struct connection connection;
    struct host_map *map;
    uint64_t now;
    size_t n_in_transit; /* of the map's paths, the last ones: their sessions have no name */
    unsigned n_started;  /* transactions */
} world;

/* --- What reconcile.c calls, by the linker's doing ------------------------------------------ */

uint64_t __wrap_loop_usec(sd_event *event);
int __wrap_map_snapshot_read(struct host *host, dev_t dev, struct map_snapshot *ret);
int __wrap_lb_plan(const struct map_snapshot *snapshot, struct mp_table **ret);
int __wrap_map_update(struct host_map *map, const struct map_snapshot *snapshot,
                      const struct mp_table *planned);
int __wrap_transaction_start(struct transactions *all, struct map_change *maps, size_t n_maps,
                             const struct transaction_calls *calls, void *userdata);

uint64_t __wrap_loop_usec(sd_event *event)
{
    return world.now;
}

int __wrap_map_snapshot_read(struct host *host, dev_t dev, struct map_snapshot *ret)
{
    struct dm_map *dm = calloc(1, sizeof(*dm));
    struct map_path *paths = calloc(N_PATHS, sizeof(*paths));

    assert_true(dm && paths);
    *dm = (struct dm_map){.dev = dev, .name = strdup("mpatha"), .uuid = strdup("mpath-3600a")};
    assert_int_equal(mp_table_parse(TABLE, &dm->table), 0);
    for (unsigned i = 0; i < N_PATHS; i++) {
        paths[i].dev = makedev(8, i);
        paths[i].connection = i + world.n_in_transit < N_PATHS ? &world.connection : NULL;
    }
    *ret = (struct map_snapshot){host, dm, paths, N_PATHS};
    return 0;
}

int __wrap_lb_plan(const struct map_snapshot *snapshot, struct mp_table **ret)
{
    return mp_table_parse(TABLE, ret);
}

int __wrap_map_update(struct host_map *map, const struct map_snapshot *snapshot,
                      const struct mp_table *planned)
{
    map->state.sync = SYNC_IN_FORCE;
    map_state_see(&map->state, SEEN_OTHER);
    return 0;
}

int __wrap_transaction_start(struct transactions *all, struct map_change *maps, size_t n_maps,
                             const struct transaction_calls *calls, void *userdata)
{
    world.n_started++;
    return -ENOMEM;
}

/* -------------------------------------------------------------------------------------------- */

static int begin(void **state)
{
    struct map_snapshot snapshot = {0};

    memset(&world, 0, sizeof(world));
    world.now = SECOND;
    world.session = (struct session){.id = 100, .host = &world.host};
    world.sorted[0] = &world.session;
    world.connection = (struct connection){.id = 1, .session = &world.session};
    world.host.sessions = world.sorted;
    world.host.n_sessions = 1;
    if (sd_event_new(&world.host.event) < 0 || reconciler_new(&world.host) < 0)
        return -1;
    (void)map_snapshot_read(&world.host, DEV, &snapshot);
    int r = maps_upsert(&world.host, &snapshot, &world.map);
    map_snapshot_done(&snapshot);
    return r;
}

static int end(void **state)
{
    reconciler_free(&world.host);
    maps_free_all(&world.host);
    free(world.session.maps);
    announcer_done(&world.host.announcer);
    announcer_done(&world.host.disk_announcer);
    free(world.host.to_announce);
    sd_event_unref(world.host.event);
    return 0;
}

/* Nobody else has given the map its groups: that it has others still is no round. */
static void test_without_memory(void **state)
{
    for (unsigned i = 0; i < 2 * CONTEST_ROUNDS_MAX; i++)
        reconcile_map_entry(world.map);
    assert_int_equal(world.n_started, 2 * CONTEST_ROUNDS_MAX);
    assert_int_equal(world.map->state.table, TABLE_DIFFERS);
    assert_int_equal(world.map->state.rounds, 0);
    assert_int_equal(world.map->state.hold, HOLD_FREE);
    assert_false(reconcile_is_running(&world.host));
}

/* Whether a look at the map, so much later, leads to a repair. */
static bool repairs_after(uint64_t usec)
{
    unsigned before = world.n_started;

    world.now += usec;
    reconcile_map_entry(world.map);
    return world.n_started > before;
}

/* Each path is waited for once, and not again and again where its session never names itself. */
static void test_in_transit(void **state)
{
    assert_true(repairs_after(SECOND));
    for (world.n_in_transit = 1; world.n_in_transit < N_PATHS; world.n_in_transit++) {
        assert_false(repairs_after(SECOND));
        assert_false(repairs_after(9 * SECOND));
        assert_true(repairs_after(SECOND));
        assert_true(repairs_after(SECOND / 10));
    }
    world.n_in_transit = 0; /* they have in the end, and another one is on its way later */
    assert_true(repairs_after(SECOND));
    world.n_in_transit = 1;
    assert_false(repairs_after(SECOND));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_memory, begin, end),
        cmocka_unit_test_setup_teardown(test_in_transit, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
