/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which policy counts for a map, on a model of the host that has one map and two sessions. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "basic/macros.h"
#include "service/model/maps.h"
#include "service/tables/lb-plan.h"

#define WWID "36001405abc"
#define N 4U

/* Paths 8:1 to 8:4 with the DsmPathIds 1 to 4; the first two are the first session's. */
struct scene {
    struct host host;
    struct session sessions[2], *sorted[2];
    struct store_policy chosen[2];
    struct connection connections[N];
    struct dm_map dm;
    struct map_path paths[N];
    struct map_snapshot snapshot;
    struct host_map *map;
    struct store_disk_path disk_paths[N];
    struct store_disk_policy disk;
};

static void scene_init(struct scene *scene, const char *table)
{
    *scene = (struct scene){
        .dm = {.dev = makedev(253, 1), .name = (char *)"mpatha", .uuid = (char *)"mpath-" WWID},
        .disk = {.wwid = (char *)WWID, .policy = DSM_LEAST_BLOCKS, .paths = scene->disk_paths},
    };
    assert_int_equal(mp_table_parse(table, &scene->dm.table), 0);
    for (unsigned i = 0; i < 2; i++) {
        scene->sessions[i] = (struct session){.id = 100 + i, .host = &scene->host};
        scene->chosen[i] =
            (struct store_policy){.policy = LB_DYN_LEAST_QUEUE_DEPTH, .serial = 1 + i};
        scene->sorted[i] = &scene->sessions[i];
    }
    scene->host.sessions = scene->sorted;
    scene->host.n_sessions = 2;
    for (unsigned i = 0; i < N; i++) {
        scene->connections[i] =
            (struct connection){.id = 1 + i, .session = &scene->sessions[i / 2]};
        scene->paths[i] = (struct map_path){
            .dev = makedev(8, 1 + i),
            .connection = &scene->connections[i],
            .id = 1 + i,
            .disk.sid = 11 + i,
        };
    }
    scene->snapshot = (struct map_snapshot){&scene->host, &scene->dm, scene->paths, N};
    assert_int_equal(maps_upsert(&scene->host, &scene->snapshot, &scene->map), 0);
}

static void scene_done(struct scene *scene)
{
    scene->map->policy = NULL;
    maps_free_all(&scene->host);
    for (unsigned i = 0; i < 2; i++)
        free(scene->sessions[i].maps);
    mp_table_free(scene->dm.table);
}

/* Groups of the planned table: "service-time 1234", "round-robin 1 2 34"; NULL: the host's own. */
static void assert_plan(const struct scene *scene, const char *wanted)
{
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    char found[128];

    int r = lb_plan(&scene->snapshot, &table);
    if (!wanted) {
        assert_int_equal(r, -ENODATA);
        return;
    }
    assert_int_equal(r, 0);
    int n = snprintf(found, sizeof(found), "%.*s", (int)strcspn(table->groups[0].selector, " "),
                     table->groups[0].selector);
    for (size_t g = 0; g < table->n_groups; g++) {
        found[n++] = ' ';
        for (size_t p = 0; p < table->groups[g].n_paths; p++)
            found[n++] = (char)('0' + minor(table->groups[g].paths[p]));
    }
    found[n] = '\0';
    assert_string_equal(found, wanted);
}

#define ONE_GROUP "0 0 1 1 round-robin 0 4 1 8:1 1 8:2 1 8:3 1 8:4 1"
#define ALONE                                                                                      \
    "0 0 4 1 round-robin 0 1 1 8:1 1 round-robin 0 1 1 8:2 1 round-robin 0 1 1 8:3 1 "             \
    "round-robin 0 1 1 8:4 1"

/* Disk, session, default, host. */
static void test_ranks(void **state)
{
    struct scene scene;

    scene_init(&scene, ONE_GROUP);
    assert_plan(&scene, NULL);
    scene.map->policy = &scene.disk;
    scene.disk.by_default = true;
    assert_plan(&scene, "service-time 1234");
    scene.sessions[1].policy = &scene.chosen[1];
    assert_plan(&scene, "queue-length 34 12");
    assert_false(lb_has_disk_policy(&scene.snapshot));
    scene.sessions[1].hold = SESSION_CLEAR; /* while policy 6 is carried out */
    assert_plan(&scene, "service-time 1234");
    scene.sessions[1].hold = SESSION_FREE;
    scene.disk.by_default = false;
    assert_plan(&scene, "service-time 1234");
    assert_true(lb_has_disk_policy(&scene.snapshot));
    scene.map->state.hold = HOLD_CLEAR; /* while it is cleared */
    assert_plan(&scene, "queue-length 34 12");
    scene.sessions[1].policy = NULL;
    assert_plan(&scene, NULL);
    scene_done(&scene);
}

/* Policies name a path by the rank that it has not any more, or not yet. */
static void test_twins(void **state)
{
    struct store_path named[] = {{.connection_id = 7, .primary = true}, {.connection_id = 1}};
    struct connection *sorted[2];
    struct scene scene;

    scene_init(&scene, ONE_GROUP);
    for (unsigned i = 0; i < 2; i++)
        sorted[i] = &scene.connections[i];
    scene.sessions[0].connections = sorted;
    scene.sessions[0].n_connections = 2;
    scene.sessions[0].policy = &scene.chosen[0];
    scene.chosen[0].policy = LB_FAILOVER;
    scene.chosen[0].paths = named;
    scene.chosen[0].n_paths = 2;
    assert_plan(&scene, "round-robin 1 2 34");
    scene.connections[1].other_id = 7;
    assert_plan(&scene, "round-robin 2 1 34");
    named[0].connection_id = 2; /* its own name counts first */
    scene.connections[0].other_id = 2;
    assert_plan(&scene, "round-robin 2 1 34");

    scene.map->policy = &scene.disk;
    scene.disk.policy = DSM_FAILOVER;
    scene.disk_paths[0] = (struct store_disk_path){.id = 8, .primary = true};
    scene.disk.n_paths = 1;
    assert_plan(&scene, "round-robin 1 2 3 4");
    scene.connections[3].other_id = 8;
    assert_plan(&scene, "round-robin 4 1 2 3");
    scene.disk_paths[0].preferred = true;
    assert_plan(&scene, "round-robin 4 1 2 3");
    assert_int_equal(lb_preferred_path(&scene.snapshot, &scene.disk), 4);
    scene_done(&scene);
}

/* A session's choice passes over a disk that has its own, and replaces one by default. */
static void test_choice_of_a_session(void **state)
{
    _cleanup_(mp_table_freep) struct mp_table *own = NULL, *given = NULL, *staying = NULL;
    struct scene scene;
    bool stays;

    scene_init(&scene, ONE_GROUP);
    scene.map->policy = &scene.disk;
    assert_int_equal(
        lb_plan_choice(&scene.snapshot, &scene.sessions[0], &scene.chosen[0], &own, &stays), 0);
    assert_string_equal(own->groups[0].selector, "service-time 0");
    assert_false(stays);
    scene.disk.policy = DSM_FAILOVER;
    assert_int_equal(
        lb_plan_choice(&scene.snapshot, &scene.sessions[0], &scene.chosen[0], &staying, &stays), 0);
    assert_true(stays);
    scene.disk.by_default = true;
    assert_int_equal(
        lb_plan_choice(&scene.snapshot, &scene.sessions[0], &scene.chosen[0], &given, &stays), 0);
    assert_string_equal(given->groups[0].selector, "queue-length 0");
    assert_false(stays);
    scene_done(&scene);
}

static void name_paths(struct scene *scene, unsigned primary, unsigned preferred)
{
    scene->disk.n_paths = N;
    for (unsigned i = 0; i < N; i++)
        scene->disk_paths[i] = (struct store_disk_path){
            .id = 1 + i, .primary = 1 + i == primary, .preferred = 1 + i == preferred};
}

static void test_failover(void **state)
{
    struct mp_path_state states[N];
    struct mp_status status = {states, N, (char *)"EEEE", N};
    struct scene scene;

    scene_init(&scene, ALONE);
    scene.dm.status = &status;
    scene.map->policy = &scene.disk;
    scene.disk.policy = DSM_FAILOVER;
    for (unsigned i = 0; i < N; i++)
        states[i] = (struct mp_path_state){makedev(8, 1 + i), false};

    /* Chosen just now, or a map that has appeared: the primary leads, whatever is in use. */
    name_paths(&scene, 2, 0);
    status.group_states = (char *)"EEAE";
    assert_true(lb_failback_is_manual(scene.map));
    assert_plan(&scene, "round-robin 2 1 3 4");
    /* Later, what the kernel has come to; then that stays, while it is usable. */
    scene.map->active_path = (struct active_path){2, 12};
    assert_plan(&scene, "round-robin 3 2 1 4");
    status.group_states = (char *)"EAEE";
    states[1].failed = true;
    assert_plan(&scene, "round-robin 1 2 3 4");
    scene.map->active_path = (struct active_path){1, 11};
    states[1].failed = false;
    status.group_states = (char *)"AEEE";
    assert_plan(&scene, "round-robin 1 2 3 4");

    /* A preferred path leads, and then the primary. */
    name_paths(&scene, 2, 4);
    assert_false(lb_failback_is_manual(scene.map));
    assert_plan(&scene, "round-robin 4 2 1 3");
    scene_done(&scene);
}

/* Names move on among twins when one logs out, the I/O does not: it is on path 1 now. */
static void test_active_twin(void **state)
{
    struct active_path last = {7, 14};
    struct scene scene;

    scene_init(&scene, ALONE);
    scene.connections[3].other_id = 7;
    assert_int_equal(lb_active_path(&scene.snapshot, &last, true).id, 4);
    last.sid = 15;
    assert_int_equal(lb_active_path(&scene.snapshot, &last, true).id, 1);
    last.id = 4; /* alone: it has logged in again */
    assert_int_equal(lb_active_path(&scene.snapshot, &last, true).id, 4);
    scene.connections[3].rank = 1;
    assert_int_equal(lb_active_path(&scene.snapshot, &last, true).id, 1);
    last.sid = 14;
    last.id = 9;
    assert_int_equal(lb_active_path(&scene.snapshot, &last, true).sid, 14);
    scene_done(&scene);
}

static void test_other_policies(void **state)
{
    struct scene scene;

    scene_init(&scene, ONE_GROUP);
    scene.map->policy = &scene.disk;
    name_paths(&scene, 2, 0);
    scene.disk.policy = DSM_ROUND_ROBIN_WITH_SUBSET;
    assert_plan(&scene, "round-robin 2 134");
    scene.disk.policy = DSM_WEIGHTED_PATHS;
    scene.disk_paths[0].weight = scene.disk_paths[2].weight = 7;
    scene.host.highest_first = true; /* is for sessions */
    assert_plan(&scene, "round-robin 24 13");
    scene.disk.policy = DSM_DYN_LEAST_QUEUE_DEPTH;
    assert_plan(&scene, "queue-length 1234");
    /* One by default names no path. */
    scene.disk.n_paths = 0;
    scene.disk.policy = DSM_ROUND_ROBIN;
    assert_plan(&scene, "round-robin 1234");
    scene.disk.policy = DSM_FAILOVER;
    assert_plan(&scene, "round-robin 1 2 3 4");

    /* Over asymmetric access it is what Windows makes of it, by the same groups. */
    scene.disk.policy = DSM_ROUND_ROBIN;
    scene.paths[0].disk.access = ACCESS_NON_OPTIMIZED;
    assert_plan(&scene, "round-robin 234 1");
    assert_int_equal(lb_disk_policy(scene.map), DSM_ROUND_ROBIN);
    scene.map->asymmetric = lb_is_asymmetric(&scene.snapshot);
    assert_int_equal(lb_disk_policy(scene.map), DSM_ROUND_ROBIN_WITH_SUBSET);
    scene_done(&scene);
}

/* Only the choice is refused where access states forbid it. */
static void test_access(void **state)
{
    struct mp_table *table = NULL;
    struct scene scene;
    bool stays;

    scene_init(&scene, ONE_GROUP);
    scene.map->policy = &scene.disk;
    scene.disk.policy = DSM_FAILOVER;
    name_paths(&scene, 1, 0);
    scene.paths[0].disk.access = ACCESS_NON_OPTIMIZED;
    assert_int_equal(lb_plan_disk_choice(&scene.snapshot, &scene.disk, &table, &stays),
                     -EOPNOTSUPP);
    assert_null(table);
    assert_plan(&scene, "round-robin 2 3 4 1");
    scene_done(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_choice_of_a_session),
        cmocka_unit_test(test_failover),
        cmocka_unit_test(test_active_twin),
        cmocka_unit_test(test_other_policies),
        cmocka_unit_test(test_access),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
