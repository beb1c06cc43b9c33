/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "iscsi/config.h"
#include "iscsi/digest.h"
#include "iscsi/record-name.h"

#define HMAC_SIZE 32U
#define NAME_SIZE 128U   /* open-iscsi's, of a field's name */
#define FIELDS_MAX 1024U /* of a record; open-iscsi has 256 */
#define LAST_LINE "# END RECORD"
#define FIRST_LINE "# BEGIN RECORD"
#define IFACE_INITIATOR "iface.initiatorname"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._[]-"

struct digester {
    EVP_MAC_CTX *mac;
};

DEFINE_CLEANUP(struct digester *, digester_free);

/* --- One field ------------------------------------------------------------------------------- */

void digester_free(struct digester *digester)
{
    if (!digester)
        return;
    EVP_MAC_CTX_free(digester->mac);
    free(digester);
}

int digester_new(const uint8_t key[DIGEST_KEY_SIZE], struct digester **ret)
{
    char hash[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
        OSSL_PARAM_construct_end(),
    };
    _cleanup_(digester_freep) struct digester *digester = calloc(1, sizeof(*digester));
    if (!digester)
        return -ENOMEM;

    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    digester->mac = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    if (!digester->mac || EVP_MAC_init(digester->mac, key, DIGEST_KEY_SIZE, parameters) != 1)
        return -EOPNOTSUPP;
    *ret = TAKE_PTR(digester);
    return 0;
}

static int make_digest(struct digester *digester, const char *path, const char *name,
                       const char *value, uint8_t ret[DIGEST_SIZE])
{
    unsigned char digest[HMAC_SIZE];
    size_t size = 0;

    /* Without a key, it is the one given before. */
    if (EVP_MAC_init(digester->mac, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(digester->mac, (const unsigned char *)path, strlen(path) + 1) != 1 ||
        EVP_MAC_update(digester->mac, (const unsigned char *)name, strlen(name) + 1) != 1 ||
        EVP_MAC_update(digester->mac, (const unsigned char *)value, strlen(value)) != 1 ||
        EVP_MAC_final(digester->mac, digest, &size, sizeof(digest)) != 1 || size != HMAC_SIZE)
        return -EIO;
    memcpy(ret, digest, DIGEST_SIZE);
    return 0;
}

/* --- One record ------------------------------------------------------------------------------ */

struct field {
    char name[NAME_SIZE];
    uint8_t digest[DIGEST_SIZE];
};

struct field_list {
    struct field *items;
    size_t n;
};

static void field_list_clear(struct field_list *list)
{
    free(list->items);
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool digest_is_name(const char *name)
{
    return strlen(name) < NAME_SIZE && name[strspn(name, NAME_CHARACTERS)] == '\0' &&
           (starts_with(name, "node.") || starts_with(name, "iface.") ||
            starts_with(name, "discovery."));
}

/* The field of a name, made where there is none. *ret NULL: there are too many. */
static int get_field(struct field_list *list, const char *name, struct field **ret)
{
    *ret = NULL;
    for (size_t i = 0; i < list->n && !*ret; i++)
        if (strcmp(list->items[i].name, name) == 0)
            *ret = &list->items[i];
    if (*ret || list->n == FIELDS_MAX)
        return 0;

    struct field *more = reallocarray(list->items, list->n + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    list->items = more;
    *ret = &more[list->n++];
    snprintf((*ret)->name, NAME_SIZE, "%s", name);
    return 0;
}

static int take_field(struct digester *digester, const char *path, const char *name,
                      const char *value, struct field_list *list)
{
    struct field *field;

    if (!digest_is_name(name))
        return 0;
    int r = get_field(list, name, &field);
    if (r < 0 || !field)
        return r;
    return make_digest(digester, path, name, value, field->digest);
}

static int compare_fields(const void *a, const void *b)
{
    return strcmp(((const struct field *)a)->name, ((const struct field *)b)->name);
}

static int encode_fields(struct field_list *list, struct record_digest *record)
{
    size_t size = 0;

    if (list->n == 0)
        return 0;
    qsort(list->items, list->n, sizeof(*list->items), compare_fields);
    for (size_t i = 0; i < list->n; i++)
        size += strlen(list->items[i].name) + 1 + DIGEST_SIZE;
    record->fields = malloc(size);
    if (!record->fields)
        return -ENOMEM;
    record->size = size;

    uint8_t *to = record->fields;
    for (size_t i = 0; i < list->n; i++) {
        to = (uint8_t *)stpcpy((char *)to, list->items[i].name) + 1;
        memcpy(to, list->items[i].digest, DIGEST_SIZE);
        to += DIGEST_SIZE;
    }
    return 0;
}

static int take_initiator(struct record_digest *record, const char *name, const char *value)
{
    if (record->kind != RECORD_IFACE || strcmp(name, IFACE_INITIATOR) != 0)
        return 0;
    char *initiator = strdup(value);
    if (!initiator)
        return -ENOMEM;
    free(record->initiator);
    record->initiator = initiator;
    return 0;
}

void record_digest_clear(struct record_digest *record)
{
    free(record->path);
    free(record->initiator);
    free(record->fields);
    *record = (struct record_digest){0};
}

int digest_record(struct digester *digester, enum record_kind kind, const char *path, FILE *file,
                  struct record_digest *ret, bool *ret_whole)
{
    _cleanup_(record_digest_clear) struct record_digest record = {
        .kind = kind, .path = strdup(path), .initiator = strdup("")};
    _cleanup_(field_list_clear) struct field_list list = {0};
    char line[CONFIG_LINE_SIZE], *name, *value;
    bool begun = false, ended = false, empty = true;
    int r = record.path && record.initiator ? 0 : -ENOMEM;

    while (r >= 0 && fgets(line, sizeof(line), file)) {
        empty = false;
        begun = begun || starts_with(line, FIRST_LINE);
        ended = ended || starts_with(line, LAST_LINE);
        if (!config_line_split(line, &name, &value))
            continue;
        r = take_field(digester, path, name, value, &list);
        if (r >= 0)
            r = take_initiator(&record, name, value);
    }
    if (r >= 0 && ferror(file))
        r = -EIO;
    if (r >= 0)
        r = encode_fields(&list, &record);
    if (r < 0)
        return r;

    *ret_whole = ended || (!begun && !empty);
    *ret = record;
    record = (struct record_digest){0};
    return 0;
}

/* The field behind one; its digest stands behind its name's NUL. */
static const uint8_t *next_field(const uint8_t *field)
{
    return field + strlen((const char *)field) + 1 + DIGEST_SIZE;
}

bool digest_fields_valid(const uint8_t *fields, size_t size)
{
    const char *last = "";

    for (size_t at = 0; at < size;) {
        const char *name = (const char *)fields + at;
        const uint8_t *nul = memchr(fields + at, '\0', size - at);
        if (!nul || !digest_is_name(name) || strcmp(last, name) >= 0)
            return false;
        at = (size_t)(nul - fields) + 1 + DIGEST_SIZE;
        if (at > size)
            return false;
        last = name;
    }
    return size > 0;
}

/* --- Sets ------------------------------------------------------------------------------------ */

int digest_set_append(struct digest_set *set, const struct record_digest *record)
{
    /* In steps, for thousands of them. */
    if (set->n % 64 == 0) {
        struct record_digest *more = reallocarray(set->records, set->n + 64, sizeof(*more));
        if (!more)
            return -ENOMEM;
        set->records = more;
    }
    set->records[set->n++] = *record;
    return 0;
}

static int compare_records(const void *a, const void *b)
{
    return strcmp(((const struct record_digest *)a)->path, ((const struct record_digest *)b)->path);
}

void digest_set_sort(struct digest_set *set)
{
    if (set->n > 0)
        qsort(set->records, set->n, sizeof(*set->records), compare_records);
}

void digest_set_clear(struct digest_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        record_digest_clear(&set->records[i]);
    free(set->records);
    *set = (struct digest_set){0};
}

void digest_set_free(struct digest_set *set)
{
    if (!set)
        return;
    digest_set_clear(set);
    free(set);
}

/* The stream: a letter for each record, its words, each ended by a NUL, and its fields. */
#define LETTER_RECORD 'r'
#define LETTER_TOO_MANY 'm'
#define LETTER_UNWATCHED 'u'
#define LETTER_END 'e'

void digest_set_write(const struct digest_set *set, FILE *out)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct record_digest *record = &set->records[i];
        fprintf(out, "%c%d%c%s%c%s%c%zu%c", LETTER_RECORD, (int)record->kind, '\0', record->path,
                '\0', record->initiator, '\0', record->size, '\0');
        fwrite(record->fields, 1, record->size, out);
    }
    if (set->too_many)
        fputc(LETTER_TOO_MANY, out);
    if (set->unwatched)
        fputc(LETTER_UNWATCHED, out);
    fputc(LETTER_END, out);
}

static const char *digest_next_word(const char **p, const char *end)
{
    const char *word = *p, *nul = word ? memchr(word, '\0', (size_t)(end - word)) : NULL;

    *p = nul ? nul + 1 : NULL;
    return nul ? word : NULL;
}

static int parse_record(const char **p, const char *end, struct digest_set *set)
{
    const char *kind = digest_next_word(p, end), *path = digest_next_word(p, end);
    const char *initiator = digest_next_word(p, end), *size_word = digest_next_word(p, end);
    if (!size_word || strlen(kind) != 1 || kind[0] < '0' || kind[0] > '0' + RECORD_DISCOVERY)
        return -EINVAL;
    size_t size = strtoul(size_word, NULL, 10);
    if (size > (size_t)(end - *p) || !digest_fields_valid((const uint8_t *)*p, size))
        return -EINVAL;

    _cleanup_(record_digest_clear) struct record_digest record = {
        .kind = (enum record_kind)(kind[0] - '0'),
        .path = strdup(path),
        .initiator = strdup(initiator),
        .fields = malloc(size),
        .size = size,
    };
    if (!record.path || !record.initiator || !record.fields)
        return -ENOMEM;
    memcpy(record.fields, *p, size);
    int r = digest_set_append(set, &record);
    if (r < 0)
        return r;
    record = (struct record_digest){0};
    *p += size;
    return 0;
}

int digest_set_parse(const void *data, size_t size, struct digest_set *ret)
{
    _cleanup_(digest_set_clear) struct digest_set set = {0};
    const char *p = data, *end = p ? p + size : NULL;

    while (p < end) {
        int r = 0;
        char letter = *p++;
        if (letter == LETTER_END) {
            digest_set_sort(&set);
            *ret = set;
            set = (struct digest_set){0};
            return 0;
        }
        if (letter == LETTER_RECORD)
            r = parse_record(&p, end, &set);
        else if (letter == LETTER_TOO_MANY)
            set.too_many = true;
        else if (letter == LETTER_UNWATCHED)
            set.unwatched = true;
        else
            r = -EINVAL;
        if (r < 0)
            return r;
    }
    return -EINVAL;
}

/* --- Whose records --------------------------------------------------------------------------- */

static const char *iface_initiator(const struct digest_set *set, const char *iface, const char *own)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct record_digest *record = &set->records[i];
        const char *name = strrchr(record->path, '/');
        if (record->kind == RECORD_IFACE && strcmp(name ? name + 1 : record->path, iface) == 0)
            return record->initiator[0] ? record->initiator : own;
    }
    return own;
}

static int concerns(const struct digest_set *set, const struct record_digest *record,
                    const char *own, const char *initiator)
{
    struct node_name name;

    if (record->kind == RECORD_DISCOVERY)
        return true;
    if (record->kind == RECORD_IFACE)
        return strcmp(record->initiator[0] ? record->initiator : own, initiator) == 0;
    int r = node_name_parse(record->path, &name);
    if (r < 0)
        return r == -ENOMEM ? r : false;
    bool same = strcmp(iface_initiator(set, name.iface, own), initiator) == 0;
    free(name.text);
    return same;
}

int digest_set_select(const struct digest_set *set, const char *own, const char *initiator,
                      struct digest_set *ret)
{
    struct digest_set found = {.too_many = set->too_many, .unwatched = set->unwatched};
    int r = 0;

    for (size_t i = 0; i < set->n && initiator[0] && r >= 0; i++) {
        r = concerns(set, &set->records[i], own, initiator);
        if (r > 0)
            r = digest_set_append(&found, &set->records[i]);
    }
    if (r < 0) {
        free(found.records);
        return r;
    }
    *ret = found;
    return 0;
}

/* --- What differs ---------------------------------------------------------------------------- */

void record_changes_clear(struct record_changes *changes)
{
    for (size_t i = 0; i < changes->n; i++) {
        for (char **field = changes->items[i].fields; field && *field; field++)
            free(*field);
        free(changes->items[i].fields);
        free(changes->items[i].path);
    }
    free(changes->items);
    *changes = (struct record_changes){0};
}

static int append_name(char ***names, size_t *n, const uint8_t *field)
{
    char **more = reallocarray(*names, *n + 2, sizeof(*more));
    if (!more)
        return -ENOMEM;
    *names = more;
    more[*n] = strdup((const char *)field);
    if (!more[*n])
        return -ENOMEM;
    more[++*n] = NULL;
    return 0;
}

/* The names of fields that are in one of two records only, or have not the same digest. */
static int compare_contents(const struct record_digest *before, const struct record_digest *now,
                            char ***names)
{
    const uint8_t *a = before->fields, *a_end = a + before->size;
    const uint8_t *b = now->fields, *b_end = b + now->size;
    size_t n = 0;
    int r = 0;

    while (r >= 0 && (a < a_end || b < b_end)) {
        int order = a == a_end ? 1 : b == b_end ? -1 : strcmp((const char *)a, (const char *)b);
        const uint8_t *field = order <= 0 ? a : b, *a_next = a, *b_next = b;
        if (order <= 0)
            a_next = next_field(a);
        if (order >= 0)
            b_next = next_field(b);
        if (order != 0 || memcmp(a_next - DIGEST_SIZE, b_next - DIGEST_SIZE, DIGEST_SIZE) != 0)
            r = append_name(names, &n, field);
        a = a_next;
        b = b_next;
    }
    return r;
}

/* Room for one more, zeroed. It counts from now on. */
static struct record_change *digest_append_change(struct record_changes *changes,
                                                  const struct record_digest *record,
                                                  enum record_difference difference)
{
    struct record_change *more =
        reallocarray(changes->items, changes->n + 1, sizeof(*changes->items));
    if (!more)
        return NULL;
    changes->items = more;
    struct record_change *change = &more[changes->n];
    *change = (struct record_change){
        .kind = record->kind, .difference = difference, .path = strdup(record->path)};
    if (!change->path)
        return NULL;
    changes->n++;
    return change;
}

static int compare_pair(const struct record_digest *before, const struct record_digest *now,
                        struct record_changes *changes)
{
    if (before->size == now->size && memcmp(before->fields, now->fields, now->size) == 0)
        return 0;
    struct record_change *change = digest_append_change(changes, now, RECORD_CHANGED);
    return change ? compare_contents(before, now, &change->fields) : -ENOMEM;
}

int digest_set_compare(const struct digest_set *before, const struct digest_set *now,
                       struct record_changes *ret)
{
    _cleanup_(record_changes_clear) struct record_changes changes = {0};
    size_t i = 0, k = 0;
    int r = 0;

    while (r >= 0 && (i < before->n || k < now->n)) {
        const struct record_digest *a = i < before->n ? &before->records[i] : NULL;
        const struct record_digest *b = k < now->n ? &now->records[k] : NULL;
        int order = !a ? 1 : !b ? -1 : strcmp(a->path, b->path);
        if (order == 0)
            r = compare_pair(a, b, &changes);
        else if (order < 0)
            r = digest_append_change(&changes, a, RECORD_REMOVED) ? 0 : -ENOMEM;
        else
            r = digest_append_change(&changes, b, RECORD_ADDED) ? 0 : -ENOMEM;
        i += order <= 0;
        k += order >= 0;
    }
    if (r < 0)
        return r;
    *ret = changes;
    changes = (struct record_changes){0};
    return 0;
}
