/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "words.h"

/* The length of the first complete type; 0: there is none. */
static size_t type_length(const char *signature)
{
    size_t length = strspn(signature, "a"), depth = 0;

    do {
        if (!signature[length])
            return 0;
        depth += signature[length] == '(';
        if (signature[length] == ')' && depth-- == 0)
            return 0;
        length++;
    } while (depth > 0);
    return length;
}

static int append_number(sd_bus_message *message, char type, const char *word)
{
    char *end;

    errno = 0;
    uint64_t t = strtoull(word, &end, 10);
    if (errno != 0 || *end || end == word)
        return -EINVAL;
    uint8_t y = (uint8_t)t;
    uint32_t u = (uint32_t)t;
    int b = t != 0;
    const void *value = type == 'y' ? &y : type == 'b' ? (void *)&b : type == 'u' ? (void *)&u : &t;
    return sd_bus_message_append_basic(message, type, value);
}

static int append_types(sd_bus_message *message, const char *signature, size_t size, char ***words);

static int append_array(sd_bus_message *message, const char *contents, char ***words)
{
    char *end;
    unsigned long n = strtoul(**words, &end, 10);

    if (*end || end == **words)
        return -EINVAL;
    (*words)++;
    int r = sd_bus_message_open_container(message, 'a', contents);
    for (unsigned long i = 0; i < n && r >= 0; i++)
        r = append_types(message, contents, strlen(contents), words);
    return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_struct(sd_bus_message *message, const char *contents, char ***words)
{
    int r = sd_bus_message_open_container(message, 'r', contents);
    if (r >= 0)
        r = append_types(message, contents, strlen(contents), words);
    return r < 0 ? r : sd_bus_message_close_container(message);
}

/* One complete type. */
static int append_one(sd_bus_message *message, const char *type, size_t size, char ***words)
{
    bool is_struct = type[0] == '(';

    if (type[0] == 'a' || is_struct) {
        _cleanup_free_ char *contents = strndup(type + 1, size - 1 - is_struct);
        if (!contents)
            return -ENOMEM;
        if (is_struct)
            return append_struct(message, contents, words);
        return **words ? append_array(message, contents, words) : -EINVAL;
    }
    const char *word = **words;
    if (!word)
        return -EINVAL;
    (*words)++;
    if (type[0] == 's' || type[0] == 'o')
        return sd_bus_message_append_basic(message, type[0], word);
    return strchr("ybut", type[0]) ? append_number(message, type[0], word) : -EINVAL;
}

static int append_types(sd_bus_message *message, const char *signature, size_t size, char ***words)
{
    for (size_t at = 0, length; at < size; at += length) {
        length = type_length(signature + at);
        if (length == 0)
            return -EINVAL;
        int r = append_one(message, signature + at, length, words);
        if (r < 0)
            return r;
    }
    return 0;
}

int append_words(sd_bus_message *message, const char *signature, char **words)
{
    int r = append_types(message, signature, strlen(signature), &words);
    if (r < 0)
        return r;
    return *words ? -EINVAL : 0;
}
