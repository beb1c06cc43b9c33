/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the running service says of itself, against dbus-interfaces/ and the man page. */

#include "fixture.h"
#include "introspect.h"

#include <stdlib.h>
#include <string.h>

#define EMITS_CHANGED "org.freedesktop.DBus.Property.EmitsChangedSignal"

static const char *const manager_interfaces[] = {"Manager", NULL};
static const char *const adapter_interfaces[] = {"Adapter",
                                                 "MSiSCSI_HBAInformation",
                                                 "MSiSCSI_HBASessionConfig",
                                                 "MSiSCSI_InitiatorSessionInfo",
                                                 "MSiSCSI_LB_Operations",
                                                 "MSiSCSI_ManagementOperations",
                                                 "MSiSCSI_PortalInfoClass",
                                                 "MSiSCSI_QueryLBPolicy",
                                                 "MSiSCSI_SecurityConfigOperations",
                                                 NULL};
static const char *const session_interfaces[] = {"Session", NULL};

static const char *const disk_interfaces[] = {"DSM_LB_Operations", "DSM_QueryLBPolicy_V2",
                                              "DSM_QuerySupportedLBPolicies_V2", "Disk", NULL};

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

static void assert_documented(xmlNode *interface, const char *name)
{
    for (xmlNode *member = interface->children; member; member = member->next) {
        if (!is_element(member, "method") && !is_element(member, "property"))
            continue;
        xmlChar *member_name = xmlGetProp(member, (const xmlChar *)"name");
        free(documented_security(name, (const char *)member_name));
        xmlFree(member_name);
    }
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
    _cleanup_(xmlFreeDocp) xmlDoc *file = introspect_file(interface);

    snprintf(name, sizeof(name), INTERFACE("%s"), interface);
    xmlNode *wanted = find_interface(file, name), *found = find_interface(live, name);
    assert_non_null(wanted);
    assert_non_null(found);

    _cleanup_free_ char *wanted_text = describe(wanted), *found_text = describe(found);
    assert_true(strlen(wanted_text) > 0);
    assert_string_equal(found_text, wanted_text);
    assert_documented(found, name);
}

static void assert_object(struct harness *harness, const char *path, const char *const *interfaces)
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

static void test_disk(void **state)
{
    assert_object(*state, DISK_PATH, disk_interfaces);
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
    _cleanup_(xmlFreeDocp) xmlDoc *file = introspect_file(interface);

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
    for (size_t i = 0; disk_interfaces[i]; i++)
        assert_readable(*state, DISK_PATH, disk_interfaces[i]);
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
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
        call_well(*state, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "");

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

        n_found += strcmp(path, adapter) == 0 || strcmp(path, session) == 0 ||
                   strcmp(path, DISK_PATH) == 0;
        if (strncmp(path, ADAPTERS_PATH "/", strlen(ADAPTERS_PATH "/")) == 0)
            for (size_t i = 0; adapter_interfaces[i]; i++)
                assert_non_null(strstr(names, adapter_interfaces[i]));
        else if (strncmp(path, SESSIONS_PATH "/", strlen(SESSIONS_PATH "/")) == 0)
            assert_string_equal(names, " Session");
        else if (strncmp(path, DISKS_PATH "/", strlen(DISKS_PATH "/")) == 0)
            for (size_t i = 0; disk_interfaces[i]; i++)
                assert_non_null(strstr(names, disk_interfaces[i]));
    }
    assert_int_equal(n_found, 3);
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
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_adapters),
        cmocka_unit_test(test_all_properties_can_be_read),
        cmocka_unit_test(test_managed_objects),
        cmocka_unit_test(test_no_such_connection),
        cmocka_unit_test(harness_test_clean_end),
    };
    int failed = cmocka_run_group_tests(tests, fixture_setup, harness_teardown);
    xmlCleanupParser();
    return harness_result(failed);
}
