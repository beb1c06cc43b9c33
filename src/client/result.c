/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/result.h"

#include <string.h>

struct block {
    struct block *next;
    max_align_t data[];
};

static struct block *block_of(void *data)
{
    return (struct block *)((char *)data - offsetof(struct block, data));
}

void *result_new(size_t size)
{
    struct block *block = calloc(1, sizeof(*block) + size);

    return block ? block->data : NULL;
}

void *result_alloc(void *result, size_t n, size_t size)
{
    struct block *block;
    size_t total;

    if (__builtin_mul_overflow(n, size, &total) ||
        __builtin_add_overflow(total, sizeof(*block), &total))
        return NULL;
    block = calloc(1, total);
    if (!block)
        return NULL;
    block->next = block_of(result)->next;
    block_of(result)->next = block;
    return block->data;
}

char *result_text(void *result, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = result_alloc(result, size, 1);

    return copy ? memcpy(copy, text, size) : NULL;
}

void iscsiwmi_free(void *result)
{
    struct block *next = result ? block_of(result) : NULL;

    while (next) {
        struct block *block = next;

        next = block->next;
        free(block);
    }
}
