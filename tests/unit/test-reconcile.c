/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Repairs that do not begin. The map is made up, and its table never what is planned for it. */

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
#define TABLE "0 0 1 1 round-robin 0 1 1 8:0 1"

static struct {
    struct host host;
    struct session session, *sorted[1];
    struct connection connection;
    struct host_map *map;
    unsigned n_started; /* transactions */
} world;

/* --- What reconcile.c calls, by the linker's doing ------------------------------------------ */

int __wrap_map_snapshot_read(struct host *host, dev_t dev, struct map_snapshot *ret);
int __wrap_lb_plan(const struct map_snapshot *snapshot, struct mp_table **ret);
int __wrap_map_update(struct host_map *map, const struct map_snapshot *snapshot,
                      const struct mp_table *planned);
int __wrap_transaction_start(struct transactions *all, struct map_change *maps, size_t n_maps,
                             const struct transaction_calls *calls, void *userdata);

int __wrap_map_snapshot_read(struct host *host, dev_t dev, struct map_snapshot *ret)
{
    struct dm_map *dm = calloc(1, sizeof(*dm));
    struct map_path *path = calloc(1, sizeof(*path));

    assert_true(dm && path);
    *dm = (struct dm_map){.dev = dev, .name = strdup("mpatha"), .uuid = strdup("mpath-3600a")};
    assert_int_equal(mp_table_parse(TABLE, &dm->table), 0);
    *path = (struct map_path){makedev(8, 0), &world.connection, 1, {0}};
    *ret = (struct map_snapshot){host, dm, path, 1};
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_memory, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
