/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Some thousand calls of right and wrong types on all that the service has, by
 * tests/guest/hostile/hammer.c: as the service's own user, and as one whom polkit would be asked
 * about. In a guest there are many more, on a real host.
 */

#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS "3000"

static void hammer(struct harness *harness, const char *seed)
{
    const char *program = required_env("HAMMER");
    pid_t service = harness->service_pid;
    int status;

    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("DBUS_SYSTEM_BUS_ADDRESS", harness->address, 1);
        execl(program, program, "--calls", CALLS, "--seed", seed, (char *)NULL);
        _exit(127);
    }
    while (waitpid(pid, &status, WNOHANG) == 0) {
        (void)harness_log(harness); /* the pipe must never be full */
        usleep(20000);
    }
    assert_int_equal(status, 0);

    /* The same service, which still answers. */
    assert_int_equal(harness->service_pid, service);
    assert_int_equal(kill(service, 0), 0);
    assert_int_equal(
        get_number(harness, ROOT_PATH, INTERFACE("Manager"), "DefaultLoadBalancePolicy"), 0);
    _cleanup_free_ char *order =
        get_text(harness, ROOT_PATH, INTERFACE("Manager"), "PathWeightOrder");
    assert_string_equal(order, "lowest-first");
}

static void test_own_user(void **state)
{
    hammer(*state, "1");
}

static void test_another_user(void **state)
{
    struct harness *harness = *state;

    setenv("ISCSI_WMI_ALWAYS_ASK", "1", 1);
    harness_restart(harness);
    unsetenv("ISCSI_WMI_ALWAYS_ASK");
    hammer(harness, "2");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_user),
        cmocka_unit_test(test_another_user),
        cmocka_unit_test(harness_test_clean_end),
    };
    return harness_result(cmocka_run_group_tests(tests, fixture_setup, harness_teardown));
}
