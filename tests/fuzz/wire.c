/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire.h"

#include <sys/socket.h>

#include "fuzz.h"

#define SENDER "com.open_iscsi.WMI1"
#define SIGNAL 4
#define METHOD_RETURN 2
#define NO_REPLY_EXPECTED 1

enum field {
    FIELD_PATH = 1,
    FIELD_INTERFACE = 2,
    FIELD_MEMBER = 3,
    FIELD_REPLY_SERIAL = 5,
    FIELD_SENDER = 7,
    FIELD_SIGNATURE = 8,
};

struct buffer {
    uint8_t bytes[1024 + WIRE_BODY_MAX];
    size_t n;
    bool big_endian;
};

/* --- A message's header ----------------------------------------------------------------------- */

static void put(struct buffer *to, const void *data, size_t size)
{
    CHECK(to->n + size <= sizeof(to->bytes));
    if (size > 0)
        memcpy(to->bytes + to->n, data, size);
    to->n += size;
}

static void align(struct buffer *to, size_t to_what)
{
    while (to->n % to_what != 0)
        put(to, "", 1);
}

static void set_number(struct buffer *to, size_t at, uint32_t number)
{
    for (size_t i = 0; i < 4; i++)
        to->bytes[at + (to->big_endian ? 3 - i : i)] = (uint8_t)(number >> (8 * i));
}

static void put_number(struct buffer *to, uint32_t number)
{
    put(to, "\0\0\0", 4);
    set_number(to, to->n - 4, number);
}

/* A field's code and the signature of its value. */
static void put_field(struct buffer *to, enum field field, char type)
{
    const uint8_t start[] = {(uint8_t)field, 1, (uint8_t)type, 0};

    align(to, 8);
    put(to, start, sizeof(start));
}

static void put_text_field(struct buffer *to, enum field field, char type, const char *text)
{
    put_field(to, field, type);
    put_number(to, (uint32_t)strlen(text));
    put(to, text, strlen(text) + 1);
}

static void put_fields(struct buffer *to, const struct wire_message *message)
{
    const uint8_t length = (uint8_t)strlen(message->signature);

    if (message->member) {
        put_text_field(to, FIELD_PATH, 'o', message->path);
        put_text_field(to, FIELD_INTERFACE, 's', message->interface);
        put_text_field(to, FIELD_MEMBER, 's', message->member);
        put_text_field(to, FIELD_SENDER, 's', SENDER);
    } else {
        put_field(to, FIELD_REPLY_SERIAL, 'u');
        put_number(to, 1);
    }
    put_field(to, FIELD_SIGNATURE, 'g');
    put(to, &length, 1);
    put(to, message->signature, length + 1U);
}

static void put_message(struct buffer *to, const struct wire_message *message)
{
    const uint8_t start[] = {message->big_endian ? 'B' : 'l',
                             message->member ? SIGNAL : METHOD_RETURN, NO_REPLY_EXPECTED, 1};

    CHECK(message->size <= WIRE_BODY_MAX);
    put(to, start, sizeof(start));
    put_number(to, (uint32_t)message->size);
    put_number(to, 1); /* its own number */
    put_number(to, 0); /* length of the fields */
    put_fields(to, message);
    set_number(to, 12, (uint32_t)to->n - 16);
    align(to, 8);
    put(to, message->body, message->size);
}

/* --- The bus ---------------------------------------------------------------------------------- */

/* A server, which needs no answer to what it says when it authenticates who calls. */
void wire_open(struct wire *ret)
{
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    CHECK(sd_bus_new(&ret->bus) >= 0);
    CHECK(sd_bus_set_fd(ret->bus, fds[0], fds[0]) >= 0);
    CHECK(sd_bus_set_server(ret->bus, 1, (sd_id128_t){.bytes = {1}}) >= 0);
    CHECK(sd_bus_set_anonymous(ret->bus, 1) >= 0);
    CHECK(sd_bus_start(ret->bus) >= 0);
    ret->fd = fds[1];
}

void wire_close(struct wire *wire)
{
    sd_bus_close(wire->bus);
    sd_bus_unref(wire->bus);
    close(wire->fd);
}

void wire_write(const struct wire *wire, const struct wire_message *message)
{
    static const char hello[] = "\0AUTH ANONYMOUS\r\nBEGIN\r\n";
    struct buffer buffer = {.big_endian = message->big_endian};

    CHECK(send(wire->fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL) == sizeof(hello) - 1);
    put_message(&buffer, message);
    CHECK(send(wire->fd, buffer.bytes, buffer.n, MSG_NOSIGNAL) == (ssize_t)buffer.n);
    CHECK(shutdown(wire->fd, SHUT_WR) == 0);
}

sd_bus_message *wire_receive(const struct wire *wire)
{
    sd_bus_message *message = NULL;
    int r;

    do
        r = sd_bus_process(wire->bus, &message);
    while (r > 0 && !message);
    return message;
}
