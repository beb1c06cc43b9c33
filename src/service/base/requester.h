/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

/* Who asked. */
struct requester {
    uid_t uid; /* -1: not known */
    pid_t pid;
    char name[32]; /* of the process */
};
