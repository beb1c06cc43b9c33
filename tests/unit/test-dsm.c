/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The checks of a request to set a disk's policy, each with the faults of later ones as well. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "basic/macros.h"
#include "prng.h"
#include "wmi/dsm.h"

#define N 4U /* paths of the disk, with the ids 1 to 4 */

#define OK STATUS_SUCCESS
#define INVALID STATUS_INVALID_PARAMETER

#define AO DSM_ACTIVE_OPTIMIZED
#define AU DSM_ACTIVE_UNOPTIMIZED
#define SB DSM_STANDBY
#define UA DSM_UNAVAILABLE
#define NONE DSM_STATE_NOT_USED

/* A disk with its paths, and a request for it. */
struct scene {
    struct dsm_fact facts[N];
    struct dsm_disk disk;
    struct dsm_path paths[N + 1];
    struct dsm_request request;
};

/* All paths are there, with these states; each is asked for as active/optimized. */
static void scene_init(struct scene *scene, uint32_t policy, const enum dsm_state states[N])
{
    *scene = (struct scene){
        .disk = {.present = true, .n_paths = N},
        .request = {.version = 2, .policy = policy, .path_count = N, .n_paths = N},
    };
    for (size_t i = 0; i < N; i++) {
        scene->facts[i] = (struct dsm_fact){.id = i + 1, .state = states[i]};
        scene->paths[i] = (struct dsm_path){.id = i + 1};
        dsm_set_state(&scene->paths[i], AO);
    }
    scene->disk.paths = scene->facts;
    scene->request.paths = scene->paths;
}

static const enum dsm_state symmetric[N] = {NONE, NONE, NONE, NONE};
static const enum dsm_state one_group[N] = {AO, AO, AO, AO};
static const enum dsm_state two_groups[N] = {AO, AO, AU, AU};

static void want(struct scene *scene, const enum dsm_state states[N])
{
    for (size_t i = 0; i < N; i++)
        dsm_set_state(&scene->paths[i], states[i]);
}

static void assert_status(const struct scene *scene, uint32_t wanted)
{
    uint32_t status = dsm_check(&scene->request, &scene->disk);

    if (status != wanted)
        fail_msg("%s, expected %s", status_symbol(status), status_symbol(wanted));
}

static void assert_states(uint32_t policy, const enum dsm_state has[N],
                          const enum dsm_state wanted[N], uint32_t status)
{
    struct scene scene;

    scene_init(&scene, policy, has);
    want(&scene, wanted);
    assert_status(&scene, status);
}

#define STATES(policy, has, status, ...)                                                           \
    assert_states(policy, has, (const enum dsm_state[N]){__VA_ARGS__}, status)

static void test_flags_and_states(void **state)
{
    for (enum dsm_state wanted = AO; wanted <= UA; wanted++) {
        struct dsm_path path = {.primary = 7, .optimized = 7};

        dsm_set_state(&path, wanted);
        assert_true(path.primary <= 1 && path.optimized <= 1);
        assert_int_equal(dsm_wanted_state(&path), wanted);
        path.primary *= UINT32_MAX; /* any number but 0 is a yes */
        path.optimized *= 2;
        assert_int_equal(dsm_wanted_state(&path), wanted);
    }
}

/* From the first check to the last, each fault is taken away in turn. */
static void test_order(void **state)
{
    struct scene scene;

    scene_init(&scene, 7, two_groups);
    for (size_t i = 0; i < N; i++)
        scene.paths[i] = (struct dsm_path){.id = 9};
    scene.request.version = 3;
    scene.request.path_count = N + 1;
    scene.disk.present = false;
    scene.disk.n_paths = 0;
    scene.disk.busy = true;

    assert_status(&scene, STATUS_NO_SUCH_DEVICE);
    scene.disk.present = true;
    assert_status(&scene, INVALID); /* no path at all */
    scene.disk.n_paths = N;
    assert_status(&scene, STATUS_BUFFER_TOO_SMALL);
    scene.request.path_count = 1;
    assert_status(&scene, STATUS_NOT_SUPPORTED);
    scene.request.version = 2;
    assert_status(&scene, INVALID); /* policy 7 */
    scene.request.policy = DSM_ROUND_ROBIN;
    assert_status(&scene, INVALID); /* one path of four */
    scene.request.path_count = N;
    assert_status(&scene, INVALID); /* a path twice */
    for (size_t i = 0; i < N; i++)
        scene.paths[i].id = 11 + i;
    assert_status(&scene, INVALID); /* paths that are not named */
    for (size_t i = 0; i < N; i++)
        scene.paths[i].id = N - i;
    assert_status(&scene, INVALID); /* round robin over asymmetric access */
    scene.request.policy = DSM_DYN_LEAST_QUEUE_DEPTH;
    assert_status(&scene, INVALID); /* states that the array does not have */
    for (size_t i = 0; i < N; i++)
        scene.facts[i].failed = true;
    assert_status(&scene, INVALID); /* no path that is to be active/optimized */
    for (size_t i = 0; i < N; i++) {
        scene.facts[i].failed = false;
        dsm_set_state(&scene.paths[i], scene.facts[N - 1 - i].state);
    }
    assert_status(&scene, STATUS_DEVICE_BUSY);
    scene.disk.busy = false;
    assert_status(&scene, OK);
}

/* Nothing of the request is looked at then. */
static void test_clear(void **state)
{
    struct scene scene;

    scene_init(&scene, DSM_NONE, two_groups);
    scene.request.version = UINT32_MAX;
    scene.request.path_count = UINT32_MAX;
    scene.request.paths = NULL;
    scene.request.n_paths = 0;
    assert_status(&scene, OK);
    scene.disk.busy = true;
    assert_status(&scene, STATUS_DEVICE_BUSY);

    /* Without a path or a map only where there is something to clear. */
    scene.disk.n_paths = 0;
    assert_status(&scene, INVALID);
    scene.disk.present = false;
    assert_status(&scene, STATUS_NO_SUCH_DEVICE);
    scene.disk.has_policy = true;
    assert_status(&scene, STATUS_DEVICE_BUSY);
    scene.disk.busy = false;
    assert_status(&scene, OK);
    scene.request.policy = DSM_FAILOVER;
    assert_status(&scene, STATUS_NO_SUCH_DEVICE);
}

static void test_versions(void **state)
{
    struct scene scene;

    scene_init(&scene, DSM_LEAST_BLOCKS, symmetric);
    for (uint32_t version = 0; version <= 2; version++) {
        scene.request.version = version;
        assert_status(&scene, OK);
    }
    scene.request.version = UINT32_MAX;
    assert_status(&scene, STATUS_NOT_SUPPORTED);
}

static void test_policies(void **state)
{
    struct scene scene;

    for (uint32_t policy = 2; policy <= 6; policy++) {
        scene_init(&scene, policy, symmetric);
        assert_status(&scene, OK);
    }
    for (uint32_t policy = 7; policy < 200; policy++) {
        scene_init(&scene, policy, symmetric);
        assert_status(&scene, INVALID);
    }
    scene_init(&scene, UINT32_MAX, symmetric);
    assert_status(&scene, INVALID);
}

static void test_counts_and_names(void **state)
{
    struct scene scene;

    scene_init(&scene, DSM_LEAST_BLOCKS, symmetric);
    scene.request.path_count = N - 1;
    assert_status(&scene, INVALID);
    scene.request.path_count = UINT32_MAX;
    assert_status(&scene, STATUS_BUFFER_TOO_SMALL);

    /* What is past the count is not there. */
    scene.request.path_count = N;
    scene.request.n_paths = N + 1;
    scene.paths[N].id = 1;
    assert_status(&scene, OK);
    scene.request.path_count = N + 1;
    assert_status(&scene, INVALID);

    /* 0 may come twice, but then two paths of the disk are not named. */
    scene_init(&scene, DSM_LEAST_BLOCKS, symmetric);
    scene.paths[1].id = scene.paths[3].id = 0;
    assert_status(&scene, INVALID);
    scene.facts[1].id = scene.facts[3].id = 0; /* unless they have not told who they are either */
    assert_status(&scene, OK);
}

static void test_failover(void **state)
{
    struct scene scene;

    STATES(1, symmetric, OK, AO, SB, UA, AU);
    STATES(1, symmetric, OK, SB, SB, SB, AO);
    STATES(1, symmetric, INVALID, AO, SB, AO, SB);
    STATES(1, symmetric, INVALID, SB, SB, AU, UA);
    STATES(1, one_group, OK, SB, AO, SB, SB);
    STATES(1, two_groups, OK, SB, AO, SB, UA);
    STATES(1, two_groups, INVALID, SB, SB, AO, SB); /* an array that has to be asked */

    scene_init(&scene, DSM_FAILOVER, two_groups);
    want(&scene, (const enum dsm_state[N]){SB, SB, AO, SB});
    scene.disk.is_explicit = true;
    assert_status(&scene, OK);

    /* One that is preferred, be it the primary or not, failed or not; not two. */
    scene_init(&scene, DSM_FAILOVER, symmetric);
    want(&scene, (const enum dsm_state[N]){AO, SB, SB, SB});
    for (size_t i = 0; i < N; i++) {
        scene.paths[i].preferred = 5;
        assert_status(&scene, OK);
        scene.paths[(i + 1) % N].preferred = 1;
        scene.facts[(i + 1) % N].failed = i > 0;
        assert_status(&scene, INVALID);
        scene.facts[(i + 1) % N].failed = false;
        scene.paths[i].preferred = scene.paths[(i + 1) % N].preferred = 0;
    }

    /* Under other policies it means nothing. */
    scene_init(&scene, DSM_LEAST_BLOCKS, symmetric);
    scene.paths[0].preferred = scene.paths[1].preferred = 1;
    assert_status(&scene, OK);
}

static void test_rotating_policies(void **state)
{
    static const uint32_t policies[] = {2, 4, 5, 6};

    for (size_t i = 0; i < ELEMENTSOF(policies); i++) {
        uint32_t policy = policies[i], asymmetric = policy == 2 ? INVALID : OK;

        STATES(policy, symmetric, OK, AO, AO, AO, AO);
        STATES(policy, symmetric, OK, AO, AU, AU, AO);
        STATES(policy, symmetric, INVALID, AO, AO, AO, SB);
        STATES(policy, symmetric, INVALID, UA, AO, AO, AO);
        STATES(policy, symmetric, INVALID, AU, AU, AU, AU);
        STATES(policy, one_group, OK, AO, AO, AO, AO);
        STATES(policy, one_group, INVALID, AO, AO, AO, AU);
        STATES(policy, one_group, INVALID, AO, AO, AO, SB);
        STATES(policy, two_groups, asymmetric, AO, AO, AU, AU);
        STATES(policy, two_groups, INVALID, AO, AO, AU, SB);
        STATES(policy, two_groups, INVALID, AO, AO, AO, AO);
        STATES(policy, two_groups, INVALID, AU, AU, AU, AU);
    }
}

static void test_round_robin_with_subset(void **state)
{
    static const enum dsm_state standby[N] = {AO, AO, SB, UA};
    static const enum dsm_state worse[N] = {AU, AU, AU, AU};

    STATES(3, symmetric, OK, AO, SB, AU, UA);
    STATES(3, symmetric, INVALID, SB, SB, SB, SB);
    STATES(3, one_group, OK, AO, SB, AU, UA);
    STATES(3, two_groups, OK, AO, SB, AU, AU);
    STATES(3, two_groups, INVALID, AO, SB, AU, SB);
    STATES(3, two_groups, INVALID, AO, AO, AO, AU);
    STATES(3, standby, OK, SB, AO, SB, UA);
    STATES(3, standby, INVALID, SB, AO, SB, SB);
    STATES(3, worse, OK, AU, AU, AU, AU); /* no path of the array is active/optimized */
    STATES(3, worse, INVALID, AO, AU, AU, AU);
}

/* What DSM_QueryLBPolicy_V2 answers of a disk with a failed path can be set. */
static void test_failed_paths(void **state)
{
    for (uint32_t policy = 1; policy <= 6; policy++) {
        struct scene scene;

        scene_init(&scene, policy, symmetric);
        if (policy == DSM_FAILOVER)
            want(&scene, (const enum dsm_state[N]){SB, AO, SB, SB});
        scene.facts[0].failed = true;
        scene.paths[0].failed = 1;
        assert_status(&scene, OK);
        dsm_set_state(&scene.paths[0], SB);
        assert_status(&scene, OK);
        for (size_t i = 1; i < N; i++)
            scene.facts[i].failed = true;
        assert_status(&scene, INVALID); /* nobody to be active/optimized */
    }
}

/* The same rules in another form: what each path may be asked for, then how many. */
static bool is_allowed(const struct scene *scene)
{
    uint32_t policy = scene->request.policy;
    size_t n_optimized = 0, n_preferred = 0;
    bool any_ao = false, any_alua = false;

    for (size_t i = 0; i < N; i++) {
        enum dsm_state has = scene->facts[i].state, wanted = dsm_wanted_state(&scene->paths[i]);

        any_ao = any_ao || has == AO;
        any_alua = any_alua || has != NONE;
        n_preferred += scene->paths[i].preferred && policy == 1;
        if (policy == 2 && has != scene->facts[0].state)
            return false;
        if (scene->facts[i].failed)
            continue;
        n_optimized += wanted == AO;
        if (wanted == AO && has != AO && has != NONE && !scene->disk.is_explicit)
            return false;
        if (wanted == AO || policy == 1 || wanted == has)
            continue;
        if (policy == 3 && (has == AO || has == NONE))
            continue;
        if (policy != 3 && has == NONE && wanted == AU)
            continue;
        return false;
    }
    if (n_preferred > 1 || (policy == 1 && n_optimized > 1))
        return false;
    return n_optimized > 0 || (any_alua && !any_ao);
}

static void test_random_states(void **state)
{
    struct prng prng = {5};
    unsigned n_allowed = 0;

    for (int i = 0; i < 50000; i++) {
        enum dsm_state states[N];
        struct scene scene;
        bool alua = prng_below(&prng, 2), mostly = prng_below(&prng, 2);

        for (size_t k = 0; k < N; k++)
            states[k] = alua ? (enum dsm_state)(mostly ? 0 : prng_below(&prng, 4)) : NONE;
        scene_init(&scene, 1 + (uint32_t)prng_below(&prng, 6), states);
        scene.disk.is_explicit = prng_below(&prng, 2);
        for (size_t k = 0; k < N; k++) {
            enum dsm_state wanted = (enum dsm_state)prng_below(&prng, 4);
            if (prng_below(&prng, 3) > 0)
                wanted = states[k] == NONE ? AO : states[k];
            dsm_set_state(&scene.paths[k], wanted);
            scene.paths[k].preferred = prng_below(&prng, 6) == 0;
            scene.facts[k].failed = prng_below(&prng, 6) == 0;
        }
        bool allowed = is_allowed(&scene);
        assert_status(&scene, allowed ? OK : INVALID);
        n_allowed += allowed;
    }
    assert_true(n_allowed > 5000 && n_allowed < 45000);
}

/* Whatever the numbers: an answer, and no byte read that did not come. */
static void test_random_requests(void **state)
{
    struct prng prng = {6};

    for (int i = 0; i < 20000; i++) {
        struct scene scene;
        size_t n = prng_below(&prng, N + 2);
        struct dsm_path *paths = calloc(n + 1, sizeof(*paths));

        assert_non_null(paths);
        scene_init(&scene, (uint32_t)prng_below(&prng, 9), two_groups);
        scene.disk.n_paths = prng_below(&prng, N + 1);
        for (size_t k = 0; k < n; k++)
            paths[k] = (struct dsm_path){
                .id = prng_below(&prng, 6),
                .primary = (uint32_t)prng_below(&prng, 2),
                .optimized = (uint32_t)prng_below(&prng, 2),
            };
        scene.request.version = (uint32_t)prng_below(&prng, 4);
        scene.request.paths = paths;
        scene.request.n_paths = n;
        scene.request.path_count = (uint32_t)prng_below(&prng, n + 2);
        assert_non_null(status_find(dsm_check(&scene.request, &scene.disk)));
        free(paths);
    }
}

static void test_asymmetry(void **state)
{
    static const enum dsm_state mixed[N] = {AO, NONE, AO, AO};
    struct scene scene;

    scene_init(&scene, 2, symmetric);
    assert_false(dsm_is_asymmetric(&scene.disk));
    scene_init(&scene, 2, one_group);
    assert_false(dsm_is_asymmetric(&scene.disk));
    scene_init(&scene, 2, two_groups);
    assert_true(dsm_is_asymmetric(&scene.disk));
    scene.disk.n_paths = 2;
    assert_false(dsm_is_asymmetric(&scene.disk));
    scene.disk.n_paths = 0;
    assert_false(dsm_is_asymmetric(&scene.disk));

    /* A path that does not say is used as one that is active/optimized. */
    scene_init(&scene, 2, mixed);
    assert_false(dsm_is_asymmetric(&scene.disk));
}

static void test_names(void **state)
{
    assert_string_equal(dsm_policy_name(DSM_NONE), "NONE");
    assert_string_equal(dsm_policy_name(DSM_LEAST_BLOCKS), "LEAST_BLOCKS");
    assert_string_equal(dsm_policy_name(DSM_VENDOR_SPECIFIC), "VENDOR_SPECIFIC");
    assert_null(dsm_policy_name(8));
    assert_null(dsm_policy_name(LB_LEAST_BLOCKS));
}

static void test_parse_names(void **state)
{
    static const struct {
        const char *text;
        uint32_t policy;
    } cases[] = {
        {"0", DSM_NONE},
        {"none", DSM_NONE},
        {"6", DSM_LEAST_BLOCKS},
        {"Least-Blocks", DSM_LEAST_BLOCKS},
        {"LEAST_BLOCKS", DSM_LEAST_BLOCKS},
        {"weighted-paths", DSM_WEIGHTED_PATHS},
        {"7", DSM_VENDOR_SPECIFIC},
    };
    static const char *const wrong[] = {"",  "8", "06", "least", "least blocks", "least_blocks_",
                                        "-1"};
    uint32_t policy = 99;

    for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
        assert_int_equal(dsm_policy_parse(wrong[i], &policy), -EINVAL);
    assert_int_equal(policy, 99);
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        assert_int_equal(dsm_policy_parse(cases[i].text, &policy), 0);
        assert_int_equal(policy, cases[i].policy);
    }
}

static void test_numbers(void **state)
{
    for (uint32_t policy = 1; policy <= 5; policy++) {
        assert_int_equal(dsm_to_lb((enum dsm_policy)policy), policy);
        assert_int_equal(dsm_of_lb((enum lb_policy)policy), policy);
        /* The same names as those of a session. */
        assert_string_equal(dsm_policy_name(policy), lb_policy_name(policy));
    }
    assert_int_equal(dsm_to_lb(DSM_LEAST_BLOCKS), LB_LEAST_BLOCKS);
    assert_int_equal(dsm_of_lb(LB_LEAST_BLOCKS), DSM_LEAST_BLOCKS);
    assert_int_equal(dsm_of_lb(LB_VENDOR_SPECIFIC), DSM_VENDOR_SPECIFIC);
    assert_null(lb_policy_name(LB_LEAST_BLOCKS));
}

static void test_defaults(void **state)
{
    for (uint32_t policy = 0; policy < 20; policy++)
        assert_int_equal(dsm_can_be_default(policy), policy <= 2 || policy == 4 || policy == 6);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags_and_states),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_counts_and_names),
        cmocka_unit_test(test_failover),
        cmocka_unit_test(test_rotating_policies),
        cmocka_unit_test(test_round_robin_with_subset),
        cmocka_unit_test(test_failed_paths),
        cmocka_unit_test(test_random_states),
        cmocka_unit_test(test_random_requests),
        cmocka_unit_test(test_asymmetry),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_parse_names),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
