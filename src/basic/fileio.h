/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether it is for want of memory or of descriptors, which says nothing of the file. */
bool is_shortage(int r);

/*
 * The first line of a small file, without its newline, as sysfs has them. Negative errno of
 * opening or reading it; -ENOMEM.
 */
int read_first_line(const char *path, char **ret);

/* The same with the path made from a format. */
int read_first_linef(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a symbolic link says. -ENAMETOOLONG: more than PATH_MAX. */
int read_link(const char *path, char **ret);

/* A whole text file of at most `max` bytes. -EFBIG: it is longer. Other errors as above. */
int read_text(const char *path, size_t max, char **ret);

/* The same of any bytes, with a NUL behind them that is not counted. */
int read_whole(const char *path, size_t max, char **ret, size_t *ret_size);

/* The first bytes of a file, at most `max`. */
int read_bytes(const char *path, void *data, size_t max, size_t *ret_n);

/* Writes text to an existing file in one write, as sysfs wants it. */
int write_text(const char *path, const char *text);
