/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "introspect.h"

#include <stdlib.h>
#include <string.h>

#include "basic/fileio.h"
#include "basic/macros.h"

#define INTROSPECTABLE "org.freedesktop.DBus.Introspectable"

void text_begin(struct text *text)
{
    text->file = open_memstream(&text->data, &text->size);
    assert_non_null(text->file);
}

void text_end(struct text *text)
{
    assert_int_equal(fclose(text->file), 0);
}

void xmlFreeDocp(xmlDoc **doc)
{
    xmlFreeDoc(*doc);
}

bool is_element(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* An attribute, printed with a blank in front; `otherwise` where it is absent. */
void print_attribute(FILE *out, xmlNode *node, const char *name, const char *otherwise)
{
    xmlChar *value = xmlGetProp(node, (const xmlChar *)name);
    fprintf(out, " %s", value ? (const char *)value : otherwise);
    xmlFree(value);
}

bool has_attribute(xmlNode *node, const char *name, const char *wanted)
{
    xmlChar *value = xmlGetProp(node, (const xmlChar *)name);
    bool same = value && strcmp((const char *)value, wanted) == 0;
    xmlFree(value);
    return same;
}

xmlNode *find_interface(xmlDoc *doc, const char *name)
{
    for (xmlNode *node = xmlDocGetRootElement(doc)->children; node; node = node->next)
        if (is_element(node, "interface") && has_attribute(node, "name", name))
            return node;
    return NULL;
}

xmlDoc *introspect(struct harness *harness, const char *path)
{
    const char *xml;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        call_well(harness, path, INTROSPECTABLE, "Introspect", "");

    assert_true(sd_bus_message_read(reply, "s", &xml) > 0);
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), path, NULL, XML_PARSE_NONET);
    assert_non_null(doc);
    return doc;
}

xmlDoc *introspect_file(const char *interface)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/" INTERFACE("%s") ".xml", required_env("INTERFACES_DIR"),
             interface);
    xmlDoc *doc = xmlReadFile(path, NULL, XML_PARSE_NONET);
    assert_non_null(doc);
    return doc;
}

/* What roff is told of a character that would not stand for itself. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from;) {
        if (strncmp(from, "\\-", 2) == 0) {
            *to++ = '-';
            from += 2;
        } else if (strncmp(from, "\\(aq", 4) == 0) {
            *to++ = '\'';
            from += 4;
        } else
            *to++ = *from++;
    }
    *to = '\0';
}

/* The text behind `head`, up to `end` if that is there, in place. NULL: no such head. */
static char *cut(char *text, const char *head, const char *end)
{
    char *from = strstr(text, head);

    if (!from)
        return NULL;
    from += strlen(head);
    char *to = strstr(from, end);
    if (to)
        *to = '\0';
    return from;
}

char *documented_security(const char *interface, const char *member)
{
    _cleanup_free_ char *page = NULL;
    char path[4096], head[256];

    snprintf(path, sizeof(path), "%s/" NAME ".5", required_env("MAN_DIR"));
    assert_int_equal(read_text(path, 1024 * 1024, &page), 0);
    snprintf(head, sizeof(head), "\n.SS \"%s\"\n", interface);
    char *section = cut(page, head, "\n.SS ");
    if (!section)
        fail_msg("%s does not have %s", path, interface);
    snprintf(head, sizeof(head), "\n.TP\n\\fB%s\\fR", member);
    char *entry = cut(section, head, "\n.TP\n");
    if (!entry)
        fail_msg("%s does not have %s.%s", path, interface, member);
    char *security = cut(entry, "\nSecurity: ", "\n");
    if (!security)
        fail_msg("%s does not have the security of %s.%s", path, interface, member);
    unescape(security);
    security = strdup(security);
    assert_non_null(security);
    return security;
}
