/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/macros.h"
#include "iscsi/statistics.h"
#include "service/jobs/statistics.h"

/* As iscsiadm 2.1.8 and later print it. */
#define SESSION(sid, tx, rx, commands, tasks, responses, answers)                                  \
    "Stats for session [sid: " sid ", target: iqn.2024-01.org.example:disks, portal: "             \
    "127.0.0.2,3260]\n"                                                                            \
    "iSCSI SNMP:\n"                                                                                \
    "\ttxdata_octets: " tx "\n\trxdata_octets: " rx "\n"                                           \
    "\tnoptx_pdus: 91\n\tscsicmd_pdus: " commands "\n\ttmfcmd_pdus: " tasks "\n"                   \
    "\tlogin_pdus: 0\n\ttext_pdus: 0\n\tdataout_pdus: 92\n\tlogout_pdus: 0\n\tsnack_pdus: 0\n"     \
    "\tnoprx_pdus: 93\n\tscsirsp_pdus: " responses "\n\ttmfrsp_pdus: " answers "\n"                \
    "\ttextrsp_pdus: 0\n\tdatain_pdus: 94\n\tlogoutrsp_pdus: 0\n\tr2t_pdus: 95\n"                  \
    "\tasync_pdus: 0\n\trjt_pdus: 0\n\tdigest_err: 0\n\ttimeout_err: 0\n"                          \
    "iSCSI Extended:\n"                                                                            \
    "\ttx_sendpage_failures: 0\n\trx_discontiguous_hdr: 0\n\teh_abort_cnt: 0\n"

#define TWO_SESSIONS                                                                               \
    SESSION("1", "18446744073709551615", "2", "4294967295", "3", "4", "15")                        \
    SESSION("17", "10", "20", "30", "0", "40", "0")

static void test_two_sessions(void **state)
{
    _cleanup_free_ struct iscsi_statistics *list = NULL;
    size_t n = 0;

    assert_int_equal(statistics_parse(TWO_SESSIONS, strlen(TWO_SESSIONS), &list, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(list[0].sid, 1);
    assert_true(list[0].bytes_sent == UINT64_MAX);
    assert_int_equal(list[0].bytes_received, 2);
    assert_true(list[0].commands_sent == UINT64_C(4294967298));
    assert_int_equal(list[0].responses_received, 19);
    assert_int_equal(list[1].sid, 17);
    assert_int_equal(list[1].bytes_sent, 10);
    assert_int_equal(list[1].bytes_received, 20);
    assert_int_equal(list[1].commands_sent, 30);
    assert_int_equal(list[1].responses_received, 40);
}

/* Cut off anywhere, only whole sessions are told. */
static void test_cut_off(void **state)
{
    for (size_t size = 0; size < strlen(TWO_SESSIONS); size++) {
        _cleanup_free_ struct iscsi_statistics *list = NULL;
        _cleanup_free_ char *text = malloc(size + 1);
        size_t n = 3;
        assert_non_null(text);
        memcpy(text, TWO_SESSIONS, size);
        assert_int_equal(statistics_parse(text, size, &list, &n), 0);
        assert_true(n <= 2);
        if (n > 0)
            assert_int_equal(list[0].responses_received, 19);
    }
}

static void test_other_text(void **state)
{
    static const char *const texts[] = {
        "",
        "iscsiadm: No active sessions.\n",
        ("\ttxdata_octets: 1\n\trxdata_octets: 2\n\tscsicmd_pdus: 3\n\ttmfcmd_pdus: 4\n"
         "\tscsirsp_pdus: 5\n\ttmfrsp_pdus: 6\n"),
        "Stats for session [sid: x, target: y]\n\ttxdata_octets: 1\n",
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        _cleanup_free_ struct iscsi_statistics *list = NULL;
        size_t n = 1;
        assert_int_equal(statistics_parse(texts[i], strlen(texts[i]), &list, &n), 0);
        assert_int_equal(n, 0);
    }
}

/* The linker hands the reader's call to this one: it says how often it has been called. */
int __wrap_statistics_exec(int fd);
static unsigned n_done_before_fork;

int __wrap_statistics_exec(int fd)
{
    char text[] = SESSION("1", "0", "2", "3", "0", "4", "0");
    char *digit = strstr(text, "txdata_octets: ") + strlen("txdata_octets: ");
    *digit = (char)('0' + n_done_before_fork);
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : EIO;
}

struct fixture {
    struct host host;
    unsigned n_done;
    int error;
    uint64_t last;
};

static int setup(void **state)
{
    sigset_t signals;
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    assert_int_equal(sigprocmask(SIG_BLOCK, &signals, NULL), 0);
    assert_true(sd_event_new(&fixture->host.event) >= 0);
    n_done_before_fork = 0;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    statistics_free(&fixture->host);
    sd_event_unref(fixture->host.event);
    free(fixture);
    return 0;
}

static void on_done(int error, const struct iscsi_statistics *counted, void *userdata)
{
    struct fixture *fixture = userdata;

    fixture->n_done++;
    fixture->error = error;
    n_done_before_fork = fixture->n_done;
    assert_int_equal(counted != NULL, error == 0);
    if (counted)
        fixture->last = counted->bytes_sent;
}

static void begin_read(struct fixture *fixture, uint32_t sid)
{
    assert_int_equal(statistics_read(&fixture->host, sid, on_done, fixture), 0);
}

static void run_until(struct fixture *fixture, unsigned n_done)
{
    while (fixture->n_done < n_done)
        assert_true(sd_event_run(fixture->host.event, 60U * 1000000U) > 0);
}

/* The first has a child, in which those share that come while it runs. */
static void test_shared(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned i = 0; i < 5; i++)
        begin_read(fixture, 1);
    assert_int_equal(fixture->n_done, 0);
    run_until(fixture, 5);
    assert_int_equal(fixture->last, 0);
    assert_int_equal(fixture->error, 0);
}

/* However many ask: of a session that was not read, and may have come since, too. */
static void test_once_in_a_time(void **state)
{
    struct fixture *fixture = *state;

    begin_read(fixture, 1);
    run_until(fixture, 1);
    uint64_t read_usec = monotonic_usec();
    for (unsigned i = 2; i < 6; i++) {
        begin_read(fixture, 1);
        assert_int_equal(fixture->n_done, i);
        assert_int_equal(fixture->last, 0);
    }
    begin_read(fixture, 2);
    assert_int_equal(fixture->n_done, 5);
    run_until(fixture, 6);
    assert_int_equal(fixture->error, -ENODATA);
    assert_true(monotonic_usec() - read_usec > STATISTICS_KEPT_USEC / 2);
    begin_read(fixture, 1);
    assert_int_equal(fixture->n_done, 7);
    assert_int_equal(fixture->last, 5); /* as read by the second child */
}

/* Who has gone is told so at once; the others hear what they have asked for. */
static void test_cancel_one(void **state)
{
    struct fixture *fixture = *state;
    static struct fixture others[2];

    assert_int_equal(statistics_read(&fixture->host, 1, on_done, &others[0]), 0);
    begin_read(fixture, 1);
    assert_int_equal(statistics_read(&fixture->host, 1, on_done, &others[1]), 0);
    statistics_cancel(&fixture->host, &others[0]);
    statistics_cancel(&fixture->host, &others[1]);
    statistics_cancel(&fixture->host, &others[1]); /* it does not wait any more */
    for (size_t i = 0; i < ELEMENTSOF(others); i++) {
        assert_int_equal(others[i].n_done, 1);
        assert_int_equal(others[i].error, -ECANCELED);
    }
    assert_int_equal(fixture->n_done, 0);
    run_until(fixture, 1);
    assert_int_equal(fixture->error, 0);
}

static void test_cancel(void **state)
{
    struct fixture *fixture = *state;

    begin_read(fixture, 1);
    begin_read(fixture, 1);
    statistics_cancel_all(&fixture->host);
    assert_int_equal(fixture->n_done, 2);
    assert_int_equal(fixture->error, -ECANCELED);

    /* The child that nobody waits for is no hindrance. */
    begin_read(fixture, 1);
    run_until(fixture, 3);
    assert_int_equal(fixture->error, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_sessions),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_other_text),
        cmocka_unit_test_setup_teardown(test_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_once_in_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
