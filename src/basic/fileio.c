/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "basic/fileio.h"
#include "basic/macros.h"

bool is_shortage(int r)
{
    return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/* Without stdio, which asks for the file's size and for a buffer each time. */
int read_first_line(const char *path, char **ret)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;

    _cleanup_free_ char *line = NULL;
    char chunk[512];
    for (size_t size = 0;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        char *more = realloc(line, size + (size_t)n + 1);
        if (!more)
            return -ENOMEM;
        line = more;
        memcpy(line + size, chunk, (size_t)n);
        line[size + (size_t)n] = '\0';
        if (n == 0 || memchr(chunk, '\n', (size_t)n))
            break;
        size += (size_t)n;
    }

    line[strcspn(line, "\n")] = '\0';
    *ret = TAKE_PTR(line);
    return 0;
}

int read_first_linef(char **ret, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    _cleanup_free_ char *path = NULL;
    int r = vasprintf(&path, format, ap);
    va_end(ap);
    if (r < 0) {
        path = NULL;
        return -ENOMEM;
    }
    return read_first_line(path, ret);
}

int read_link(const char *path, char **ret)
{
    char text[PATH_MAX];

    ssize_t n = readlink(path, text, sizeof(text));
    if (n < 0)
        return -errno;
    if (n == sizeof(text))
        return -ENAMETOOLONG;
    char *copy = strndup(text, (size_t)n);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return 0;
}

int read_text(const char *path, size_t max, char **ret)
{
    size_t size;

    return read_whole(path, max, ret, &size);
}

int read_whole(const char *path, size_t max, char **ret, size_t *ret_size)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;

    _cleanup_free_ char *text = malloc(max + 1);
    if (!text)
        return -ENOMEM;
    for (size_t size = 0;;) {
        ssize_t n = read(fd, text + size, max + 1 - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0) {
            text[size] = '\0';
            *ret = TAKE_PTR(text);
            *ret_size = size;
            return 0;
        }
        size += (size_t)n;
        if (size > max)
            return -EFBIG;
    }
}

int read_bytes(const char *path, void *data, size_t max, size_t *ret_n)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t size = 0;

    if (fd < 0)
        return -errno;
    while (size < max) {
        ssize_t n = read(fd, (char *)data + size, max - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        size += (size_t)n;
    }
    *ret_n = size;
    return 0;
}

int write_text(const char *path, const char *text)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;

    size_t length = strlen(text);
    ssize_t n = write(fd, text, length);
    if (n < 0)
        return -errno;
    return (size_t)n == length ? 0 : -EIO;
}
