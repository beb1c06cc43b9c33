/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "basic/macros.h"
#include "iscsi/initiator-name.h"

/* As iscsiadm and iscsid read them. */
static void test_files(void **state)
{
    static const struct {
        const char *text;
        const char *name; /* NULL: none */
    } cases[] = {
        {"", NULL},
        {"InitiatorName=iqn.a\n", "iqn.a"},
        {"InitiatorName=iqn.a", "iqn.a"}, /* without a line's end */
        {"  InitiatorName \t=  iqn.a \t\r\n", "iqn.a"},
        {"InitiatorName = iqn.2019-11.com.example: one\n", "iqn.2019-11.com.example: one"},
        {"InitiatorName=iqn.x # host1\n", "iqn.x # host1"},
        {"\xef\xbb\xbfInitiatorName=iqn.a\n", "iqn.a"}, /* a byte-order mark */
        {"## InitiatorName=iqn.no\n#InitiatorName=iqn.no\nInitiatorName=iqn.a\n", "iqn.a"},
        {"InitiatorAlias=iqn.no\nInitiatorName=iqn.a\nInitiatorName=iqn.no\n", "iqn.a"},
        {"InitiatorName\nInitiatorName=\nInitiatorName=  \nInitiatorName=iqn.a\n", "iqn.a"},
        {"GenerateName=yes\n", NULL},
        {"InitiatorName=iqn.a=b\n", "iqn.a=b"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_fclose_ FILE *file = tmpfile();
        _cleanup_free_ char *name = NULL;

        assert_non_null(file);
        fputs(cases[i].text, file);
        rewind(file);
        assert_int_equal(initiator_name_parse(file, &name), cases[i].name ? 0 : -ENOENT);
        if (cases[i].name)
            assert_string_equal(name, cases[i].name);
    }
}

/* One that no answer can carry. */
static void test_bytes(void **state)
{
    _cleanup_fclose_ FILE *file = tmpfile();
    static char untouched[] = "untouched";
    char *name = untouched;

    assert_non_null(file);
    fputs("InitiatorName=iqn.\xff\n", file);
    rewind(file);
    assert_int_equal(initiator_name_parse(file, &name), -EILSEQ);
    assert_ptr_equal(name, untouched);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
