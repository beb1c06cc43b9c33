/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the running service says of itself, against dbus-interfaces/ and against Windows. */

#include "fixture.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>

#define INTROSPECTABLE "org.freedesktop.DBus.Introspectable"
#define EMITS_CHANGED "org.freedesktop.DBus.Property.EmitsChangedSignal"

static const char *const manager_interfaces[] = {"Manager", NULL};
static const char *const adapter_interfaces[] = {
    "MSiSCSI_HBAInformation", "MSiSCSI_LB_Operations", "MSiSCSI_ManagementOperations",
    "MSiSCSI_QueryLBPolicy",  "MSiSCSI_SecurityConfigOperations", NULL};
static const char *const session_interfaces[] = {"Session", NULL};

/* A text that grows. */
struct text {
    char *data;
    size_t size;
    FILE *file;
};

static void text_begin(struct text *text)
{
    text->file = open_memstream(&text->data, &text->size);
    assert_non_null(text->file);
}

static void text_end(struct text *text)
{
    assert_int_equal(fclose(text->file), 0);
}

static void xmlFreeDocp(xmlDoc **doc)
{
    xmlFreeDoc(*doc);
}

static bool is_element(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* An attribute, printed with a blank in front; `otherwise` where it is absent. */
static void print_attribute(FILE *out, xmlNode *node, const char *name, const char *otherwise)
{
    xmlChar *value = xmlGetProp(node, (const xmlChar *)name);
    fprintf(out, " %s", value ? (const char *)value : otherwise);
    xmlFree(value);
}

static bool has_attribute(xmlNode *node, const char *name, const char *wanted)
{
    xmlChar *value = xmlGetProp(node, (const xmlChar *)name);
    bool same = value && strcmp((const char *)value, wanted) == 0;
    xmlFree(value);
    return same;
}

static void print_annotations(FILE *out, xmlNode *member)
{
    const char *otherwise = is_element(member, "property") ? " emits true" : "";

    for (xmlNode *node = member->children; node; node = node->next)
        if (is_element(node, "annotation") && has_attribute(node, "name", EMITS_CHANGED)) {
            fprintf(out, " emits");
            print_attribute(out, node, "value", "?");
            otherwise = "";
        }
    fprintf(out, "%s\n", otherwise);
}

/* A method, signal or property, one line; and one for each argument. */
static void print_member(FILE *out, xmlNode *member)
{
    fprintf(out, "%s", (const char *)member->name);
    print_attribute(out, member, "name", "?");
    if (is_element(member, "property")) {
        print_attribute(out, member, "type", "?");
        print_attribute(out, member, "access", "?");
    }
    print_annotations(out, member);

    for (xmlNode *arg = member->children; arg; arg = arg->next) {
        if (!is_element(arg, "arg"))
            continue;
        fprintf(out, "    arg");
        print_attribute(out, arg, "name", "?");
        print_attribute(out, arg, "type", "?");
        print_attribute(out, arg, "direction", is_element(member, "signal") ? "out" : "in");
        fputc('\n', out);
    }
}

static xmlNode *find_interface(xmlDoc *doc, const char *name)
{
    for (xmlNode *node = xmlDocGetRootElement(doc)->children; node; node = node->next)
        if (is_element(node, "interface") && has_attribute(node, "name", name))
            return node;
    return NULL;
}

static char *describe(xmlNode *interface)
{
    struct text text = {0};

    text_begin(&text);
    for (xmlNode *member = interface->children; member; member = member->next)
        if (member->type == XML_ELEMENT_NODE && !is_element(member, "annotation"))
            print_member(text.file, member);
    text_end(&text);
    return text.data;
}

static xmlDoc *introspect(struct harness *harness, const char *path)
{
    const char *xml;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        call_well(harness, path, INTROSPECTABLE, "Introspect", "");

    assert_true(sd_bus_message_read(reply, "s", &xml) > 0);
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), path, NULL, XML_PARSE_NONET);
    assert_non_null(doc);
    return doc;
}

static xmlDoc *read_file(const char *interface)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/" INTERFACE("%s") ".xml", required_env("INTERFACES_DIR"),
             interface);
    xmlDoc *doc = xmlReadFile(path, NULL, XML_PARSE_NONET);
    assert_non_null(doc);
    return doc;
}

static size_t count_own_interfaces(xmlDoc *doc)
{
    size_t n = 0;

    for (xmlNode *node = xmlDocGetRootElement(doc)->children; node; node = node->next) {
        if (!is_element(node, "interface"))
            continue;
        xmlChar *name = xmlGetProp(node, (const xmlChar *)"name");
        n += strncmp((const char *)name, NAME ".", strlen(NAME ".")) == 0;
        xmlFree(name);
    }
    return n;
}

static void assert_same_interface(xmlDoc *live, const char *interface)
{
    char name[128];
    _cleanup_(xmlFreeDocp) xmlDoc *file = read_file(interface);

    snprintf(name, sizeof(name), INTERFACE("%s"), interface);
    xmlNode *wanted = find_interface(file, name), *found = find_interface(live, name);
    assert_non_null(wanted);
    assert_non_null(found);

    _cleanup_free_ char *wanted_text = describe(wanted), *found_text = describe(found);
    assert_true(strlen(wanted_text) > 0);
    assert_string_equal(found_text, wanted_text);
}

static void assert_object(struct harness *harness, const char *path,
                          const char *const *interfaces)
{
    _cleanup_(xmlFreeDocp) xmlDoc *live = introspect(harness, path);
    size_t n = 0;

    for (; interfaces[n]; n++)
        assert_same_interface(live, interfaces[n]);
    assert_int_equal(count_own_interfaces(live), n);
}

static void test_manager(void **state)
{
    assert_object(*state, ROOT_PATH, manager_interfaces);

    _cleanup_(xmlFreeDocp) xmlDoc *live = introspect(*state, ROOT_PATH);
    assert_non_null(find_interface(live, "org.freedesktop.DBus.ObjectManager"));
}

static void test_session(void **state)
{
    char path[FIXTURE_PATH_MAX];

    fixture_session_path(path);
    assert_object(*state, path, session_interfaces);
}

/* Calls `check` on each node below a path; gives their number. */
static size_t for_each_node(struct harness *harness, const char *parent,
                            void (*check)(struct harness *harness, const char *path))
{
    _cleanup_(xmlFreeDocp) xmlDoc *doc = introspect(harness, parent);
    size_t n = 0;

    for (xmlNode *node = xmlDocGetRootElement(doc)->children; node; node = node->next) {
        char path[256];
        if (!is_element(node, "node"))
            continue;
        xmlChar *name = xmlGetProp(node, (const xmlChar *)"name");
        snprintf(path, sizeof(path), "%s/%s", parent, (const char *)name);
        xmlFree(name);
        check(harness, path);
        n++;
    }
    return n;
}

static void assert_adapter(struct harness *harness, const char *path)
{
    assert_object(harness, path, adapter_interfaces);
}

static void assert_session(struct harness *harness, const char *path)
{
    assert_object(harness, path, session_interfaces);
}

/* The host's own, and that of the session. */
static void test_adapters(void **state)
{
    char path[FIXTURE_PATH_MAX];

    fixture_adapter_path(path);
    assert_adapter(*state, path);
    assert_true(for_each_node(*state, ADAPTERS_PATH, assert_adapter) >= 2);
    assert_true(for_each_node(*state, SESSIONS_PATH, assert_session) >= 1);
}

/* Reads all properties of an interface: their names are those that it introspects, in order. */
static void assert_readable(struct harness *harness, const char *path, const char *interface)
{
    char name[128];
    const char *property, *type;
    struct text text = {0};
    _cleanup_(xmlFreeDocp) xmlDoc *file = read_file(interface);

    snprintf(name, sizeof(name), INTERFACE("%s"), interface);
    text_begin(&text);
    for (xmlNode *node = find_interface(file, name)->children; node; node = node->next)
        if (is_element(node, "property")) {
            print_attribute(text.file, node, "name", "?");
            print_attribute(text.file, node, "type", "?");
        }
    text_end(&text);
    _cleanup_free_ char *wanted = text.data;

    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        call_well(harness, path, "org.freedesktop.DBus.Properties", "GetAll", "s", name);
    text_begin(&text);
    assert_true(sd_bus_message_enter_container(reply, 'a', "{sv}") > 0);
    while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
        assert_true(sd_bus_message_read(reply, "s", &property) > 0);
        assert_true(sd_bus_message_peek_type(reply, NULL, &type) > 0);
        fprintf(text.file, " %s %s", property, type);
        assert_true(sd_bus_message_skip(reply, "v") > 0);
        assert_true(sd_bus_message_exit_container(reply) > 0);
    }
    text_end(&text);
    _cleanup_free_ char *found = text.data;
    assert_string_equal(found, wanted);
}

static void test_all_properties_can_be_read(void **state)
{
    char adapter[FIXTURE_PATH_MAX], session[FIXTURE_PATH_MAX];

    fixture_adapter_path(adapter);
    fixture_session_path(session);
    for (size_t i = 0; adapter_interfaces[i]; i++)
        assert_readable(*state, adapter, adapter_interfaces[i]);
    assert_readable(*state, session, "Session");
    assert_readable(*state, ROOT_PATH, "Manager");
}

/* The names of an object's interfaces, inside GetManagedObjects' answer. */
static void read_interfaces(sd_bus_message *reply, FILE *out)
{
    const char *name;

    assert_true(sd_bus_message_enter_container(reply, 'a', "{sa{sv}}") > 0);
    while (sd_bus_message_enter_container(reply, 'e', "sa{sv}") > 0) {
        assert_true(sd_bus_message_read(reply, "s", &name) > 0);
        if (strncmp(name, NAME ".", strlen(NAME ".")) == 0)
            fprintf(out, " %s", name + strlen(NAME "."));
        assert_true(sd_bus_message_skip(reply, "a{sv}") > 0);
        assert_true(sd_bus_message_exit_container(reply) > 0);
    }
    assert_true(sd_bus_message_exit_container(reply) > 0);
}

static void test_managed_objects(void **state)
{
    char adapter[FIXTURE_PATH_MAX], session[FIXTURE_PATH_MAX];
    const char *path;
    unsigned n_found = 0;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = call_well(
        *state, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "");

    fixture_adapter_path(adapter);
    fixture_session_path(session);
    assert_true(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}") > 0);
    while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
        struct text text = {0};
        assert_true(sd_bus_message_read(reply, "o", &path) > 0);
        text_begin(&text);
        read_interfaces(reply, text.file);
        text_end(&text);
        _cleanup_free_ char *names = text.data;
        assert_true(sd_bus_message_exit_container(reply) > 0);

        n_found += strcmp(path, adapter) == 0 || strcmp(path, session) == 0;
        if (strncmp(path, ADAPTERS_PATH "/", strlen(ADAPTERS_PATH "/")) == 0)
            for (size_t i = 0; adapter_interfaces[i]; i++)
                assert_non_null(strstr(names, adapter_interfaces[i]));
        else if (strncmp(path, SESSIONS_PATH "/", strlen(SESSIONS_PATH "/")) == 0)
            assert_string_equal(names, " Session");
    }
    assert_int_equal(n_found, 2);
}

/* Windows' method numbers that these classes do not use, and why. */
static const struct {
    const char *class;
    unsigned first, last;
    const char *reason;
} left_out[] = {
    {"MSiSCSI_LB_Operations", 1, 9, "the class begins at 10"},
    {"MSiSCSI_ManagementOperations", 1, 9, "the class begins at 10"},
    {"MSiSCSI_SecurityConfigOperations", 1, 4, "IPsec keys, which open-iscsi does not hold"},
};

static bool is_left_out(const char *class, unsigned id)
{
    for (size_t i = 0; i < ELEMENTSOF(left_out); i++)
        if (strcmp(left_out[i].class, class) == 0 && id >= left_out[i].first &&
            id <= left_out[i].last)
            return true;
    return false;
}

/* The tab-separated columns of classes.tsv that matter here. */
struct line {
    char *class, *kind, *id, *name, *dbus;
};

static bool split(char *text, struct line *ret)
{
    char *columns[8] = {0};

    text[strcspn(text, "\n")] = '\0';
    for (size_t i = 0; i < ELEMENTSOF(columns); i++) {
        columns[i] = strsep(&text, "\t");
        if (!columns[i])
            return false;
    }
    *ret = (struct line){columns[0], columns[2], columns[3], columns[4], columns[7]};
    return true;
}

/* A class as classes.tsv has it, in the words of windows_of_live(). */
static char *windows_of_file(const char *class)
{
    char path[4096], buffer[1024];
    unsigned expected_id = 1;
    struct text text = {0};

    snprintf(path, sizeof(path), "%s/classes.tsv", required_env("TEST_DATA_DIR"));
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    assert_non_null(file);
    text_begin(&text);
    while (fgets(buffer, sizeof(buffer), file)) {
        struct line line;
        if (buffer[0] == '#' || !split(buffer, &line) || strcmp(line.class, class) != 0)
            continue;
        if (strcmp(line.kind, "method") == 0) {
            for (unsigned id = (unsigned)strtoul(line.id, NULL, 10); expected_id < id;
                 expected_id++)
                assert_true(is_left_out(class, expected_id));
            expected_id++;
            fprintf(text.file, "method %s\n", line.name);
        } else if (strcmp(line.kind, "property") == 0)
            fprintf(text.file, "property %s %s\n", line.name, line.dbus);
        else
            fprintf(text.file, "%s %s %s\n", line.kind, line.name, line.dbus);
    }
    text_end(&text);
    return text.data;
}

static void print_windows_method(FILE *out, xmlNode *method)
{
    xmlChar *method_name = xmlGetProp(method, (const xmlChar *)"name");

    fprintf(out, "method %s\n", (const char *)method_name);
    for (xmlNode *arg = method->children; arg; arg = arg->next) {
        if (!is_element(arg, "arg"))
            continue;
        xmlChar *name = xmlGetProp(arg, (const xmlChar *)"name");
        fprintf(out, "%s %s.%s", has_attribute(arg, "direction", "out") ? "out" : "in",
                (const char *)method_name, (const char *)name);
        print_attribute(out, arg, "type", "?");
        fputc('\n', out);
        xmlFree(name);
    }
    xmlFree(method_name);
}

/* Windows lists properties before methods where a class has both; InstanceName leads. */
static char *windows_of_live(xmlDoc *live, const char *class)
{
    char name[128];
    struct text text = {0};

    snprintf(name, sizeof(name), INTERFACE("%s"), class);
    xmlNode *interface = find_interface(live, name);
    assert_non_null(interface);
    text_begin(&text);
    for (xmlNode *node = interface->children; node; node = node->next)
        if (is_element(node, "property")) {
            fprintf(text.file, "property");
            print_attribute(text.file, node, "name", "?");
            print_attribute(text.file, node, "type", "?");
            fputc('\n', text.file);
        }
    for (xmlNode *node = interface->children; node; node = node->next)
        if (is_element(node, "method"))
            print_windows_method(text.file, node);
    text_end(&text);
    return text.data;
}

static void test_classes_are_windows(void **state)
{
    char path[FIXTURE_PATH_MAX];

    fixture_adapter_path(path);
    _cleanup_(xmlFreeDocp) xmlDoc *live = introspect(*state, path);
    for (size_t i = 0; adapter_interfaces[i]; i++) {
        _cleanup_free_ char *wanted = windows_of_file(adapter_interfaces[i]);
        _cleanup_free_ char *found = windows_of_live(live, adapter_interfaces[i]);
        assert_true(strlen(wanted) > 0);
        assert_string_equal(found, wanted);
    }
}

/* A host without a session has no connection to ask: its file is compared, and the guest's tests
   compare that with a live one. */
static void test_connections_are_windows(void **state)
{
    _cleanup_(xmlFreeDocp) xmlDoc *file = read_file("MSiSCSI_ConnectionStatistics");
    _cleanup_free_ char *wanted = windows_of_file("MSiSCSI_ConnectionStatistics");
    _cleanup_free_ char *found = windows_of_live(file, "MSiSCSI_ConnectionStatistics");
    assert_true(strlen(wanted) > 0);
    assert_string_equal(found, wanted);
}

static void test_no_such_connection(void **state)
{
    assert_call_fails(*state, UNKNOWN_OBJECT, ROOT_PATH "/connection/0123456789abcdef",
                      "org.freedesktop.DBus.Properties", "GetAll", "s",
                      INTERFACE("MSiSCSI_ConnectionStatistics"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manager),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_adapters),
        cmocka_unit_test(test_all_properties_can_be_read),
        cmocka_unit_test(test_managed_objects),
        cmocka_unit_test(test_classes_are_windows),
        cmocka_unit_test(test_connections_are_windows),
        cmocka_unit_test(test_no_such_connection),
        cmocka_unit_test(harness_test_clean_end),
    };
    int failed = cmocka_run_group_tests(tests, fixture_setup, harness_teardown);
    xmlCleanupParser();
    return harness_result(failed);
}
