/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A stand-in for polkit on the test's bus, in the test's own process: it takes a question, looks at
 * it, and answers when and as it likes.
 */

#include "harness.h"

/* Connects, and owns polkit's name. */
sd_bus *polkit_start(const struct harness *harness);

/* Goes, whatever is still asked. */
void polkit_stop(sd_bus *polkit);

/* A CheckAuthorization that has come; the texts are the message's. */
struct question {
    sd_bus_message *message;
    const char *caller; /* unique name on the bus */
    const char *action;
    char details[512]; /* "key=value\n", as they came */
    uint32_t flags;
    const char *id;
};

/* Waits for the next. */
void polkit_take(sd_bus *polkit, struct question *ret);

/* Waits for CancelCheckAuthorization, of that question. */
void polkit_take_cancel(sd_bus *polkit, const char *id);

/* Whether no message has come; what the service has done so far, it has said. */
bool polkit_is_idle(struct harness *harness, sd_bus *polkit);

/* Ends the question. */
void polkit_answer(struct question *question, bool authorized, bool challenge);
void polkit_fail(struct question *question, const char *error);
void question_end(struct question *question);
