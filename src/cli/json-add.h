/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Members of JSON objects, as json.c and json-disk.c make them. */

#include <json-c/json.h>

#include "cli/text.h"

static inline void add(struct json_object *object, const char *key, struct json_object *value)
{
    json_object_object_add(object, key, value);
}

static inline void add_text(struct json_object *object, const char *key, const char *text)
{
    add(object, key, text ? json_object_new_string(text) : NULL);
}

static inline void add_number(struct json_object *object, const char *key, uint64_t number)
{
    add(object, key, json_object_new_uint64(number));
}

static inline void add_bool(struct json_object *object, const char *key, bool value)
{
    add(object, key, json_object_new_boolean(value));
}

static inline struct json_object *new_id(uint64_t id)
{
    char text[ID_TEXT_SIZE];

    text_id(id, text);
    return json_object_new_string(text);
}

static inline struct json_object *new_id_or_null(uint64_t id)
{
    return id ? new_id(id) : NULL;
}
