/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/authorize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/log.h"
#include "bus/bus.h"
#include "bus/rules.h"
#include "service/requester.h"

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

#define ALLOW_INTERACTION 1U /* polkit's CheckAuthorizationFlags */

/* Starting polkit takes a moment; somebody who is asked for a password may be away. */
#define ANSWER_USEC (60ULL * 1000 * 1000)
#define ANSWER_INTERACTIVE_USEC (5ULL * 60 * 1000 * 1000)

/* A call that waits for polkit, or is on its way to its handler. */
struct request {
    struct authorizer *authorizer;
    const struct rule *rule;
    sd_bus_message *message;
    uid_t uid;
    char id[21];         /* by which polkit knows it */
    sd_bus_slot *asking; /* NULL: polkit has answered */
    sd_bus_track *caller;
    bool authorized;
};

struct authorizer {
    struct host *host;
    sd_bus_slot *filter;
    bool always_ask;
    uint64_t n_asked;
    struct request *requests[AUTHORIZATIONS_MAX];
    size_t n_requests;
};

/* polkit closes a dialog that it shows; whether it does makes no difference here. */
static void cancel(const struct request *request)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;

    int r = sd_bus_message_new_method_call(sd_bus_message_get_bus(request->message), &message,
                                           POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CancelCheckAuthorization");
    if (r >= 0)
        r = sd_bus_message_set_auto_start(message, false);
    if (r >= 0)
        r = sd_bus_message_append(message, "s", request->id);
    if (r >= 0)
        (void)sd_bus_send(NULL, message, NULL);
}

static void request_free(struct request *request)
{
    struct authorizer *authorizer = request->authorizer;

    for (size_t i = 0; i < authorizer->n_requests; i++)
        if (authorizer->requests[i] == request) {
            authorizer->requests[i] = authorizer->requests[--authorizer->n_requests];
            break;
        }
    sd_bus_slot_unref(request->asking);
    sd_bus_track_unref(request->caller);
    sd_bus_message_unref(request->message);
    free(request);
}

DEFINE_CLEANUP(struct request *, request_free);

/* One line for the journal, and the error for the caller. */
static int refuse(const struct request *request, const char *name, const char *why,
                  sd_bus_error *error)
{
    struct requester who;

    bus_requester(request->message, &who);
    log_notice("Refused %s to %s (uid %u, pid %d): %s.", request->rule->action, who.name,
               (unsigned)request->uid, (int)who.pid, why);
    return sd_bus_error_setf(error, name, "Not permitted: %s (%s).", why, request->rule->action);
}

static bool polkit_is_absent(const sd_bus_error *error)
{
    static const char spawn[] = "org.freedesktop.DBus.Error.Spawn.";
    static const char systemd[] = "org.freedesktop.systemd1.";

    return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
           sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
           strncmp(error->name, spawn, strlen(spawn)) == 0 ||
           strncmp(error->name, systemd, strlen(systemd)) == 0;
}

/* What polkit says: returns 0 where it allows the call, else fills in the error for the caller. */
static int judge(const struct request *request, sd_bus_message *answer, sd_bus_error *error)
{
    const sd_bus_error *failure = sd_bus_message_get_error(answer);
    int authorized, challenge;

    if (failure && polkit_is_absent(failure))
        return refuse(request, SD_BUS_ERROR_ACCESS_DENIED,
                      "only root may do this where there is no polkit", error);
    if (failure || sd_bus_message_enter_container(answer, 'r', "bba{ss}") < 0 ||
        sd_bus_message_read(answer, "bb", &authorized, &challenge) < 0) {
        log_warning("polkit cannot tell whether somebody may %s: %s", request->rule->action,
                    failure && failure->message ? failure->message : "its answer is no answer");
        if (failure && sd_bus_error_has_name(failure, SD_BUS_ERROR_NO_REPLY))
            cancel(request); /* it may be just slow */
        return refuse(request, SD_BUS_ERROR_ACCESS_DENIED, "polkit gave no answer", error);
    }
    if (authorized)
        return 0;
    if (challenge)
        return refuse(request, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                      "authentication is required", error);
    return refuse(request, SD_BUS_ERROR_ACCESS_DENIED, "polkit says no", error);
}

/*
 * A call that is allowed is put back into the queue of messages to be read: all that leads to its
 * handler is done anew, for the object may have gone meanwhile.
 */
static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *ret_error)
{
    _cleanup_(request_freep) struct request *request = userdata;
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

    int r = judge(request, answer, &error);
    if (r >= 0) {
        request->authorized = true;
        request->asking = sd_bus_slot_unref(request->asking);
        request->caller = sd_bus_track_unref(request->caller);
        r = sd_bus_enqueue_for_read(sd_bus_message_get_bus(request->message), request->message);
        if (r < 0)
            bus_failure(&error, r, "The call cannot go on");
    }
    if (r < 0) {
        (void)sd_bus_reply_method_error(request->message, &error);
        return 1;
    }
    (void)TAKE_PTR(request);
    return 1;
}

static int on_caller_gone(sd_bus_track *track, void *userdata)
{
    struct request *request = userdata;

    cancel(request);
    request_free(request);
    return 1;
}

/* The question for polkit. Reads the call's arguments. */
static int make_question(struct request *request, bool interactive, sd_bus_message **ret)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *question = NULL;
    sd_bus_message *message = request->message;

    int r = sd_bus_message_new_method_call(sd_bus_message_get_bus(message), &question, POLKIT_NAME,
                                           POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization");
    if (r >= 0)
        r = sd_bus_message_append(question, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                  sd_bus_message_get_sender(message), request->rule->action);
    if (r >= 0)
        r = sd_bus_message_open_container(question, 'a', "{ss}");
    if (r >= 0)
        r = request->rule->describe(message, request->authorizer->host, question);
    if (r >= 0)
        r = sd_bus_message_close_container(question);
    if (r >= 0)
        r = sd_bus_message_append(question, "us", interactive ? ALLOW_INTERACTION : 0U,
                                  request->id);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(question);
    return 0;
}

static int follow_caller(struct request *request)
{
    int r = sd_bus_track_new(sd_bus_message_get_bus(request->message), &request->caller,
                             on_caller_gone, request);
    return r < 0 ? r : sd_bus_track_add_sender(request->caller, request->message);
}

static int new_request(struct authorizer *authorizer, const struct rule *rule,
                       sd_bus_message *message, uid_t uid, struct request **ret)
{
    struct request *request = calloc(1, sizeof(*request));
    if (!request)
        return -ENOMEM;
    *request = (struct request){
        .authorizer = authorizer,
        .rule = rule,
        .message = sd_bus_message_ref(message),
        .uid = uid,
    };
    snprintf(request->id, sizeof(request->id), "%" PRIu64, ++authorizer->n_asked);
    *ret = request;
    return 0;
}

/* Asks polkit; there is room for the request. */
static int ask(struct authorizer *authorizer, const struct rule *rule, sd_bus_message *message,
               uid_t uid, sd_bus_error *error)
{
    _cleanup_(request_freep) struct request *request = NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *question = NULL;
    bool interactive = sd_bus_message_get_allow_interactive_authorization(message) > 0;

    int r = new_request(authorizer, rule, message, uid, &request);
    if (r < 0)
        return r;
    r = make_question(request, interactive, &question);
    if (r == -ENOENT)
        return sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_OBJECT, "There is no object %s.",
                                 sd_bus_message_get_path(message));
    if (r >= 0)
        r = follow_caller(request);
    if (r >= 0)
        r = sd_bus_call_async(sd_bus_message_get_bus(message), &request->asking, question,
                              on_answer, request,
                              interactive ? ANSWER_INTERACTIVE_USEC : ANSWER_USEC);
    if (r < 0)
        return bus_failure(error, r, "polkit cannot be asked");
    authorizer->requests[authorizer->n_requests++] = TAKE_PTR(request);
    return 1;
}

static bool has_room(const struct authorizer *authorizer, uid_t uid)
{
    size_t n = 0;

    for (size_t i = 0; i < authorizer->n_requests; i++)
        n += authorizer->requests[i]->uid == uid;
    return n < AUTHORIZATIONS_MAX_PER_USER && authorizer->n_requests < AUTHORIZATIONS_MAX;
}

static int reply_full(sd_bus_message *message, const struct rule *rule, sd_bus_error *error)
{
    if (!rule->answer)
        return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                "Too many calls wait for polkit.");
    int r = sd_bus_reply_method_return(message, rule->answer, rule->out_of_resources, 0U);
    return r < 0 ? r : 1;
}

/* Whether the arguments are what the handler reads; leaves the call where describe() begins. */
static int check_arguments(sd_bus_message *message, const struct rule *rule, sd_bus_error *error)
{
    if (rule->is_property) {
        if (sd_bus_message_skip(message, "ss") >= 0 &&
            sd_bus_message_enter_container(message, 'v', rule->signature) > 0)
            return 0;
    } else if (strcmp(sd_bus_message_get_signature(message, true), rule->signature) == 0)
        return 0;
    return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "%s expects '%s'.", rule->member,
                             rule->signature);
}

/* As the bus knows the connection, which is the same as long as that lives. */
static int get_uid(sd_bus_message *message, uid_t *ret)
{
    _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;

    int r = sd_bus_query_sender_creds(message, SD_BUS_CREDS_EUID, &creds);
    return r < 0 ? r : sd_bus_creds_get_euid(creds, ret);
}

static struct request *find_request(struct authorizer *authorizer, sd_bus_message *message)
{
    for (size_t i = 0; i < authorizer->n_requests; i++)
        if (authorizer->requests[i]->message == message)
            return authorizer->requests[i];
    return NULL;
}

/* Returns 0: the call goes on to its handler. */
static int authorize(struct authorizer *authorizer, const struct rule *rule,
                     sd_bus_message *message, sd_bus_error *error)
{
    struct request *request = find_request(authorizer, message);
    uid_t uid;

    if (request && request->authorized) {
        request_free(request);
        return 0;
    }
    if (get_uid(message, &uid) < 0)
        return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                                "Not permitted: the bus does not know who calls.");
    if ((uid == 0 || uid == geteuid()) && !authorizer->always_ask)
        return 0;
    int r = check_arguments(message, rule, error);
    if (r < 0)
        return r;
    return has_room(authorizer, uid) ? ask(authorizer, rule, message, uid, error)
                                     : reply_full(message, rule, error);
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    const struct rule *rule;
    uint8_t type;

    int r = sd_bus_message_get_type(message, &type);
    if (r < 0 || type != SD_BUS_MESSAGE_METHOD_CALL)
        return r;
    r = rules_find(message, &rule, error);
    if (r < 0 || !rule->action)
        return r;
    return authorize(userdata, rule, message, error);
}

int authorizer_new(sd_bus *bus, struct host *host, struct authorizer **ret)
{
    const char *always = getenv("ISCSI_WMI_ALWAYS_ASK");
    _cleanup_(authorizer_freep) struct authorizer *authorizer = calloc(1, sizeof(*authorizer));

    if (!authorizer)
        return -ENOMEM;
    authorizer->host = host;
    authorizer->always_ask = always && strcmp(always, "1") == 0;
    int r = sd_bus_add_filter(bus, &authorizer->filter, on_message, authorizer);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(authorizer);
    return 0;
}

void authorizer_free(struct authorizer *authorizer)
{
    while (authorizer->n_requests > 0)
        request_free(authorizer->requests[0]);
    sd_bus_slot_unref(authorizer->filter);
    free(authorizer);
}
