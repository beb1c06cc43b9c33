/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the service understands of configurations, printed as multipathd prints its own: for
 * compare.py. Arguments: multipathd's version as a number, and the file with what it says of no
 * configuration at all. On standard input comes one configuration after the other: the number of
 * its files, and of each "m" for a main file or "-", its size and its name in a line, and then its
 * text.
 */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/fileio.h"
#include "basic/macros.h"
#include "plan/mpath-conf.h"

#define FILE_MAX (1024U * 1024U)

static void print_value(enum mpath_keyword keyword, const struct mpath_value *value)
{
    if (!value->text)
        return;
    printf("\t\t%s \"", mpath_keyword_name(keyword));
    for (const char *at = value->text; *at; at++)
        printf("%s%c", *at == '"' ? "\"" : "", *at);
    printf("\"\n");
}

static void print_section(const char *indent, const char *name, const struct mpath_value *values)
{
    printf("%s%s {\n", indent, name);
    for (size_t i = 0; i < N_MPATH_KEYWORDS; i++)
        print_value((enum mpath_keyword)i, &values[i]);
    printf("%s}\n", indent);
}

static void print(const struct mpath_conf *conf)
{
    struct mpath_refusal refusal;

    if (mpath_conf_refusal(conf, &refusal) > 0)
        printf("refused %s %u %s\n", refusal.file, refusal.line, refusal.keyword);
    print_section("", "defaults", mpath_conf_default(conf, 0));
    printf("devices {\n");
    for (size_t i = 0; i < mpath_conf_n_devices(conf); i++)
        print_section("\t", "device", mpath_conf_device(conf, i));
    printf("}\n");
    print_section("", "overrides", mpath_conf_override(conf, 0));
    printf("multipaths {\n");
    for (size_t i = 0; i < mpath_conf_n_multipaths(conf); i++)
        print_section("\t", "multipath", mpath_conf_multipath_at(conf, i));
    printf("}\nend\n");
    fflush(stdout);
}

static void read_file(struct mpath_conf *conf)
{
    char name[256], place;
    size_t size;

    if (scanf(" %c %zu %255s", &place, &size, name) != 3 || getchar() != '\n' || size > FILE_MAX)
        errx(EXIT_FAILURE, "a file is not announced as it should be");
    _cleanup_free_ char *text = malloc(size + 1);
    if (!text || fread(text, 1, size, stdin) != size ||
        mpath_conf_read(conf, name, place == 'm', text, size) < 0)
        errx(EXIT_FAILURE, "%s cannot be read", name);
}

int main(int argc, char **argv)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_(mpath_conf_freep) struct mpath_conf *shown = NULL;
    size_t n_files;

    if (argc != 3 || read_text(argv[2], FILE_MAX, &text) < 0 ||
        mpath_conf_shown((unsigned)atoi(argv[1]), text, &shown) < 0)
        errx(EXIT_FAILURE, "usage: %s VERSION FILE", argv[0]);
    while (scanf(" %zu", &n_files) == 1) {
        _cleanup_(mpath_conf_freep) struct mpath_conf *conf = NULL;

        if (mpath_conf_new(mpath_conf_release(shown), &conf) < 0 ||
            mpath_conf_read(conf, "built-in", false, text, strlen(text)) < 0)
            errx(EXIT_FAILURE, "no memory");
        for (size_t i = 0; i < n_files; i++)
            read_file(conf);
        print(conf);
    }
    return EXIT_SUCCESS;
}
