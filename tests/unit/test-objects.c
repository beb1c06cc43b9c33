/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* All objects over a socket pair, for a host that need not have them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "basic/macros.h"
#include "bus/interfaces/interfaces.h"
#include "bus/names.h"
#include "bus/objects/start.h"
#include "bus/paths.h"
#include "service/model/maps.h"

#define ADAPTER_ID UINT64_C(0xa1)
#define SESSION_ID UINT64_C(0x51)
#define WWID "360000000000000001"

#define SIGNALS_MAX 8U
#define NAMES_MAX 16U

/* There is no bus to have a name on. */
int __wrap_sd_bus_request_name(sd_bus *bus, const char *name, uint64_t flags);
int __wrap_sd_bus_get_unique_name(sd_bus *bus, const char **ret);

int __wrap_sd_bus_request_name(sd_bus *bus, const char *name, uint64_t flags)
{
    return 0;
}

int __wrap_sd_bus_get_unique_name(sd_bus *bus, const char **ret)
{
    *ret = ":1.1";
    return 0;
}

/* The session has come far enough by now. */
void __wrap_host_refresh_unidentified(struct host *host);
static unsigned n_refreshed;

void __wrap_host_refresh_unidentified(struct host *host)
{
    n_refreshed++;
    host->n_sessions = 1;
}

/* A PropertiesChanged that the client got. */
struct signal {
    char path[OBJECT_PATH_MAX], interface[64];
    char names[NAMES_MAX][32];
    size_t n_names;
};

struct fixture {
    struct host host;
    struct adapter adapter, *adapters[1];
    struct session session, *sessions[1];
    sd_bus *server, *client, *asker;
    struct bus_front front;
    struct signal signals[SIGNALS_MAX];
    size_t n_signals;
};

static void take_name(struct signal *signal, const char *name)
{
    assert_true(signal->n_names < NAMES_MAX);
    strncpy(signal->names[signal->n_names++], name, sizeof(signal->names[0]) - 1);
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct fixture *f = userdata;
    struct signal *signal = &f->signals[f->n_signals++];
    const char *text;

    assert_true(f->n_signals <= SIGNALS_MAX);
    strncpy(signal->path, sd_bus_message_get_path(message), sizeof(signal->path) - 1);
    assert_true(sd_bus_message_read(message, "s", &text) > 0);
    strncpy(signal->interface, text, sizeof(signal->interface) - 1);
    assert_true(sd_bus_message_enter_container(message, 'a', "{sv}") > 0);
    while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
        assert_true(sd_bus_message_read(message, "s", &text) > 0);
        take_name(signal, text);
        assert_true(sd_bus_message_skip(message, "v") > 0);
        assert_true(sd_bus_message_exit_container(message) > 0);
    }
    assert_true(sd_bus_message_exit_container(message) > 0);
    assert_true(sd_bus_message_enter_container(message, 'a', "s") > 0);
    while (sd_bus_message_read(message, "s", &text) > 0)
        take_name(signal, text);
    return 0;
}

static void make_host(struct fixture *f)
{
    assert_true(sd_event_new(&f->host.event) >= 0);
    f->host.uevent_fd = -1;
    f->adapter = (struct adapter){
        .id = ADAPTER_ID, .initiator = (char *)"iqn.2025-01.com.example:host", .host = &f->host};
    f->session = (struct session){.id = SESSION_ID,
                                  .adapter_id = ADAPTER_ID,
                                  .initiator = f->adapter.initiator,
                                  .target = (char *)"iqn.2025-01.com.example:target",
                                  .host = &f->host};
    f->adapters[0] = &f->adapter;
    f->sessions[0] = &f->session;
    f->host.adapters = f->adapters;
    f->host.n_adapters = 1;
    f->host.sessions = f->sessions;
    f->host.n_sessions = 1;
    assert_int_equal(maps_mark_half_way(&f->host, WWID), 0);
    maps_find_wwid(&f->host, WWID)->dev = 1;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    sd_id128_t id;
    int fds[2];

    assert_non_null(f);
    make_host(f);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    assert_true(sd_id128_randomize(&id) >= 0);
    assert_true(sd_bus_new(&f->server) >= 0);
    assert_true(sd_bus_set_fd(f->server, fds[0], fds[0]) >= 0);
    assert_true(sd_bus_set_server(f->server, 1, id) >= 0);
    assert_true(sd_bus_start(f->server) >= 0);
    assert_true(sd_bus_new(&f->client) >= 0);
    assert_true(sd_bus_set_fd(f->client, fds[1], fds[1]) >= 0);
    assert_true(sd_bus_start(f->client) >= 0);
    assert_true(sd_bus_match_signal(f->client, NULL, NULL, NULL, PROPERTIES_INTERFACE,
                                    "PropertiesChanged", on_signal, f) >= 0);
    assert_true(sd_bus_new(&f->asker) >= 0);
    assert_true(bus_start(f->server, f->asker, &f->host, &f->front) >= 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    bus_end(&f->front);
    sd_bus_flush_close_unref(f->client);
    sd_bus_flush_close_unref(f->server);
    sd_bus_unref(f->asker);
    maps_free_all(&f->host);
    sd_event_unref(f->host.event);
    free(f);
    return 0;
}

/* Until neither side has anything to do. */
static void settle(const struct fixture *f)
{
    int server, client;

    do {
        server = sd_bus_process(f->server, NULL);
        client = sd_bus_process(f->client, NULL);
        assert_true(server >= 0 && client >= 0);
    } while (server > 0 || client > 0);
}

/* --- What clients are told -------------------------------------------------------------------- */

static const struct signal *find_signal(const struct fixture *f, const char *path,
                                        const char *interface)
{
    for (size_t i = 0; i < f->n_signals; i++)
        if (strcmp(f->signals[i].path, path) == 0 &&
            strcmp(f->signals[i].interface, interface) == 0)
            return &f->signals[i];
    fail_msg("nothing was told of %s at %s", interface, path);
    return NULL;
}

static bool is_in(const struct signal *signal, const char *name)
{
    for (size_t i = 0; i < signal->n_names; i++)
        if (strcmp(signal->names[i], name) == 0)
            return true;
    return false;
}

/* What the interface says that clients are told of, and no more, was told, at once. */
static void assert_told(const struct fixture *f, const char *path, const char *interface,
                        const sd_bus_vtable *vtable)
{
    const struct signal *signal = find_signal(f, path, interface);
    size_t n = 0;

    for (; vtable->type != _SD_BUS_VTABLE_END; vtable++) {
        if (vtable->type != _SD_BUS_VTABLE_PROPERTY ||
            !(vtable->flags &
              (SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE | SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION)))
            continue;
        if (!is_in(signal, vtable->x.property.member))
            fail_msg("%s.%s was not told", interface, vtable->x.property.member);
        n++;
    }
    assert_int_equal(signal->n_names, n);
}

static void test_adapter(void **state)
{
    struct fixture *f = *state;
    char path[OBJECT_PATH_MAX];

    adapter_path(ADAPTER_ID, path);
    observe_adapter_changed(&f->adapter, ~0U);
    settle(f);
    assert_told(f, path, BUS_INTERFACE("MSiSCSI_HBAInformation"), hba_information_vtable);
    assert_int_equal(f->n_signals, 1);
}

static void test_session(void **state)
{
    struct fixture *f = *state;
    char path[OBJECT_PATH_MAX], of_adapter[OBJECT_PATH_MAX];

    session_path(SESSION_ID, path);
    adapter_path(ADAPTER_ID, of_adapter);
    observe_session_changed(&f->session, ~0U);
    settle(f);
    assert_told(f, path, BUS_INTERFACE("Session"), session_vtable);
    assert_told(f, of_adapter, BUS_INTERFACE("MSiSCSI_QueryLBPolicy"), query_lb_policy_vtable);
    assert_told(f, of_adapter, BUS_INTERFACE("MSiSCSI_InitiatorSessionInfo"),
                initiator_session_info_vtable);
    assert_told(f, of_adapter, BUS_INTERFACE("MSiSCSI_PortalInfoClass"), portal_info_class_vtable);
    assert_int_equal(f->n_signals, 4);
}

static void test_disk(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *path = disk_path(WWID);

    assert_non_null(path);
    observe_disk_changed(maps_find_wwid(&f->host, WWID), ~0U);
    settle(f);
    assert_told(f, path, BUS_INTERFACE("Disk"), disk_vtable);
    assert_told(f, path, BUS_INTERFACE("DSM_LB_Operations"), dsm_lb_operations_vtable);
    assert_told(f, path, BUS_INTERFACE("DSM_QueryLBPolicy_V2"), dsm_query_lb_policy_vtable);
    assert_told(f, path, BUS_INTERFACE("DSM_QuerySupportedLBPolicies_V2"),
                dsm_query_supported_lb_policies_vtable);
    assert_int_equal(f->n_signals, 4);
}

/* What has not changed is not told, and of what nothing has changed there is no signal. */
static void test_one_change(void **state)
{
    struct fixture *f = *state;
    char path[OBJECT_PATH_MAX];

    session_path(SESSION_ID, path);
    observe_session_changed(&f->session, CHANGED_AGREEMENT);
    settle(f);
    assert_int_equal(f->n_signals, 1);
    const struct signal *signal = find_signal(f, path, BUS_INTERFACE("Session"));
    assert_int_equal(signal->n_names, 1);
    assert_string_equal(signal->names[0], "Agreement");
}

/* --- Sessions that could not say who they are --------------------------------------------------
 */

static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
    sd_bus_message **ret = userdata;

    *ret = sd_bus_message_ref(answer);
    return 0;
}

static void assert_has(const struct fixture *f, const char *path, const char *interface)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
    const char *xml;

    assert_true(sd_bus_call_method_async(f->client, NULL, NULL, path,
                                         "org.freedesktop.DBus.Introspectable", "Introspect",
                                         on_answer, &answer, "") >= 0);
    settle(f);
    assert_non_null(answer);
    assert_true(sd_bus_message_read(answer, "s", &xml) > 0);
    assert_non_null(strstr(xml, interface));
}

/* They are looked at before a call, and once, however many interfaces its object has. */
static void test_call_looks_first(void **state)
{
    struct fixture *f = *state;
    char path[OBJECT_PATH_MAX];

    n_refreshed = 0;
    f->host.n_sessions = 0;
    session_path(SESSION_ID, path);
    assert_has(f, path, BUS_INTERFACE("Session"));
    assert_int_equal(n_refreshed, 1);
    adapter_path(ADAPTER_ID, path);
    assert_has(f, path, BUS_INTERFACE("MSiSCSI_LB_Operations"));
    assert_int_equal(n_refreshed, 2);
}

/* Getters that are called for a signal change nothing. */
static void test_signal_does_not_look(void **state)
{
    struct fixture *f = *state;

    n_refreshed = 0;
    observe_session_changed(&f->session, ~0U);
    settle(f);
    assert_int_equal(f->n_signals, 4);
    assert_int_equal(n_refreshed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_adapter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session, setup, teardown),
        cmocka_unit_test_setup_teardown(test_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_call_looks_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signal_does_not_look, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
