/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The model of the host as kernel sessions come and go, and what its observers hear of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "iscsi/identity.h"
#include "service/model/find.h"
#include "service/model/host.h"
#include "service/model/observer.h"

#define INITIATOR "iqn.2024-01.org.example:host"
#define TARGET "iqn.2024-01.org.example:target"
#define SIDS 4U

/* What the kernel has: the last byte of a session's portal, 0: none; UNNAMED: it is logging in. */
#define UNNAMED 255U
static unsigned portals[SIDS];
static int guid_error; /* of the store, else it has none */

static struct {
    sd_event *event;
    struct host *host;
    char heard[256]; /* in order */
} scene;

int __wrap_kernel_session_read(struct iscsi_context *context, uint32_t sid,
                               struct kernel_session **ret);
void __wrap_kernel_session_state(uint32_t sid, struct kernel_session_state *ret);
int __wrap_store_get_guid(struct store *store, const char *initiator, uint8_t ret[GUID_SIZE]);

int __wrap_kernel_session_read(struct iscsi_context *context, uint32_t sid,
                               struct kernel_session **ret)
{
    char address[16];

    if (sid >= SIDS || portals[sid] == 0)
        return -ENOENT;
    if (portals[sid] == UNNAMED)
        return -EAGAIN;
    snprintf(address, sizeof(address), "192.0.2.%u", portals[sid] % 256);
    struct kernel_session *session = calloc(1, sizeof(*session));
    assert_non_null(session);
    *session = (struct kernel_session){
        .sid = sid,
        .initiator = strdup(INITIATOR),
        .target = strdup(TARGET),
        .iface = strdup("default"),
        .address = strdup(address),
        .port = 3260,
        .transport = strdup("tcp"),
    };
    *ret = session;
    return 0;
}

void __wrap_kernel_session_state(uint32_t sid, struct kernel_session_state *ret)
{
    *ret = (struct kernel_session_state){.text = "LOGGED_IN", .status = LB_CONNECTED};
}

int __wrap_store_get_guid(struct store *store, const char *initiator, uint8_t ret[GUID_SIZE])
{
    return guid_error ?: -ENODATA;
}

static void hear(const char *what)
{
    size_t length = strlen(scene.heard);
    snprintf(scene.heard + length, sizeof(scene.heard) - length, "%s ", what);
}

static void on_adapter_added(struct adapter *adapter, void *userdata)
{
    hear("adapter+");
}

static void on_adapter_removed(uint64_t id, void *userdata)
{
    hear("adapter-");
}

/* The session is whole by now, but nobody was told of it. */
static void on_login(struct connection *connection, bool new_adapter, void *userdata)
{
    assert_int_not_equal(connection->id, 0);
    assert_int_equal(connection->announced_id, 0);
    hear(new_adapter ? "first-login" : "login");
}

static void on_session_added(struct session *session, void *userdata)
{
    hear("session+");
}

static void on_session_removed(uint64_t id, uint64_t adapter_id, void *userdata)
{
    hear("session-");
}

static void on_connection_added(uint64_t id, void *userdata)
{
    hear("connection+");
}

static void on_connection_removed(uint64_t id, void *userdata)
{
    hear("connection-");
}

static int begin(void **state)
{
    memset(portals, 0, sizeof(portals));
    scene.heard[0] = '\0';
    assert_true(sd_event_new(&scene.event) >= 0);
    assert_int_equal(host_new(scene.event, NULL, &scene.host), 0);
    host_observe(scene.host, &(struct host_observer){
                                 .adapter_added = on_adapter_added,
                                 .adapter_removed = on_adapter_removed,
                                 .login = on_login,
                                 .session_added = on_session_added,
                                 .session_removed = on_session_removed,
                                 .connection_added = on_connection_added,
                                 .connection_removed = on_connection_removed,
                             });
    return 0;
}

static int end(void **state)
{
    host_free(scene.host);
    sd_event_unref(scene.event);
    return 0;
}

static void login(uint32_t sid, unsigned portal)
{
    portals[sid] = portal;
    assert_int_equal(host_refresh_sid(scene.host, sid), 0);
}

static void assert_heard(const char *expected)
{
    assert_string_equal(scene.heard, expected);
    scene.heard[0] = '\0';
}

static uint64_t id_of(unsigned portal, unsigned rank)
{
    char address[16];

    snprintf(address, sizeof(address), "192.0.2.%u", portal);
    return connection_id(INITIATOR, TARGET, "default", address, 3260, rank);
}

static void assert_connection(uint32_t sid, uint64_t id)
{
    const struct connection *connection = host_find_sid(scene.host, sid);

    assert_non_null(connection);
    assert_int_equal(connection->id, id);
    assert_ptr_equal(host_connection(scene.host, id), connection);
    assert_ptr_equal(session_connection(connection->session, id), connection);
}

static void test_life(void **state)
{
    login(1, 1);
    assert_heard("adapter+ first-login session+ connection+ ");
    login(2, 2);
    assert_heard("login connection+ ");
    assert_connection(1, id_of(1, 0));
    assert_connection(2, id_of(2, 0));
    const struct session *session = host_session(scene.host, session_id(INITIATOR, TARGET));
    assert_non_null(session);
    assert_int_equal(session->n_connections, 2);
    assert_int_equal(session->adapter_id, adapter_id(INITIATOR));

    login(1, 1); /* nothing new */
    assert_heard("");
    login(1, 0);
    assert_heard("connection- ");
    assert_null(host_find_sid(scene.host, 1));
    login(2, 0);
    assert_heard("connection- session- adapter- ");
    assert_null(host_session(scene.host, session_id(INITIATOR, TARGET)));
}

/* The kernel uses a number again: it is another portal's from one look to the next. */
static void test_a_number_is_used_again(void **state)
{
    login(1, 1);
    login(2, 2);
    scene.heard[0] = '\0';
    login(1, 3);
    assert_heard("connection- login connection+ ");
    assert_connection(1, id_of(3, 0));
}

/* A policy that has that ID means this one. */
static void assert_named(uint64_t id, uint32_t sid)
{
    struct connection *connection = host_find_sid(scene.host, sid);

    assert_ptr_equal(session_named_connection(connection->session, id), connection);
}

/* Sessions of one portal have a rank while there are several. */
static void test_ranks(void **state)
{
    login(3, 1);
    login(1, 1);
    assert_connection(1, id_of(1, 1));
    assert_connection(3, id_of(1, 2));
    assert_named(id_of(1, 1), 1);
    assert_named(id_of(1, 2), 3);
    assert_named(id_of(1, 0), 1);
    scene.heard[0] = '\0';
    login(1, 0);
    assert_heard("connection- connection- connection+ ");
    assert_connection(3, id_of(1, 0));
    assert_named(id_of(1, 0), 3);
    assert_named(id_of(1, 1), 3);
    assert_null(session_named_connection(host_find_sid(scene.host, 3)->session, id_of(1, 2)));
}

/* One that has not named itself is remembered, and is there when it has. */
static void test_unnamed(void **state)
{
    login(1, UNNAMED);
    assert_heard("");
    assert_int_equal(scene.host->n_unidentified, 1);
    login(1, UNNAMED);
    assert_int_equal(scene.host->n_unidentified, 1);
    login(1, 1);
    assert_int_equal(scene.host->n_unidentified, 0);
    assert_connection(1, id_of(1, 0));
    login(2, UNNAMED);
    login(2, 0); /* gone before it had a name */
    assert_int_equal(scene.host->n_unidentified, 0);
}

/* Nobody knows the GUID of its adapter, which is new: it comes when the store can be read again. */
static void test_a_store_that_cannot_be_read(void **state)
{
    guid_error = -EIO;
    portals[1] = 1;
    assert_int_equal(host_refresh_sid(scene.host, 1), -EIO);
    host_refresh_unidentified(scene.host);
    assert_null(host_find_sid(scene.host, 1));
    assert_int_equal(scene.host->n_unidentified, 1);
    guid_error = 0;
    host_refresh_unidentified(scene.host);
    assert_int_equal(scene.host->n_unidentified, 0);
    assert_connection(1, id_of(1, 0));
    assert_heard("adapter+ first-login session+ connection+ ");
}

/* A policy keeps its session without a login; a change that runs, too. */
static void test_what_keeps_a_session(void **state)
{
    struct store_policy policy = {.policy = LB_ROUND_ROBIN};

    login(1, 1);
    struct session *session = host_find_sid(scene.host, 1)->session;
    session->policy = &policy;
    login(1, 0);
    assert_ptr_equal(host_session(scene.host, session_id(INITIATOR, TARGET)), session);
    session->policy = NULL;
    session->hold = SESSION_CHANGE;
    host_drop_if_empty(scene.host, session);
    assert_ptr_equal(host_session(scene.host, session_id(INITIATOR, TARGET)), session);
    session->hold = SESSION_FREE;
    host_drop_if_empty(scene.host, session);
    assert_null(host_session(scene.host, session_id(INITIATOR, TARGET)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, begin, end),
        cmocka_unit_test_setup_teardown(test_a_number_is_used_again, begin, end),
        cmocka_unit_test_setup_teardown(test_ranks, begin, end),
        cmocka_unit_test_setup_teardown(test_unnamed, begin, end),
        cmocka_unit_test_setup_teardown(test_a_store_that_cannot_be_read, begin, end),
        cmocka_unit_test_setup_teardown(test_what_keeps_a_session, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
