/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/class.h"

#include <errno.h>
#include <string.h>

/* ---- arrays that grow ---- */

void *array_append(void *result, void *items_field, size_t n, size_t size)
{
    char *items;

    memcpy(&items, items_field, sizeof(items));
    /* A power of two is full: the next one takes over, and the old one is freed with the result. */
    if ((n & (n - 1)) == 0) {
        char *more = result_alloc(result, n ? 2 * n : 1, size);

        if (!more)
            return NULL;
        if (n > 0)
            memcpy(more, items, n * size);
        memcpy(items_field, &more, sizeof(more));
        items = more;
    }
    return items + n * size;
}

static int class_set_count(const struct member *member, void *record, size_t n)
{
    char *count = (char *)record + member->count_offset;
    uint32_t wide = (uint32_t)n;
    uint16_t narrow = (uint16_t)n;

    if (n > (member->count_size == sizeof(narrow) ? UINT16_MAX : UINT32_MAX))
        return -EBADMSG;
    if (member->count_size == sizeof(narrow))
        memcpy(count, &narrow, sizeof(narrow));
    else
        memcpy(count, &wide, sizeof(wide));
    return 0;
}

static size_t class_get_count(const struct member *member, const void *record)
{
    const char *count = (const char *)record + member->count_offset;
    uint32_t wide;
    uint16_t narrow;

    if (member->count_size == sizeof(narrow)) {
        memcpy(&narrow, count, sizeof(narrow));
        return narrow;
    }
    memcpy(&wide, count, sizeof(wide));
    return wide;
}

/* ---- reading ---- */

static int class_set_text(char **field, const char *text, void *result)
{
    *field = result_text(result, text);
    return *field ? 0 : -ENOMEM;
}

int class_init(const struct class *class, void *record, void *result)
{
    for (const struct member *m = class->members; m->name; m++) {
        void *field = (char *)record + m->offset;
        int r = 0;

        if (m->type[0] == 's')
            r = class_set_text(field, "", result);
        else if (m->type[0] == '(')
            r = class_init(m->class, field, result);
        if (r < 0)
            return r;
    }
    return 0;
}

void *class_new(const struct class *class)
{
    _cleanup_result_ void *result = result_new(class->size);

    if (!result || class_init(class, result, result) < 0)
        return NULL;
    return TAKE_PTR(result);
}

static int class_read_text(sd_bus_message *message, char **field, void *result)
{
    const char *text;
    int r = sd_bus_message_read_basic(message, 's', &text);

    return r < 0 ? r : class_set_text(field, text, result);
}

static int class_read_bool(sd_bus_message *message, bool *field)
{
    int value;
    int r = sd_bus_message_read_basic(message, 'b', &value);

    if (r < 0)
        return r;
    *field = value;
    return 0;
}

static int class_read_bytes(sd_bus_message *message, void *field, size_t size)
{
    const void *bytes;
    size_t n;
    int r = sd_bus_message_read_array(message, 'y', &bytes, &n);

    if (r < 0)
        return r;
    if (n != size)
        return -EBADMSG;
    memcpy(field, bytes, size);
    return 0;
}

static int class_read_structure(sd_bus_message *message, const struct class *class, void *record,
                                void *result)
{
    int r = sd_bus_message_enter_container(message, 'r', class->signature);

    if (r < 0)
        return r;
    r = class_read_members(message, class, record, result);
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* Where the structure of an item is: in the array, or where the array points to. */
static void *class_item_record(const struct member *member, void *item, void *result)
{
    void *record;

    if (!member->by_pointer)
        return item;
    record = result_alloc(result, 1, member->class->size);
    memcpy(item, &record, sizeof(record));
    return record;
}

static int class_read_item(sd_bus_message *message, const struct member *member, void *item,
                           void *result)
{
    char type = member->type[1];
    void *record;

    if (type == 's')
        return class_read_text(message, item, result);
    if (type != '(')
        return sd_bus_message_read_basic(message, type, item);
    record = class_item_record(member, item, result);
    return record ? class_read_structure(message, member->class, record, result) : -ENOMEM;
}

static size_t class_item_size(const struct member *member)
{
    if (member->by_pointer || member->type[1] == 's')
        return sizeof(void *);
    return member->class ? member->class->size : sizeof(uint64_t);
}

static int class_read_array(sd_bus_message *message, const struct member *member, void *record,
                            void *result)
{
    size_t n = 0;
    int r = sd_bus_message_enter_container(message, 'a', member->type + 1);

    if (r < 0)
        return r;
    while ((r = sd_bus_message_at_end(message, 0)) == 0) {
        void *item =
            array_append(result, (char *)record + member->offset, n, class_item_size(member));

        if (!item)
            return -ENOMEM;
        r = class_read_item(message, member, item, result);
        if (r < 0)
            return r;
        n++;
    }
    if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
        return r;
    return class_set_count(member, record, n);
}

static int class_read_member(sd_bus_message *message, const struct member *member, void *record,
                             void *result)
{
    void *field = (char *)record + member->offset;

    switch (member->type[0]) {
    case 'b':
        return class_read_bool(message, field);
    case 's':
        return class_read_text(message, field, result);
    case '(':
        return class_read_structure(message, member->class, field, result);
    case 'a':
        if (member->type[1] == 'y')
            return class_read_bytes(message, field, member->size);
        return class_read_array(message, member, record, result);
    default:
        return sd_bus_message_read_basic(message, member->type[0], field);
    }
}

int class_read_members(sd_bus_message *message, const struct class *class, void *record,
                       void *result)
{
    for (const struct member *m = class->members; m->name; m++) {
        int r = class_read_member(message, m, record, result);

        if (r < 0)
            return r;
    }
    return 0;
}

static const struct member *class_find_member(const struct class *class, const char *name)
{
    for (const struct member *m = class->members; m->name; m++)
        if (strcmp(m->name, name) == 0)
            return m;
    return NULL;
}

/* In properties, which come in any order, the array alone says how many it has. */
static bool class_is_count(const struct class *class, const struct member *member)
{
    for (const struct member *m = class->members; m->name; m++)
        if (m->count_size > 0 && m->count_offset == member->offset)
            return true;
    return false;
}

/* One name and value. */
static int class_read_property(sd_bus_message *message, const struct class *class, void *record,
                               void *result)
{
    const struct member *member;
    const char *name;
    int r = sd_bus_message_read_basic(message, 's', &name);

    if (r < 0)
        return r;
    member = class_find_member(class, name);
    if (!member || class_is_count(class, member))
        return sd_bus_message_skip(message, "v");
    r = sd_bus_message_enter_container(message, 'v', member->type);
    if (r < 0)
        return r;
    r = class_read_member(message, member, record, result);
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

int class_read_properties(sd_bus_message *message, const struct class *class, void *record,
                          void *result)
{
    int r = sd_bus_message_enter_container(message, 'a', "{sv}");

    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
        r = class_read_property(message, class, record, result);
        if (r < 0)
            return r;
        r = sd_bus_message_exit_container(message);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* ---- writing ---- */

static int class_append_text(sd_bus_message *message, const void *field)
{
    const char *text;

    memcpy(&text, field, sizeof(text));
    return sd_bus_message_append_basic(message, 's', text ? text : "");
}

static int class_append_array(sd_bus_message *message, const struct member *member,
                              const void *record)
{
    size_t n = class_get_count(member, record);
    const char *items;
    int r = sd_bus_message_open_container(message, 'a', member->type + 1);

    if (r < 0)
        return r;
    memcpy(&items, (const char *)record + member->offset, sizeof(items));
    for (size_t i = 0; i < n; i++) {
        r = class_append(message, member->class, items + i * member->class->size);
        if (r < 0)
            return r;
    }
    return sd_bus_message_close_container(message);
}

static int class_append_member(sd_bus_message *message, const struct member *member,
                               const void *record)
{
    const void *field = (const char *)record + member->offset;

    switch (member->type[0]) {
    case 'b':
        return sd_bus_message_append_basic(message, 'b', &(int){*(const bool *)field});
    case 's':
        return class_append_text(message, field);
    case '(':
        return class_append(message, member->class, field);
    case 'a':
        if (member->type[1] == 'y')
            return sd_bus_message_append_array(message, 'y', field, member->size);
        return class_append_array(message, member, record);
    default:
        return sd_bus_message_append_basic(message, member->type[0], field);
    }
}

int class_append(sd_bus_message *message, const struct class *class, const void *record)
{
    int r = sd_bus_message_open_container(message, 'r', class->signature);

    for (const struct member *m = class->members; m->name && r >= 0; m++)
        r = class_append_member(message, m, record);
    return r < 0 ? r : sd_bus_message_close_container(message);
}
