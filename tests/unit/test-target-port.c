/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "basic/macros.h"
#include "iscsi/disk.h"
#include "iscsi/target-port.h"
#include "prng.h"

/* A page as the kernel's own target makes it, but for its shorter names. */
static const uint8_t lio[] = {
    0x00, 0x83, 0x00, 0x30, /* 48 bytes follow */
    0x01, 0x03, 0x00, 0x08, 0x60, 0x01, 0x40, 0x51,
    0xab, 0,    0,    0,                            /* NAA, of the LUN */
    0x51, 0x94, 0x00, 0x04, 0x00, 0x00, 0x01, 0x02, /* relative target port 0x102 */
    0x51, 0x95, 0x00, 0x04, 0x00, 0x00, 0xa0, 0x07, /* target port group 0xa007 */
    0x51, 0x96, 0x00, 0x04, 0x00, 0x00, 0x00, 0x09, /* logical unit group 9 */
    0x53, 0xa8, 0x00, 0x08, 'i',  'q',  'n',  '.',
    'a',  ':',  'b',  0, /* name of the target device */
};

static void assert_ids(const uint8_t *page, size_t size, uint16_t group, uint32_t port)
{
    /* A copy that ends where it ends: a byte too much is found. */
    uint8_t *copy = malloc(size + !size);
    uint16_t found_group = 1;
    uint32_t found_port = 1;

    assert_non_null(copy);
    memcpy(copy, page, size);
    target_port_ids(copy, size, &found_group, &found_port);
    free(copy);
    assert_int_equal(found_group, group);
    assert_int_equal(found_port, port);
}

static void test_ids(void **state)
{
    assert_int_equal(sizeof(lio), 4 + 0x30);
    assert_ids(lio, sizeof(lio), 0xa007, 0x102);
}

/* What is whole in a page that is cut short counts. */
static void test_short_pages(void **state)
{
    for (size_t size = 0; size <= sizeof(lio); size++)
        assert_ids(lio, size, size >= 32 ? 0xa007 : 0, size >= 24 ? 0x102 : 0);
}

/* The page's own length ends it, too. */
static void test_page_length(void **state)
{
    uint8_t page[sizeof(lio)];

    for (uint8_t length = 0; length <= 0x30; length++) {
        memcpy(page, lio, sizeof(page));
        page[3] = length;
        assert_ids(page, sizeof(page), length >= 28 ? 0xa007 : 0, length >= 20 ? 0x102 : 0);
    }
    page[2] = page[3] = 0xff; /* more than there is */
    assert_ids(page, sizeof(page), 0xa007, 0x102);
}

static void test_other_pages(void **state)
{
    uint8_t page[sizeof(lio)];

    memcpy(page, lio, sizeof(page));
    page[1] = 0x80;
    assert_ids(page, sizeof(page), 0, 0);
    /* Designators of those types that are the LUN's, or the target device's. */
    memcpy(page, lio, sizeof(page));
    page[17] = 0x84;
    page[25] = 0xa5;
    assert_ids(page, sizeof(page), 0, 0);
    /* Ones that are too short for their number. */
    memcpy(page, lio, sizeof(page));
    page[19] = 3;
    assert_ids(page, 24, 0, 0);
}

static void test_noise(void **state)
{
    struct prng prng = {11};

    for (int i = 0; i < 20000; i++) {
        size_t size = prng_below(&prng, 64);
        uint8_t *page = malloc(size + 1);
        uint16_t group;
        uint32_t port;

        assert_non_null(page);
        for (size_t k = 0; k < size; k++)
            page[k] = (uint8_t)(k == 1 ? 0x83 : k == 2 ? 0 : prng_below(&prng, k % 4 ? 12 : 256));
        page = realloc(page, size + !size);
        target_port_ids(page, size, &group, &port);
        assert_true(port <= UINT16_MAX);
        free(page);
    }
}

static void test_states(void **state)
{
    assert_int_equal(target_port_state("active/optimized"), DSM_ACTIVE_OPTIMIZED);
    assert_int_equal(target_port_state("active/non-optimized"), DSM_ACTIVE_UNOPTIMIZED);
    assert_int_equal(target_port_state("standby"), DSM_STANDBY);
    assert_int_equal(target_port_state("unavailable"), DSM_UNAVAILABLE);
    assert_int_equal(target_port_state("transitioning"), DSM_UNAVAILABLE);
    assert_int_equal(target_port_state("offline"), DSM_UNAVAILABLE);
    assert_int_equal(target_port_state("lba-dependent"), DSM_UNAVAILABLE);
    assert_int_equal(target_port_state(""), DSM_STATE_NOT_USED);
    assert_int_equal(target_port_state("active"), DSM_STATE_NOT_USED);
    assert_int_equal(target_port_state(NULL), DSM_STATE_NOT_USED);
}

static void test_alua(void **state)
{
    uint8_t inquiry[36] = {0};

    for (unsigned tpgs = 0; tpgs < 4; tpgs++) {
        inquiry[5] = (uint8_t)(0x8f | tpgs << 4);
        assert_int_equal(target_port_alua(inquiry, sizeof(inquiry)), (enum dsm_alua)tpgs);
        assert_int_equal(target_port_alua(inquiry, 6), (enum dsm_alua)tpgs);
        assert_int_equal(target_port_alua(inquiry, 5), DSM_ALUA_NONE);
    }
    assert_int_equal(target_port_alua(inquiry, 0), DSM_ALUA_NONE);
}

/* Nor does one say anything that cannot be read for want of a descriptor: that is no state. */
static void test_no_descriptor(void **state)
{
    struct scsi_disk disk;
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int of_handler = target_port_is_followed(0), of_disk = scsi_disk_read(0, &disk);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(of_handler, -EMFILE);
    assert_int_equal(of_disk, -EMFILE);
}

/* A device that is not there says nothing. */
static void test_no_device(void **state)
{
    struct target_port port = {.group = 5};

    target_port_read(0, &port);
    assert_int_equal(port.state, DSM_STATE_NOT_USED);
    assert_int_equal(port.alua, DSM_ALUA_NONE);
    assert_int_equal(port.group, 0);
    assert_int_equal(port.port, 0);
    assert_false(port.preferred);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),           cmocka_unit_test(test_short_pages),
        cmocka_unit_test(test_page_length),   cmocka_unit_test(test_other_pages),
        cmocka_unit_test(test_noise),         cmocka_unit_test(test_states),
        cmocka_unit_test(test_alua),          cmocka_unit_test(test_no_device),
        cmocka_unit_test(test_no_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
