/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/authorize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/clock.h"
#include "basic/log.h"
#include "bus/arguments.h"
#include "bus/caller.h"
#include "bus/failure.h"
#include "bus/requests.h"
#include "bus/rules.h"
#include "service/model/model.h"

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

#define ALLOW_INTERACTION 1U /* polkit's CheckAuthorizationFlags */

/* Starting polkit takes a moment; somebody who is asked for a password may be away. */
#define ANSWER_USEC (60ULL * 1000 * 1000)
#define ANSWER_INTERACTIVE_USEC (5ULL * 60 * 1000 * 1000)

/* A call that waits for polkit, or is on its way to its handler. */
struct question {
    struct authorizer *authorizer;
    const struct rule *rule;
    struct request *request;
    struct requester who;
    struct details details;
    char id[21];         /* by which polkit knows it */
    sd_bus_slot *asking; /* NULL: polkit has answered */
    bool authorized;
};

struct authorizer {
    struct host *host;
    struct requests *requests;
    sd_bus_slot *filter;
    uint64_t n_asked;
    struct question *questions[QUESTIONS_MAX];
    size_t n_questions;
    struct refusals refusals[REFUSALS_MAX];
};

/* polkit closes a dialog that it shows; whether it does makes no difference here. */
static void authorize_cancel(const struct question *question)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
    sd_bus *bus = sd_bus_message_get_bus(request_message(question->request));

    int r = sd_bus_message_new_method_call(bus, &message, POLKIT_NAME, POLKIT_PATH,
                                           POLKIT_INTERFACE, "CancelCheckAuthorization");
    if (r >= 0)
        r = sd_bus_message_set_auto_start(message, false);
    if (r >= 0)
        r = sd_bus_message_append(message, "s", question->id);
    if (r >= 0)
        (void)sd_bus_send(NULL, message, NULL);
}

static void question_free(struct question *question)
{
    struct authorizer *authorizer = question->authorizer;

    for (size_t i = 0; i < authorizer->n_questions; i++)
        if (authorizer->questions[i] == question) {
            authorizer->questions[i] = authorizer->questions[--authorizer->n_questions];
            break;
        }
    sd_bus_slot_unref(question->asking);
    request_end(question->request);
    free(question);
}

DEFINE_CLEANUP(struct question *, question_free);

/*
 * One line for the journal about all that a user is refused of an action for a while: what others
 * do is to be found there. (Of so many users that they share one, too.)
 */
static void authorize_log_refusal(const struct question *question, const char *why,
                                  const char *more)
{
    struct authorizer *authorizer = question->authorizer;
    const struct requester *who = &question->who;
    size_t kind = (who->uid * n_rules + (size_t)(question->rule - rules)) % REFUSALS_MAX;
    char others[64] = "";
    uint64_t n;

    if (!bounds_refused(&authorizer->refusals[kind], monotonic_usec(), &n))
        return;
    if (n > 1)
        snprintf(others, sizeof(others), " (and %" PRIu64 " more since the last line like this)",
                 n - 1);
    log_notice("Refused %s to %s (uid %u, pid %d): %s%s%s%s.", question->rule->action, who->name,
               (unsigned)who->uid, (int)who->pid, why, more ? ": " : "", more ?: "", others);
}

static int authorize_refuse(const struct question *question, const char *name, const char *why,
                            const char *more, sd_bus_error *error)
{
    authorize_log_refusal(question, why, more);
    return sd_bus_error_setf(error, name, "Not permitted: %s (%s).", why, question->rule->action);
}

static bool authorize_polkit_is_absent(const sd_bus_error *error)
{
    static const char spawn[] = "org.freedesktop.DBus.Error.Spawn.";
    static const char systemd[] = "org.freedesktop.systemd1.";

    return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
           sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
           strncmp(error->name, spawn, strlen(spawn)) == 0 ||
           strncmp(error->name, systemd, strlen(systemd)) == 0;
}

/* What polkit says: returns 0 where it allows the call, else fills in the error for the caller. */
static int authorize_judge(const struct question *question, sd_bus_message *answer,
                           sd_bus_error *error)
{
    const sd_bus_error *failure = sd_bus_message_get_error(answer);
    int authorized, challenge;

    if (failure && authorize_polkit_is_absent(failure))
        return authorize_refuse(question, SD_BUS_ERROR_ACCESS_DENIED,
                                "only root may do this where there is no polkit", NULL, error);
    if (failure || sd_bus_message_enter_container(answer, 'r', "bba{ss}") < 0 ||
        sd_bus_message_read(answer, "bb", &authorized, &challenge) < 0) {
        if (failure && sd_bus_error_has_name(failure, SD_BUS_ERROR_NO_REPLY))
            authorize_cancel(question); /* it may be just slow */
        return authorize_refuse(question, SD_BUS_ERROR_ACCESS_DENIED, "polkit gave no answer",
                                failure ? failure->message : "what it says is none", error);
    }
    if (authorized)
        return 0;
    if (challenge)
        return authorize_refuse(question, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                "authentication is required", NULL, error);
    return authorize_refuse(question, SD_BUS_ERROR_ACCESS_DENIED, "polkit says no", NULL, error);
}

/*
 * A call that is allowed is put back into the queue of messages to be read: all that leads to its
 * handler is done anew, for the object may have gone meanwhile.
 */
static int authorize_on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *ret_error)
{
    _cleanup_(question_freep) struct question *question = userdata;
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *message = request_message(question->request);

    int r = authorize_judge(question, answer, &error);
    if (r >= 0) {
        question->authorized = true;
        question->asking = sd_bus_slot_unref(question->asking);
        request_set_cancel(question->request, NULL, NULL);
        r = sd_bus_enqueue_for_read(sd_bus_message_get_bus(message), message);
        if (r < 0)
            bus_failure(&error, r, "The call cannot go on");
    }
    if (r < 0) {
        (void)sd_bus_reply_method_error(message, &error);
        return 1;
    }
    (void)TAKE_PTR(question);
    return 1;
}

static void authorize_on_caller_gone(struct request *request, void *userdata)
{
    struct question *question = userdata;

    authorize_cancel(question);
    question_free(question);
}

static int authorize_append_details(const struct details *details, sd_bus_message *call)
{
    int r = sd_bus_message_open_container(call, 'a', "{ss}");

    for (size_t i = 0; i < details->n && r >= 0; i++)
        r = sd_bus_message_append(call, "{ss}", details->items[i].key, details->items[i].value);
    return r < 0 ? r : sd_bus_message_close_container(call);
}

static int authorize_make_question(const struct question *question, bool interactive,
                                   sd_bus_message **ret)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
    sd_bus_message *message = request_message(question->request);

    int r = sd_bus_message_new_method_call(sd_bus_message_get_bus(message), &call, POLKIT_NAME,
                                           POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization");
    if (r >= 0)
        r = sd_bus_message_append(call, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                  sd_bus_message_get_sender(message), question->rule->action);
    if (r >= 0)
        r = authorize_append_details(&question->details, call);
    if (r >= 0)
        r = sd_bus_message_append(call, "us", interactive ? ALLOW_INTERACTION : 0U, question->id);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(call);
    return 0;
}

/* Whether the arguments are what the handler reads; leaves the call where describe() begins. */
static int authorize_check_arguments(sd_bus_message *message, const struct rule *rule,
                                     sd_bus_error *error)
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

/* What the call is about, as it is now. */
static int authorize_describe(const struct authorizer *authorizer, const struct rule *rule,
                              sd_bus_message *message, struct details *ret, sd_bus_error *error)
{
    *ret = (struct details){0};
    int r = sd_bus_message_rewind(message, true);
    if (r >= 0)
        r = authorize_check_arguments(message, rule, error);
    if (r >= 0)
        r = rule->describe(message, authorizer->host, ret);
    if (r == -ENOENT)
        return sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_OBJECT, "There is no object %s.",
                                 sd_bus_message_get_path(message));
    return r;
}

static bool authorize_is_same(const struct details *a, const struct details *b)
{
    for (size_t i = 0; i < a->n && i < b->n; i++)
        if (strcmp(a->items[i].value, b->items[i].value) != 0)
            return false;
    return a->n == b->n;
}

/* Takes the request, on failure too. */
static int authorize_new_question(struct authorizer *authorizer, const struct rule *rule,
                                  struct request *request, struct question **ret)
{
    struct question *question = calloc(1, sizeof(*question));
    if (!question) {
        request_end(request);
        return -ENOMEM;
    }
    *question = (struct question){
        .authorizer = authorizer,
        .rule = rule,
        .request = request,
    };
    bus_requester(request_message(request), &question->who);
    snprintf(question->id, sizeof(question->id), "%" PRIu64, ++authorizer->n_asked);
    *ret = question;
    return 0;
}

/* Asks polkit, where there is room for one more question. */
static int authorize_ask(struct authorizer *authorizer, const struct rule *rule,
                         sd_bus_message *message, sd_bus_error *error)
{
    _cleanup_(question_freep) struct question *question = NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
    struct request *request;
    bool interactive = sd_bus_message_get_allow_interactive_authorization(message) > 0;

    int r = request_begin(authorizer->requests, message, REQUEST_QUESTION, &request);
    if (r == 0)
        r = authorize_new_question(authorizer, rule, request, &question);
    if (r != 0)
        return r;
    r = authorize_describe(authorizer, rule, message, &question->details, error);
    if (r < 0)
        return r;
    r = authorize_make_question(question, interactive, &call);
    if (r >= 0)
        r = sd_bus_call_async(sd_bus_message_get_bus(message), &question->asking, call,
                              authorize_on_answer, question,
                              interactive ? ANSWER_INTERACTIVE_USEC : ANSWER_USEC);
    if (r < 0)
        return bus_failure(error, r, "polkit cannot be asked");
    request_set_cancel(request, authorize_on_caller_gone, question);
    authorizer->questions[authorizer->n_questions++] = TAKE_PTR(question);
    return 1;
}

static struct question *authorize_find_question(struct authorizer *authorizer,
                                                sd_bus_message *message)
{
    for (size_t i = 0; i < authorizer->n_questions; i++)
        if (request_message(authorizer->questions[i]->request) == message)
            return authorizer->questions[i];
    return NULL;
}

/*
 * A call that polkit has allowed, as what it was told: what the call is about may have become
 * another thing meanwhile, a session that has logged in for one. Then polkit is asked once more.
 */
static int authorize_go_on(struct question *question, sd_bus_message *message, sd_bus_error *error)
{
    struct authorizer *authorizer = question->authorizer;
    const struct rule *rule = question->rule;
    struct details now;

    int r = authorize_describe(authorizer, rule, message, &now, error);
    bool is_same = r >= 0 && authorize_is_same(&now, &question->details);
    bus_remember(message, &question->who); /* the journal names whom polkit was asked about */
    question_free(question);
    if (r < 0)
        return r;
    if (!is_same)
        return authorize_ask(authorizer, rule, message, error);
    return sd_bus_message_rewind(message, true) < 0 ? -EBADMSG : 0;
}

/* Returns 0: the call goes on to its handler. */
static int authorize_message(struct authorizer *authorizer, const struct rule *rule,
                             sd_bus_message *message, sd_bus_error *error)
{
    struct question *question = authorize_find_question(authorizer, message);
    uid_t uid;

    if (question && question->authorized)
        return authorize_go_on(question, message, error);
    if (requests_get_uid(authorizer->requests, message, &uid) < 0)
        return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                                "Not permitted: the bus does not know who calls.");
    if (bus_trusts(uid))
        return 0;
    int r = arguments_fit(message, ARGUMENTS_MAX);
    if (r == 0)
        return request_refuse(authorizer->requests, message, "The arguments are too large");
    return r < 0 ? r : authorize_ask(authorizer, rule, message, error);
}

static int authorize_on_message(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct authorizer *authorizer = userdata;
    const struct rule *rule;
    uint8_t type;

    int r = sd_bus_message_get_type(message, &type);
    if (r < 0 || type != SD_BUS_MESSAGE_METHOD_CALL)
        return r;
    r = rules_find(message, &rule, error);
    if (r < 0 || !rule->action)
        return r;
    /* As the bus says it a moment later; the next call has systemd start the service again. */
    if (authorizer->host->is_ending)
        return sd_bus_error_set(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                                "iscsi-wmid is ending, and has changed nothing.");
    return authorize_message(authorizer, rule, message, error);
}

int authorizer_new(sd_bus *bus, struct host *host, struct authorizer **ret)
{
    _cleanup_(authorizer_freep) struct authorizer *authorizer = calloc(1, sizeof(*authorizer));

    if (!authorizer)
        return -ENOMEM;
    authorizer->host = host;
    int r = requests_new(&authorizer->requests);
    if (r >= 0)
        r = sd_bus_add_filter(bus, &authorizer->filter, authorize_on_message, authorizer);
    if (r < 0)
        return r;
    host->requests = authorizer->requests;
    *ret = TAKE_PTR(authorizer);
    return 0;
}

void authorizer_free(struct authorizer *authorizer)
{
    while (authorizer->n_questions > 0)
        question_free(authorizer->questions[0]);
    if (authorizer->requests)
        requests_free(authorizer->requests);
    sd_bus_slot_unref(authorizer->filter);
    free(authorizer);
}
