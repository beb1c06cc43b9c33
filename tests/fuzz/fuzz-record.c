/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One of open-iscsi's records. What comes out of it is the same each time, another under another
 * key, and has nothing of a value.
 */

#include "fuzz.h"
#include "iscsi/config.h"
#include "iscsi/digest.h"
#include "iscsi/record-name.h"

#define PATH "/etc/iscsi/nodes/iqn.2024-01.org.example:disks/10.0.0.1,3260,1/default"
#define SECRET_MIN 8U /* shorter ones can be in a digest by chance */

DEFINE_CLEANUP(struct digester *, digester_free);

static const uint8_t key[DIGEST_KEY_SIZE] = {1};

/* Another key for each input: no input can have a piece of its own digests for a value. */
static void make_key(const uint8_t *data, size_t size, uint8_t ret[DIGEST_KEY_SIZE])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
    memset(ret, 0, DIGEST_KEY_SIZE);
    memcpy(ret, &hash, sizeof(hash));
}

static bool read_record(const uint8_t *data, size_t size, const uint8_t *with, const char *path,
                        struct record_digest *ret)
{
    _cleanup_(digester_freep) struct digester *digester = NULL;
    _cleanup_fclose_ FILE *file = fuzz_file(data, size);
    bool whole;

    CHECK(digester_new(with, &digester) == 0);
    CHECK(digest_record(digester, RECORD_IFACE, path, file, ret, &whole) == 0);
    CHECK((ret->size == 0) == !ret->fields);
    CHECK(ret->size == 0 || digest_fields_valid(ret->fields, ret->size));
    return whole;
}

/* The same names, and no digest that is the same. */
static void check_unlike(const struct record_digest *a, const struct record_digest *b)
{
    CHECK(a->size == b->size);
    for (size_t at = 0; at < a->size; at += DIGEST_SIZE) {
        size_t name = strlen((const char *)a->fields + at) + 1;

        CHECK(memcmp(a->fields + at, b->fields + at, name) == 0);
        at += name;
        CHECK(memcmp(a->fields + at, b->fields + at, DIGEST_SIZE) != 0);
    }
}

static void check_value_hidden(const struct record_digest *record, const char *value)
{
    if (strlen(value) < SECRET_MIN)
        return;
    for (size_t at = 0; at < record->size; at += DIGEST_SIZE) {
        at += strlen((const char *)record->fields + at) + 1;
        CHECK(!memmem(record->fields + at, DIGEST_SIZE, value, SECRET_MIN));
    }
}

static void check_values_hidden(const uint8_t *data, size_t size,
                                const struct record_digest *record)
{
    _cleanup_fclose_ FILE *file = fuzz_file(data, size);
    char line[CONFIG_LINE_SIZE], *name, *value;

    while (fgets(line, sizeof(line), file))
        if (config_line_split(line, &name, &value))
            check_value_hidden(record, value);
}

/* To a stream and back. */
static void check_written(const struct record_digest *record)
{
    _cleanup_(digest_set_clear) struct digest_set again = {0};
    _cleanup_(record_changes_clear) struct record_changes changes = {0};
    const struct digest_set set = {.records = (struct record_digest *)record, .n = 1};
    _cleanup_free_ char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    CHECK(out);
    digest_set_write(&set, out);
    CHECK(fclose(out) == 0);
    CHECK(digest_set_parse(text, size, &again) == 0);
    CHECK(again.n == 1 && again.records[0].kind == record->kind);
    CHECK(strcmp(again.records[0].path, record->path) == 0);
    CHECK(strcmp(again.records[0].initiator, record->initiator) == 0);
    CHECK(digest_set_compare(&set, &again, &changes) == 0);
    CHECK(changes.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(record_digest_clear) struct record_digest record = {0}, again = {0};
    _cleanup_(record_digest_clear) struct record_digest other_key = {0}, other_path = {0};
    uint8_t own_key[DIGEST_KEY_SIZE];
    bool whole;

    if (size == 0)
        return 0;
    make_key(data, size, own_key);
    whole = read_record(data, size, key, PATH, &record);
    CHECK(read_record(data, size, key, PATH, &again) == whole);
    CHECK(again.size == record.size);
    CHECK(record.size == 0 || memcmp(record.fields, again.fields, record.size) == 0);
    (void)read_record(data, size, own_key, PATH, &other_key);
    check_unlike(&record, &other_key);
    (void)read_record(data, size, key, PATH "2", &other_path);
    check_unlike(&record, &other_path);

    check_values_hidden(data, size, &other_key);
    if (record.size > 0)
        check_written(&record);
    return 0;
}
