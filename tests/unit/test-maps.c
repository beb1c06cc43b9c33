/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The model of maps: what a snapshot makes of them, and what keeps one that has gone. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "basic/macros.h"
#include "service/model/find.h"
#include "service/model/maps.h"

#define N 4U /* paths, two of each session */

static struct {
    struct host host;
    struct session sessions[2], *sorted[2];
    struct connection connections[N];
    struct mp_table *table;
    struct dm_map dm;
    struct map_path paths[N];
    struct map_snapshot snapshot;
    unsigned n_removed;
    unsigned n_left; /* allocations that succeed, UINT_MAX: all */
} scene;

/* --- Memory that there is none of, by the linker's doing ------------------------------------- */

void *__wrap_calloc(size_t n, size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *data, size_t n, size_t size);
void *__real_reallocarray(void *data, size_t n, size_t size);
char *__wrap_strdup(const char *text);
char *__real_strdup(const char *text);
void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));
void *__real_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));

static bool has_memory(void)
{
    if (scene.n_left == UINT_MAX)
        return true;
    if (scene.n_left == 0)
        return false;
    scene.n_left--;
    return true;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return has_memory() ? __real_calloc(n, size) : NULL;
}

void *__wrap_reallocarray(void *data, size_t n, size_t size)
{
    return has_memory() ? __real_reallocarray(data, n, size) : NULL;
}

char *__wrap_strdup(const char *text)
{
    return has_memory() ? __real_strdup(text) : NULL;
}

void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
    return has_memory() ? __real_tsearch(key, root, compare) : NULL;
}

/* -------------------------------------------------------------------------------------------- */

static void on_disk_removed(const char *wwid, void *userdata)
{
    scene.n_removed++;
}

static int begin(void **state)
{
    memset(&scene, 0, sizeof(scene));
    scene.n_left = UINT_MAX;
    for (unsigned i = 0; i < 2; i++) {
        scene.sessions[i] = (struct session){.id = 100 + i, .host = &scene.host};
        scene.sorted[i] = &scene.sessions[i];
    }
    scene.host.sessions = scene.sorted;
    scene.host.n_sessions = 2;
    for (unsigned i = 0; i < N; i++) {
        scene.connections[i] = (struct connection){.id = 1 + i, .session = &scene.sessions[i / 2]};
        scene.paths[i] = (struct map_path){
            .dev = makedev(8, N - i),
            .connection = &scene.connections[i],
            .id = 1 + i,
        };
    }
    assert_int_equal(mp_table_parse("0 0 0 0", &scene.table), 0);
    scene.snapshot = (struct map_snapshot){&scene.host, &scene.dm, scene.paths, N};
    assert_true(sd_event_new(&scene.host.event) >= 0);
    host_observe(&scene.host, &(struct host_observer){.disk_removed = on_disk_removed});
    return 0;
}

static int end(void **state)
{
    maps_free_all(&scene.host);
    mp_table_free(scene.table);
    for (unsigned i = 0; i < 2; i++)
        free(scene.sessions[i].maps);
    announcer_done(&scene.host.announcer);
    announcer_done(&scene.host.disk_announcer);
    free(scene.host.to_announce);
    sd_event_unref(scene.host.event);
    return 0;
}

static int try_to_take(unsigned minor, const char *wwid, const char *name, struct host_map **ret)
{
    static char uuid[64];

    snprintf(uuid, sizeof(uuid), "mpath-%s", wwid);
    scene.dm = (struct dm_map){.dev = makedev(253, minor),
                               .name = (char *)name,
                               .uuid = uuid,
                               .sectors = 2048,
                               .table = scene.table};
    return maps_upsert(&scene.host, &scene.snapshot, ret);
}

static struct host_map *take(unsigned minor, const char *wwid, const char *name)
{
    struct host_map *map = NULL;

    assert_int_equal(try_to_take(minor, wwid, name, &map), 0);
    return map;
}

static void test_take(void **state)
{
    struct host_map *map = take(1, "3600a", "mpatha");

    assert_ptr_equal(maps_find(&scene.host, makedev(253, 1)), map);
    assert_ptr_equal(maps_find_wwid(&scene.host, "3600a"), map);
    assert_string_equal(map->name, "mpatha");
    assert_int_equal(map->sectors, 2048);
    assert_int_equal(map->n_sessions, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(scene.sessions[i].n_maps, 1);
        assert_ptr_equal(scene.sessions[i].maps[0], map);
    }

    scene.snapshot.n_paths = 2; /* the second session has left */
    assert_ptr_equal(take(1, "3600a", "other"), map);
    assert_string_equal(map->name, "other");
    assert_int_equal(map->n_sessions, 1);
    assert_int_equal(scene.sessions[1].n_maps, 0);
}

/* One that cannot be taken in is not there: it has yet to appear, and leaves nothing behind. */
static void test_without_memory(void **state)
{
    struct host_map *map = NULL;
    unsigned n = 0;

    for (;; n++) {
        scene.n_left = n;
        int r = try_to_take(1, "3600a", "mpatha", &map);
        scene.n_left = UINT_MAX;
        if (r >= 0)
            break;
        assert_int_equal(r, -ENOMEM);
        assert_null(maps_find(&scene.host, makedev(253, 1)));
        assert_null(maps_find_wwid(&scene.host, "3600a"));
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(scene.sessions[i].n_maps, 0);
    }
    assert_in_range(n, 7, 20);
    assert_string_equal(map->name, "mpatha");
    assert_int_equal(map->n_sessions, 2);
}

static void test_paths(void **state)
{
    struct host_map *map = take(1, "3600a", "mpatha");

    assert_int_equal(maps_set_paths(map, &scene.snapshot), 1);
    assert_int_equal(maps_set_paths(map, &scene.snapshot), 0);
    struct map_path last = scene.paths[N - 1]; /* another order is no other set */
    scene.paths[N - 1] = scene.paths[0];
    scene.paths[0] = last;
    assert_int_equal(maps_set_paths(map, &scene.snapshot), 0);
    scene.snapshot.n_paths--;
    assert_int_equal(maps_set_paths(map, &scene.snapshot), 1);
}

/* A number that another map has by now: the first one is gone. */
static void test_a_number_is_used_again(void **state)
{
    struct host_map *first = take(1, "3600a", "mpatha");
    struct store_disk_policy *policy = calloc(1, sizeof(*policy));

    assert_non_null(policy);
    policy->policy = DSM_ROUND_ROBIN;
    first->policy = policy;
    struct host_map *second = take(1, "3600b", "mpathb");
    assert_ptr_not_equal(first, second);
    assert_int_equal(first->dev, 0);
    assert_ptr_equal(maps_find(&scene.host, makedev(253, 1)), second);
    assert_ptr_equal(maps_find_wwid(&scene.host, "3600a"), first);

    assert_ptr_equal(take(2, "3600a", "mpatha"), first);
    assert_ptr_equal(maps_find(&scene.host, makedev(253, 2)), first);
}

/* What is lost is forgotten, but where something waits for its return. */
static void test_what_keeps_a_map(void **state)
{
    for (unsigned reason = 0; reason < 6; reason++) {
        struct host_map *map = take(7, "3600c", "mpathc");
        map->is_shown = true;
        scene.n_removed = 0;
        if (reason == 1)
            map->policy = calloc(1, sizeof(*map->policy));
        else if (reason == 2)
            map->entry = strdup("multipath {\n}\n");
        else if (reason == 3)
            map_state_begin_repair(&map->state);
        else if (reason == 4)
            map_state_begin_change(&map->state);
        else if (reason == 5)
            map_state_set_intent(&map->state, true);

        maps_mark_gone(&scene.host, makedev(253, 7));
        assert_null(maps_find(&scene.host, makedev(253, 7)));
        assert_int_equal(maps_find_wwid(&scene.host, "3600c") != NULL, reason != 0);
        assert_int_equal(scene.n_removed, reason == 0);
        if (reason == 0)
            continue;
        store_disk_policy_free(TAKE_PTR(map->policy));
        free(TAKE_PTR(map->entry));
        map->state = (struct map_state){0};
        maps_drop_if_idle(&scene.host, map);
        assert_null(maps_find_wwid(&scene.host, "3600c"));
        assert_int_equal(scene.n_removed, 1);
        assert_int_equal(scene.sessions[0].n_maps, 0);
    }
}

/* Which policies count: one by default only where no session has one, none that is being cleared.
 */
static void test_policies(void **state)
{
    struct store_policy chosen = {.policy = LB_ROUND_ROBIN};
    struct host_map *map = take(1, "3600a", "mpatha");

    assert_false(map_has_any_policy(map));
    map->policy = calloc(1, sizeof(*map->policy));
    assert_non_null(map->policy);
    assert_true(map_has_policy(map));
    scene.sessions[1].policy = &chosen;
    assert_true(map_has_policy(map));
    map->policy->by_default = true;
    assert_false(map_has_policy(map));
    assert_true(map_has_any_policy(map));
    scene.sessions[1].hold = SESSION_CLEAR;
    assert_true(map_has_policy(map));
    assert_false(map_has_session_policy(map));
    map_state_begin_change(&map->state);
    map_state_clear_policy(&map->state);
    assert_false(map_has_any_policy(map));
    scene.sessions[1].policy = NULL;
}

static void test_busy(void **state)
{
    struct host_map *map = take(1, "3600a", "mpatha");

    assert_false(maps_is_busy(&scene.host, map));
    scene.sessions[1].hold = SESSION_CHANGE;
    assert_true(maps_is_busy(&scene.host, map));
    scene.sessions[1].hold = SESSION_FREE;
    map_state_begin_change(&map->state);
    assert_true(maps_is_busy(&scene.host, map));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_take, begin, end),
        cmocka_unit_test_setup_teardown(test_without_memory, begin, end),
        cmocka_unit_test_setup_teardown(test_paths, begin, end),
        cmocka_unit_test_setup_teardown(test_a_number_is_used_again, begin, end),
        cmocka_unit_test_setup_teardown(test_what_keeps_a_map, begin, end),
        cmocka_unit_test_setup_teardown(test_policies, begin, end),
        cmocka_unit_test_setup_teardown(test_busy, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
