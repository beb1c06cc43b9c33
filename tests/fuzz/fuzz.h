/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What all fuzzers share. Each is one function, which libFuzzer calls with bytes that it makes up,
 * and replay.c with those of the corpus.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What holds for any input; unlike assert(), with NDEBUG as well. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The input as a text, to be freed; a NUL in it ends it. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    CHECK(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

/* An input that is not empty as a file to read. */
static inline FILE *fuzz_file(const uint8_t *data, size_t size)
{
    FILE *file = fmemopen((void *)data, size, "r");

    CHECK(file);
    return file;
}
