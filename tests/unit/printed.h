/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For tests of what the command prints; cmocka's headers come before it. */

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/macros.h"

/* What a function prints where standard output is no terminal; to be freed. */
static inline char *printed(int (*print)(void))
{
    _cleanup_close_ int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    _cleanup_close_ int saved = dup(STDOUT_FILENO);
    FILE *real = stdout;
    char *text = NULL;
    size_t size;

    stdout = open_memstream(&text, &size);
    assert_non_null(stdout);
    assert_true(dup2(null, STDOUT_FILENO) >= 0);
    int r = print();
    fclose(stdout);
    stdout = real;
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    assert_int_equal(r, 0);
    return text;
}
