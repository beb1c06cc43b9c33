/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/requests.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "basic/clock.h"
#include "basic/log.h"
#include "bus/asker.h"
#include "bus/caller.h"
#include "bus/rules.h"

/* A connection with a request. */
struct client {
    struct requests *requests;
    char *name;
    uid_t uid; /* as the bus knows it; -1: the connection has gone already */
    sd_bus_track *track;
    size_t n[REQUEST_KINDS];
    bool held; /* not to be dropped */
    struct client *next;
};

struct request {
    struct client *client;
    sd_bus_message *message;
    enum request_kind kind;
    request_cancel_t cancel;
    void *userdata;
    struct request *next;
};

struct requests {
    struct client *clients;
    struct request *list;
    struct refusals refusals;
};

static void client_free(struct client *client)
{
    sd_bus_track_unref(client->track);
    free(client->name);
    free(client);
}

DEFINE_CLEANUP(struct client *, client_free);

static bool requests_is_idle(const struct client *client)
{
    for (size_t i = 0; i < REQUEST_KINDS; i++)
        if (client->n[i] > 0)
            return false;
    return true;
}

static void requests_drop_if_idle(struct client *client)
{
    struct client **p = &client->requests->clients;

    if (client->held || !requests_is_idle(client))
        return;
    while (*p != client)
        p = &(*p)->next;
    *p = client->next;
    client_free(client);
}

/* One of the client's that can be cancelled; NULL: none. */
static struct request *requests_find_cancellable(const struct client *client)
{
    for (struct request *request = client->requests->list; request; request = request->next)
        if (request->client == client && request->cancel)
            return request;
    return NULL;
}

static int requests_on_client_gone(sd_bus_track *track, void *userdata)
{
    struct client *client = userdata;
    struct request *request;
    bool held = client->held;

    client->held = true; /* while its requests go */
    while ((request = requests_find_cancellable(client))) {
        request_cancel_t cancel = TAKE_PTR(request->cancel);
        cancel(request, request->userdata);
    }
    client->held = held;
    requests_drop_if_idle(client);
    return 1;
}

/* Who it is, and when it leaves. A connection that has left after its call is nobody's. */
static void requests_identify(struct client *client, sd_bus_message *message)
{
    if (bus_get_uid(message, &client->uid) < 0)
        client->uid = (uid_t)-1;
    int r = sd_bus_track_new(bus_asker(), &client->track, requests_on_client_gone, client);
    if (r >= 0)
        r = sd_bus_track_add_name(client->track, client->name);
    if (r < 0)
        client->track = sd_bus_track_unref(client->track);
}

/* A direct connection, without a bus, has no name. */
static const char *requests_name_of(sd_bus_message *message)
{
    return sd_bus_message_get_sender(message) ?: "";
}

static struct client *requests_find_client(const struct requests *requests, const char *name)
{
    for (struct client *client = requests->clients; client; client = client->next)
        if (strcmp(client->name, name) == 0)
            return client;
    return NULL;
}

/* The caller, made where it is new. */
static int requests_take_client(struct requests *requests, sd_bus_message *message,
                                struct client **ret)
{
    const char *name = requests_name_of(message);

    *ret = requests_find_client(requests, name);
    if (*ret)
        return 0;
    _cleanup_(client_freep) struct client *client = calloc(1, sizeof(*client));
    if (!client)
        return -ENOMEM;
    client->requests = requests;
    client->name = strdup(name);
    if (!client->name)
        return -ENOMEM;
    requests_identify(client, message);
    client->next = requests->clients;
    *ret = requests->clients = TAKE_PTR(client);
    return 0;
}

static bool requests_is_same_client(const struct client *a, const struct client *b)
{
    return a == b || (a->uid == b->uid && !bus_trusts(a->uid));
}

/* Who is not trusted takes no room from who is. */
static void requests_count(const struct client *client, enum request_kind kind, size_t *ret_n,
                           size_t *ret_n_of_client)
{
    bool trusted = bus_trusts(client->uid);

    *ret_n = *ret_n_of_client = 0;
    for (const struct client *each = client->requests->clients; each; each = each->next) {
        if (!trusted || bus_trusts(each->uid))
            *ret_n += each->n[kind];
        if (requests_is_same_client(client, each))
            *ret_n_of_client += each->n[kind];
    }
}

static bool requests_has_room(const struct client *client, enum request_kind kind)
{
    size_t n, n_of_client;

    requests_count(client, kind, &n, &n_of_client);
    return bounds_admit(kind, n, n_of_client);
}

/* Whether there is room for one more. Some that have it may have left, unheard of as yet. */
static bool requests_admit(struct client *client, enum request_kind kind)
{
    if (requests_has_room(client, kind))
        return true;
    client->held = true;
    bus_hear_of_leavers();
    client->held = false;
    return requests_has_room(client, kind);
}

/* One line for the journal, at times. */
static void requests_log_refusal(struct requests *requests, sd_bus_message *message,
                                 const char *why)
{
    struct requester who;
    uint64_t n;

    if (!bounds_refused(&requests->refusals, monotonic_usec(), &n))
        return;
    bus_requester(message, &who);
    log_warning(
        "Refused %" PRIu64 " calls since the last line like this one; now %s by %s (uid %u, "
        "pid %d): %s.",
        n, sd_bus_message_get_member(message), who.name, (unsigned)who.uid, (int)who.pid, why);
}

int request_refuse(struct requests *requests, sd_bus_message *message, const char *why)
{
    const struct rule *rule;

    requests_log_refusal(requests, message, why);
    int r = sd_bus_message_rewind(message, true);
    if (r >= 0)
        r = rules_find(message, &rule, NULL);
    if (r < 0)
        return r;
    r = rule->answer
            ? sd_bus_reply_method_return(message, rule->answer, rule->out_of_resources, 0U)
            : sd_bus_reply_method_errorf(message, SD_BUS_ERROR_LIMITS_EXCEEDED, "%s.", why);
    return r < 0 ? r : 1;
}

int requests_get_uid(const struct requests *requests, sd_bus_message *message, uid_t *ret)
{
    const struct client *client = requests_find_client(requests, requests_name_of(message));

    if (!client)
        return bus_get_uid(message, ret);
    if (client->uid == (uid_t)-1)
        return -ENXIO;
    *ret = client->uid;
    return 0;
}

int request_begin(struct requests *requests, sd_bus_message *message, enum request_kind kind,
                  struct request **ret)
{
    struct client *client;
    struct request *request;

    int r = requests_take_client(requests, message, &client);
    if (r < 0)
        return r;
    if (!requests_admit(client, kind)) {
        requests_drop_if_idle(client);
        return request_refuse(requests, message, "Too many calls wait for their answers");
    }
    request = calloc(1, sizeof(*request));
    if (!request) {
        requests_drop_if_idle(client);
        return -ENOMEM;
    }
    *request = (struct request){
        .client = client,
        .message = sd_bus_message_ref(message),
        .kind = kind,
        .next = requests->list,
    };
    client->n[kind]++;
    *ret = requests->list = request;
    return 0;
}

bool requests_has(const struct requests *requests, const sd_bus_message *message)
{
    for (const struct request *request = requests->list; request; request = request->next)
        if (request->message == message)
            return true;
    return false;
}

void request_set_cancel(struct request *request, request_cancel_t cancel, void *userdata)
{
    request->cancel = cancel;
    request->userdata = userdata;
}

sd_bus_message *request_message(const struct request *request)
{
    return request->message;
}

void request_end(struct request *request)
{
    struct client *client = request->client;
    struct request **p = &client->requests->list;

    while (*p != request)
        p = &(*p)->next;
    *p = request->next;
    sd_bus_message_unref(request->message);
    client->n[request->kind]--;
    free(request);
    requests_drop_if_idle(client);
}

void request_reply_status(uint32_t status, void *userdata)
{
    struct request *request = userdata;

    (void)sd_bus_reply_method_return(request->message, "u", status);
    request_end(request);
}

int requests_new(struct requests **ret)
{
    struct requests *requests = calloc(1, sizeof(*requests));

    if (!requests)
        return -ENOMEM;
    *ret = requests;
    return 0;
}

void requests_free(struct requests *requests)
{
    while (requests->list)
        request_end(requests->list);
    free(requests);
}
