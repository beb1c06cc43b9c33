/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/log.h"

static char written[4096];

/* Standard error is a file until end(), which keeps what came. */
static int begin(void)
{
    int saved = dup(STDERR_FILENO), file = memfd_create("stderr", MFD_CLOEXEC);

    assert_true(saved >= 0 && file >= 0);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    close(file);
    return saved;
}

static void end(int saved)
{
    ssize_t n = pread(STDERR_FILENO, written, sizeof(written) - 1, 0);

    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_true(n >= 0);
    written[n] = '\0';
}

static void test_line(void **state)
{
    int saved = begin();

    log_warning("The policy of %s is %d.", "iqn.2024-01.org.example:caf\xc3\xa9", 2);
    end(saved);
    assert_string_equal(written, "<4>The policy of iqn.2024-01.org.example:caf\xc3\xa9 is 2.\n");
}

/* A name is no second line, and no command for the terminal that the journal is read on. */
static void test_forged_line(void **state)
{
    int saved = begin();

    log_error("The policy of %s is live.", "a\n<2>FORGED: \033[2J\r\xe2\x80\xae\xc2\x9b\xff");
    end(saved);
    assert_string_equal(written, "<3>The policy of a?<2>FORGED: ?[2J???? is live.\n");
}

/* Cut in the midst of a character, which journald would keep as a blob that is not shown. */
static void test_long_line(void **state)
{
    char name[3000];
    int saved;

    for (size_t i = 0; i + 2 < sizeof(name); i += 2)
        memcpy(name + i, "\xc3\xa9", 3);
    saved = begin();
    log_info("%s", name);
    end(saved);
    assert_int_equal(strlen(written), strlen("<6>") + 2047 + 1);
    assert_string_equal(written + strlen(written) - 4, "\xc3\xa9?\n");
}

static void test_debug(void **state)
{
    int saved = begin();

    unsetenv("SYSTEMD_LOG_LEVEL");
    log_debug("not said");
    setenv("SYSTEMD_LOG_LEVEL", "debug", 1);
    log_debug("said");
    end(saved);
    assert_string_equal(written, "<7>said\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_forged_line),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_debug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
