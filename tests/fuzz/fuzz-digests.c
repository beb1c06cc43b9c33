/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The stream of digests that a child process sends. */

#include "fuzz.h"
#include "iscsi/digest.h"
#include "iscsi/record-name.h"

#define OWN "iqn.2024-01.org.example:host"

static void write_set(const struct digest_set *set, char **ret, size_t *ret_size)
{
    FILE *out = open_memstream(ret, ret_size);

    CHECK(out);
    digest_set_write(set, out);
    CHECK(fclose(out) == 0);
}

static void check_written(const struct digest_set *set)
{
    _cleanup_(digest_set_clear) struct digest_set again = {0};
    _cleanup_free_ char *text = NULL, *text_again = NULL;
    size_t size, size_again;

    write_set(set, &text, &size);
    CHECK(digest_set_parse(text, size, &again) == 0);
    write_set(&again, &text_again, &size_again);
    CHECK(size == size_again && memcmp(text, text_again, size) == 0);
}

static void check_compared(const struct digest_set *set)
{
    static const struct digest_set nothing = {0};
    _cleanup_(record_changes_clear) struct record_changes same = {0}, added = {0}, removed = {0};

    CHECK(digest_set_compare(set, set, &same) == 0);
    CHECK(same.n == 0);
    CHECK(digest_set_compare(&nothing, set, &added) == 0);
    CHECK(digest_set_compare(set, &nothing, &removed) == 0);
    CHECK(added.n == set->n && removed.n == set->n);
    for (size_t i = 0; i < set->n; i++) {
        CHECK(added.items[i].difference == RECORD_ADDED && !added.items[i].fields);
        CHECK(removed.items[i].difference == RECORD_REMOVED);
        CHECK(strcmp(added.items[i].path, set->records[i].path) == 0);
    }
}

/* Every pair of neighbours as one record before and after a change. */
static void check_contents(const struct digest_set *set)
{
    for (size_t i = 1; i < set->n; i++) {
        _cleanup_(record_changes_clear) struct record_changes changes = {0};
        struct record_digest now = set->records[i];
        const struct digest_set before = {.records = &set->records[i - 1], .n = 1};
        const struct digest_set after = {.records = &now, .n = 1};

        now.path = set->records[i - 1].path;
        CHECK(digest_set_compare(&before, &after, &changes) == 0);
        CHECK(changes.n <= 1);
        if (changes.n == 1)
            CHECK(changes.items[0].fields && changes.items[0].fields[0]);
    }
}

static void check_names(const struct digest_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct record_digest *record = &set->records[i];
        _cleanup_free_ char *name = record_name(record->kind, record->path);
        struct node_name node = {0};

        CHECK(name && strlen(name) <= strlen(record->path));
        if (node_name_parse(record->path, &node) == 0)
            CHECK(node.target[0] && node.address[0] && node.iface[0]);
        free(node.text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(digest_set_clear) struct digest_set set = {0};
    struct digest_set selected = {0};

    if (digest_set_parse(data, size, &set) < 0) {
        CHECK(!set.records && set.n == 0);
        return 0;
    }
    check_written(&set);
    check_compared(&set);
    check_contents(&set);
    check_names(&set);
    CHECK(digest_set_select(&set, OWN, OWN, &selected) == 0);
    CHECK(selected.n <= set.n);
    free(selected.records);
    return 0;
}
