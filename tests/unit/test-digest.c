/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Digests of records: what makes a difference, what none, and that no value is in what comes out.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "iscsi/digest.h"
#include "iscsi/record-name.h"
#include "prng.h"

#define ROOT "/etc/iscsi"
#define TARGET "iqn.2025-01.com.example:target"
#define NODE ROOT "/nodes/" TARGET "/192.0.2.1,3260,1/default"
#define SECRET "hush-hush-never-seen"
#define BEGIN "# BEGIN RECORD 2.1.8\n"
#define END "# END RECORD\n"

static const uint8_t key[DIGEST_KEY_SIZE] = {1, 2, 3};
static const uint8_t other_key[DIGEST_KEY_SIZE] = {1, 2, 4};

DEFINE_CLEANUP(struct digester *, digester_free);

static struct record_digest digest_with(const uint8_t *with, enum record_kind kind,
                                        const char *path, const char *text, bool *ret_whole)
{
    _cleanup_(digester_freep) struct digester *digester = NULL;
    struct record_digest record;
    _cleanup_fclose_ FILE *file = tmpfile();

    assert_non_null(file);
    fputs(text, file);
    rewind(file);
    assert_int_equal(digester_new(with, &digester), 0);
    assert_int_equal(digest_record(digester, kind, path, file, &record, ret_whole), 0);
    return record;
}

static void add(struct digest_set *set, enum record_kind kind, const char *path, const char *text)
{
    bool whole;
    struct record_digest record = digest_with(key, kind, path, text, &whole);
    assert_true(record.size > 0);
    assert_int_equal(digest_set_append(set, &record), 0);
    digest_set_sort(set);
}

/* The names of the fields that differ between two texts of one record, joined by blanks. */
static void assert_differs(const char *before, const char *now, const char *wanted)
{
    _cleanup_(digest_set_clear) struct digest_set a = {0}, b = {0};
    _cleanup_(record_changes_clear) struct record_changes changes = {0};
    char names[512] = "";

    add(&a, RECORD_NODE, NODE, before);
    add(&b, RECORD_NODE, NODE, now);
    assert_int_equal(digest_set_compare(&a, &b, &changes), 0);
    assert_int_equal(changes.n, wanted[0] != '\0');
    for (size_t i = 0; i < changes.n; i++) {
        assert_int_equal(changes.items[i].kind, RECORD_NODE);
        assert_int_equal(changes.items[i].difference, RECORD_CHANGED);
        assert_string_equal(changes.items[i].path, NODE);
        for (char **field = changes.items[i].fields; *field; field++) {
            if (names[0])
                strcat(names, " ");
            strcat(names, *field);
        }
    }
    assert_string_equal(names, wanted);
}

static void test_no_difference(void **state)
{
    static const char *const same[] = {
        "node.name = a\nnode.tpgt = 1\n",
        "node.tpgt = 1\nnode.name = a\n",
        BEGIN "node.name = a\nnode.tpgt = 1\n" END,
        ("# BEGIN RECORD 2.1.11\n# a comment\n\n  node.name   =   a  \t\nnode.tpgt = 1\n" END),
        "#node.name = b\nnode.name = a\nnode.tpgt = 1\n",
        /* open-iscsi takes the last of several, and none of these lines. */
        "node.name = b\nnode.name = a\nnode.tpgt = 1\n",
        "node.name = a\nnode.name =\nnode.tpgt = 1\nnode.more=1\nnode.even\nnode.cut = 1",
        /* What no name of open-iscsi's begins with. */
        "node.name = a\nnode.tpgt = 1\nsecret = x\nnodename = x\nnode.\xff = x\nno~de.x = 1\n",
    };

    for (size_t i = 0; i < ELEMENTSOF(same); i++)
        assert_differs(same[0], same[i], "");
}

static void test_differences(void **state)
{
    static const char text[] =
        BEGIN "node.name = a\nnode.session.auth.password = " SECRET "\nnode.tpgt = 1\n" END;

    assert_differs(text, "node.name = a\nnode.session.auth.password = other\nnode.tpgt = 1\n",
                   "node.session.auth.password");
    assert_differs(text, "node.name = a\nnode.tpgt = 1\n", "node.session.auth.password");
    assert_differs("node.name = a\nnode.tpgt = 1\n", text, "node.session.auth.password");
    assert_differs(text, "node.name = A\nnode.session.auth.password = " SECRET "\nnode.tpgt = 2\n",
                   "node.name node.tpgt");
    assert_differs(text, "iface.mtu = 0\n",
                   "iface.mtu node.name node.session.auth.password node.tpgt");
    /* A blank within a value counts, and a value is not taken for another field's. */
    assert_differs("node.a = x y\n", "node.a = x  y\n", "node.a");
    assert_differs("node.a = x\nnode.b = y\n", "node.a = y\nnode.b = x\n", "node.a node.b");
    assert_differs("node.a = x\n", "node.ab = x\n", "node.a node.ab");
}

/* Whether the last digest of one record can be found in another. */
static bool shares_digest(const struct record_digest *a, const struct record_digest *b)
{
    return memmem(b->fields, b->size, a->fields + a->size - DIGEST_SIZE, DIGEST_SIZE);
}

/* The same secret under another key, in another record or in another field does not show. */
static void test_digests_tell_nothing(void **state)
{
    static const struct {
        const uint8_t *key;
        const char *path;
        const char *text;
        bool same;
    } others[] = {
        {key, NODE, "node.session.auth.password = " SECRET "\n", true},
        {other_key, NODE, "node.session.auth.password = " SECRET "\n", false},
        {key, NODE "2", "node.session.auth.password = " SECRET "\n", false},
        {key, NODE, "node.session.auth.password_in = " SECRET "\n", false},
        {key, NODE, "node.session.auth.password = " SECRET "2\n", false},
    };
    bool whole;
    struct record_digest first =
        digest_with(key, RECORD_NODE, NODE, "node.session.auth.password = " SECRET "\n", &whole);

    assert_null(memmem(first.fields, first.size, SECRET, strlen(SECRET)));
    assert_int_equal(first.size, strlen("node.session.auth.password") + 1 + DIGEST_SIZE);
    for (size_t i = 0; i < ELEMENTSOF(others); i++) {
        struct record_digest other =
            digest_with(others[i].key, RECORD_NODE, others[i].path, others[i].text, &whole);
        assert_int_equal(shares_digest(&first, &other), others[i].same);
        record_digest_clear(&other);
    }
    record_digest_clear(&first);
}

/* HMAC-SHA-256 as anybody can compute it: a state that was written stays readable. */
static void test_known_digest(void **state)
{
    /* printf '/p\0node.a\0x' | openssl dgst -sha256 -mac HMAC -macopt hexkey:010203000...00 */
    static const uint8_t wanted[DIGEST_SIZE] = {0xf5, 0x7d, 0x7c, 0x6c, 0x9e, 0xf6, 0x31, 0xb7,
                                                0x4e, 0x36, 0x3e, 0x3d, 0x0a, 0x16, 0xec, 0x1a};
    bool whole;
    struct record_digest record = digest_with(key, RECORD_NODE, "/p", "node.a = x\n", &whole);

    assert_int_equal(record.size, 7 + DIGEST_SIZE);
    assert_memory_equal(record.fields, "node.a", 7);
    assert_memory_equal(record.fields + 7, wanted, DIGEST_SIZE);
    record_digest_clear(&record);
}

static void test_whole(void **state)
{
    static const struct {
        const char *text;
        bool whole;
    } cases[] = {
        {"", false},
        {BEGIN, false},
        {BEGIN "node.name = a\n", false},
        {BEGIN "node.name = a\n# END REC", false},
        {BEGIN "node.name = a\n" END, true},
        {"node.name = a\n", true}, /* made by hand */
        {"\n", true},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        bool whole = !cases[i].whole;
        struct record_digest record = digest_with(key, RECORD_NODE, NODE, cases[i].text, &whole);
        assert_int_equal(whole, cases[i].whole);
        record_digest_clear(&record);
    }
}

static void test_no_record(void **state)
{
    bool whole;
    struct record_digest record =
        digest_with(key, RECORD_IFACE, ROOT "/ifaces/iface.example", "# iface.mtu = 1\n", &whole);

    assert_int_equal(record.size, 0);
    assert_null(record.fields);
    record_digest_clear(&record);
}

static void test_many_fields(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool whole;

    assert_non_null(out);
    for (unsigned i = 0; i < 5000; i++)
        fprintf(out, "node.field%u = %u\n", i, i);
    assert_int_equal(fclose(out), 0);
    struct record_digest record = digest_with(key, RECORD_NODE, NODE, text, &whole);
    assert_true(digest_fields_valid(record.fields, record.size));
    assert_true(record.size < 5000 * DIGEST_SIZE);
    record_digest_clear(&record);
    free(text);
}

static void test_fields_valid(void **state)
{
#define D "0123456789abcdef"
#define TEXT(text) (const uint8_t *)(text), sizeof(text) - 1
    assert_true(digest_fields_valid(TEXT("node.a\0" D)));
    assert_true(digest_fields_valid(TEXT("node.a\0" D "node.b\0" D)));
    assert_false(digest_fields_valid(TEXT("")));
    assert_false(digest_fields_valid(TEXT("node.a")));
    assert_false(digest_fields_valid(TEXT("node.a\0")));
    assert_false(digest_fields_valid(TEXT("node.a\0" D "x")));
    assert_false(digest_fields_valid(TEXT("node.a\0" D "\0" D)));
    assert_false(digest_fields_valid(TEXT("node.b\0" D "node.a\0" D)));
    assert_false(digest_fields_valid(TEXT("node.a\0" D "node.a\0" D)));
    assert_false(digest_fields_valid(TEXT("other\0" D)));
#undef TEXT
#undef D
}

/* Two ifaces of another name, one without; a node of each, of an unknown one, and discoveries. */
static void make_host(struct digest_set *set)
{
    add(set, RECORD_IFACE, ROOT "/ifaces/a", "iface.initiatorname = iqn.a\niface.mtu = 1\n");
    add(set, RECORD_IFACE, ROOT "/ifaces/b", "iface.mtu = 1\n");
    add(set, RECORD_NODE, ROOT "/nodes/t/192.0.2.1,3260,1/a", "node.name = t\n");
    add(set, RECORD_NODE, ROOT "/nodes/t/192.0.2.1,3260,1/b", "node.name = t\n");
    add(set, RECORD_NODE, ROOT "/nodes/t/192.0.2.1,3260,1/default", "node.name = t\n");
    add(set, RECORD_NODE, ROOT "/nodes/t/192.0.2.2,3260", "node.name = t\n");
    add(set, RECORD_DISCOVERY, ROOT "/send_targets/192.0.2.1,3260/st_config",
        "discovery.type = sendtargets\n");
}

static void test_select(void **state)
{
    _cleanup_(digest_set_clear) struct digest_set set = {0};
    static const struct {
        const char *own, *initiator;
        size_t n;
    } cases[] = {
        {"iqn.host", "iqn.host", 5},  {"iqn.host", "iqn.a", 3}, {"iqn.a", "iqn.a", 7},
        {"iqn.host", "iqn.other", 1}, {"", "iqn.a", 3},         {"", "", 0},
    };

    make_host(&set);
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct digest_set found;
        assert_int_equal(digest_set_select(&set, cases[i].own, cases[i].initiator, &found), 0);
        assert_int_equal(found.n, cases[i].n);
        for (size_t k = 1; k < found.n; k++)
            assert_true(strcmp(found.records[k - 1].path, found.records[k].path) < 0);
        free(found.records);
    }
}

static void test_come_and_gone(void **state)
{
    _cleanup_(digest_set_clear) struct digest_set all = {0}, none = {0};
    _cleanup_(record_changes_clear) struct record_changes come = {0}, gone = {0}, same = {0};

    make_host(&all);
    assert_int_equal(digest_set_compare(&none, &all, &come), 0);
    assert_int_equal(digest_set_compare(&all, &none, &gone), 0);
    assert_int_equal(digest_set_compare(&all, &all, &same), 0);
    assert_int_equal(same.n, 0);
    assert_int_equal(come.n, all.n);
    assert_int_equal(gone.n, all.n);
    for (size_t i = 0; i < all.n; i++) {
        assert_int_equal(come.items[i].difference, RECORD_ADDED);
        assert_int_equal(gone.items[i].difference, RECORD_REMOVED);
        assert_int_equal(come.items[i].kind, all.records[i].kind);
        assert_string_equal(come.items[i].path, all.records[i].path);
        assert_string_equal(gone.items[i].path, all.records[i].path);
        assert_null(come.items[i].fields);
    }
}

static void test_compare_at_random(void **state)
{
    struct prng prng = {7};

    for (int round = 0; round < 300; round++) {
        _cleanup_(digest_set_clear) struct digest_set a = {0}, b = {0};
        _cleanup_(record_changes_clear) struct record_changes changes = {0};
        size_t wanted = 0;
        for (unsigned i = 0; i < 12; i++) {
            char path[32];
            size_t in_a = prng_below(&prng, 3), in_b = prng_below(&prng, 3);
            snprintf(path, sizeof(path), "/ifaces/%u", i * 7 % 12);
            if (in_a)
                add(&a, RECORD_IFACE, path, in_a == 1 ? "iface.x = 1\n" : "iface.x = 2\n");
            if (in_b)
                add(&b, RECORD_IFACE, path, in_b == 1 ? "iface.x = 1\n" : "iface.x = 2\n");
            wanted += in_a != in_b;
        }
        assert_int_equal(digest_set_compare(&a, &b, &changes), 0);
        assert_int_equal(changes.n, wanted);
    }
}

static char *write_set(const struct digest_set *set, size_t *ret_size)
{
    char *data = NULL;
    FILE *out = open_memstream(&data, ret_size);
    assert_non_null(out);
    digest_set_write(set, out);
    assert_int_equal(fclose(out), 0);
    return data;
}

static int parse(const char *data, size_t size, struct digest_set *ret)
{
    _cleanup_free_ char *copy = malloc(size ?: 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    return digest_set_parse(copy, size, ret);
}

static void test_stream(void **state)
{
    _cleanup_(digest_set_clear) struct digest_set set = {.too_many = true}, found = {0};
    _cleanup_(record_changes_clear) struct record_changes changes = {0};
    size_t size = 0;

    make_host(&set);
    _cleanup_free_ char *data = write_set(&set, &size);
    assert_int_equal(parse(data, size, &found), 0);
    assert_int_equal(found.n, set.n);
    assert_true(found.too_many);
    assert_false(found.unwatched);
    assert_int_equal(digest_set_compare(&set, &found, &changes), 0);
    assert_int_equal(changes.n, 0);
    for (size_t i = 0; i < set.n; i++)
        assert_string_equal(found.records[i].initiator, set.records[i].initiator);

    for (size_t cut = 0; cut < size; cut++) {
        struct digest_set part = {0};
        assert_int_equal(parse(data, cut, &part), -EINVAL);
        assert_null(part.records);
    }
    assert_int_equal(digest_set_parse(NULL, 0, &found), -EINVAL);
}

static void test_broken_stream(void **state)
{
    _cleanup_(digest_set_clear) struct digest_set set = {0};
    struct prng prng = {5};
    size_t size = 0;

    make_host(&set);
    _cleanup_free_ char *data = write_set(&set, &size);
    for (int i = 0; i < 20000; i++) {
        _cleanup_(digest_set_clear) struct digest_set found = {0};
        _cleanup_free_ char *broken = malloc(size);
        assert_non_null(broken);
        memcpy(broken, data, size);
        for (size_t k = prng_below(&prng, 4) + 1; k > 0; k--)
            broken[prng_below(&prng, size)] = (char)prng_next(&prng);
        if (parse(broken, size, &found) == 0)
            for (size_t k = 0; k < found.n; k++)
                assert_true(digest_fields_valid(found.records[k].fields, found.records[k].size));
    }
}

static void test_node_names(void **state)
{
    static const struct {
        const char *path, *address, *iface;
        uint16_t port;
    } good[] = {
        {NODE, "192.0.2.1", "default", 3260},
        {"/var/lib/iscsi/nodes/" TARGET "/2001:db8::1,65535,0/eth1", "2001:db8::1", "eth1", 65535},
        {"/var/lib/iscsi/nodes/" TARGET "/host.example,3261", "host.example", "default", 3261},
    };
    static const char *const bad[] = {
        "",
        "/",
        "/etc/iscsi/ifaces/a",
        "/nodes/",
        "/nodes/t",
        "/nodes/t/a",
        "/nodes/t/a/default",
        "/nodes//a,1,1/b",
        "/nodes/t/,1,1/b",
        "/nodes/t/a,1,1/",
    };
    struct node_name name;

    for (size_t i = 0; i < ELEMENTSOF(good); i++) {
        assert_int_equal(node_name_parse(good[i].path, &name), 0);
        assert_string_equal(name.target, TARGET);
        assert_string_equal(name.address, good[i].address);
        assert_string_equal(name.iface, good[i].iface);
        assert_int_equal(name.port, good[i].port);
        free(name.text);
    }
    for (size_t i = 0; i < ELEMENTSOF(bad); i++)
        assert_int_equal(node_name_parse(bad[i], &name), -EINVAL);
}

static void test_record_names(void **state)
{
    static const struct {
        enum record_kind kind;
        const char *path, *name;
    } cases[] = {
        {RECORD_NODE, NODE, TARGET "/192.0.2.1,3260,1/default"},
        {RECORD_IFACE, "/var/lib/iscsi/ifaces/eth1", "eth1"},
        {RECORD_DISCOVERY, ROOT "/send_targets/192.0.2.1,3260/st_config",
         "send_targets/192.0.2.1,3260"},
        {RECORD_DISCOVERY, ROOT "/isns/192.0.2.1,3205/isns_config", "isns/192.0.2.1,3205"},
        {RECORD_DISCOVERY, ROOT "/send_targets/192.0.2.1,3260", "send_targets/192.0.2.1,3260"},
        {RECORD_NODE, "elsewhere", "elsewhere"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_free_ char *name = record_name(cases[i].kind, cases[i].path);
        assert_string_equal(name, cases[i].name);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_difference),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_digests_tell_nothing),
        cmocka_unit_test(test_known_digest),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_no_record),
        cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_fields_valid),
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_come_and_gone),
        cmocka_unit_test(test_compare_at_random),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_broken_stream),
        cmocka_unit_test(test_node_names),
        cmocka_unit_test(test_record_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
