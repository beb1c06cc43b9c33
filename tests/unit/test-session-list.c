/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What MSiSCSI_InitiatorSessionInfo and MSiSCSI_PortalInfoClass make of the model, where the kernel
 * has none of its sessions: the shape of the lists, IDs and counts. The guest's tests have the
 * rest.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#include "basic/macros.h"
#include "bus/interfaces/interfaces.h"
#include "service/model/model.h"

#define SESSIONS "a(tssqaybbybbyuuuuqa(tqyyyyquu(uuayuus)u(uuayuus)utu))"

/* No kernel session has so high a number here; its low 24 bits are in the ISID. */
#define SID 0xffaabbccU

static sd_bus *bus;

/* Two adapters; the first has a session of two connections and one that is logged out. */
static struct kernel_session kernels[] = {{.sid = SID + 1}, {.sid = SID}, {.sid = SID + 2}};
static struct host host;
static struct session sessions[3];
static struct connection connections[] = {
    {.id = 101, .session = &sessions[0], .kernel = &kernels[0], .state_fd = -1},
    {.id = 102, .session = &sessions[0], .kernel = &kernels[1], .state_fd = -1},
    {.id = 103, .session = &sessions[2], .kernel = &kernels[2], .state_fd = -1},
};
static struct session sessions[3] = {
    {.id = 11,
     .adapter_id = 1,
     .host = &host,
     .initiator = (char *)"iqn.2025-01.com.example:host",
     .target = (char *)"iqn.2025-01.com.example:target",
     .connections = (struct connection *[]){&connections[0], &connections[1]},
     .n_connections = 2},
    {.id = 12,
     .adapter_id = 1,
     .initiator = (char *)"iqn.2025-01.com.example:host",
     .target = (char *)"iqn.2025-01.com.example:gone"},
    {.id = 13,
     .adapter_id = 2,
     .host = &host,
     .initiator = (char *)"iqn.2025-01.com.example:other",
     .target = (char *)"iqn.2025-01.com.example:target",
     .connections = (struct connection *[]){&connections[2]},
     .n_connections = 1},
};
static struct host host = {
    .sessions = (struct session *[]){&sessions[0], &sessions[1], &sessions[2]},
    .n_sessions = 3,
};
static struct adapter adapter = {.id = 1, .initiator = (char *)"iqn.2025-01.com.example:host"};

/* A message that holds what a property's getter writes; it is as the vtable says. */
static sd_bus_message *get(const sd_bus_vtable *vtable, const char *name)
{
    sd_bus_message *message = NULL;

    adapter.host = &host;
    while (vtable->type != _SD_BUS_VTABLE_PROPERTY ||
           strcmp(vtable->x.property.member, name) != 0) {
        assert_int_not_equal(vtable->type, _SD_BUS_VTABLE_END);
        vtable++;
    }
    assert_true(sd_bus_message_new_signal(bus, &message, "/x", "x.y", "Z") >= 0);
    assert_true(vtable->x.property.get(bus, "/x", "x.y", name, message, &adapter, NULL) >= 0);
    assert_true(sd_bus_message_seal(message, 1, 0) >= 0);
    assert_string_equal(sd_bus_message_get_signature(message, 1), vtable->x.property.signature);
    return message;
}

static void assert_empty_address(sd_bus_message *message)
{
    static const uint8_t zeros[16];
    uint32_t type, v4, flow, scope;
    const void *v6;
    const char *text;
    size_t size;

    assert_true(sd_bus_message_enter_container(message, 'r', "uuayuus") > 0);
    assert_true(sd_bus_message_read(message, "uu", &type, &v4) > 0);
    assert_true(sd_bus_message_read_array(message, 'y', &v6, &size) > 0);
    assert_true(sd_bus_message_read(message, "uus", &flow, &scope, &text) > 0);
    assert_true(sd_bus_message_exit_container(message) > 0);
    assert_int_equal(type, 3);
    assert_int_equal(v4 + flow + scope, 0);
    assert_int_equal(size, sizeof(zeros));
    assert_memory_equal(v6, zeros, sizeof(zeros));
    assert_string_equal(text, "");
}

static void assert_connection(sd_bus_message *message, uint64_t wanted_id)
{
    uint64_t id, throughput;
    uint32_t max_recv, auth, local_port, remote_port, max_datagram;
    uint16_t cid, reserved;
    uint8_t state, protocol, header, data;

    assert_true(sd_bus_message_enter_container(message, 'r', NULL) > 0);
    assert_true(sd_bus_message_read(message, "tqyyyyquu", &id, &cid, &state, &protocol, &header,
                                    &data, &reserved, &max_recv, &auth) > 0);
    assert_empty_address(message);
    assert_true(sd_bus_message_read(message, "u", &local_port) > 0);
    assert_empty_address(message);
    assert_true(sd_bus_message_read(message, "utu", &remote_port, &throughput, &max_datagram) > 0);
    assert_true(sd_bus_message_exit_container(message) > 0);

    assert_true(id == wanted_id);
    assert_int_equal(state, 2); /* the kernel session is gone */
    assert_int_equal(protocol, 6);
    assert_int_equal(cid + header + data + reserved, 0);
    assert_int_equal(max_recv + auth + local_port + remote_port + max_datagram, 0);
    assert_true(throughput == 0);
}

/* The session's ID, names, ISID (of the kernel session that came first) and constants. */
static void assert_values(sd_bus_message *message)
{
    static const uint8_t wanted_isid[] = {0x00, 0x02, 0x3d, 0xaa, 0xbb, 0xcc};
    const char *initiator, *target;
    const void *isid;
    uint64_t id;
    uint16_t tsid, count;
    uint32_t max_r2t, first_burst, max_burst, max_connections;
    int r2t, immediate, sequence, pdu;
    uint8_t type, erl;
    size_t size;

    assert_true(sd_bus_message_read(message, "tssq", &id, &initiator, &target, &tsid) > 0);
    assert_true(sd_bus_message_read_array(message, 'y', &isid, &size) > 0);
    assert_true(sd_bus_message_read(message, "bbybbyuuuuq", &r2t, &immediate, &type, &sequence,
                                    &pdu, &erl, &max_r2t, &first_burst, &max_burst,
                                    &max_connections, &count) > 0);
    assert_true(id == 11);
    assert_string_equal(initiator, sessions[0].initiator);
    assert_string_equal(target, sessions[0].target);
    assert_int_equal(size, sizeof(wanted_isid));
    assert_memory_equal(isid, wanted_isid, sizeof(wanted_isid));
    assert_int_equal(type, 2);
    assert_int_equal(max_connections, 1);
    assert_int_equal(count, 2);
    assert_int_equal(tsid + r2t + immediate + sequence + pdu + erl, 0);
    assert_int_equal(max_r2t + first_burst + max_burst, 0);
}

/* Those of the adapter that are logged in. */
static void test_sessions(void **state)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message =
        get(initiator_session_info_vtable, "SessionsList");

    assert_true(sd_bus_message_enter_container(message, 'a', &SESSIONS[1]) > 0);
    assert_true(sd_bus_message_enter_container(message, 'r', NULL) > 0);
    assert_values(message);
    assert_true(sd_bus_message_enter_container(message, 'a', NULL) > 0);
    assert_connection(message, 101);
    assert_connection(message, 102);
    assert_true(sd_bus_message_exit_container(message) > 0);
    assert_true(sd_bus_message_exit_container(message) > 0);
    assert_true(sd_bus_message_at_end(message, 0) > 0);
}

static uint32_t get_number(const sd_bus_vtable *vtable, const char *name)
{
    uint32_t number;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = get(vtable, name);

    assert_true(sd_bus_message_read(message, "u", &number) > 0);
    return number;
}

static void test_counts(void **state)
{
    assert_int_equal(get_number(initiator_session_info_vtable, "SessionCount"), 1);
    assert_int_equal(get_number(query_lb_policy_vtable, "SessionCount"), 1);
}

/* A connection that is down has no address of its own. */
static void test_portals(void **state)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message =
        get(portal_info_class_vtable, "PortalInformation");

    assert_true(sd_bus_message_enter_container(message, 'a', NULL) > 0);
    assert_true(sd_bus_message_at_end(message, 0) > 0);
    assert_int_equal(get_number(portal_info_class_vtable, "PortalInfoCount"), 0);
}

/* Messages need a bus that is being connected, not one that is. */
static int open_bus(void **state)
{
    static int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    assert_true(sd_bus_new(&bus) >= 0);
    assert_true(sd_bus_set_fd(bus, fds[0], fds[0]) >= 0);
    assert_true(sd_bus_start(bus) >= 0);
    *state = &fds[1];
    return 0;
}

static int close_bus(void **state)
{
    bus = sd_bus_close_unref(bus);
    close(*(int *)*state);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_portals),
    };
    return cmocka_run_group_tests(tests, open_bus, close_bus);
}
