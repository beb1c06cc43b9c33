/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * set-policy TARGET POLICY [PORTAL...]: sets the load-balance policy of the session to a target, by
 * Windows' number; the paths through these portals are the primaries.
 */

#include <stdlib.h>

#include "wmi.h" /* made by gdbus-codegen from the interfaces */

#define SERVICE "com.open_iscsi.WMI1"
#define ROOT "/com/open_iscsi/WMI1"

/* ISCSI_Supported_LB_Policies: UniqueSessionId, LoadBalancePolicy, iSCSI_PathCount, and the
 * ISCSI_Paths: UniqueConnectionId, EstimatedLinkSpeed, PathWeight, PrimaryPath, ConnectionStatus,
 * TCPOffLoadAvailable. */
#define PATH "(ttuuuu)"
#define POLICIES "(tuua" PATH ")"

static void G_GNUC_NORETURN G_GNUC_PRINTF(1, 2) die(const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    g_printerr("set-policy: %s\n", message);
    exit(EXIT_FAILURE);
}

static void G_GNUC_NORETURN die_of(GError *error)
{
    g_dbus_error_strip_remote_error(error);
    die("%s", error->message);
}

/* All objects of the service, by one GetManagedObjects. */
static GDBusObjectManager *get_objects(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *owner = NULL;
    GDBusObjectManager *objects = wmi_object_manager_client_new_for_bus_sync(
        G_BUS_TYPE_SYSTEM, G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_NONE, SERVICE, ROOT, NULL, &error);

    if (!objects)
        die_of(error);
    owner = g_dbus_object_manager_client_get_name_owner(G_DBUS_OBJECT_MANAGER_CLIENT(objects));
    if (!owner)
        die("%s does not run", SERVICE);
    return objects;
}

/* The session of a target is found by the target's name. */
static WmiSession *find_session(GDBusObjectManager *objects, const char *target)
{
    GList *all = g_dbus_object_manager_get_objects(objects);
    WmiSession *found = NULL;

    for (GList *each = all; each && !found; each = each->next) {
        WmiSession *session = wmi_object_peek_session(WMI_OBJECT(each->data));

        if (session && g_strcmp0(wmi_session_get_target_name(session), target) == 0)
            found = g_object_ref(session);
    }
    g_list_free_full(all, g_object_unref);
    if (!found)
        die("no session to %s", target);
    return found;
}

/* An adapter's object is named by its ID. */
static WmiObject *find_adapter(GDBusObjectManager *objects, guint64 id)
{
    g_autofree char *path = g_strdup_printf(ROOT "/adapter/%016" G_GINT64_MODIFIER "x", id);
    GDBusObject *object = g_dbus_object_manager_get_object(objects, path);

    if (!object || !wmi_object_peek_query_lb_policy(WMI_OBJECT(object)) ||
        !wmi_object_peek_lb_operations(WMI_OBJECT(object)))
        die("the adapter has gone");
    return WMI_OBJECT(object);
}

/* The UniqueConnectionIds of the session's connections through these portals. */
static GArray *find_connections(WmiSession *session, char **portals)
{
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(guint64));

    for (; *portals; portals++) {
        const char *address;
        guint before = ids->len;
        GVariantIter iter;
        guint64 id;

        g_variant_iter_init(&iter, wmi_session_get_connections(session));
        /* ID, status, iface, persistent address; the rest is passed over. */
        while (g_variant_iter_next(&iter, "(tu&s&sq@sq@s@as@s)", &id, NULL, NULL, &address, NULL,
                                   NULL, NULL, NULL, NULL, NULL))
            if (g_str_equal(address, *portals))
                g_array_append_val(ids, id);
        if (ids->len == before)
            die("no connection through %s", *portals);
    }
    return ids;
}

/*
 * The session's entry of MSiSCSI_QueryLBPolicy, which has one for each session of the adapter. The
 * proxy's own copy of the property is from when it was made, until the main loop has run.
 */
static GVariant *query(GDBusProxy *proxy, guint64 session_id)
{
    g_autoptr(GVariant) reply = NULL, all = NULL;
    g_autoptr(GError) error = NULL;
    GVariantIter iter;
    GVariant *entry;

    reply = g_dbus_connection_call_sync(
        g_dbus_proxy_get_connection(proxy), SERVICE, g_dbus_proxy_get_object_path(proxy),
        "org.freedesktop.DBus.Properties", "Get",
        g_variant_new("(ss)", g_dbus_proxy_get_interface_name(proxy), "LoadBalancePolicies"),
        G_VARIANT_TYPE("(v)"), G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
    if (!reply)
        die_of(error);
    g_variant_get(reply, "(v)", &all);
    if (!g_variant_is_of_type(all, G_VARIANT_TYPE("a" POLICIES)))
        die("LoadBalancePolicies is of another type");
    g_variant_iter_init(&iter, all);
    while ((entry = g_variant_iter_next_value(&iter))) {
        guint64 id;

        g_variant_get_child(entry, 0, "t", &id);
        if (id == session_id)
            return entry;
        g_variant_unref(entry);
    }
    die("the session has gone");
}

static void print(const char *when, GVariant *policies)
{
    guint64 id;
    guint32 policy, weight, primary;
    g_autoptr(GVariantIter) paths = NULL;

    g_variant_get(policies, POLICIES, NULL, &policy, NULL, &paths);
    g_print("%s: policy %u\n", when, policy);
    while (g_variant_iter_next(paths, PATH, &id, NULL, &weight, &primary, NULL, NULL))
        g_print("  path %016" G_GINT64_MODIFIER "x weight %u primary %u\n", id, weight, primary);
}

/*
 * What was read, with another policy and other primaries. Each path of the session has to be there,
 * once; their order is the order of a failover. PrimaryPath counts for policies 1 to 3, PathWeight
 * for policy 5: the lowest is the best, unless Manager.PathWeightOrder says otherwise.
 */
static GVariant *change(GVariant *policies, guint32 policy, const GArray *primaries)
{
    guint64 session_id, id, speed;
    guint32 count, weight, status, offload;
    g_autoptr(GVariantIter) iter = NULL;
    GVariantBuilder paths;

    g_variant_get(policies, POLICIES, &session_id, NULL, &count, &iter);
    g_variant_builder_init(&paths, G_VARIANT_TYPE("a" PATH));
    while (g_variant_iter_next(iter, PATH, &id, &speed, &weight, NULL, &status, &offload)) {
        guint32 primary = 0;

        for (guint i = 0; i < primaries->len; i++)
            if (g_array_index(primaries, guint64, i) == id)
                primary = 1;
        g_variant_builder_add(&paths, PATH, id, speed, weight, primary, status, offload);
    }
    return g_variant_new(POLICIES, session_id, policy, count, &paths);
}

static guint32 set_policy(WmiLbOperations *operations, GVariant *policies)
{
    g_autoptr(GError) error = NULL;
    guint32 status;

    /* With a dead path it can take several SCSI timeouts. */
    g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(operations), 10 * 60 * 1000);
    if (!wmi_lb_operations_call_set_load_balance_policy_sync(operations, policies, &status, NULL,
                                                             &error))
        die_of(error);
    return status;
}

/* Prints a Status with its symbol; what is not 0 ends the program. */
static void check(guint32 status)
{
    g_autofree char *symbol = NULL, *text = NULL;
    g_autoptr(WmiManager) manager = NULL;
    g_autoptr(GError) error = NULL;

    manager = wmi_manager_proxy_new_for_bus_sync(
        G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_DO_NOT_LOAD_PROPERTIES, SERVICE, ROOT, NULL, &error);
    if (!manager ||
        !wmi_manager_call_describe_status_sync(manager, status, &symbol, &text, NULL, &error))
        die_of(error);
    if (status != 0)
        die("0x%08X %s: %s", status, symbol, text);
    g_print("Status: 0x%08X %s\n", status, symbol);
}

int main(int argc, char **argv)
{
    g_autoptr(GVariant) before = NULL, after = NULL;
    g_autoptr(GDBusObjectManager) objects = NULL;
    g_autoptr(WmiSession) session = NULL;
    g_autoptr(WmiObject) adapter = NULL;
    g_autoptr(GArray) primaries = NULL;
    GDBusProxy *queries;
    guint64 session_id, policy;

    if (argc < 3 || !g_ascii_string_to_unsigned(argv[2], 10, 0, G_MAXUINT32, &policy, NULL))
        die("usage: set-policy TARGET POLICY [PORTAL...]");
    objects = get_objects();
    session = find_session(objects, argv[1]);
    session_id = wmi_session_get_unique_session_id(session);
    primaries = find_connections(session, argv + 3);
    adapter = find_adapter(objects, wmi_session_get_unique_adapter_id(session));
    queries = G_DBUS_PROXY(wmi_object_peek_query_lb_policy(adapter));

    before = query(queries, session_id);
    print("before", before);
    check(set_policy(wmi_object_peek_lb_operations(adapter),
                     change(before, (guint32)policy, primaries)));
    after = query(queries, session_id);
    print("after", after);
    return EXIT_SUCCESS;
}
