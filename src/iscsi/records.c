/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "basic/sanitize.h"
#include "iscsi/openiscsi.h"
#include "iscsi/record-lock.h"
#include "iscsi/records.h"

DEFINE_CLEANUP(struct iscsi_context *, iscsi_context_free);
DEFINE_CLEANUP(struct iscsi_records *, records_free);

/* The stream: words, each ended by a NUL; the first of a record is its kind. */
#define KIND_IFACE "iface"
#define KIND_END "end"

static void write_word(FILE *out, const char *word)
{
    fputs(word ? word : "", out);
    fputc('\0', out);
}

static int write_ifaces(struct iscsi_context *context, FILE *out)
{
    struct iscsi_iface **ifaces = NULL;
    uint32_t n = 0;

    if (iscsi_ifaces_get(context, &ifaces, &n) != LIBISCSI_OK)
        return EIO;
    for (uint32_t i = 0; i < n; i++) {
        const char *initiator = iscsi_iface_iname_get(ifaces[i]);
        write_word(out, KIND_IFACE);
        write_word(out, iscsi_iface_name_get(ifaces[i]));
        write_word(out, initiator && initiator[0] != '<' ? initiator : "");
    }
    iscsi_ifaces_free(ifaces, n);
    return 0;
}

int records_write(int fd)
{
    /* The library takes the lock as it finds it. */
    _cleanup_close_ int lock = record_lock_open(RECORD_LOCK);
    if (lock < 0)
        return -lock;

    _cleanup_(iscsi_context_freep) struct iscsi_context *context = iscsi_context_new();
    if (!context)
        return ENOMEM;
    iscsi_context_log_func_set(context, NULL);

    _cleanup_fclose_ FILE *out = fdopen(fd, "w");
    if (!out)
        return errno;

    int r = write_ifaces(context, out);
    if (r != 0)
        return r;

    write_word(out, KIND_END);
    return fflush(out) == 0 ? 0 : errno;
}

static const char *records_next_word(char **p, const char *end)
{
    if (*p >= end)
        return NULL;
    char *word = *p;
    char *nul = memchr(word, '\0', (size_t)(end - word));
    if (!nul)
        return NULL;
    *p = nul + 1;
    return word;
}

static int parse_iface(struct iscsi_records *records, char **p, const char *end)
{
    const char *name = records_next_word(p, end), *initiator = records_next_word(p, end);
    if (!initiator)
        return -EINVAL;
    if (!sink_takes(SINK_BUS, initiator))
        return 0; /* no name that a session could have here */

    struct iface_record *more = reallocarray(records->ifaces, records->n_ifaces + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    records->ifaces = more;
    records->ifaces[records->n_ifaces++] =
        (struct iface_record){.name = name, .initiator = initiator};
    return 0;
}

int records_parse(const void *data, size_t size, struct iscsi_records **ret)
{
    _cleanup_(records_freep) struct iscsi_records *records = calloc(1, sizeof(*records));
    if (!records)
        return -ENOMEM;
    records->data = malloc(size + 1);
    if (!records->data)
        return -ENOMEM;
    if (size > 0)
        memcpy(records->data, data, size);

    char *p = records->data;
    const char *end = p + size, *kind;
    while ((kind = records_next_word(&p, end))) {
        if (strcmp(kind, KIND_END) == 0) {
            *ret = TAKE_PTR(records);
            return 0;
        }
        int r = strcmp(kind, KIND_IFACE) == 0 ? parse_iface(records, &p, end) : -EINVAL;
        if (r < 0)
            return r;
    }
    return -EINVAL;
}

void records_free(struct iscsi_records *records)
{
    if (!records)
        return;
    free(records->ifaces);
    free(records->data);
    free(records);
}
