/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "polkit.h"

#include <stdio.h>
#include <string.h>

#include "basic/macros.h"

#define NAME_OF_POLKIT "org.freedesktop.PolicyKit1"
#define AUTHORITY "org.freedesktop.PolicyKit1.Authority"
#define AUTHORITY_PATH "/org/freedesktop/PolicyKit1/Authority"

sd_bus *polkit_start(const struct harness *harness)
{
    sd_bus *polkit = harness_connect(harness);
    assert_true(sd_bus_request_name(polkit, NAME_OF_POLKIT, 0) >= 0);
    return polkit;
}

void polkit_stop(sd_bus *polkit)
{
    sd_bus_flush_close_unref(polkit);
}

static bool is_call(sd_bus_message *message)
{
    return sd_bus_message_is_method_call(message, NULL, NULL) > 0;
}

static sd_bus_message *take_call(sd_bus *polkit, const char *member)
{
    sd_bus_message *message = next_message(polkit, is_call);
    assert_string_equal(sd_bus_message_get_path(message), AUTHORITY_PATH);
    assert_string_equal(sd_bus_message_get_interface(message), AUTHORITY);
    assert_string_equal(sd_bus_message_get_member(message), member);
    return message;
}

static void read_details(struct question *question)
{
    const char *key, *value;
    size_t n = 0;

    assert_true(sd_bus_message_enter_container(question->message, 'a', "{ss}") > 0);
    while (sd_bus_message_read(question->message, "{ss}", &key, &value) > 0) {
        n += (size_t)snprintf(question->details + n, sizeof(question->details) - n, "%s=%s\n", key,
                              value);
        assert_true(n < sizeof(question->details));
    }
    assert_true(sd_bus_message_exit_container(question->message) > 0);
}

void polkit_take(sd_bus *polkit, struct question *ret)
{
    const char *kind, *key;

    *ret = (struct question){.message = take_call(polkit, "CheckAuthorization")};
    assert_true(sd_bus_message_read(ret->message, "(sa{sv})s", &kind, 1, &key, "s", &ret->caller,
                                    &ret->action) > 0);
    assert_string_equal(kind, "system-bus-name");
    assert_string_equal(key, "name");
    read_details(ret);
    assert_true(sd_bus_message_read(ret->message, "us", &ret->flags, &ret->id) > 0);
    assert_int_equal(sd_bus_message_at_end(ret->message, 1), 1);
    assert_true(ret->id[0] != '\0');
}

void polkit_take_cancel(sd_bus *polkit, const char *id)
{
    const char *cancelled;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *message =
        take_call(polkit, "CancelCheckAuthorization");

    assert_true(sd_bus_message_read(message, "s", &cancelled) > 0);
    assert_string_equal(cancelled, id);
}

bool polkit_is_idle(struct harness *harness, sd_bus *polkit)
{
    int r;

    /* What the service sent before it answers this is with the bus, then with us. */
    sd_bus_message_unref(call_well(harness, ROOT_PATH, "org.freedesktop.DBus.Peer", "Ping", ""));
    assert_true(sd_bus_call_method(polkit, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus", "GetId", NULL, NULL, "") >= 0);
    do {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        r = sd_bus_process(polkit, &message);
        assert_true(r >= 0);
        if (message && is_call(message))
            return false;
    } while (r > 0);
    return true;
}

void question_end(struct question *question)
{
    sd_bus_message_unref(question->message);
    *question = (struct question){0};
}

void polkit_answer(struct question *question, bool authorized, bool challenge)
{
    assert_true(
        sd_bus_reply_method_return(question->message, "(bba{ss})", authorized, challenge, 0) >= 0);
    assert_true(sd_bus_flush(sd_bus_message_get_bus(question->message)) >= 0);
    question_end(question);
}

void polkit_fail(struct question *question, const char *error)
{
    assert_true(sd_bus_reply_method_errorf(question->message, error, "It cannot be told.") >= 0);
    assert_true(sd_bus_flush(sd_bus_message_get_bus(question->message)) >= 0);
    question_end(question);
}
