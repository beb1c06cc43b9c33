/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the library reads of a service: the first byte chooses the call, or a signal, and the byte
 * order; the rest is the body of the answer. What a call gives out is whole, and the command can
 * name and clean it.
 */

#include "cli/names.h"
#include "client/client.h"
#include "fuzz.h"
#include "wire.h"

#define BIG_ENDIAN_BIT 0x80U
#define PROPERTIES "org.freedesktop.DBus.Properties"

/* --- A whole host ----------------------------------------------------------------------------- */

static void check_printable(const char *text)
{
    CHECK(text);
    for (; *text; text++)
        CHECK((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_found(const struct report *report, const char *name)
{
    const struct report_session *session;
    const struct report_adapter *adapter;
    _cleanup_free_ char *message = NULL, *other = NULL;

    if (names_session(report, name, &session, &message) < 0)
        CHECK(message);
    else
        CHECK(session >= report->sessions && session < report->sessions + report->n_sessions);
    if (names_adapter(report, name, &adapter, &other) < 0)
        CHECK(other);
}

static void check_host(struct iscsiwmi_host *objects)
{
    _cleanup_report_ struct report *report = report_new(objects);

    CHECK(report);
    CHECK(report->n_adapters <= objects->AdapterCount &&
          report->n_sessions == objects->SessionCount);
    check_found(report, "10.0.0.1:3260");
    for (size_t i = 0; i < report->n_adapters; i++) {
        check_printable(report->adapters[i].name);
        check_found(report, report->adapters[i].name);
    }
    for (size_t i = 0; i < report->n_sessions; i++) {
        check_printable(report->sessions[i].initiator);
        check_printable(report->sessions[i].target);
        CHECK(report->sessions[i].connections.n == report->sessions[i].info->ConnectionCount);
        check_found(report, report->sessions[i].target);
    }
}

static void get_host(struct iscsiwmi_client *client)
{
    struct iscsiwmi_host *host = NULL;

    if (iscsiwmi_get_host(client, &host) < 0)
        CHECK(!host && iscsiwmi_client_error(client)[0]);
    else
        check_host(host);
}

/* --- One class -------------------------------------------------------------------------------- */

#define GETTER(name, call)                                                                         \
    static void name(struct iscsiwmi_client *client)                                               \
    {                                                                                              \
        void *record = NULL;                                                                       \
        int r = call;                                                                              \
                                                                                                   \
        CHECK((r < 0) == !record);                                                                 \
        CHECK(r >= 0 || iscsiwmi_client_error(client)[0]);                                         \
        iscsiwmi_free(record);                                                                     \
    }

GETTER(get_hba, iscsiwmi_get_hba_information(client, 1, (void *)&record))
GETTER(get_config, iscsiwmi_get_hba_session_config(client, 1, (void *)&record))
GETTER(get_sessions, iscsiwmi_get_initiator_session_info(client, 1, (void *)&record))
GETTER(get_portals, iscsiwmi_get_portal_info_class(client, 1, (void *)&record))
GETTER(get_policies, iscsiwmi_get_query_lb_policy(client, 1, (void *)&record))
GETTER(get_session, iscsiwmi_get_session(client, 1, (void *)&record))
GETTER(get_manager, iscsiwmi_get_manager(client, (void *)&record))
GETTER(get_records, iscsiwmi_list_changed_records(client, 1, (void *)&record))

/* --- Signals ---------------------------------------------------------------------------------- */

static void on_event(const struct iscsiwmi_event *event, void *userdata)
{
    unsigned *n = userdata;

    (*n)++;
    CHECK(event->Path && event->Type >= ISCSIWMI_EVENT_ADDED);
    CHECK(event->Type != ISCSIWMI_EVENT_CHANGED || event->Class);
    for (uint32_t i = 0; i < event->ChangeCount; i++)
        CHECK(event->Changes[i]->Property);
}

static void dispatch(struct iscsiwmi_client *client)
{
    unsigned n = 0;

    CHECK(iscsiwmi_client_watch(client, on_event, &n) >= 0);
    (void)iscsiwmi_client_dispatch(client);
    CHECK(n <= 1);
}

/* --- All of them ------------------------------------------------------------------------------ */

static const struct {
    const char *signature;
    void (*run)(struct iscsiwmi_client *client);
    const char *interface, *member;
} calls[] = {
    {"a{oa{sa{sv}}}", get_host}, {"a{sv}", get_session},
    {"a{sv}", get_sessions},     {"a{sv}", get_policies},
    {"a{sv}", get_hba},          {"a{sv}", get_config},
    {"a{sv}", get_portals},      {"a{sv}", get_manager},
    {"a(sstsas)s", get_records}, {"sa{sv}as", dispatch, PROPERTIES, "PropertiesChanged"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *error = NULL;
    struct iscsiwmi_client client = {0};
    struct wire wire;
    size_t call;

    if (size == 0 || size > WIRE_BODY_MAX)
        return 0;
    call = (data[0] & ~BIG_ENDIAN_BIT) % ELEMENTSOF(calls);
    wire_open(&wire);
    wire_write(&wire, &(struct wire_message){
                          .big_endian = data[0] & BIG_ENDIAN_BIT,
                          .path = ROOT_PATH,
                          .interface = calls[call].interface,
                          .member = calls[call].member,
                          .signature = calls[call].signature,
                          .body = data + 1,
                          .size = size - 1,
                      });
    client.bus = wire.bus;
    calls[call].run(&client);
    error = client.error;
    sd_bus_slot_unref(client.filter);
    for (size_t i = 0; i < ELEMENTSOF(client.slots); i++)
        sd_bus_slot_unref(client.slots[i]);
    wire_close(&wire);
    return 0;
}
