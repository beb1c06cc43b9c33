/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "plan/entry.h"
#include "prng.h"
#include "scene.h"

#define WWID "36001405a6ee85ee1de24fe1b5c5d5d5d"
#define LINE_MAX_BYTES 1023

/* makedev(8, minor) for a small minor, as a constant. */
#define DEV(minor_number) ((dev_t)8 << 8 | (minor_number))

static const struct entry_path four_paths[] = {
    {DEV(1), 7, 0, 0, 1}, {DEV(2), 8, 0, 0, 1}, {DEV(3), 9, 0, 2, 1}, {DEV(4), 10, 1, 0, 16385}};

static struct mp_table *parse_table(const char *params)
{
    struct mp_table *table;

    assert_int_equal(mp_table_parse(params, &table), 0);
    return table;
}

static void assert_entry(const char *params, const struct entry_path *paths, size_t n_paths,
                         const char *expected)
{
    _cleanup_(mp_table_freep) struct mp_table *table = parse_table(params);
    const char *reason = "untouched";
    _cleanup_free_ char *text = NULL;

    assert_int_equal(entry_multipath(WWID, table, true, paths, n_paths, &text, &reason), 0);
    assert_string_equal(text, expected);
    assert_string_equal(reason, "untouched");
}

/* Refused with a reason that has this in it, NULL: not refused. */
static void assert_refused(const char *wwid, const struct mp_table *table,
                           const struct entry_path *paths, size_t n_paths, const char *reason_part)
{
    static char untouched[] = "untouched";
    const char *reason = NULL;
    char *text = untouched;

    if (!reason_part) {
        assert_int_equal(entry_multipath(wwid, table, true, paths, n_paths, &text, &reason), 0);
        assert_null(reason);
        free(text);
        return;
    }
    assert_int_equal(entry_multipath(wwid, table, true, paths, n_paths, &text, &reason),
                     -EOPNOTSUPP);
    assert_ptr_equal(text, untouched);
    assert_non_null(reason);
    assert_non_null(strstr(reason, reason_part));
}

/* Likewise, of the prio_args alone. */
static void assert_entry_args(const struct mp_table *table, const struct entry_path *paths,
                              size_t n_paths, const char *expected)
{
    const char *reason = NULL, *at;
    _cleanup_free_ char *text = NULL;

    assert_int_equal(entry_multipath(WWID, table, true, paths, n_paths, &text, &reason), 0);
    at = strstr(text, "prio_args \"");
    assert_non_null(at);
    at += strlen("prio_args \"");
    assert_int_equal(strcspn(at, "\""), strlen(expected));
    assert_memory_equal(at, expected, strlen(expected));
}

static void test_golden_one_group(void **state)
{
    static const char expected[] = "    multipath {\n"
                                   "        wwid \"" WWID "\"\n"
                                   "        path_grouping_policy group_by_prio\n"
                                   "        path_selector \"queue-length 0\"\n"
                                   "        prio weightedpath\n"
                                   "        prio_args \"hbtl .* 10\"\n"
                                   "        failback immediate\n"
                                   "        rr_weight uniform\n"
                                   "        rr_min_io_rq 1\n"
                                   "    }\n";

    assert_entry("0 1 alua 1 1 queue-length 0 4 1 8:1 1 8:2 1 8:3 1 8:4 1", four_paths, 4,
                 expected);
    /* no address is needed, so that it stays as it is when host numbers change */
    assert_entry("0 1 alua 1 1 queue-length 0 4 1 8:1 1 8:2 1 8:3 1 8:4 1", NULL, 0, expected);
}

/* Failback is manual: multipathd must not go back by itself. */
static void test_failback(void **state)
{
    _cleanup_(mp_table_freep) struct mp_table *table =
        parse_table("0 0 2 1 round-robin 0 1 1 8:1 1 round-robin 0 1 1 8:2 1");
    const char *reason = NULL;
    _cleanup_free_ char *back = NULL, *stays = NULL;

    assert_int_equal(entry_multipath(WWID, table, true, four_paths, 4, &back, &reason), 0);
    assert_int_equal(entry_multipath(WWID, table, false, four_paths, 4, &stays, &reason), 0);
    assert_non_null(strstr(back, "\n        failback immediate\n"));
    assert_non_null(strstr(stays, "\n        failback manual\n"));
    assert_true(entry_fits(back, table, true, four_paths, 4));
    assert_false(entry_fits(back, table, false, four_paths, 4));
    assert_false(entry_fits(stays, table, true, four_paths, 4));
    assert_true(entry_fits(stays, table, false, four_paths, 4));
}

static void test_golden_three_groups(void **state)
{
    assert_entry("0 0 3 1 round-robin 0 2 1 8:3 1 8:1 1 round-robin 0 1 1 8:4 1 "
                 "round-robin 0 2 1 8:2 1 8:99 1",
                 four_paths, 4,
                 "    multipath {\n"
                 "        wwid \"" WWID "\"\n"
                 "        path_grouping_policy group_by_prio\n"
                 "        path_selector \"round-robin 0\"\n"
                 "        prio weightedpath\n"
                 "        prio_args \"hbtl ^9:0:2:1$ 30 ^7:0:0:1$ 30 ^10:1:0:16385$ 20 .* 10\"\n"
                 "        failback immediate\n"
                 "        rr_weight uniform\n"
                 "        rr_min_io_rq 1\n"
                 "    }\n");
}

static void test_refusals(void **state)
{
    static const char *const bad_texts[] = {"a\"b", "\"",      "a\nb", "a\tb",        "\x7f",
                                            "",     "\x1b[0m", "\xe4", "\xe2\x80\xae"};
    static const char good[] = "0 0 2 1 round-robin 0 1 1 8:1 1 round-robin 0 1 1 8:2 1";
    _cleanup_(mp_table_freep) struct mp_table *table = parse_table(good);
    _cleanup_(mp_table_freep) struct mp_table *mixed =
        parse_table("0 0 2 1 round-robin 0 1 1 8:1 1 queue-length 0 1 1 8:2 1");
    _cleanup_(mp_table_freep) struct mp_table *none = parse_table("0 0 0 0");
    _cleanup_(mp_table_freep) struct mp_table *hollow = parse_table("0 0 0 0");
    struct mp_group *group;

    assert_int_equal(mp_table_add_group(hollow, "round-robin 0", &group), 0);
    assert_refused(WWID, table, four_paths, 4, NULL);
    assert_refused("white space, $pecial #1 !{}\\ \xc3\xa4", table, four_paths, 4, NULL);
    assert_refused(WWID, mixed, four_paths, 4, "different selectors");
    assert_refused(WWID, none, four_paths, 4, "no path group");
    assert_refused(WWID, hollow, four_paths, 4, "without a path");
    for (size_t i = 0; i < ELEMENTSOF(bad_texts); i++)
        assert_refused(bad_texts[i], table, four_paths, 4, "WWID");

    for (size_t i = 0; i < ELEMENTSOF(bad_texts); i++) {
        _cleanup_(mp_table_freep) struct mp_table *bad = parse_table("0 0 0 0");

        assert_int_equal(mp_table_add_group(bad, bad_texts[i], &group), 0);
        assert_int_equal(mp_group_add_path(group, DEV(1)), 0);
        assert_refused(WWID, bad, four_paths, 4, "selector");
    }
}

/* Only the last group may have paths whose address nobody knows. */
static void test_unknown_address(void **state)
{
    _cleanup_(mp_table_freep) struct mp_table *table =
        parse_table("0 0 2 1 round-robin 0 2 1 8:1 1 8:2 1 round-robin 0 1 1 8:3 1");

    assert_refused(WWID, table, four_paths, 2, NULL);
    assert_refused(WWID, table, four_paths, 1, "no SCSI address");
    assert_refused(WWID, table, four_paths + 1, 3, "no SCSI address");
    assert_refused(WWID, table, NULL, 0, "no SCSI address");
}

/* Eight paths whose LUNs make prio_args 254 bytes long, and then one byte more. */
static void test_args_limit(void **state)
{
    const uint64_t digits_18 = UINT64_C(100000000000000000);
    _cleanup_(mp_table_freep) struct mp_table *table = parse_table("0 0 0 0");
    struct entry_path paths[8];
    struct mp_group *group;
    _cleanup_free_ char *text = NULL;
    const char *reason = NULL;
    const char *args;

    assert_int_equal(mp_table_add_group(table, "round-robin 0", &group), 0);
    for (unsigned i = 0; i < ELEMENTSOF(paths); i++) {
        paths[i] = (struct entry_path){DEV(i), 1, 0, 0, digits_18 * (i % 2 ? 10 : 1) + i};
        assert_int_equal(mp_group_add_path(group, DEV(i)), 0);
    }
    assert_int_equal(mp_table_add_group(table, "round-robin 0", &group), 0);
    assert_int_equal(mp_group_add_path(group, DEV(99)), 0);

    assert_int_equal(entry_multipath(WWID, table, true, paths, 8, &text, &reason), 0);
    args = strstr(text, "prio_args \"") + strlen("prio_args \"");
    assert_int_equal(strcspn(args, "\""), 254);
    paths[0].lun *= 10;
    assert_refused(WWID, table, paths, 8, "prio_args");
}

static void test_line_limit(void **state)
{
    const size_t wwid_max = LINE_MAX_BYTES - strlen("        wwid \"\"");
    const size_t selector_max = LINE_MAX_BYTES - strlen("        path_selector \"\"");
    _cleanup_(mp_table_freep) struct mp_table *table = parse_table("0 0 1 1 x 0 1 0 8:1");
    char longest[LINE_MAX_BYTES + 1];

    memset(longest, 'x', sizeof(longest));
    longest[wwid_max + 1] = '\0';
    assert_refused(longest, table, NULL, 0, "longer than a line");
    longest[wwid_max] = '\0';
    assert_refused(longest, table, NULL, 0, NULL);

    for (size_t length = selector_max; length <= selector_max + 1; length++) {
        _cleanup_(mp_table_freep) struct mp_table *other = parse_table("0 0 0 0");
        struct mp_group *group;

        memset(longest, 'x', sizeof(longest));
        longest[length] = '\0';
        assert_int_equal(mp_table_add_group(other, longest, &group), 0);
        assert_int_equal(mp_group_add_path(group, DEV(1)), 0);
        assert_refused(WWID, other, NULL, 0, length > selector_max ? "longer than a line" : NULL);
    }
}

/* What multipathd makes of an entry: its weightedpath and group_by_prio, in little. */

struct weight {
    regex_t regex;
    int prio;
};

struct model {
    struct weight weights[32];
    size_t n_weights;
    char *selector;
};

/* What stands between the quotes of that keyword's line. */
static char *quoted_value(const char *text, const char *keyword)
{
    _cleanup_free_ char *start = NULL;
    const char *at;
    char *value;

    assert_true(asprintf(&start, "        %s \"", keyword) > 0);
    at = strstr(text, start);
    assert_non_null(at);
    at += strlen(start);
    value = strndup(at, strcspn(at, "\""));
    assert_non_null(value);
    return value;
}

static void model_init(struct model *model, const char *entry)
{
    _cleanup_free_ char *args = quoted_value(entry, "prio_args");
    char *rest = args;
    const char *regex;

    *model = (struct model){.selector = quoted_value(entry, "path_selector")};
    assert_string_equal(strsep(&rest, " "), "hbtl");
    while ((regex = strsep(&rest, " "))) {
        struct weight *weight = &model->weights[model->n_weights++];

        assert_true(model->n_weights <= ELEMENTSOF(model->weights));
        assert_int_equal(regcomp(&weight->regex, regex, REG_EXTENDED | REG_NOSUB), 0);
        weight->prio = atoi(strsep(&rest, " "));
    }
}

static void model_done(struct model *model)
{
    for (size_t i = 0; i < model->n_weights; i++)
        regfree(&model->weights[i].regex);
    free(model->selector);
}

static int model_prio(const struct model *model, const struct entry_path *path)
{
    char address[64];

    snprintf(address, sizeof(address), "%u:%u:%u:%" PRIu64, path->host, path->channel, path->target,
             path->lun);
    for (size_t i = 0; i < model->n_weights; i++)
        if (regexec(&model->weights[i].regex, address, 0, NULL, 0) == 0)
            return model->weights[i].prio;
    return 0;
}

static struct mp_table *model_table(const struct model *model, const struct mp_table *live,
                                    const struct entry_path *paths, size_t n_paths)
{
    struct mp_table *table = mp_table_new_like(live);
    int below = INT32_MAX;

    assert_non_null(table);
    for (;;) {
        struct mp_group *group = NULL;
        int best = INT32_MIN;

        for (size_t i = 0; i < n_paths; i++) {
            int prio = model_prio(model, &paths[i]);

            if (prio < below && prio > best)
                best = prio;
        }
        if (best == INT32_MIN)
            return table;
        assert_true(best > 0);
        assert_int_equal(mp_table_add_group(table, model->selector, &group), 0);
        for (size_t i = 0; i < n_paths; i++)
            if (model_prio(model, &paths[i]) == best)
                assert_int_equal(mp_group_add_path(group, paths[i].dev), 0);
        below = best;
    }
}

/* Addresses that contain each other, unless a regex is anchored at both ends. */
static void make_addresses(const struct scene *scene, struct entry_path *paths, struct prng *prng)
{
    static const unsigned hosts[] = {1, 11, 111, 2, 12, 21, 7, 17};
    static const uint64_t luns[] = {0, 1, 10, 11, 16385};

    for (size_t i = 0; i < scene->n_paths; i++) {
        bool taken;

        do {
            paths[i] = (struct entry_path){
                .dev = scene->paths[i].dev,
                .host = hosts[prng_below(prng, ELEMENTSOF(hosts))],
                .channel = (unsigned)prng_below(prng, 2),
                .target = (unsigned)prng_below(prng, 2),
                .lun = luns[prng_below(prng, ELEMENTSOF(luns))],
            };
            taken = false;
            for (size_t j = 0; j < i; j++)
                taken = taken ||
                        (paths[j].host == paths[i].host && paths[j].channel == paths[i].channel &&
                         paths[j].target == paths[i].target && paths[j].lun == paths[i].lun);
        } while (taken);
    }
}

static const struct entry_path *path_of(const struct entry_path *paths, size_t n_paths, dev_t dev)
{
    for (size_t i = 0; i < n_paths; i++)
        if (paths[i].dev == dev)
            return &paths[i];
    return NULL;
}

/* What a group takes in bytes, each path by itself, or those after one another that only differ in
 * their hosts together. */
static size_t group_bytes(const struct mp_group *group, size_t prio, const struct entry_path *paths,
                          size_t n_paths, bool dense)
{
    const struct entry_path *last = NULL;
    size_t length = 0, n_alike = 0;

    for (size_t i = 0; i < group->n_paths; i++) {
        const struct entry_path *path = path_of(paths, n_paths, group->paths[i]);

        if (dense && last && last->channel == path->channel && last->target == path->target &&
            last->lun == path->lun) {
            length += (size_t)snprintf(NULL, 0, "|%u", path->host);
            length += n_alike++ == 0 ? strlen("()") : 0;
        } else {
            length += (size_t)snprintf(NULL, 0, " ^%u:%u:%u:%" PRIu64 "$ %zu", path->host,
                                       path->channel, path->target, path->lun, prio);
            n_alike = 0;
        }
        last = path;
    }
    return length;
}

/* Said in another way than the code: one selector, and what the addresses take in bytes. */
static bool is_expressible(const struct mp_table *table, const struct entry_path *paths,
                           size_t n_paths)
{
    size_t bytes[] = {strlen("hbtl .* 10"), strlen("hbtl .* 10")};

    for (size_t i = 0; i < table->n_groups; i++) {
        if (strcmp(table->groups[i].selector, table->groups[0].selector) != 0)
            return false;
        for (int dense = 0; dense <= 1 && i + 1 < table->n_groups; dense++)
            bytes[dense] +=
                group_bytes(&table->groups[i], 10 * (table->n_groups - i), paths, n_paths, dense);
    }
    return bytes[0] <= 254 || bytes[1] <= 254;
}

/* Takes a few paths of the table to other groups, or out of it. */
static struct mp_table *disturbed(const struct mp_table *table, struct prng *prng)
{
    struct mp_table *other = mp_table_new_like(table);

    assert_non_null(other);
    for (size_t i = 0; i < table->n_groups; i++) {
        struct mp_group *group = NULL;

        for (size_t j = 0; j < table->groups[i].n_paths; j++) {
            size_t chance = prng_below(prng, 12);

            if (chance == 0)
                continue;
            if (!group || chance == 1)
                assert_int_equal(mp_table_add_group(other, table->groups[i].selector, &group), 0);
            assert_int_equal(mp_group_add_path(group, table->groups[i].paths[j]), 0);
        }
    }
    return other;
}

/* An entry fits a table if multipathd makes of it what the table says, of the paths it has now. */
static bool check_fit(const struct model *model, const char *entry, const struct mp_table *table,
                      const struct entry_path *paths, size_t n_paths)
{
    _cleanup_(mp_table_freep) struct mp_table *built = NULL;
    struct entry_path left[120];
    size_t n = 0;

    for (size_t i = 0; i < n_paths; i++)
        for (size_t g = 0; g < table->n_groups; g++)
            for (size_t j = 0; j < table->groups[g].n_paths; j++)
                if (table->groups[g].paths[j] == paths[i].dev)
                    left[n++] = paths[i];
    if (n == 0)
        return false;
    built = model_table(model, table, left, n);
    assert_int_equal(entry_fits(entry, table, true, paths, n_paths),
                     mp_table_same_meaning(table, built, NULL));
    return entry_fits(entry, table, true, paths, n_paths);
}

static unsigned n_fits, n_misfits;

static void check_fits(const struct model *model, const char *entry, const struct mp_table *table,
                       struct entry_path *paths, size_t n_paths, struct prng *prng)
{
    assert_true(check_fit(model, entry, table, paths, n_paths));
    for (unsigned i = 0; i < 4; i++) {
        _cleanup_(mp_table_freep) struct mp_table *other = disturbed(table, prng);
        size_t a = prng_below(prng, n_paths), b = prng_below(prng, n_paths);
        struct entry_path swapped = paths[a];

        if (i & 1) { /* two logged in again, in the other order */
            paths[a].host = paths[b].host;
            paths[b].host = swapped.host;
        }
        if (check_fit(model, entry, other, paths, n_paths))
            n_fits++;
        else
            n_misfits++;
    }
}

static bool check_scene(const struct scene *scene, struct prng *prng)
{
    _cleanup_(mp_table_freep) struct mp_table *table = NULL;
    _cleanup_(mp_table_freep) struct mp_table *rebuilt = NULL;
    _cleanup_(model_done) struct model model = {0};
    _cleanup_free_ char *text = NULL;
    struct entry_path paths[SCENE_PATHS];
    const char *reason = NULL;
    int r;

    r = plan_map(scene->live, scene->policies, scene->n_policies, scene->paths, scene->n_paths,
                 &table);
    if (r == -EOPNOTSUPP)
        return false;
    assert_int_equal(r, 0);
    make_addresses(scene, paths, prng);

    r = entry_multipath(WWID, table, true, paths, scene->n_paths, &text, &reason);
    if (!is_expressible(table, paths, scene->n_paths)) {
        assert_int_equal(r, -EOPNOTSUPP);
        assert_non_null(reason);
        return false;
    }
    assert_int_equal(r, 0);
    model_init(&model, text);
    rebuilt = model_table(&model, scene->live, paths, scene->n_paths);
    assert_true(mp_table_same_meaning(table, rebuilt, NULL));
    check_fits(&model, text, table, paths, scene->n_paths, prng);
    return true;
}

static void test_rebuilt_by_model(void **state)
{
    struct prng prng = {23};
    size_t n_checked[LB_VENDOR_SPECIFIC] = {0};

    for (size_t n_paths = 1; n_paths <= SCENE_PATHS; n_paths++) {
        for (unsigned policy = 0; policy <= LB_WEIGHTED_PATHS; policy++) {
            for (unsigned i = 0; i < 16; i++) {
                const struct scene_kind kind = {
                    .n_paths = n_paths,
                    .n_policies = policy != 0 || n_paths < SCENE_POLICIES ? 1 : SCENE_POLICIES,
                    .policy = (enum lb_policy)policy, /* 0: any, and several sessions */
                    .alua = i & 1,
                    .late = i & 2,
                    .foreign = i & 4,
                    .absent = i & 8,
                };
                struct scene scene;

                scene_init(&scene, &kind, &prng);
                n_checked[policy] += check_scene(&scene, &prng);
                scene_done(&scene);
            }
        }
    }
    for (unsigned policy = LB_FAILOVER; policy <= LB_WEIGHTED_PATHS; policy++)
        assert_true(n_checked[policy] > 100);
    assert_true(n_checked[0] > 20);
    assert_true(n_fits > 500 && n_misfits > 500);
}

/* Three groups of n paths, each over a session of its own. */
static struct mp_table *three_groups(struct entry_path *paths, size_t n)
{
    struct mp_table *table = parse_table("0 0 0 0");
    struct mp_group *group = NULL;

    for (size_t i = 0; i < n; i++) {
        paths[i] = (struct entry_path){DEV(i), 2 + (unsigned)i * 3, 0, 0, 1};
        if (i % (n / 3) == 0 && table->n_groups < 3)
            assert_int_equal(mp_table_add_group(table, "round-robin 0", &group), 0);
        assert_int_equal(mp_group_add_path(group, DEV(i)), 0);
    }
    return table;
}

static void test_golden_dense(void **state)
{
    struct entry_path paths[30];
    _cleanup_(mp_table_freep) struct mp_table *table = three_groups(paths, 30);

    paths[4].lun = 2;
    paths[12].channel = paths[19].target = 1;
    assert_entry_args(table, paths, 30,
                      "hbtl ^(2|5|8|11):0:0:1$ 30 ^14:0:0:2$ 30 ^(17|20|23|26|29):0:0:1$ 30 "
                      "^(32|35):0:0:1$ 20 ^38:1:0:1$ 20 ^(41|44|47|50|53|56):0:0:1$ 20 "
                      "^59:0:1:1$ 20 .* 10");
}

/* As many as can be, and one more; each entry is read as multipathd reads it. */
static void test_dense_by_model(void **state)
{
    struct prng prng = {29};
    size_t n_told = 0;

    for (size_t n = 3; n <= 120; n++) {
        struct entry_path paths[120];
        _cleanup_(mp_table_freep) struct mp_table *table = three_groups(paths, n);
        _cleanup_(mp_table_freep) struct mp_table *rebuilt = NULL;
        _cleanup_(model_done) struct model model = {0};
        _cleanup_free_ char *text = NULL;
        const char *reason = NULL;

        int r = entry_multipath(WWID, table, true, paths, n, &text, &reason);
        assert_int_equal(r, is_expressible(table, paths, n) ? 0 : -EOPNOTSUPP);
        if (r < 0)
            continue;
        n_told++;
        model_init(&model, text);
        rebuilt = model_table(&model, table, paths, n);
        assert_true(mp_table_same_meaning(table, rebuilt, NULL));
        for (unsigned i = 0; i < 20; i++) { /* two logged in again, in the other order */
            size_t a = prng_below(&prng, n), b = prng_below(&prng, n);
            unsigned host = paths[a].host;

            check_fit(&model, text, table, paths, n);
            paths[a].host = paths[b].host;
            paths[b].host = host;
        }
        for (size_t i = 0; i < n; i++) /* a host's number in which another one's stands */
            paths[i].host = i % 2 ? paths[i].host * 10 : paths[i].host / 10;
        check_fit(&model, text, table, paths, n);
    }
    assert_true(n_told > 80);
}

static void test_golden_device(void **state)
{
    _cleanup_free_ char *with = NULL;
    _cleanup_free_ char *without = NULL;

    assert_int_equal(entry_device("LIO-ORG ", "lun0            ", "sysfs", &with), 0);
    assert_string_equal(with, "    device {\n"
                              "        vendor \"^LIO-ORG$\"\n"
                              "        product \"^lun0$\"\n"
                              "        detect_prio no\n"
                              "        prio sysfs\n"
                              "    }\n");
    assert_int_equal(entry_device("A.B\n", "  x(1)^\\ \n", "path_latency", &without), 0);
    assert_string_equal(without, "    device {\n"
                                 "        vendor \"^A[.]B$\"\n"
                                 "        product \"^  x[(]1[)]\\^[\\]$\"\n"
                                 "        detect_prio no\n"
                                 "        prio path_latency\n"
                                 "    }\n");
}

static void test_device_refusals(void **state)
{
    static const char *const bad_texts[] = {"a\"b", "a\nb", "\ta", "\x7f", "\xe4", "\xe2\x80\xae"};
    static const char *const bad_prios[] = {"",   "alua exclusive_pref_bit", "a\"", "a}", "a#",
                                            "a\n"};
    static char untouched[] = "untouched";
    char longest[LINE_MAX_BYTES];
    char *text = untouched;

    for (size_t i = 0; i < ELEMENTSOF(bad_texts); i++) {
        assert_int_equal(entry_device(bad_texts[i], "b", "const", &text), -EOPNOTSUPP);
        assert_int_equal(entry_device("a", bad_texts[i], "const", &text), -EOPNOTSUPP);
    }
    for (size_t i = 0; i < ELEMENTSOF(bad_prios); i++)
        assert_int_equal(entry_device("a", "b", bad_prios[i], &text), -EOPNOTSUPP);

    memset(longest, 'x', sizeof(longest));
    longest[LINE_MAX_BYTES - strlen("        product \"^$\"") + 1] = '\0';
    assert_int_equal(entry_device("a", longest, "const", &text), -EOPNOTSUPP);
    assert_ptr_equal(text, untouched);
    longest[strlen(longest) - 1] = '\0';
    assert_int_equal(entry_device("a", longest, "const", &text), 0);
    free(text);
}

static bool is_match(const regex_t *regex, const char *text)
{
    return regexec(regex, text, 0, NULL, 0) == 0;
}

/* The regex of a product matches it, and no text that is one change away from it. */
static void check_regex(const char *literal, struct prng *prng)
{
    size_t length = strlen(literal);
    _cleanup_free_ char *entry = NULL;
    _cleanup_free_ char *product = NULL;
    char other[64];
    regex_t regex;

    assert_int_equal(entry_device("v", literal, "const", &entry), 0);
    product = quoted_value(entry, "product");
    assert_int_equal(regcomp(&regex, product, REG_EXTENDED | REG_NOSUB), 0);
    assert_true(is_match(&regex, literal));

    for (size_t i = 0; i < length; i++) {
        snprintf(other, sizeof(other), "%s", literal); /* another byte */
        other[i] = (char)(1 + prng_below(prng, 126));
        assert_int_equal(is_match(&regex, other), strcmp(other, literal) == 0);
        snprintf(other, sizeof(other), "%.*s%s", (int)i, literal, literal + i + 1); /* one less */
        assert_false(is_match(&regex, other));
        snprintf(other, sizeof(other), "%.*s%s", (int)i + 1, literal, literal + i); /* one twice */
        assert_false(is_match(&regex, other));
    }
    snprintf(other, sizeof(other), "x%s", literal);
    assert_false(is_match(&regex, other));
    snprintf(other, sizeof(other), "%sx", literal);
    assert_false(is_match(&regex, other));
    regfree(&regex);
}

static void test_regex_escapes(void **state)
{
    static const char special[] = ".[]()*+?{}|^$\\-/#!'&";
    struct prng prng = {5};

    for (char c = '!'; c < 0x7f; c++) {
        if (c == '"')
            continue;
        check_regex((char[]){c, 0}, &prng);
        check_regex((char[]){c, c, 'b', 0}, &prng);
        check_regex((char[]){'a', c, 'b', 0}, &prng);
        check_regex((char[]){'a', 'b', c, 0}, &prng);
        check_regex((char[]){'[', c, ']', 0}, &prng);
        check_regex((char[]){'a', '\\', c, 0}, &prng);
        check_regex((char[]){'^', c, '^', 0}, &prng);
    }
    check_regex("PERC H7.30 (R0)", &prng);
    check_regex("a{1,2}", &prng);
    check_regex("\xc3\xa4\xc3\xb6", &prng);
    for (unsigned i = 0; i < 500; i++) {
        char literal[17];
        size_t length = 1 + prng_below(&prng, 16);

        for (size_t j = 0; j < length; j++)
            literal[j] = special[prng_below(&prng, strlen(special))];
        literal[length] = '\0';
        check_regex(literal, &prng);
    }
}

static void test_empty_product(void **state)
{
    _cleanup_free_ char *entry = NULL;

    assert_int_equal(entry_device("", "   \n", "const", &entry), 0);
    assert_non_null(strstr(entry, "vendor \"^$\"\n        product \"^$\"\n"));
}

static const char device_a[] = "    device {\n        vendor \"^a$\"\n    }\n";
static const char device_b[] = "    device {\n        vendor \"^b$\"\n    }\n";
static const char entry_a[] = "    multipath {\n        wwid \"a\"\n    }\n";
static const char entry_b[] = "    multipath {\n        wwid \"b\"\n    }\n";

/* What stands behind the comment at the top. */
static const char *body(const char *file)
{
    while (*file == '#')
        file = strchr(file, '\n') + 1;
    return file;
}

static void test_file(void **state)
{
    /* equal texts, not equal pointers */
    _cleanup_free_ char *again = strdup(device_a);
    const char *const devices[] = {device_b, device_a, device_b, again};
    const char *const entries[] = {entry_b, entry_a};
    static char untouched[] = "untouched";
    char *none = untouched;
    _cleanup_free_ char *file = NULL;
    _cleanup_free_ char *no_device = NULL;

    assert_int_equal(entry_file(NULL, 0, NULL, 0, &none), -ENODATA);
    assert_int_equal(entry_file(devices, 4, NULL, 0, &none), -ENODATA);
    assert_ptr_equal(none, untouched);

    assert_int_equal(entry_file(devices, 4, entries, 2, &file), 0);
    assert_string_equal(body(file), "\n"
                                    "devices {\n"
                                    "    device {\n"
                                    "        vendor \"^a$\"\n"
                                    "    }\n"
                                    "    device {\n"
                                    "        vendor \"^b$\"\n"
                                    "    }\n"
                                    "}\n"
                                    "\n"
                                    "multipaths {\n"
                                    "    multipath {\n"
                                    "        wwid \"b\"\n"
                                    "    }\n"
                                    "    multipath {\n"
                                    "        wwid \"a\"\n"
                                    "    }\n"
                                    "}\n");
    assert_int_equal(entry_file(NULL, 0, entries, 1, &no_device), 0);
    assert_string_equal(body(no_device), "\n"
                                         "multipaths {\n"
                                         "    multipath {\n"
                                         "        wwid \"b\"\n"
                                         "    }\n"
                                         "}\n");
}

struct taken {
    const char *wanted[8]; /* WWID and text, by turns */
    size_t n;
};

static int take(const char *wwid, const char *text, void *userdata)
{
    struct taken *taken = userdata;
    const char *wanted = taken->wanted[taken->n++];

    assert_int_equal(wwid == NULL, wanted == NULL);
    if (wwid)
        assert_string_equal(wwid, wanted);
    assert_string_equal(text, taken->wanted[taken->n++]);
    return 0;
}

static int refuse(const char *wwid, const char *text, void *userdata)
{
    return -EUCLEAN;
}

/* What a file was made of, and nothing of a file that is somebody's. */
static void test_file_apart(void **state)
{
    const char *const devices[] = {device_b, device_a};
    const char *const entries[] = {entry_b, entry_a};
    struct taken all = {{NULL, device_a, NULL, device_b, "b", entry_b, "a", entry_a}, 0};
    struct taken one = {{"b", entry_b}, 0}, none = {0};
    _cleanup_free_ char *file = NULL, *cut = NULL;

    assert_int_equal(entry_file(devices, 2, entries, 2, &file), 0);
    assert_int_equal(entry_file_split(file, take, &all), 0);
    assert_int_equal(all.n, 8);
    assert_int_equal(entry_file_split(file, refuse, NULL), -EUCLEAN);

    cut = strndup(strstr(file, "multipaths {"), strlen("multipaths {\n") + strlen(entry_b) + 30);
    assert_non_null(cut);
    assert_int_equal(entry_file_split(cut, take, &one), 0);
    assert_int_equal(one.n, 2);
    assert_int_equal(entry_file_split("", take, &none), 0);
    assert_int_equal(entry_file_split("defaults {\n    a b\n}\n    c {\n    }\n", take, &none), 0);
    assert_int_equal(none.n, 0);
}

static void test_whose_device(void **state)
{
    _cleanup_free_ char *device = NULL;

    assert_int_equal(entry_device("LIO-ORG ", "a.b", "alua", &device), 0);
    assert_int_equal(entry_device_is_of(device, "LIO-ORG", "a.b"), 1);
    assert_int_equal(entry_device_is_of(device, "LIO-ORG", "a.bc"), 0);
    assert_int_equal(entry_device_is_of(device, "LIO-ORG", "a"), 0);
    assert_int_equal(entry_device_is_of(device, "LIO", "a.b"), 0);
    assert_int_equal(entry_device_is_of(device, "a\"", "a.b"), 0);
    assert_int_equal(entry_device_is_of("", "LIO-ORG", "a.b"), 0);
}

static void test_file_header(void **state)
{
    static const char *const parts[] = {
        "iscsi-wmid",
        "Do not edit",
        "replaced whenever a policy changes",
        "policy set SESSION vendor-specific",
        "sorts behind this one",
    };
    const char *const entries[] = {entry_a};
    _cleanup_free_ char *file = NULL;

    assert_int_equal(entry_file(NULL, 0, entries, 1, &file), 0);
    assert_memory_equal(file, "# Written by iscsi-wmid", strlen("# Written by iscsi-wmid"));
    for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
        const char *found = strstr(file, parts[i]);

        assert_non_null(found);
        assert_true(found < body(file));
    }
}

/* As multipathd wants a line: a comment, a section with its brace, a closing brace or a keyword. */
static void check_line(const char *line, unsigned *depth)
{
    const char *word = line + strspn(line, " ");
    size_t length = strlen(line);

    assert_true(length <= LINE_MAX_BYTES);
    if (length == 0 || *word == '#')
        return;
    if (strcmp(word, "}") == 0) {
        assert_true(*depth > 0);
        --*depth;
        assert_int_equal(word - line, 4 * *depth);
        return;
    }
    assert_int_equal(word - line, 4 * *depth);
    if (line[length - 1] == '{') {
        assert_int_equal(strcspn(word, " "), strlen(word) - 2);
        ++*depth;
        return;
    }
    assert_int_equal(*depth, 2);
    word += strcspn(word, " ") + 1;
    if (*word == '"')
        assert_int_equal(strcspn(word + 1, "\""), strlen(word) - 2);
    else
        assert_int_equal(strcspn(word, " \"{}"), strlen(word));
}

static void test_file_structure(void **state)
{
    _cleanup_(mp_table_freep) struct mp_table *table =
        parse_table("0 0 2 1 round-robin 0 2 1 8:1 1 8:2 1 round-robin 0 1 1 8:3 1");
    _cleanup_free_ char *device = NULL;
    _cleanup_free_ char *entry = NULL;
    _cleanup_free_ char *file = NULL;
    const char *reason;
    unsigned depth = 0;
    char *rest;
    char *line;

    assert_int_equal(entry_device("{v}", "p }", "alua", &device), 0);
    assert_int_equal(entry_multipath(WWID, table, true, four_paths, 4, &entry, &reason), 0);
    assert_int_equal(
        entry_file((const char *[]){device}, 1, (const char *[]){entry, entry}, 2, &file), 0);
    assert_int_equal(file[strlen(file) - 1], '\n');
    for (rest = file; (line = strsep(&rest, "\n"));)
        check_line(line, &depth);
    assert_int_equal(depth, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_one_group),
        cmocka_unit_test(test_golden_three_groups),
        cmocka_unit_test(test_failback),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_unknown_address),
        cmocka_unit_test(test_args_limit),
        cmocka_unit_test(test_line_limit),
        cmocka_unit_test(test_rebuilt_by_model),
        cmocka_unit_test(test_golden_dense),
        cmocka_unit_test(test_dense_by_model),
        cmocka_unit_test(test_golden_device),
        cmocka_unit_test(test_device_refusals),
        cmocka_unit_test(test_regex_escapes),
        cmocka_unit_test(test_empty_product),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_file_apart),
        cmocka_unit_test(test_whose_device),
        cmocka_unit_test(test_file_header),
        cmocka_unit_test(test_file_structure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
