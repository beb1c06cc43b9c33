/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Introspection data, of the service and of dbus-interfaces/, and texts made of it to compare. */

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>

#include "harness.h"

/* A text that grows; after text_end() `data` is to be freed. */
struct text {
    char *data;
    size_t size;
    FILE *file;
};
void text_begin(struct text *text);
void text_end(struct text *text);

/* What an object of the running service says of itself. */
xmlDoc *introspect(struct harness *harness, const char *path);

/* The file of an interface, named without the service's prefix. */
xmlDoc *introspect_file(const char *interface);

void xmlFreeDocp(xmlDoc **doc);

/* NULL: not there. The name is whole. */
xmlNode *find_interface(xmlDoc *doc, const char *name);

bool is_element(const xmlNode *node, const char *name);
bool has_attribute(xmlNode *node, const char *name, const char *wanted);

/* An attribute, printed with a blank in front; `otherwise` where it is absent. */
void print_attribute(FILE *out, xmlNode *node, const char *name, const char *otherwise);

/*
 * What com.open_iscsi.WMI1(5) says of a member's security, to be freed; fails where the page does
 * not have the member in the section of its interface. Both names are whole.
 */
char *documented_security(const char *interface, const char *member);
