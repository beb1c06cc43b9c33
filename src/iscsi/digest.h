/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What open-iscsi's records hold, as keyed digests: enough to say which fields of which records
 * have changed, and nothing of what they say. Pure, apart from the text that a record is read from.
 *
 * A field's digest is HMAC-SHA-256, cut to its first half, over the path of the record's file, the
 * field's name and its value, joined by NUL bytes: the same secret in two places does not show.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define DIGEST_KEY_SIZE 32U
#define DIGEST_SIZE 16U

/* A host has a few hundred records at most; more than these are not compared. */
#define DIGEST_RECORDS_MAX 10000U

enum record_kind {
    RECORD_NODE,
    RECORD_IFACE,
    RECORD_DISCOVERY,
};

struct record_digest {
    enum record_kind kind;
    char *path;      /* of its file, which is what it is known by */
    char *initiator; /* the initiator name that an iface record gives, empty: none */
    uint8_t *fields; /* in ascending order, each once: its name, a NUL and its digest */
    size_t size;     /* of fields, in bytes */
};

struct digest_set {
    struct record_digest *records; /* ascending by path */
    size_t n;
    bool too_many;  /* there were more than DIGEST_RECORDS_MAX: some are not here */
    bool unwatched; /* not every directory could be watched for changes */
};

struct digester;

/* -ENOMEM, or -EOPNOTSUPP where libcrypto cannot do HMAC-SHA-256. */
int digester_new(const uint8_t key[DIGEST_KEY_SIZE], struct digester **ret);
void digester_free(struct digester *digester);

/*
 * Reads a record as open-iscsi does, who takes the last of several lines of one field and passes
 * over what it cannot read. Only names that can be open-iscsi's own count, so that no piece of a
 * value is ever taken for a name. *ret has no fields where the file is no record. *ret_whole: the
 * record's last line is there, or it never has one.
 */
int digest_record(struct digester *digester, enum record_kind kind, const char *path, FILE *file,
                  struct record_digest *ret, bool *ret_whole);

/* Whether bytes are the fields of a struct record_digest. */
bool digest_fields_valid(const uint8_t *fields, size_t size);

/* Appends a record, whose memory is the set's from then on. -ENOMEM: it is still the caller's. */
int digest_set_append(struct digest_set *set, const struct record_digest *record);
void digest_set_sort(struct digest_set *set);

void record_digest_clear(struct record_digest *record);
void digest_set_clear(struct digest_set *set);
void digest_set_free(struct digest_set *set);

/* To a stream, and back: -EINVAL: it is not whole. -ENOMEM. *ret is in order. */
void digest_set_write(const struct digest_set *set, FILE *out);
int digest_set_parse(const void *data, size_t size, struct digest_set *ret);

/*
 * The records that concern one initiator name: ifaces that have it, nodes of these ifaces, and all
 * discoveries, which open-iscsi binds to no iface. `own` is the host's name, which counts where an
 * iface has none. Nothing concerns an empty name. The records stay those of `set`: free
 * ret->records alone.
 */
int digest_set_select(const struct digest_set *set, const char *own, const char *initiator,
                      struct digest_set *ret);

enum record_difference {
    RECORD_CHANGED,
    RECORD_ADDED,
    RECORD_REMOVED,
};

struct record_change {
    enum record_kind kind;
    enum record_difference difference;
    char *path;
    char **fields; /* names of those of a changed record, ascending, NULL-terminated */
};

struct record_changes {
    struct record_change *items; /* ascending by path */
    size_t n;
};

/* What differs. -ENOMEM. */
int digest_set_compare(const struct digest_set *before, const struct digest_set *now,
                       struct record_changes *ret);
void record_changes_clear(struct record_changes *changes);
