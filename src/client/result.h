/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a call gives out: one record, and behind it all that it points to, freed together. */

#include <stddef.h>

#include "basic/macros.h"
#include "iscsi-wmi/client.h"

/* A zeroed record. NULL: out of memory. */
void *result_new(size_t size);

/* Zeroed memory that lives as long as the record. NULL: out of memory. */
void *result_alloc(void *result, size_t n, size_t size);
char *result_text(void *result, const char *text);

/* For a pointer to a record of any type. */
static inline void result_freep(void *pointer)
{
    iscsiwmi_free(*(void **)pointer);
}
#define _cleanup_result_ _cleanup_(result_freep)
