/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Calls func with a pointer to the variable when it leaves scope. */
#define _cleanup_(func) __attribute__((cleanup(func)))

#define ELEMENTSOF(array) (sizeof(array) / sizeof((array)[0]))

/* Hands a pointer on and leaves NULL behind, so that its cleanup does nothing. */
#define TAKE_PTR(ptr)                                                                              \
    ({                                                                                             \
        __typeof__(ptr) _taken = (ptr);                                                            \
        (ptr) = NULL;                                                                              \
        _taken;                                                                                    \
    })

#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int _taken = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        _taken;                                                                                    \
    })

/* Defines func##p(), the cleanup of a `type` variable, for a NULL-safe free function. */
#define DEFINE_CLEANUP(type, func)                                                                 \
    static inline void func##p(type *value)                                                        \
    {                                                                                              \
        if (*value)                                                                                \
            func(*value);                                                                          \
    }                                                                                              \
    struct _cleanup_of_##func

static inline void freep(void *value)
{
    free(*(void **)value);
}

static inline void closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

DEFINE_CLEANUP(FILE *, fclose);

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)
