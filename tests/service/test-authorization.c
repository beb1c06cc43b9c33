/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may call what: the lists against each other, and each change allowed and refused by a
 * stand-in for polkit. All on this bus have one user, whom the service asks polkit about all the
 * same, as the environment tells it to.
 */

#include "fixture.h"
#include "introspect.h"
#include "polkit.h"

#include "bus/rules.h"
#include "iscsi-wmi/client.h"
#include "service/base/bounds.h"
#include "wmi/status.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-id128.h>

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define MANAGER INTERFACE("Manager")
#define READ_ONLY "org.freedesktop.DBus.Error.PropertyReadOnly"
#define ACTION_FILE "com.open-iscsi.wmi1.policy"
#define BUS_FILE "com.open_iscsi.WMI1.conf"

/* ---- the lists ---- */

static const struct rule *find_rule(const char *interface, const char *member, bool is_property)
{
    for (size_t i = 0; i < n_rules; i++)
        if (strcmp(rules[i].interface, interface) == 0 && strcmp(rules[i].member, member) == 0 &&
            rules[i].is_property == is_property)
            return &rules[i];
    return NULL;
}

/* How many methods and writable properties a file has, all of which are on the list. */
static size_t assert_listed(const char *interface)
{
    char name[128];
    size_t n = 0;
    _cleanup_(xmlFreeDocp) xmlDoc *doc = introspect_file(interface);

    snprintf(name, sizeof(name), INTERFACE("%s"), interface);
    xmlNode *node = find_interface(doc, name);
    assert_non_null(node);
    for (node = node->children; node; node = node->next) {
        bool property = is_element(node, "property");
        if (property ? has_attribute(node, "access", "read") : !is_element(node, "method"))
            continue;
        xmlChar *member = xmlGetProp(node, (const xmlChar *)"name");
        if (!find_rule(name, (const char *)member, property))
            fail_msg("%s.%s is on no list of src/bus/rules.c", name, (const char *)member);
        xmlFree(member);
        n++;
    }
    return n;
}

static void test_everything_is_listed(void **state)
{
    static const char prefix[] = NAME ".", suffix[] = ".xml";
    size_t n_found = 0, n_listed = 0;
    DIR *directory = opendir(required_env("INTERFACES_DIR"));

    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char *end = strstr(entry->d_name, suffix);
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 || !end)
            continue;
        *end = '\0';
        n_found += assert_listed(entry->d_name + strlen(prefix));
    }
    closedir(directory);

    /* And nothing else is. */
    for (size_t i = 0; i < n_rules; i++)
        n_listed += strncmp(rules[i].interface, prefix, strlen(prefix)) == 0;
    assert_int_equal(n_listed, n_found);
}

static xmlDoc *read_data(const char *name)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", required_env("DATA_DIR"), name);
    xmlDoc *doc = xmlReadFile(path, NULL, XML_PARSE_NONET);
    assert_non_null(doc);
    return doc;
}

static xmlNode *find_child(xmlNode *parent, const char *name, const char *attribute,
                           const char *value)
{
    for (xmlNode *node = parent->children; node; node = node->next)
        if (is_element(node, name) && (!attribute || has_attribute(node, attribute, value)))
            return node;
    return NULL;
}

static bool bus_allows(xmlNode *policy, const char *interface, const char *member)
{
    for (xmlNode *node = policy->children; node; node = node->next)
        if (is_element(node, "allow") && has_attribute(node, "send_destination", NAME) &&
            has_attribute(node, "send_interface", interface) &&
            (!xmlHasProp(node, (const xmlChar *)"send_member") ||
             has_attribute(node, "send_member", member)))
            return true;
    return false;
}

/* How many members the bus lets through by their name. */
static size_t count_allowed(xmlNode *policy)
{
    size_t n = 0;

    for (xmlNode *node = policy->children; node; node = node->next) {
        if (!is_element(node, "allow") || has_attribute(node, "receive_sender", NAME))
            continue;
        assert_non_null(xmlHasProp(node, (const xmlChar *)"send_interface"));
        n += xmlHasProp(node, (const xmlChar *)"send_member") != NULL;
    }
    return n;
}

static void test_the_bus_has_the_same_list(void **state)
{
    size_t n_named = 1; /* Properties.Set, for all properties */
    _cleanup_(xmlFreeDocp) xmlDoc *doc = read_data(BUS_FILE);
    xmlNode *policy = find_child(xmlDocGetRootElement(doc), "policy", "context", "default");

    assert_non_null(policy);
    assert_non_null(find_child(policy, "deny", "send_destination", NAME));
    assert_true(bus_allows(policy, PROPERTIES, "Set"));
    for (size_t i = 0; i < n_rules; i++) {
        const struct rule *rule = &rules[i];
        if (rule->is_property)
            continue;
        if (!bus_allows(policy, rule->interface, rule->member))
            fail_msg("%s does not have %s.%s", BUS_FILE, rule->interface, rule->member);
        n_named += strncmp(rule->interface, NAME, strlen(NAME)) == 0 ||
                   strcmp(rule->interface, PROPERTIES) == 0;
    }
    assert_int_equal(count_allowed(policy), n_named);
}

static void assert_text(xmlNode *parent, const char *name, const char *wanted)
{
    xmlNode *node = find_child(parent, name, NULL, NULL);
    assert_non_null(node);
    xmlChar *text = xmlNodeGetContent(node);
    assert_true(strlen((const char *)text) > 0);
    if (wanted)
        assert_string_equal((const char *)text, wanted);
    else
        assert_true(has_attribute(node, "gettext-domain", "iscsi-wmi"));
    xmlFree(text);
}

static bool is_used(xmlNode *action)
{
    for (size_t i = 0; i < n_rules; i++)
        if (rules[i].action && has_attribute(action, "id", rules[i].action))
            return true;
    return false;
}

static void test_polkit_has_each_action(void **state)
{
    _cleanup_(xmlFreeDocp) xmlDoc *doc = read_data(ACTION_FILE);
    xmlNode *root = xmlDocGetRootElement(doc);

    for (size_t i = 0; i < n_rules; i++)
        if (rules[i].action && !find_child(root, "action", "id", rules[i].action))
            fail_msg("%s does not have %s", ACTION_FILE, rules[i].action);
    for (xmlNode *action = root->children; action; action = action->next) {
        if (!is_element(action, "action"))
            continue;
        assert_true(is_used(action));
        assert_text(action, "description", NULL);
        assert_text(action, "message", NULL);
        xmlNode *defaults = find_child(action, "defaults", NULL, NULL);
        assert_non_null(defaults);
        assert_text(defaults, "allow_any", "auth_admin");
        assert_text(defaults, "allow_inactive", "auth_admin");
        assert_text(defaults, "allow_active", "auth_admin_keep");
    }
}

/* Of a member that only reads, too: "anyone may". */
static size_t assert_documented(xmlNode *interface, const char *name)
{
    size_t n = 0;

    for (xmlNode *member = interface->children; member; member = member->next) {
        if (!is_element(member, "method") && !is_element(member, "property"))
            continue;
        xmlChar *member_name = xmlGetProp(member, (const xmlChar *)"name");
        const struct rule *rule =
            find_rule(name, (const char *)member_name, is_element(member, "property"));
        _cleanup_free_ char *security = documented_security(name, (const char *)member_name);
        _cleanup_free_ char *action = NULL;
        const char *wanted = rule ? rule->action : NULL;
        assert_true(asprintf(&action, "polkit's %s.", wanted ?: "") > 0);
        if ((strstr(security, action) != NULL) != (wanted != NULL))
            fail_msg("the man page says of %s.%s: %s", name, (const char *)member_name, security);
        if (!wanted || is_element(member, "property"))
            assert_true(strncmp(security, "anyone may ", strlen("anyone may ")) == 0);
        xmlFree(member_name);
        n++;
    }
    return n;
}

static void test_the_man_page_has_the_same(void **state)
{
    static const char prefix[] = NAME ".", suffix[] = ".xml";
    DIR *directory = opendir(required_env("INTERFACES_DIR"));
    size_t n = 0;

    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char *end = strstr(entry->d_name, suffix);
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 || !end)
            continue;
        *end = '\0';
        _cleanup_(xmlFreeDocp) xmlDoc *doc = introspect_file(entry->d_name + strlen(prefix));
        n += assert_documented(find_interface(doc, entry->d_name), entry->d_name);
    }
    closedir(directory);
    assert_true(n > 0);
}

/* ---- the changes ---- */

enum object { MANAGER_OBJECT, ADAPTER_OBJECT, DISK_OBJECT };

/* One that is carried out, or gets as far as the handler's own checks. */
static const struct change {
    enum object object;
    const char *interface, *member;
    bool is_property;
    const char *details; /* with the adapter's, which come first */
    uint32_t status;     /* of a method that is allowed, and has one */
} changes[] = {
    {ADAPTER_OBJECT, INTERFACE("MSiSCSI_SecurityConfigOperations"), "SetGenerationalGuid", false,
     "guid=33221100-5544-7766-8899-aabbccddeeff\n", STATUS_SUCCESS},
    {ADAPTER_OBJECT, INTERFACE("MSiSCSI_SecurityConfigOperations"), "ClearCache", false, "",
     ISDSC_HBA_SECURITY_CACHE_NOT_SUPPORTED},
    {ADAPTER_OBJECT, INTERFACE("MSiSCSI_ManagementOperations"), "PingIPAddress", false, "",
     ISDSC_DNS_NAME_UNRESOLVED},
    {DISK_OBJECT, INTERFACE("DSM_LB_Operations"), "DsmSetLoadBalancePolicy", false,
     "disk=" DISK_WWID "\npolicy=unknown\n", 0xC000000E},
    {DISK_OBJECT, INTERFACE("DSM_LB_Operations"), "DsmSetLoadBalancePolicyALUA", false,
     "disk=" DISK_WWID "\npolicy=NONE\n", STATUS_SUCCESS},
    {ADAPTER_OBJECT, INTERFACE("Adapter"), "ListChangedRecords", false, "", 0},
    {MANAGER_OBJECT, MANAGER, "DefaultLoadBalancePolicy", true, "policy=LEAST_BLOCKS\n", 0},
    {MANAGER_OBJECT, MANAGER, "PathWeightOrder", true, "order=highest-first\n", 0},
    /* Last, for its session, and with it the adapter, is there for its policy only. */
    {ADAPTER_OBJECT, INTERFACE("MSiSCSI_LB_Operations"), "SetLoadBalancePolicy", false,
     "target=" TARGET "\npolicy=VENDOR_SPECIFIC\n", STATUS_SUCCESS},
};

#define CLEAR_CACHE find_change("ClearCache")
#define PING find_change("PingIPAddress")
#define CLEAR_DISK find_change("DsmSetLoadBalancePolicyALUA")
#define SET_ORDER find_change("PathWeightOrder")

static const struct change *find_change(const char *member)
{
    for (size_t i = 0; i < ELEMENTSOF(changes); i++)
        if (strcmp(changes[i].member, member) == 0)
            return &changes[i];
    fail_msg("no change %s", member);
    return NULL;
}

static void fill(sd_bus_message *message, const struct change *change)
{
    static const uint8_t guid[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                   0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    const char *member = change->member;
    int r = 0;

    if (strcmp(member, "SetLoadBalancePolicy") == 0)
        r = sd_bus_message_append(message, "(tuua(ttuuuu))", session_id(INITIATOR, TARGET),
                                  LB_VENDOR_SPECIFIC, 0U, 0U);
    else if (strcmp(member, "SetGenerationalGuid") == 0)
        r = sd_bus_message_append_array(message, 'y', guid, sizeof(guid));
    else if (strcmp(member, "PingIPAddress") == 0)
        r = sd_bus_message_append(message, "uuu(uuayuus)", 1U, 32U, 100U, 0U, 0U, 0U, 0U, 0U,
                                  "no.address");
    else if (strcmp(member, "DsmSetLoadBalancePolicy") == 0)
        r = sd_bus_message_append(message, "(uuuua(ttuu))", 1U, 99U, 0U, 0U, 0U);
    else if (strcmp(member, "DsmSetLoadBalancePolicyALUA") == 0)
        r = sd_bus_message_append(message, "(uuuua(ttuuuuuuuyyquut))", 2U, 0U, 0U, 0U, 0U);
    else if (strcmp(member, "DefaultLoadBalancePolicy") == 0)
        r = sd_bus_message_append(message, "ssv", change->interface, member, "u", 6U);
    else if (strcmp(member, "PathWeightOrder") == 0)
        r = sd_bus_message_append(message, "ssv", change->interface, member, "s", "highest-first");
    assert_true(r >= 0);
}

static const char *object_of(const struct change *change, char adapter[FIXTURE_PATH_MAX])
{
    fixture_adapter_path(adapter);
    return change->object == ADAPTER_OBJECT ? adapter
           : change->object == DISK_OBJECT  ? DISK_PATH
                                            : ROOT_PATH;
}

/* Calls, and does not wait; gives the call's number. */
static uint64_t begin(sd_bus *bus, const struct change *change, bool interactive)
{
    char adapter[FIXTURE_PATH_MAX];
    uint64_t cookie;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;

    assert_true(sd_bus_message_new_method_call(bus, &message, NAME, object_of(change, adapter),
                                               change->is_property ? PROPERTIES : change->interface,
                                               change->is_property ? "Set" : change->member) >= 0);
    fill(message, change);
    assert_true(sd_bus_message_set_allow_interactive_authorization(message, interactive) >= 0);
    assert_true(sd_bus_send(bus, message, &cookie) >= 0);
    assert_true(sd_bus_flush(bus) >= 0);
    return cookie;
}

static bool is_answer(sd_bus_message *message)
{
    uint64_t cookie;
    return sd_bus_message_get_reply_cookie(message, &cookie) >= 0;
}

/* The next answer, which is to that call. */
static sd_bus_message *take_answer(sd_bus *bus, uint64_t cookie)
{
    uint64_t found;
    sd_bus_message *answer = next_message(bus, is_answer);

    assert_true(sd_bus_message_get_reply_cookie(answer, &found) >= 0);
    assert_true(found == cookie);
    return answer;
}

static void assert_refused(sd_bus *bus, uint64_t cookie, const char *name, const char *text)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = take_answer(bus, cookie);
    const sd_bus_error *error = sd_bus_message_get_error(answer);

    assert_non_null(error);
    assert_string_equal(error->name, name);
    assert_non_null(strstr(error->message, text));
}

static void assert_status(sd_bus *bus, uint64_t cookie, uint32_t wanted)
{
    uint32_t status;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = take_answer(bus, cookie);
    const sd_bus_error *error = sd_bus_message_get_error(answer);

    if (error)
        fail_msg("%s: %s", error->name, error->message);
    assert_true(sd_bus_message_read(answer, "u", &status) > 0);
    assert_int_equal(status, wanted);
}

static bool has_status(const struct change *change)
{
    return find_rule(change->interface, change->member, change->is_property)->answer != NULL;
}

static void assert_carried_out(sd_bus *bus, uint64_t cookie, const struct change *change)
{
    if (has_status(change)) {
        assert_status(bus, cookie, change->status);
        return;
    }
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = take_answer(bus, cookie);
    assert_null(sd_bus_message_get_error(answer));
}

static void print_answer(FILE *out, sd_bus_message *answer)
{
    assert_true(sd_bus_message_dump(answer, out, SD_BUS_MESSAGE_DUMP_SUBTREE_ONLY) >= 0);
    sd_bus_message_unref(answer);
}

/* All that the service shows. */
static char *snapshot(struct harness *harness)
{
    struct text text = {0};

    text_begin(&text);
    print_answer(text.file, call_well(harness, ROOT_PATH, "org.freedesktop.DBus.ObjectManager",
                                      "GetManagedObjects", ""));
    print_answer(text.file, call_well(harness, ROOT_PATH, PROPERTIES, "GetAll", "s", MANAGER));
    text_end(&text);
    return text.data;
}

static void assert_unchanged(struct harness *harness, const char *before)
{
    _cleanup_free_ char *after = snapshot(harness);
    assert_string_equal(after, before);
}

/* The words in $() of an action's message are details that polkit was told. */
static void assert_message_can_be_shown(const struct question *question)
{
    char key[64];
    _cleanup_(xmlFreeDocp) xmlDoc *doc = read_data(ACTION_FILE);
    xmlNode *action = find_child(xmlDocGetRootElement(doc), "action", "id", question->action);

    xmlChar *message = xmlNodeGetContent(find_child(action, "message", NULL, NULL));
    const char *p = (const char *)message;
    while ((p = strstr(p, "$("))) {
        assert_int_equal(sscanf(p, "$(%30[a-z])", key), 1);
        strcat(key, "=");
        assert_non_null(strstr(question->details, key));
        p += 2;
    }
    xmlFree(message);
}

/* Waits for polkit to be asked about a change, and looks at how. */
static void take_question(sd_bus *polkit, sd_bus *caller, const struct change *change,
                          bool interactive, struct question *ret)
{
    const char *name;
    const struct rule *rule = find_rule(change->interface, change->member, change->is_property);

    polkit_take(polkit, ret);
    assert_true(sd_bus_get_unique_name(caller, &name) >= 0);
    assert_string_equal(ret->caller, name);
    assert_non_null(rule);
    assert_string_equal(ret->action, rule->action);
    assert_int_equal(ret->flags, interactive);
    assert_non_null(strstr(ret->details, change->details));
    if (change->object == ADAPTER_OBJECT)
        assert_non_null(strstr(ret->details, "adapter=" INITIATOR "\n"));
    assert_message_can_be_shown(ret);
}

static void test_each_change_is_tested(void **state)
{
    size_t n = 0;

    for (size_t i = 0; i < n_rules; i++)
        n += rules[i].action != NULL;
    assert_int_equal(n, ELEMENTSOF(changes));
    for (size_t i = 0; i < ELEMENTSOF(changes); i++)
        assert_non_null(find_rule(changes[i].interface, changes[i].member, changes[i].is_property));
}

/* sd-bus, left to itself, refuses to all but root what has no SD_BUS_VTABLE_UNPRIVILEGED. */
static void test_all_is_left_to_polkit(void **state)
{
    char adapter[FIXTURE_PATH_MAX];

    for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
        const char *xml;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
            call_well(*state, object_of(&changes[i], adapter),
                      "org.freedesktop.DBus.Introspectable", "Introspect", "");
        assert_true(sd_bus_message_read(reply, "s", &xml) > 0);
        assert_non_null(strstr(xml, changes[i].member));
        assert_null(strstr(xml, "org.freedesktop.systemd1.Privileged"));
    }
}

static void test_unlisted(void **state)
{
    struct harness *harness = *state;
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

    assert_call_fails(harness, UNKNOWN_METHOD, ROOT_PATH, MANAGER, "Reload", "");
    assert_call_fails(harness, UNKNOWN_METHOD, ROOT_PATH, "org.freedesktop.DBus.Peer", "Reboot",
                      "");
    assert_call_fails(harness, UNKNOWN_METHOD, ROOT_PATH, PROPERTIES, "Delete", "");
    assert_call_fails(harness, READ_ONLY, ROOT_PATH, PROPERTIES, "Set", "ssv", MANAGER, "Version",
                      "s", "2");
    assert_call_fails(harness, INVALID_ARGS, ROOT_PATH, PROPERTIES, "Set", "ss", MANAGER,
                      "PathWeightOrder");
    /* An interface is optional in D-Bus: without it a call is on no list. */
    assert_null(call(harness, ROOT_PATH, NULL, "DescribeStatus", &error, "u", 0U));
    assert_string_equal(error.name, UNKNOWN_METHOD);
}

/* ---- without polkit ---- */

static void test_no_polkit(void **state)
{
    struct harness *harness = *state;
    _cleanup_free_ char *before = snapshot(harness);

    for (size_t i = 0; i < ELEMENTSOF(changes); i++)
        assert_refused(harness->bus, begin(harness->bus, &changes[i], true),
                       SD_BUS_ERROR_ACCESS_DENIED, "only root");
    assert_unchanged(harness, before);
}

/* ---- with it ---- */

static void test_refused(void **state)
{
    struct harness *harness = *state;
    struct question question;
    sd_bus *polkit = polkit_start(harness);
    _cleanup_free_ char *before = snapshot(harness);

    for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
        uint64_t cookie = begin(harness->bus, &changes[i], false);
        take_question(polkit, harness->bus, &changes[i], false, &question);
        polkit_answer(&question, false, false);
        assert_refused(harness->bus, cookie, SD_BUS_ERROR_ACCESS_DENIED, "polkit says no");
    }
    assert_unchanged(harness, before);
    assert_true(polkit_is_idle(harness, polkit));
    polkit_stop(polkit);

    harness_restart(harness);
    assert_unchanged(harness, before);
}

static void test_interaction(void **state)
{
    struct harness *harness = *state;
    struct question question;
    sd_bus *polkit = polkit_start(harness);
    _cleanup_free_ char *before = snapshot(harness);

    for (size_t i = 0; i < 2 * ELEMENTSOF(changes); i++) {
        const struct change *change = &changes[i / 2];
        uint64_t cookie = begin(harness->bus, change, i % 2);
        take_question(polkit, harness->bus, change, i % 2, &question);
        polkit_answer(&question, false, true);
        assert_refused(harness->bus, cookie, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                       "authentication is required");
    }
    assert_unchanged(harness, before);
    polkit_stop(polkit);
}

static void test_a_refusal_is_one_line(void **state)
{
    struct harness *harness = *state;
    struct question question;
    char uid[32];

    harness_restart(harness); /* which has refused nothing as yet */
    sd_bus *polkit = polkit_start(harness);

    /* Whatever the caller calls itself. */
    assert_int_equal(prctl(PR_SET_NAME, "evil\n<0>\033[2J"), 0);
    harness_forget_log(harness);
    uint64_t cookie = begin(harness->bus, SET_ORDER, false);
    take_question(polkit, harness->bus, SET_ORDER, false, &question);
    polkit_answer(&question, false, false);
    assert_refused(harness->bus, cookie, SD_BUS_ERROR_ACCESS_DENIED, "");
    polkit_stop(polkit);

    const char *log = harness_log(harness);
    snprintf(uid, sizeof(uid), "(uid %u, ", (unsigned)geteuid());
    assert_non_null(strstr(log, "<5>Refused com.open-iscsi.wmi1.set-path-weight-order to "));
    assert_non_null(strstr(log, uid));
    assert_ptr_equal(strchr(log, '\n'), strrchr(log, '\n'));
    assert_null(strchr(log, '\033'));
}

static unsigned count_refusals(struct harness *harness, const char *action)
{
    _cleanup_free_ char *line = NULL;
    unsigned n = 0;

    assert_true(asprintf(&line, "Refused %s ", action) > 0);
    for (const char *p = harness_log(harness); (p = strstr(p, line)); p++)
        n++;
    return n;
}

/* However many there are; of another action, it is another line. */
static void test_many_refusals_are_one_line(void **state)
{
    struct harness *harness = *state;

    harness_restart(harness);
    harness_forget_log(harness);
    for (size_t i = 0; i < 50; i++) {
        const struct change *change = i % 2 ? SET_ORDER : CLEAR_CACHE;
        assert_refused(harness->bus, begin(harness->bus, change, false), SD_BUS_ERROR_ACCESS_DENIED,
                       "only root");
    }
    assert_int_equal(count_refusals(harness, "com.open-iscsi.wmi1.set-path-weight-order"), 1);
    assert_int_equal(count_refusals(harness, "com.open-iscsi.wmi1.clear-cache"), 1);
}

/* ---- what the bus is asked ---- */

static sd_bus *start_monitor(const struct harness *harness)
{
    sd_bus *bus;

    assert_true(sd_bus_new(&bus) >= 0);
    assert_true(sd_bus_set_address(bus, harness->address) >= 0);
    assert_true(sd_bus_set_bus_client(bus, true) >= 0);
    assert_true(sd_bus_set_monitor(bus, true) >= 0);
    assert_true(sd_bus_start(bus) >= 0);
    assert_true(sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus.Monitoring", "BecomeMonitor", NULL, NULL,
                                   "asu", 0, 0U) >= 0);
    return bus;
}

static bool is_question_for_the_bus(sd_bus_message *message)
{
    const char *member = sd_bus_message_get_member(message) ?: "";

    return strncmp(member, "GetConnection", strlen("GetConnection")) == 0;
}

/* The one other question has a descriptor in its answer, for which dbus-broker ends connections. */
static void test_who_calls_is_asked_for_by_numbers(void **state)
{
    struct harness *harness = *state;
    sd_bus *monitor = start_monitor(harness), *caller = harness_connect(harness);
    static const char *const questions[] = {"GetConnectionUnixUser", "GetConnectionUnixProcessID"};

    assert_refused(caller, begin(caller, SET_ORDER, false), SD_BUS_ERROR_ACCESS_DENIED,
                   "only root");
    for (size_t i = 0; i < ELEMENTSOF(questions); i++) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message =
            next_message(monitor, is_question_for_the_bus);
        assert_string_equal(sd_bus_message_get_member(message), questions[i]);
    }
    sd_bus_flush_close_unref(caller);
    sd_bus_flush_close_unref(monitor);
}

/* Where the host has no machine ID, libsystemd closes the bus in place of an answer. */
static bool can_be_answered(const struct rule *rule)
{
    sd_id128_t id;
    return strcmp(rule->member, "GetMachineId") != 0 || sd_id128_get_machine(&id) >= 0;
}

static void fill_reading(sd_bus_message *message, const char *member)
{
    int r = 0;

    if (strcmp(member, "Get") == 0)
        r = sd_bus_message_append(message, "ss", MANAGER, "Version");
    else if (strcmp(member, "GetAll") == 0)
        r = sd_bus_message_append(message, "s", MANAGER);
    else if (strcmp(member, "DescribeStatus") == 0)
        r = sd_bus_message_append(message, "u", ISDSC_INITIATOR_ERROR);
    assert_true(r >= 0);
}

static void read_by(struct harness *harness, const struct rule *rule)
{
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;

    assert_true(sd_bus_message_new_method_call(harness->bus, &message, NAME, ROOT_PATH,
                                               rule->interface, rule->member) >= 0);
    fill_reading(message, rule->member);
    if (sd_bus_call(harness->bus, message, 0, &error, &reply) < 0)
        fail_msg("%s.%s: %s", rule->interface, rule->member, error.message);
}

static void test_reading_asks_nobody(void **state)
{
    struct harness *harness = *state;
    sd_bus *polkit = polkit_start(harness);
    size_t n = 0;

    for (size_t i = 0; i < n_rules; i++) {
        if (rules[i].action || !can_be_answered(&rules[i]))
            continue;
        read_by(harness, &rules[i]);
        n++;
    }
    assert_true(n > 0);
    assert_true(polkit_is_idle(harness, polkit));
    polkit_stop(polkit);
}

/* Nobody is asked for a password for what cannot be. */
static void test_nonsense_asks_nobody(void **state)
{
    struct harness *harness = *state;
    char adapter[FIXTURE_PATH_MAX];
    sd_bus *polkit = polkit_start(harness);

    fixture_adapter_path(adapter);
    for (size_t i = 0; i < ELEMENTSOF(changes); i++)
        if (!changes[i].is_property)
            assert_call_fails(harness, INVALID_ARGS, object_of(&changes[i], adapter),
                              changes[i].interface, changes[i].member, "d", 1.0);
    assert_call_fails(harness, UNKNOWN_OBJECT, ADAPTERS_PATH "/0123456789abcdef",
                      CLEAR_CACHE->interface, CLEAR_CACHE->member, "");
    assert_call_fails(harness, UNKNOWN_OBJECT, ROOT_PATH, CLEAR_CACHE->interface,
                      CLEAR_CACHE->member, "");
    assert_call_fails(harness, UNKNOWN_OBJECT, DISKS_PATH "/_01", CLEAR_DISK->interface,
                      CLEAR_DISK->member, "(uuuua(ttuuuuuuuyyquut))", 2U, 0U, 0U, 0U, 0U);
    assert_call_fails(harness, INVALID_ARGS, ROOT_PATH, PROPERTIES, "Set", "ssv", MANAGER,
                      "PathWeightOrder", "u", 1U);
    assert_call_fails(harness, UNKNOWN_OBJECT, adapter, PROPERTIES, "Set", "ssv", MANAGER,
                      "PathWeightOrder", "s", "highest-first");
    assert_true(polkit_is_idle(harness, polkit));
    polkit_stop(polkit);
}

static void test_polkit_fails(void **state)
{
    struct harness *harness = *state;
    struct question question;
    sd_bus *polkit = polkit_start(harness);
    _cleanup_free_ char *before = snapshot(harness);

    uint64_t cookie = begin(harness->bus, SET_ORDER, true);
    polkit_take(polkit, &question);
    polkit_fail(&question, "org.freedesktop.PolicyKit1.Error.Failed");
    assert_refused(harness->bus, cookie, SD_BUS_ERROR_ACCESS_DENIED, "gave no answer");

    /* An answer of another form is none. */
    cookie = begin(harness->bus, SET_ORDER, true);
    polkit_take(polkit, &question);
    assert_true(sd_bus_reply_method_return(question.message, "b", 1) >= 0);
    question_end(&question);
    assert_refused(harness->bus, cookie, SD_BUS_ERROR_ACCESS_DENIED, "gave no answer");

    /* It goes while it is asked. */
    cookie = begin(harness->bus, SET_ORDER, true);
    polkit_take(polkit, &question);
    question_end(&question);
    polkit_stop(polkit);
    assert_refused(harness->bus, cookie, SD_BUS_ERROR_ACCESS_DENIED, "gave no answer");
    assert_unchanged(harness, before);
}

static void test_the_caller_goes(void **state)
{
    struct harness *harness = *state;
    struct question question;
    char id[32];
    sd_bus *polkit = polkit_start(harness), *client = harness_connect(harness);
    _cleanup_free_ char *before = snapshot(harness);

    (void)begin(client, SET_ORDER, true);
    take_question(polkit, client, SET_ORDER, true, &question);
    snprintf(id, sizeof(id), "%s", question.id);
    sd_bus_flush_close_unref(client);
    polkit_take_cancel(polkit, id);

    polkit_answer(&question, true, false); /* too late */
    assert_true(polkit_is_idle(harness, polkit));
    assert_unchanged(harness, before);
    polkit_stop(polkit);
}

static void refuse_another(struct harness *harness, sd_bus *polkit)
{
    struct question question;
    sd_bus *other = harness_connect(harness);

    uint64_t cookie = begin(other, CLEAR_CACHE, false);
    take_question(polkit, other, CLEAR_CACHE, false, &question);
    polkit_answer(&question, false, false);
    assert_refused(other, cookie, SD_BUS_ERROR_ACCESS_DENIED, "polkit says no");
    sd_bus_flush_close_unref(other);
}

/* For the service, polkit's answer and the caller's end come in one. */
static void answer_and_leave(struct harness *harness, struct question *question, sd_bus *client)
{
    assert_int_equal(kill(harness->service_pid, SIGSTOP), 0);
    polkit_answer(question, true, false);
    sd_bus_flush_close_unref(client);
    assert_true(sd_bus_call_method(harness->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus", "GetId", NULL, NULL, "") >= 0);
    assert_int_equal(kill(harness->service_pid, SIGCONT), 0);
}

/* Where the call goes on in spite of that, the journal has whose it was. */
static void test_the_caller_goes_with_the_answer(void **state)
{
    struct harness *harness = *state;
    struct question question;
    sd_bus *polkit = polkit_start(harness);
    char who[64];

    harness_forget_log(harness);
    for (unsigned i = 0; i < 100 && !strstr(harness_log(harness), "PathWeightOrder is"); i++) {
        sd_bus *client = harness_connect(harness);

        (void)begin(client, SET_ORDER, false);
        take_question(polkit, client, SET_ORDER, false, &question);
        refuse_another(harness, polkit);
        answer_and_leave(harness, &question, client);
        (void)polkit_is_idle(harness, polkit); /* it may have been told of the end first */
    }
    snprintf(who, sizeof(who), "(uid %u, pid %d)", (unsigned)geteuid(), (int)getpid());
    const char *line = strstr(harness_log(harness), "PathWeightOrder is highest-first now");
    assert_non_null(line);
    assert_non_null(strstr(line, who));
    polkit_stop(polkit);
}

static void test_two_at_once(void **state)
{
    struct harness *harness = *state;
    struct question first, second;
    sd_bus *polkit = polkit_start(harness);
    _cleanup_free_ char *before = snapshot(harness);

    uint64_t cache = begin(harness->bus, CLEAR_CACHE, false);
    uint64_t order = begin(harness->bus, SET_ORDER, true);
    take_question(polkit, harness->bus, CLEAR_CACHE, false, &first);
    take_question(polkit, harness->bus, SET_ORDER, true, &second);
    assert_string_not_equal(first.id, second.id);

    /* Each gets its own answer, whichever comes first; and others are not kept waiting. */
    assert_unchanged(harness, before);
    polkit_answer(&second, false, false);
    assert_refused(harness->bus, order, SD_BUS_ERROR_ACCESS_DENIED, "polkit says no");
    polkit_answer(&first, true, false);
    assert_status(harness->bus, cache, CLEAR_CACHE->status);
    assert_unchanged(harness, before);
    polkit_stop(polkit);
}

static uint32_t no_resources(const struct change *change)
{
    return find_rule(change->interface, change->member, change->is_property)->out_of_resources;
}

static bool is_cancel(sd_bus_message *message)
{
    return sd_bus_message_is_method_call(message, NULL, "CancelCheckAuthorization") > 0;
}

static void test_too_many(void **state)
{
    struct harness *harness = *state;
    uint64_t cookies[QUESTIONS_MAX_PER_CLIENT];
    struct question question;
    sd_bus *polkit = polkit_start(harness), *client = harness_connect(harness);

    for (size_t i = 0; i < QUESTIONS_MAX_PER_CLIENT; i++) {
        cookies[i] = begin(harness->bus, CLEAR_CACHE, true);
        (void)get_number(harness, ROOT_PATH, MANAGER, "DefaultLoadBalancePolicy");
    }

    /* Another connection of the same user does not help. */
    for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
        uint64_t cookie = begin(client, &changes[i], true);
        if (has_status(&changes[i]))
            assert_status(client, cookie, no_resources(&changes[i]));
        else
            assert_refused(client, cookie, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many");
    }
    assert_int_equal(no_resources(PING), ISDSC_OUT_OF_RESOURCES);
    assert_int_equal(no_resources(CLEAR_DISK), 0xC000009A);

    for (size_t i = 0; i < QUESTIONS_MAX_PER_CLIENT; i++) {
        take_question(polkit, harness->bus, CLEAR_CACHE, true, &question);
        polkit_answer(&question, true, false);
        assert_status(harness->bus, cookies[i], CLEAR_CACHE->status);
    }
    uint64_t cookie = begin(client, PING, true);
    take_question(polkit, client, PING, true, &question);
    polkit_answer(&question, true, false);
    assert_status(client, cookie, PING->status);
    sd_bus_flush_close_unref(client);
    polkit_stop(polkit);
}

/* A client that leaves frees its share, whatever polkit does. */
static void test_too_many_leave(void **state)
{
    struct harness *harness = *state;
    struct question questions[QUESTIONS_MAX_PER_CLIENT], question;
    sd_bus *polkit = polkit_start(harness), *client = harness_connect(harness);

    for (size_t i = 0; i < QUESTIONS_MAX_PER_CLIENT; i++) {
        (void)begin(client, CLEAR_CACHE, true);
        take_question(polkit, client, CLEAR_CACHE, true, &questions[i]);
    }
    assert_status(harness->bus, begin(harness->bus, CLEAR_CACHE, true), ISDSC_OUT_OF_RESOURCES);
    sd_bus_flush_close_unref(client);
    for (size_t i = 0; i < QUESTIONS_MAX_PER_CLIENT; i++)
        sd_bus_message_unref(next_message(polkit, is_cancel));

    uint64_t cookie = begin(harness->bus, CLEAR_CACHE, true);
    take_question(polkit, harness->bus, CLEAR_CACHE, true, &question);
    polkit_answer(&question, true, false);
    assert_status(harness->bus, cookie, CLEAR_CACHE->status);
    for (size_t i = 0; i < QUESTIONS_MAX_PER_CLIENT; i++)
        question_end(&questions[i]);
    polkit_stop(polkit);
}

/* What would be kept while polkit is asked has a bound. */
static void test_too_large(void **state)
{
    struct harness *harness = *state;
    sd_bus *polkit = polkit_start(harness);
    _cleanup_free_ char *text = calloc(1, ARGUMENTS_MAX + 1);
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *guid = NULL;
    char adapter[FIXTURE_PATH_MAX];
    uint64_t cookie;

    assert_non_null(text);
    fixture_adapter_path(adapter);
    assert_true(sd_bus_message_new_method_call(harness->bus, &guid, NAME, adapter,
                                               INTERFACE("MSiSCSI_SecurityConfigOperations"),
                                               "SetGenerationalGuid") >= 0);
    assert_true(sd_bus_message_append_array(guid, 'y', text, ARGUMENTS_MAX) >= 0);
    assert_true(sd_bus_send(harness->bus, guid, &cookie) >= 0);
    assert_status(harness->bus, cookie, ISDSC_OUT_OF_RESOURCES);
    memset(text, 'x', ARGUMENTS_MAX);
    assert_call_fails(harness, SD_BUS_ERROR_LIMITS_EXCEEDED, ROOT_PATH, PROPERTIES, "Set", "ssv",
                      MANAGER, "PathWeightOrder", "s", text);
    assert_true(polkit_is_idle(harness, polkit));
    polkit_stop(polkit);
}

/* What the library makes of an answer; in a process of its own, whose exit status says it. */
static int call_by_library(const struct harness *harness, int wanted, const char *text)
{
    struct iscsiwmi_client *client = NULL;

    setenv("DBUS_SYSTEM_BUS_ADDRESS", harness->address, 1);
    if (iscsiwmi_client_new(&client) < 0 || iscsiwmi_client_connect(client, NULL) < 0)
        return 10;
    if (iscsiwmi_set_path_weight_order(client, "lowest-first") != wanted)
        return 11;
    bool found = strstr(iscsiwmi_client_error(client), text);
    iscsiwmi_client_free(client);
    return found ? 0 : 12;
}

static void assert_library(struct harness *harness, bool authorized, bool challenge, int wanted,
                           const char *text)
{
    struct question question;
    int status;
    sd_bus *polkit = polkit_start(harness);

    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(call_by_library(harness, wanted, text));
    polkit_take(polkit, &question);
    assert_int_equal(question.flags, 1);
    polkit_answer(&question, authorized, challenge);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    polkit_stop(polkit);
}

static void test_library(void **state)
{
    assert_library(*state, true, false, 0, "");
    assert_library(*state, false, false, -EACCES, "only root");
    assert_library(*state, false, true, -EACCES, "agent");
}

static void test_allowed(void **state)
{
    struct harness *harness = *state;
    char session[FIXTURE_PATH_MAX];
    struct question question;
    sd_bus *polkit = polkit_start(harness);

    fixture_session_path(session);
    assert_true(has_object(harness, session));
    for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
        uint64_t cookie = begin(harness->bus, &changes[i], i % 2);
        take_question(polkit, harness->bus, &changes[i], i % 2, &question);
        polkit_answer(&question, true, false);
        assert_carried_out(harness->bus, cookie, &changes[i]);
    }
    polkit_stop(polkit);

    _cleanup_free_ char *order = get_text(harness, ROOT_PATH, MANAGER, "PathWeightOrder");
    assert_string_equal(order, "highest-first");
    assert_int_equal(get_number(harness, ROOT_PATH, MANAGER, "DefaultLoadBalancePolicy"), 6);
    assert_false(has_object(harness, session));
    assert_false(has_object(harness, DISK_PATH));
}

/* ---- a session that is not what it was, with a name that is more than text ---- */

#define ODD_TARGET "iqn.2025-01.com.example:<b>&\xe2\x80\xae" /* U+202E */
#define ODD_TARGET_SHOWN "iqn.2025-01.com.example:?b???"

/* Its policy is taken back. */
static uint64_t begin_clear(struct harness *harness)
{
    char adapter[FIXTURE_PATH_MAX];
    uint64_t cookie;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;

    fixture_adapter_path(adapter);
    assert_true(sd_bus_message_new_method_call(harness->bus, &message, NAME, adapter,
                                               INTERFACE("MSiSCSI_LB_Operations"),
                                               "SetLoadBalancePolicy") >= 0);
    assert_true(sd_bus_message_append(message, "(tuua(ttuuuu))", session_id(INITIATOR, ODD_TARGET),
                                      LB_VENDOR_SPECIFIC, 0U, 0U) >= 0);
    assert_true(sd_bus_send(harness->bus, message, &cookie) >= 0);
    assert_true(sd_bus_flush(harness->bus) >= 0);
    return cookie;
}

static void take_clear(sd_bus *polkit, const char *target, struct question *ret)
{
    polkit_take(polkit, ret);
    if (!strstr(ret->details, target))
        fail_msg("no %s in:\n%s", target, ret->details);
}

/* The one who answers for a target has not answered for another one, or for none. */
static void test_what_was_described_is_done(void **state)
{
    struct harness *harness = *state;
    struct question first, second;

    harness_stop(harness);
    fixture_add_target(harness, ODD_TARGET);
    harness_start(harness);
    sd_bus *polkit = polkit_start(harness);
    uint64_t one = begin_clear(harness), other = begin_clear(harness);
    take_clear(polkit, "target=" ODD_TARGET_SHOWN "\n", &first);
    take_clear(polkit, "target=" ODD_TARGET_SHOWN "\n", &second);
    polkit_answer(&first, true, false);
    assert_status(harness->bus, one, STATUS_SUCCESS);

    polkit_answer(&second, true, false);
    take_clear(polkit, "target=unknown\n", &second);
    polkit_answer(&second, false, false);
    assert_refused(harness->bus, other, SD_BUS_ERROR_ACCESS_DENIED, "polkit says no");
    polkit_stop(polkit);
}

/* What polkit has allowed is looked up anew. */
static void test_the_object_goes(void **state)
{
    struct harness *harness = *state;
    struct question first, second;

    harness_stop(harness);
    fixture_add_disk(harness);
    harness_start(harness);
    sd_bus *polkit = polkit_start(harness);
    uint64_t one = begin(harness->bus, CLEAR_DISK, false);
    uint64_t other = begin(harness->bus, CLEAR_DISK, false);
    take_question(polkit, harness->bus, CLEAR_DISK, false, &first);
    take_question(polkit, harness->bus, CLEAR_DISK, false, &second);
    polkit_answer(&first, true, false);
    assert_status(harness->bus, one, STATUS_SUCCESS);
    polkit_answer(&second, true, false);
    assert_refused(harness->bus, other, UNKNOWN_OBJECT, "");
    polkit_stop(polkit);
}

/* The service ends well with a call that waits. */
static void test_end_while_asking(void **state)
{
    struct harness *harness = *state;
    struct question question;
    sd_bus *polkit = polkit_start(harness);

    uint64_t cookie = begin(harness->bus, SET_ORDER, true);
    take_question(polkit, harness->bus, SET_ORDER, true, &question);
    harness_stop(harness);
    question_end(&question);
    polkit_stop(polkit);
    assert_refused(harness->bus, cookie, SD_BUS_ERROR_NO_REPLY, "");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_listed),
        cmocka_unit_test(test_the_bus_has_the_same_list),
        cmocka_unit_test(test_polkit_has_each_action),
        cmocka_unit_test(test_the_man_page_has_the_same),
        cmocka_unit_test(test_each_change_is_tested),
        cmocka_unit_test(test_all_is_left_to_polkit),
        cmocka_unit_test(test_unlisted),
        cmocka_unit_test(test_no_polkit),
        cmocka_unit_test(test_who_calls_is_asked_for_by_numbers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_interaction),
        cmocka_unit_test(test_a_refusal_is_one_line),
        cmocka_unit_test(test_many_refusals_are_one_line),
        cmocka_unit_test(test_reading_asks_nobody),
        cmocka_unit_test(test_nonsense_asks_nobody),
        cmocka_unit_test(test_polkit_fails),
        cmocka_unit_test(test_the_caller_goes),
        cmocka_unit_test(test_the_caller_goes_with_the_answer),
        cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_too_many_leave),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_what_was_described_is_done),
        cmocka_unit_test(test_library),
        cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_the_object_goes),
        cmocka_unit_test(test_end_while_asking),
    };
    setenv("ISCSI_WMI_ALWAYS_ASK", "1", 1);
    int failed = cmocka_run_group_tests(tests, fixture_setup, harness_teardown);
    xmlCleanupParser();
    return harness_result(failed);
}
