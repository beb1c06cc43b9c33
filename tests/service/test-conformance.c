/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every class of tests/data/classes.tsv: names, order and D-Bus types of its members, as the
 * running service has them. What is left out is listed here, with the reason.
 */

#include "fixture.h"
#include "introspect.h"

#include <stdlib.h>
#include <string.h>

/* Classes without an interface (member NULL), and members that an interface does not have. */
static const struct {
    const char *class, *member, *reason;
} left_out[] = {
    {"MSiSCSI_SessionStatistics", NULL, "a session's counters are those of its connections"},
    {"MSiSCSI_InitiatorInstanceStatistics", NULL, "neither the kernel nor iscsid counts these"},
    {"MSiSCSI_InitiatorLoginStatistics", NULL, "neither the kernel nor iscsid counts these"},
    {"MSiSCSI_InitiatorNodeFailureEvent", NULL, "WMI's events: here, D-Bus' own signals"},
    {"MSiSCSI_InitiatorInstanceFailureEvent", NULL, "WMI's events: here, D-Bus' own signals"},
    {"DSM_QueryUniqueId", NULL, "tells Windows' DSM drivers apart; a map has its WWID"},
    {"MPIO_DISK_INFO", NULL, "Windows' MPIO driver's view; a session's Maps has the same"},
};

/* Windows' method numbers that these classes do not use, and why. */
static const struct {
    const char *class;
    unsigned first, last;
    const char *reason;
} unused_numbers[] = {
    {"MSiSCSI_LB_Operations", 1, 9, "the class begins at 10"},
    {"MSiSCSI_ManagementOperations", 1, 9, "the class begins at 10"},
    {"MSiSCSI_SecurityConfigOperations", 1, 4, "IPsec keys, which open-iscsi does not hold"},
};

/*
 * Classes of objects that a host without a session has none of: their file is compared, and the
 * guest's tests compare that with a live one.
 */
static const char *const by_file[] = {"MSiSCSI_ConnectionStatistics"};

static bool is_by_file(const char *class)
{
    for (size_t i = 0; i < ELEMENTSOF(by_file); i++)
        if (strcmp(by_file[i], class) == 0)
            return true;
    return false;
}

/* Whether a class, or a member of it or of a method of it ("Method.Argument"), is on the list. */
static bool is_left_out(const char *class, const char *member)
{
    for (size_t i = 0; i < ELEMENTSOF(left_out); i++) {
        if (strcmp(left_out[i].class, class) != 0 || !left_out[i].member != !member)
            continue;
        size_t length = member ? strlen(left_out[i].member) : 0;
        if (!member || (strncmp(left_out[i].member, member, length) == 0 &&
                        strchr(".", member[length]))) /* its end counts too */
            return true;
    }
    return false;
}

static bool is_unused(const char *class, unsigned id)
{
    for (size_t i = 0; i < ELEMENTSOF(unused_numbers); i++)
        if (strcmp(unused_numbers[i].class, class) == 0 && id >= unused_numbers[i].first &&
            id <= unused_numbers[i].last)
            return true;
    return false;
}

/* The tab-separated columns of classes.tsv that matter here. */
struct line {
    char *class, *kind, *id, *name, *type, *array, *dbus;
};

/* All lines; the strings point into `text`. */
struct classes {
    char *text;
    struct line *lines;
    size_t n;
};

static struct classes classes;

static bool split(char *text, struct line *ret)
{
    char *columns[8] = {0};

    for (size_t i = 0; i < ELEMENTSOF(columns); i++) {
        columns[i] = strsep(&text, "\t");
        if (!columns[i])
            return false;
    }
    *ret = (struct line){columns[0], columns[2], columns[3], columns[4],
                         columns[5], columns[6], columns[7]};
    return true;
}

static void read_classes(void)
{
    char path[4096];
    size_t size;

    snprintf(path, sizeof(path), "%s/classes.tsv", required_env("TEST_DATA_DIR"));
    classes.text = read_whole_file(path, &size);
    classes.lines = calloc(size, sizeof(*classes.lines)); /* more than there can be */
    assert_non_null(classes.lines);

    char *rest = classes.text, *row;
    while ((row = strsep(&rest, "\n")))
        if (row[0] && row[0] != '#') {
            assert_true(split(row, &classes.lines[classes.n]));
            classes.n++;
        }
    assert_true(classes.n > 100);
}

/* The lines of one class, which stand together: how many there are, and the first. */
static size_t lines_of(const char *class, const struct line **ret_first)
{
    size_t n = 0;

    *ret_first = NULL;
    for (size_t i = 0; i < classes.n; i++)
        if (strcmp(classes.lines[i].class, class) == 0) {
            if (n++ == 0)
                *ret_first = &classes.lines[i];
        }
    return n;
}

/* A class as classes.tsv has it, in the words of windows_of_live(). */
static char *windows_of_file(const char *class)
{
    const struct line *lines;
    size_t n = lines_of(class, &lines);
    unsigned expected_id = 1;
    struct text text = {0};

    text_begin(&text);
    for (size_t i = 0; i < n; i++) {
        const struct line *line = &lines[i];
        bool method = strcmp(line->kind, "method") == 0;
        if (method) {
            for (unsigned id = (unsigned)strtoul(line->id, NULL, 10); expected_id < id;
                 expected_id++)
                assert_true(is_unused(class, expected_id));
            expected_id++;
        }
        if (is_left_out(class, line->name))
            continue;
        fprintf(text.file, "%s %s%s%s\n", line->kind, line->name, method ? "" : " ",
                method ? "" : line->dbus);
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
static char *windows_of_live(xmlNode *interface)
{
    struct text text = {0};

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

static void check_class(xmlDoc *adapter, xmlDoc *disk, const char *class)
{
    char name[128];

    snprintf(name, sizeof(name), INTERFACE("%s"), class);
    _cleanup_(xmlFreeDocp) xmlDoc *file = is_by_file(class) ? introspect_file(class) : NULL;
    xmlNode *interface = find_interface(file ?: adapter, name) ?: find_interface(disk, name);
    if (is_left_out(class, NULL)) {
        if (interface)
            fail_msg("%s is there now: take it off the list", class);
        return;
    }
    if (!interface)
        fail_msg("%s is neither there nor on the list", class);

    _cleanup_free_ char *wanted = windows_of_file(class);
    _cleanup_free_ char *found = windows_of_live(interface);
    assert_string_equal(found, wanted);
}

/* Those that have instances begin with their key; the others are embedded in them. */
static bool has_instances(const struct line *line)
{
    return strcmp(line->name, "InstanceName") == 0;
}

static void test_classes(void **state)
{
    char path[FIXTURE_PATH_MAX];
    size_t n = 0;

    fixture_adapter_path(path);
    _cleanup_(xmlFreeDocp) xmlDoc *adapter = introspect(*state, path);
    _cleanup_(xmlFreeDocp) xmlDoc *disk = introspect(*state, DISK_PATH);
    for (size_t i = 0; i < classes.n; i++)
        if (has_instances(&classes.lines[i])) {
            check_class(adapter, disk, classes.lines[i].class);
            n++;
        }
    assert_true(n > ELEMENTSOF(left_out));
}

/* A member whose type is another class: the D-Bus type is that class' members, in their order. */
static void check_embedded(const struct line *line)
{
    const struct line *members;
    size_t n = lines_of(line->type, &members);
    struct text text = {0};

    if (n == 0)
        return;
    text_begin(&text);
    fprintf(text.file, "%s(", line->array[0] ? "a" : "");
    for (size_t i = 0; i < n; i++)
        fprintf(text.file, "%s", members[i].dbus);
    fprintf(text.file, ")");
    text_end(&text);
    _cleanup_free_ char *wanted = text.data;
    assert_string_equal(line->dbus, wanted);
}

/* With test_classes(), this says that embedded classes are right to their last member. */
static void test_embedded_classes(void **state)
{
    for (size_t i = 0; i < classes.n; i++)
        check_embedded(&classes.lines[i]);
}

/* A list that names what is not there would hide a mistake. */
static void test_lists_are_true(void **state)
{
    const struct line *lines;

    for (size_t i = 0; i < ELEMENTSOF(left_out); i++) {
        size_t n = lines_of(left_out[i].class, &lines), n_found = left_out[i].member == NULL;
        assert_true(n > 0);
        for (size_t k = 0; k < n && left_out[i].member; k++)
            n_found += strcmp(lines[k].name, left_out[i].member) == 0;
        assert_int_equal(n_found, 1);
        assert_true(strlen(left_out[i].reason) > 0);
    }
    for (size_t i = 0; i < ELEMENTSOF(unused_numbers); i++)
        assert_true(lines_of(unused_numbers[i].class, &lines) > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_embedded_classes),
        cmocka_unit_test(test_lists_are_true),
        cmocka_unit_test(harness_test_clean_end),
    };
    read_classes();
    int failed = cmocka_run_group_tests(tests, fixture_setup, harness_teardown);
    free(classes.lines);
    free(classes.text);
    xmlCleanupParser();
    return harness_result(failed);
}
