/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "basic/macros.h"
#include "basic/sanitize.h"
#include "prng.h"

#define LAST_CODE 0x10ffffU

static const enum sink sinks[] = {
    SINK_BUS,  SINK_TERMINAL, SINK_JOURNAL,        SINK_COMPLETION,
    SINK_JSON, SINK_POLKIT,   SINK_MULTIPATH_CONF, SINK_METRIC_LABEL,
};

static void assert_made(enum sink sink, const char *text, const char *expected)
{
    char copy[512];

    snprintf(copy, sizeof(copy), "%s", text);
    assert_int_equal(sink_takes(sink, text), strcmp(text, expected) == 0);
    assert_string_equal(sanitize(copy, sink), expected);
    assert_true(sink_takes(sink, copy));
}

static void assert_made_everywhere(const char *text, const char *expected)
{
    for (size_t i = 0; i < ELEMENTSOF(sinks); i++)
        assert_made(sinks[i], text, expected);
}

/* As the bus takes it; everywhere else it is replaced. */
static void assert_hidden(const char *text, const char *expected)
{
    assert_made(SINK_BUS, text, text);
    for (size_t i = 1; i < ELEMENTSOF(sinks); i++)
        assert_made(sinks[i], text, expected);
}

static void test_characters(void **state)
{
    assert_null(sanitize(NULL, SINK_TERMINAL));
    assert_made_everywhere("", "");
    assert_made_everywhere("iqn.2024-01.org.example:disks", "iqn.2024-01.org.example:disks");
    assert_made_everywhere("caf\xc3\xa9", "caf\xc3\xa9");
    assert_made_everywhere("\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80");
    assert_made_everywhere("\xef\xbf\xbd", "\xef\xbf\xbd"); /* the last one before noncharacters */
}

static void test_bytes(void **state)
{
    assert_made_everywhere("caf\xe9", "caf?");
    assert_made_everywhere("a\xff\xfe z", "a?? z");
    assert_made_everywhere("\x80\x9b", "??");
    assert_made_everywhere("cut \xe2\x82", "cut ??");
    assert_made_everywhere("\xc0\xaf", "??");           /* longer than it needs to be */
    assert_made_everywhere("\xe0\x9f\xbf", "???");      /* likewise */
    assert_made_everywhere("\xed\xa0\x80", "???");      /* a surrogate */
    assert_made_everywhere("\xf4\x90\x80\x80", "????"); /* past the end */
    assert_made_everywhere("\xef\xb7\x90", "???");      /* U+FDD0 */
    assert_made_everywhere("\xef\xbf\xbe", "???");      /* U+FFFE */
    assert_made_everywhere("\xf4\x8f\xbf\xbf", "????"); /* U+10FFFF */
    assert_made_everywhere("\xc3(\xc3\xa9", "?(\xc3\xa9");
}

static void test_unseen(void **state)
{
    assert_hidden("a\033[2Jb\177", "a?[2Jb?");
    assert_hidden("a\rb\tc", "a?b?c");
    assert_hidden("a\xc2\x9b"
                  "2Jb",
                  "a?2Jb");                             /* U+009B: CSI in one character */
    assert_hidden("a\xe2\x80\xaetxt.exe", "a?txt.exe"); /* U+202E */
    assert_hidden("\xe2\x81\xa6x\xe2\x81\xa9", "?x?");  /* U+2066, U+2069 */
    assert_hidden("\xe2\x80\x8e\xe2\x80\x8f", "??");    /* U+200E, U+200F */
    assert_hidden("\xd8\x9c", "?");                     /* U+061C */
    assert_hidden("a\xe2\x80\xa8"
                  "b\xe2\x80\xa9",
                  "a?b?"); /* U+2028, U+2029 */
    assert_hidden("a\xe2\x80\x8b"
                  "b\xf3\xa0\x81\x81",
                  "a?b?"); /* zero width, and a tag */
}

/* What means something in one place is a character in the others. */
static void test_reserved(void **state)
{
    static const char text[] = "a\nb <b>&\"\\";

    assert_made(SINK_BUS, text, text);
    assert_made(SINK_TERMINAL, text, "a?b <b>&\"\\");
    assert_made(SINK_JOURNAL, text, "a?b <b>&\"\\");
    assert_made(SINK_COMPLETION, text, "a?b <b>&\"\\");
    assert_made(SINK_JSON, text, text);
    assert_made(SINK_POLKIT, text, "a?b ?b??\"\\");
    assert_made(SINK_MULTIPATH_CONF, text, "a?b <b>&?\\");
    assert_made(SINK_METRIC_LABEL, text, "a?b <b>&??");
}

static void test_length(void **state)
{
    char text[225], expected[225];

    memset(text, 'a', sizeof(text));
    text[223] = '\0';
    assert_made_everywhere(text, text);
    strcpy(text + 223, "b");
    memcpy(expected, text, 222);
    strcpy(expected + 222, "?");
    assert_made(SINK_TERMINAL, text, text);
    assert_made(SINK_POLKIT, text, expected);
    memcpy(text + 220, "\xf0\x9f\x98\x80", 4); /* is not cut in its midst */
    strcpy(expected + 220, "?");
    assert_made(SINK_POLKIT, text, expected);
}

/* ---- against sd-bus ---- */

struct bus {
    sd_bus *bus;
    int fd;
};

static void bus_open(struct bus *ret)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    ret->fd = fds[1];
    assert_true(sd_bus_new(&ret->bus) >= 0);
    assert_true(sd_bus_set_fd(ret->bus, fds[0], fds[0]) >= 0);
    assert_true(sd_bus_start(ret->bus) >= 0);
}

static void bus_close(struct bus *bus)
{
    sd_bus_close_unref(bus->bus);
    close(bus->fd);
}

static sd_bus_message *new_texts(const struct bus *bus)
{
    sd_bus_message *message;

    assert_true(sd_bus_message_new_signal(bus->bus, &message, "/", "a.b", "c") >= 0);
    assert_true(sd_bus_message_open_container(message, 'a', "s") >= 0);
    return message;
}

static bool bus_takes(sd_bus_message *message, const char *text)
{
    int r = sd_bus_message_append_basic(message, 's', text);

    assert_true(r >= 0 || r == -EINVAL);
    return r >= 0;
}

/* As UTF-8 would have it, surrogates too. */
static void encode(uint32_t code, char ret[5])
{
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (size_t i = length; i > 1; i--, code >>= 6)
        ret[i - 1] = (char)(0x80 | (code & 0x3f));
    ret[0] = (char)(marks[length] | code);
    ret[length] = '\0';
}

static void test_all_code_points(void **state)
{
    struct bus bus;
    sd_bus_message *message;
    size_t n_taken = 0;

    bus_open(&bus);
    message = new_texts(&bus);
    for (uint32_t code = 1; code <= LAST_CODE + 0x10000; code++) {
        char text[5];
        bool taken;

        encode(code, text);
        taken = bus_takes(message, text);
        n_taken += taken;
        if (sink_takes(SINK_BUS, text) != taken)
            fail_msg("sd-bus %s U+%04X", taken ? "takes" : "does not take", code);
        for (size_t i = 0; i < ELEMENTSOF(sinks); i++)
            assert_true(taken || !sink_takes(sinks[i], text));
        assert_true(bus_takes(message, sanitize(text, SINK_BUS)));
    }
    /* All but NUL, 2,048 surrogates and 66 noncharacters. */
    assert_int_equal(n_taken, LAST_CODE - 2048 - 66);
    sd_bus_message_unref(message);
    bus_close(&bus);
}

/* Bytes that are hardly ever characters, and halves of such. */
static void test_random_bytes(void **state)
{
    static const uint8_t bytes[] = {'a',  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbe,
                                    0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0,
                                    0xf4, 0xf5, 0xf8, 0xfc, 0xfe, 0xff};
    struct prng prng = {16};
    struct bus bus;
    sd_bus_message *message;

    bus_open(&bus);
    message = new_texts(&bus);
    for (unsigned i = 0; i < 200000; i++) {
        char text[7] = "";
        size_t n = 1 + prng_below(&prng, 6);

        for (size_t j = 0; j < n; j++)
            text[j] = (char)bytes[prng_below(&prng, sizeof(bytes))];
        assert_int_equal(sink_takes(SINK_BUS, text), bus_takes(message, text));
        assert_true(bus_takes(message, sanitize(text, SINK_BUS)));
    }
    sd_bus_message_unref(message);
    bus_close(&bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),   cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_unseen),       cmocka_unit_test(test_reserved),
        cmocka_unit_test(test_length),       cmocka_unit_test(test_all_code_points),
        cmocka_unit_test(test_random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
