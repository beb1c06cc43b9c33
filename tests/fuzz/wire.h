/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * D-Bus messages of which the body is the fuzzer's: a bus whose other end is a socket, into which
 * each message is written as it stands on the wire. The bodies come as sd-bus has them from a
 * daemon that checks nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

struct wire {
    sd_bus *bus;
    int fd; /* the other end */
};

struct wire_message {
    bool big_endian;
    const char *member;    /* of a signal; NULL: it is the answer to the first call of the bus */
    const char *path;      /* of a signal */
    const char *interface; /* of a signal */
    const char *signature;
    const uint8_t *body;
    size_t size;
};

/* The longest body that a message here can have. */
#define WIRE_BODY_MAX 16384U

void wire_open(struct wire *ret);
void wire_close(struct wire *wire);

/* Writes one message, and the end of all of them. */
void wire_write(const struct wire *wire, const struct wire_message *message);

/* The message that was written, sealed; NULL: sd-bus does not take it. */
sd_bus_message *wire_receive(const struct wire *wire);
