/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is planned for a map, over and over: from table text and policies to the new table, its
 * text, its entry for multipathd, and back to a policy. For counting instructions (guard.py).
 */

#include "scene.h"

#include <stdlib.h>

#include "plan/classify.h"
#include "plan/entry.h"

#define ROUNDS 200
#define WWID "36001405000000000000000000000000"

void measured(const struct scene *scene, const char *live_text);

/* Its name is what callgrind looks for; the scene's making does not count. */
__attribute__((noinline)) void measured(const struct scene *scene, const char *live_text)
{
    _cleanup_(mp_table_freep) struct mp_table *live = NULL, *planned = NULL;
    _cleanup_free_ char *text = NULL, *entry = NULL;
    struct entry_path addresses[SCENE_PATHS];
    struct classify_path paths[SCENE_PATHS];
    struct classify_role roles[SCENE_PATHS];
    const char *reason;

    for (size_t i = 0; i < scene->n_paths; i++) {
        const struct plan_path *path = &scene->paths[i];
        addresses[i] = (struct entry_path){path->dev, 2 + (unsigned)i, 0, 0, 1};
        paths[i] = (struct classify_path){path->dev, path->connection_id, path->access};
    }
    if (mp_table_parse(live_text, &live) < 0 ||
        plan_map(live, scene->policies, scene->n_policies, scene->paths, scene->n_paths, &planned) <
            0 ||
        mp_table_format(planned, &text) < 0)
        abort();
    (void)mp_table_same_meaning(live, planned, NULL);
    (void)classify_map(planned, paths, scene->n_paths, roles);
    if (entry_multipath(WWID, planned, true, addresses, scene->n_paths, &entry, &reason) >= 0)
        (void)entry_fits(entry, planned, true, addresses, scene->n_paths);
}

int main(void)
{
    struct prng prng = {.state = 1};

    for (unsigned i = 0; i < ROUNDS; i++) {
        const struct scene_kind kind = {
            .n_paths = 4 + i % 13,
            .n_policies = 1 + i % SCENE_POLICIES,
            .alua = i % 2,
            .late = i % 3,
        };
        struct scene scene;
        _cleanup_free_ char *text = NULL;

        scene_init(&scene, &kind, &prng);
        if (mp_table_format(scene.live, &text) < 0)
            abort();
        measured(&scene, text);
        scene_done(&scene);
    }
    return EXIT_SUCCESS;
}
