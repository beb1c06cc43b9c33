/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hammer [--seed N] [--calls N] [--clients N] [--uid N]: calls of right and wrong types on every
 * member of every object of the service, from several clients at once. What there is, is what the
 * service says of itself. With --uid, the first client is that user's; the others, root's, send
 * nothing that would change anything: what could is refused by a check of the arguments alone.
 *
 * Exit status 0: each call that wanted an answer got one, and with enough calls for that each
 * client has called each method, read each property and set each that can be set. The first line
 * has the seed, with which a run can be made again, as far as several clients come in the same
 * order.
 */

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define NAME "com.open_iscsi.WMI1"
#define ROOT_PATH "/com/open_iscsi/WMI1"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define INTROSPECTABLE "org.freedesktop.DBus.Introspectable"

#define WAITING_MAX 24U /* calls of a client that are not answered yet */
#define TIMEOUT_USEC (120ULL * 1000 * 1000)
#define SIGNATURE_MAX 200U
#define NESTED_MAX 40U
#define HUGE (512U * 1024U)
#define ERRORS_MAX 64U
#define ELEMENTS_MAX 3000U /* of all arrays in a call: those in arrays would have no end */

struct member {
    char *path, *interface, *name, *signature;
    bool is_property, is_writable;
    unsigned n_uses, n_settings; /* that were answered: calls or Get, and Set */
};

static struct member *members;
static size_t n_members;

static struct {
    unsigned seed, calls, clients;
    uid_t uid;
    bool has_uid;
} options = {.calls = 10000, .clients = 3};

/* Of one client. */
static bool is_root; /* must change nothing */
static unsigned n_waiting, n_good, n_lost;
static unsigned n_elements; /* in the call that is being made */
static struct {
    char name[96];
    unsigned n;
} errors[ERRORS_MAX];

_Noreturn static void give_up(const char *what, int r)
{
    fprintf(stderr, "hammer: %s: %s\n", what, strerror(-r));
    exit(1);
}

static void check(int r, const char *what)
{
    if (r < 0)
        give_up(what, r);
}

static unsigned below(unsigned n)
{
    return (unsigned)random() % n;
}

static bool one_in(unsigned n)
{
    return below(n) == 0;
}

/* --- What there is ---------------------------------------------------------------------------- */

static char *attribute(xmlNode *node, const char *name)
{
    xmlChar *value = xmlGetProp(node, (const xmlChar *)name);
    char *copy = strdup(value ? (const char *)value : "");

    xmlFree(value);
    if (!copy)
        give_up("memory", -ENOMEM);
    return copy;
}

static bool is_element(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* The types of a method's arguments, one after the other. */
static char *arguments(xmlNode *method)
{
    char text[SIGNATURE_MAX] = "";

    for (xmlNode *node = method->children; node; node = node->next) {
        if (!is_element(node, "arg"))
            continue;
        char *direction = attribute(node, "direction"), *type = attribute(node, "type");
        if (strcmp(direction, "out") != 0)
            strncat(text, type, sizeof(text) - strlen(text) - 1);
        free(direction);
        free(type);
    }
    char *copy = strdup(text);
    if (!copy)
        give_up("memory", -ENOMEM);
    return copy;
}

static void add_member(const char *path, const char *interface, xmlNode *node)
{
    bool is_property = is_element(node, "property");
    char *access = attribute(node, "access");

    members = reallocarray(members, n_members + 1, sizeof(*members));
    if (!members)
        give_up("memory", -ENOMEM);
    members[n_members++] = (struct member){
        .path = strdup(path),
        .interface = strdup(interface),
        .name = attribute(node, "name"),
        .signature = is_property ? attribute(node, "type") : arguments(node),
        .is_property = is_property,
        .is_writable = is_property && strcmp(access, "readwrite") == 0,
    };
    free(access);
}

/*
 * Methods and properties; but for one that libsystemd answers by itself, and by closing the bus
 * where the host has no machine ID, as the root in which the lab builds has none.
 */
static bool is_wanted(xmlNode *node)
{
    if (is_element(node, "property"))
        return true;
    if (!is_element(node, "method"))
        return false;
    char *name = attribute(node, "name");
    bool wanted = strcmp(name, "GetMachineId") != 0;
    free(name);
    return wanted;
}

static void add_object(sd_bus *bus, const char *path)
{
    sd_bus_message *reply = NULL;
    const char *xml;

    if (sd_bus_call_method(bus, NAME, path, INTROSPECTABLE, "Introspect", NULL, &reply, "") < 0)
        return; /* it has gone */
    check(sd_bus_message_read(reply, "s", &xml), "introspection");
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), path, NULL, XML_PARSE_NONET);
    if (!doc)
        give_up("introspection", -EBADMSG);
    for (xmlNode *node = xmlDocGetRootElement(doc)->children; node; node = node->next) {
        if (!is_element(node, "interface"))
            continue;
        char *interface = attribute(node, "name");
        for (xmlNode *member = node->children; member; member = member->next)
            if (is_wanted(member))
                add_member(path, interface, member);
        free(interface);
    }
    xmlFreeDoc(doc);
    sd_bus_message_unref(reply);
}

static void look_around(sd_bus *bus)
{
    sd_bus_message *reply = NULL;
    const char *path;

    check(sd_bus_call_method(bus, NAME, ROOT_PATH, OBJECT_MANAGER, "GetManagedObjects", NULL,
                             &reply, ""),
          "GetManagedObjects");
    add_object(bus, ROOT_PATH);
    check(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"), "GetManagedObjects");
    while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
        check(sd_bus_message_read(reply, "o", &path), "a path");
        check(sd_bus_message_skip(reply, "a{sa{sv}}"), "an object");
        check(sd_bus_message_exit_container(reply), "an object");
        add_object(bus, path);
    }
    sd_bus_message_unref(reply);
}

/* --- Values ----------------------------------------------------------------------------------- */

static uint64_t any_number(void)
{
    static const uint64_t edges[] = {
        0,         1, 2, 6, 7, 255, UINT16_MAX, INT32_MAX, UINT32_MAX, UINT64_C(0x8000000000000000),
        UINT64_MAX};

    if (one_in(2))
        return edges[below(sizeof(edges) / sizeof(edges[0]))];
    return (uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^ (uint64_t)random();
}

/* Mostly short, sometimes huge; of all characters that are UTF-8 and no NUL. To be freed. */
static char *any_text(void)
{
    size_t size = one_in(4000) ? HUGE : one_in(50) ? 4096 : below(40);
    char *text = malloc(size + 1);

    if (!text)
        give_up("memory", -ENOMEM);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(1 + below(127));
    text[size] = '\0';
    return text;
}

/* How many characters the first complete type of a signature has. */
static size_t type_size(const char *signature)
{
    size_t n = 0;
    int depth = 0;

    if (*signature == 'a')
        return 1 + type_size(signature + 1);
    do {
        depth += strchr("({", signature[n]) != NULL;
        depth -= strchr(")}", signature[n]) != NULL;
        n++;
    } while (depth > 0);
    return n;
}

static void append_values(sd_bus_message *message, const char *signature);

static void append_number(sd_bus_message *message, char type)
{
    union {
        uint64_t t;
        int b;
        double d;
    } value = {.t = any_number()};

    if (type == 'b')
        value.b = value.t & 1;
    else if (type == 'd')
        value.d = (double)value.t;
    check(sd_bus_message_append_basic(message, type, &value), "a number");
}

static void append_text(sd_bus_message *message, char type)
{
    static const char *const paths[] = {"/", ROOT_PATH, "/a/b", ROOT_PATH "/adapter"};
    static const char *const signatures[] = {"", "s", "a{sv}", "(tt)"};
    char *text = type == 's' ? any_text() : NULL;
    const char *value = type == 'o' ? paths[below(4)] : type == 'g' ? signatures[below(4)] : text;

    check(sd_bus_message_append_basic(message, type, value), "a text");
    free(text);
}

/* No array of bytes that a root client sends is as long as a GUID. */
static void append_bytes(sd_bus_message *message)
{
    static const uint8_t zeros[HUGE];
    size_t size = one_in(2000) ? HUGE : below(40);

    if (is_root && size == 16)
        size++;
    check(sd_bus_message_append_array(message, 'y', zeros, size), "bytes");
}

static void append_array(sd_bus_message *message, const char *type)
{
    unsigned n = one_in(1000) ? ELEMENTS_MAX : one_in(20) ? 300 : below(4);

    check(sd_bus_message_open_container(message, 'a', type), "an array");
    for (unsigned i = 0; i < n && n_elements < ELEMENTS_MAX; i++) {
        n_elements++;
        append_values(message, type);
    }
    check(sd_bus_message_close_container(message), "an array");
}

/* Variants in each other, as deep as it says; the last has a number. */
static void append_variants(sd_bus_message *message, unsigned depth)
{
    check(sd_bus_message_open_container(message, 'v', depth > 1 ? "v" : "u"), "a variant");
    if (depth > 1)
        append_variants(message, depth - 1);
    else
        append_number(message, 'u');
    check(sd_bus_message_close_container(message), "a variant");
}

/* A value of the first type of `type`, which is one complete type. */
static void append_value(sd_bus_message *message, char *type)
{
    switch (*type) {
    case 'a':
        if (strcmp(type, "ay") == 0)
            append_bytes(message);
        else
            append_array(message, type + 1);
        return;
    case '(':
    case '{':
        type[strlen(type) - 1] = '\0';
        check(sd_bus_message_open_container(message, *type == '(' ? 'r' : 'e', type + 1), "a pair");
        append_values(message, type + 1);
        check(sd_bus_message_close_container(message), "a pair");
        return;
    case 'v':
        append_variants(message, 1 + (one_in(10) ? below(NESTED_MAX) : below(3)));
        return;
    case 's':
    case 'o':
    case 'g':
        append_text(message, *type);
        return;
    default:
        append_number(message, *type);
    }
}

/* A value for each type. */
static void append_values(sd_bus_message *message, const char *signature)
{
    char type[SIGNATURE_MAX];

    for (size_t n; *signature; signature += n) {
        n = type_size(signature);
        memcpy(type, signature, n);
        type[n] = '\0';
        append_value(message, type);
    }
}

static const char *any_signature(void)
{
    static const char *const signatures[] = {
        "",
        "s",
        "ss",
        "ssv",
        "u",
        "ay",
        "v",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaau",
        "((((((((((((((((((((((((((((u))))))))))))))))))))))))))))",
        "a{sv}",
        "a{s(ttuuuu)}",
        "(tuua(ttuuu))",
        "(tuua(ttuuuuu))",
        "tuua(ttuuuu)",
        "(uuuua(ttuu))",
        "(uuuua(ttuuuuuuuyyqu))",
        "uuu(uuayuu)",
        "dnqixog",
        "a(sa(sa(sav)))",
        "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
    };
    return signatures[below(sizeof(signatures) / sizeof(signatures[0]))];
}

/* --- Calls ------------------------------------------------------------------------------------ */

/* An address that is none, so that no packet is sent. */
static void append_ping(sd_bus_message *message)
{
    append_values(message, "uuu");
    check(sd_bus_message_append(message, "(uuayuus)", one_in(2) ? 0U : 3U + below(9), 0U, 0U, 0U,
                                0U, "no.address"),
          "an address");
}

/* What sets a property; root's value is none that it can have. */
static void append_property(sd_bus_message *message, const struct member *member)
{
    bool is_default = strcmp(member->name, "DefaultLoadBalancePolicy") == 0;
    const char *type = one_in(4) ? "ay" : member->signature;

    check(sd_bus_message_append(message, "ss", member->interface, member->name), "a property");
    if (is_root && is_default && strcmp(type, "u") == 0) {
        check(sd_bus_message_append(message, "v", "u", 8U + below(1000000)), "a policy");
        return;
    }
    check(sd_bus_message_open_container(message, 'v', type), "a value");
    append_values(message, type);
    check(sd_bus_message_close_container(message), "a value");
}

static sd_bus_message *new_call(sd_bus *bus, const char *path, const char *interface,
                                const char *name)
{
    sd_bus_message *message = NULL;

    n_elements = 0;
    check(sd_bus_message_new_method_call(bus, &message, NAME, path, interface, name), "a call");
    return message;
}

static sd_bus_message *get_all(sd_bus *bus, const struct member *member)
{
    sd_bus_message *message = new_call(bus, member->path, PROPERTIES, "GetAll");

    check(sd_bus_message_append(message, "s", member->interface), "an interface");
    return message;
}

static sd_bus_message *get_property(sd_bus *bus, const struct member *member)
{
    sd_bus_message *message = new_call(bus, member->path, PROPERTIES, "Get");

    check(sd_bus_message_append(message, "ss", member->interface, member->name), "a property");
    return message;
}

static sd_bus_message *set_property(sd_bus *bus, const struct member *member)
{
    sd_bus_message *message = new_call(bus, member->path, PROPERTIES, "Set");

    append_property(message, member);
    return message;
}

static sd_bus_message *use_method(sd_bus *bus, const struct member *member)
{
    sd_bus_message *message = new_call(bus, member->path, member->interface, member->name);

    if (strcmp(member->name, "PingIPAddress") == 0)
        append_ping(message);
    else
        append_values(message, member->signature);
    return message;
}

/* Whatever, to whomever: a name, a path or a signature that is not there, or is another's. */
static sd_bus_message *use_nonsense(sd_bus *bus)
{
    static const char *const paths[] = {
        "/",
        ROOT_PATH,
        ROOT_PATH "/adapter",
        ROOT_PATH "/adapter/0000000000000000",
        ROOT_PATH "/adapter/00000000000000000",
        ROOT_PATH "/session/ffffffffffffffff",
        ROOT_PATH "/connection/FFFFFFFFFFFFFFFF",
        ROOT_PATH "/disk/_",
        ROOT_PATH "/disk/_3",
        ROOT_PATH "/disk/_zz_00_ff",
        "/org/freedesktop/DBus",
    };
    const struct member *one = &members[below((unsigned)n_members)];
    const struct member *other = &members[below((unsigned)n_members)];
    const char *path = one_in(2) ? paths[below(sizeof(paths) / sizeof(paths[0]))] : one->path;
    const char *interface = one_in(8)   ? NULL
                            : one_in(4) ? NAME ".Nothing"
                            : one_in(2) ? PROPERTIES
                                        : other->interface;
    const char *name = one_in(4) ? "Nothing" : one_in(4) ? "GetAll" : other->name;
    sd_bus_message *message = new_call(bus, path, interface, name);

    append_values(message, any_signature());
    return message;
}

/* ret_n: what counts the answer, NULL: nothing does. */
static sd_bus_message *next_call(sd_bus *bus, unsigned **ret_n)
{
    struct member *member = &members[below((unsigned)n_members)];
    bool is_large = strcmp(member->name, "GetManagedObjects") == 0;
    unsigned kind;

    *ret_n = NULL;
    if (one_in(4) || (is_large && !one_in(20)))
        return use_nonsense(bus);
    kind = member->is_property ? below(8) : 8;
    if (kind == 0)
        return get_all(bus, member);
    *ret_n = kind == 1 ? &member->n_settings : &member->n_uses;
    if (kind == 8)
        return use_method(bus, member);
    return kind == 1 ? set_property(bus, member) : get_property(bus, member);
}

/* An answer that did not come, for the service died or is stuck. */
static bool is_lost(const char *name)
{
    static const char *const lost[] = {
        SD_BUS_ERROR_NO_REPLY,        SD_BUS_ERROR_TIMEOUT,           SD_BUS_ERROR_DISCONNECTED,
        SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
    };

    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
        if (strcmp(name, lost[i]) == 0)
            return true;
    return false;
}

/*
 * Whether an answer is that of the member that was called, not of a service which does not know
 * what it says that it has. (An object may have gone: another client can have cleared a policy.)
 */
static bool is_of_member(const sd_bus_error *error)
{
    return !error ||
           (!is_lost(error->name) && !sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_METHOD));
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
    const sd_bus_error *error = sd_bus_message_get_error(reply);
    unsigned *n = userdata;

    n_waiting--;
    if (n && is_of_member(error))
        ++*n;
    if (!error) {
        n_good++;
        return 0;
    }
    n_lost += is_lost(error->name);
    for (size_t i = 0; i < ERRORS_MAX; i++)
        if (errors[i].n == 0 || strcmp(errors[i].name, error->name) == 0) {
            snprintf(errors[i].name, sizeof(errors[i].name), "%s", error->name);
            errors[i].n++;
            break;
        }
    return 0;
}

static void process(sd_bus *bus, unsigned n_left)
{
    while (n_waiting > n_left) {
        int r = sd_bus_process(bus, NULL);
        check(r, "the bus");
        if (r == 0)
            check(sd_bus_wait(bus, UINT64_MAX), "the bus");
    }
}

static void call_and_count(sd_bus *bus, sd_bus_message *message, unsigned *n)
{
    check(sd_bus_call_async(bus, NULL, message, on_answer, n, TIMEOUT_USEC), "a call");
    n_waiting++;
    sd_bus_message_unref(message);
    process(bus, WAITING_MAX);
}

static void call_once(sd_bus *bus)
{
    unsigned *n;
    sd_bus_message *message = next_call(bus, &n);

    if (!one_in(16)) {
        call_and_count(bus, message, n);
        return;
    }
    check(sd_bus_message_set_expect_reply(message, 0), "a flag");
    check(sd_bus_send(bus, message, NULL), "a call");
    sd_bus_message_unref(message);
}

/* Each member once, so that none is left to chance. How many calls that were. */
static unsigned call_each(sd_bus *bus)
{
    unsigned n = 0;

    for (struct member *member = members; member < members + n_members; member++) {
        call_and_count(bus,
                       member->is_property ? get_property(bus, member) : use_method(bus, member),
                       &member->n_uses);
        n++;
        if (!member->is_writable)
            continue;
        call_and_count(bus, set_property(bus, member), &member->n_settings);
        n++;
    }
    return n;
}

/* How many were never called; names them. */
static unsigned count_missed(unsigned client)
{
    unsigned n = 0;

    for (const struct member *member = members; member < members + n_members; member++) {
        if (member->n_uses > 0 && (!member->is_writable || member->n_settings > 0))
            continue;
        printf("client %u: %s.%s of %s was never called\n", client, member->interface, member->name,
               member->path);
        n++;
    }
    return n;
}

/* --- Clients ---------------------------------------------------------------------------------- */

static void become(uid_t uid)
{
    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
        give_up("another user", -errno);
}

_Noreturn static void run_client(unsigned number)
{
    sd_bus *bus = NULL;
    unsigned calls = options.calls / options.clients, n_calls = 0, n_missed = 0;

    is_root = !(options.has_uid && number == 0);
    if (!is_root)
        become(options.uid);
    srandom(options.seed + number);
    check(sd_bus_open_system(&bus), "the system bus");
    look_around(bus);
    bool has_room = calls / 2 >= n_members;
    if (has_room)
        n_calls = call_each(bus);
    for (; n_calls < calls; n_calls++)
        call_once(bus);
    process(bus, 0);
    if (has_room)
        n_missed = count_missed(number);

    printf("client %u: %zu members, %u answers, %u lost\n", number, n_members, n_good, n_lost);
    for (size_t i = 0; i < ERRORS_MAX && errors[i].n > 0; i++)
        printf("client %u: %u %s\n", number, errors[i].n, errors[i].name);
    fflush(stdout);
    sd_bus_flush_close_unref(bus);
    for (size_t i = 0; i < n_members; i++) {
        free(members[i].path);
        free(members[i].interface);
        free(members[i].name);
        free(members[i].signature);
    }
    free(members);
    xmlCleanupParser();
    exit(n_lost > 0 || n_good == 0 || n_missed > 0);
}

static unsigned number_of(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (!*text || *end || value > UINT32_MAX) {
        fprintf(stderr, "hammer: '%s' is no number\n", text);
        exit(2);
    }
    return (unsigned)value;
}

static void read_options(int argc, char **argv)
{
    static const struct option words[] = {
        {"seed", required_argument, NULL, 's'},
        {"calls", required_argument, NULL, 'c'},
        {"clients", required_argument, NULL, 'n'},
        {"uid", required_argument, NULL, 'u'},
        {NULL, 0, NULL, 0},
    };
    int c;

    options.seed = (unsigned)time(NULL) ^ (unsigned)getpid() << 16;
    while ((c = getopt_long(argc, argv, "", words, NULL)) != -1)
        switch (c) {
        case 's':
            options.seed = number_of(optarg);
            break;
        case 'c':
            options.calls = number_of(optarg);
            break;
        case 'n':
            options.clients = number_of(optarg);
            break;
        case 'u':
            options.uid = number_of(optarg);
            options.has_uid = true;
            break;
        default:
            exit(2);
        }
    if (optind < argc || options.clients == 0)
        exit(2);
}

int main(int argc, char **argv)
{
    int status, result = 0;

    read_options(argc, argv);
    printf("hammer: seed %u, %u calls, %u clients\n", options.seed, options.calls, options.clients);
    fflush(stdout);
    for (unsigned i = 0; i < options.clients; i++) {
        pid_t pid = fork();
        if (pid < 0)
            give_up("fork", -errno);
        if (pid == 0)
            run_client(i);
    }
    while (wait(&status) > 0)
        if (status != 0)
            result = 1;
    return result;
}
