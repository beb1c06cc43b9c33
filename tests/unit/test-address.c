/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "basic/macros.h"
#include "iscsi/address.h"

static void test_v4(void **state)
{
    struct ip_address address;

    ip_address_parse("192.0.2.1", &address);
    assert_int_equal(address.type, IP_ADDRESS_V4);
    assert_int_equal(address.v4, 0x010200c0);
    assert_string_equal(address.text, "192.0.2.1");
    assert_false(ip_address_is_link_local(&address));

    ip_address_parse("255.254.253.252", &address);
    assert_int_equal(address.v4, 0xfcfdfeff);
}

/* All of these are one address; the first is how the kernel writes it. */
static void test_v6_spellings(void **state)
{
    static const char *const spellings[] = {
        "2001:0db8:0000:0000:0000:0000:0000:0007",
        "2001:db8::7",
        "2001:DB8:0:0::7",
        "[2001:db8::7]",
        "2001:db8::7%eth0",
    };
    static const uint8_t bytes[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7};

    for (size_t i = 0; i < ELEMENTSOF(spellings); i++) {
        struct ip_address address;
        ip_address_parse(spellings[i], &address);
        assert_int_equal(address.type, IP_ADDRESS_V6);
        assert_memory_equal(address.v6, bytes, sizeof(bytes));
        assert_string_equal(address.text, "2001:db8::7");
        assert_int_equal(address.v4, 0);
        assert_int_equal(address.scope, 0);
    }
}

static void test_link_local(void **state)
{
    static const struct {
        const char *text;
        bool link_local;
    } cases[] = {
        {"fe80::1", true}, {"febf:ffff::1", true}, {"fec0::1", false}, {"fe00::1", false},
        {"::1", false},    {"169.254.0.1", false}, {"fe80", false},    {"", false},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct ip_address address;
        ip_address_parse(cases[i].text, &address);
        assert_int_equal(ip_address_is_link_local(&address), cases[i].link_local);
    }
}

static void test_empty(void **state)
{
    struct ip_address address;

    ip_address_parse(NULL, &address);
    assert_int_equal(address.type, IP_ADDRESS_EMPTY);
    assert_string_equal(address.text, "");
    ip_address_parse("", &address);
    assert_int_equal(address.type, IP_ADDRESS_EMPTY);
}

static void test_names(void **state)
{
    static const char *const names[] = {"array.example", "1.2.3", "1.2.3.4.5", ":", "[::1", "%"};
    struct ip_address address;
    char name[600];

    /* A bracket that is not closed is no reason to refuse an address. */
    for (size_t i = 0; i < ELEMENTSOF(names); i++) {
        ip_address_parse(names[i], &address);
        assert_int_equal(address.type,
                         strcmp(names[i], "[::1") == 0 ? IP_ADDRESS_V6 : IP_ADDRESS_TEXT);
    }

    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    ip_address_parse(name, &address);
    assert_int_equal(address.type, IP_ADDRESS_TEXT);
    assert_int_equal(strlen(address.text), sizeof(address.text) - 1);
}

static void test_equal(void **state)
{
    struct ip_address a, b;

    ip_address_parse("::1", &a);
    ip_address_parse("0000:0000:0000:0000:0000:0000:0000:0001", &b);
    assert_true(ip_address_equal(&a, &b));
    b.scope = 3;
    assert_true(ip_address_equal(&a, &b));
    ip_address_parse("::2", &b);
    assert_false(ip_address_equal(&a, &b));

    ip_address_parse("127.0.0.1", &a);
    assert_false(ip_address_equal(&a, &b));
    ip_address_parse("127.0.0.1", &b);
    assert_true(ip_address_equal(&a, &b));

    /* What is no number is nobody's address. */
    ip_address_parse("name", &a);
    ip_address_parse("name", &b);
    assert_false(ip_address_equal(&a, &b));
    ip_address_parse(NULL, &a);
    ip_address_parse(NULL, &b);
    assert_false(ip_address_equal(&a, &b));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v4),         cmocka_unit_test(test_v6_spellings),
        cmocka_unit_test(test_link_local), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
