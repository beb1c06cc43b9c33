/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * multipathd's configuration, of files in the order of reading, by one of the releases: the first
 * byte says which, a record separator is between two files. What comes out is in order, stands
 * where it says, and means the same when it is printed and read again.
 */

#include "fuzz.h"
#include "plan/mpath-conf.h"

#define SEPARATOR '\x1e'
#define LINE_MAX_LENGTH 1023U
#define FILES_MAX 8U

static const unsigned releases[] = {805, 904, 1101, 1501};

struct file {
    char name[8];
    const char *text;
    size_t size;
};

static unsigned count_lines(const struct file *file)
{
    unsigned n = 1;

    for (size_t i = 0; i < file->size; i++)
        n += file->text[i] == '\n';
    return n;
}

static void check_place(const struct file *files, size_t n, const char *name, unsigned line,
                        const char *keyword)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(files[i].name, name) != 0)
            continue;
        CHECK(line >= 1 && line <= count_lines(&files[i]));
        CHECK(memmem(files[i].text, files[i].size, keyword, strlen(keyword)));
        return;
    }
    CHECK(!"the file of a value");
}

static void check_values(const struct mpath_value *values, const struct file *files, size_t n)
{
    for (enum mpath_keyword i = 0; i < N_MPATH_KEYWORDS; i++)
        if (values[i].text)
            check_place(files, n, values[i].file, values[i].line, mpath_keyword_name(i));
}

static void check_multipaths(const struct mpath_conf *conf, const struct file *files, size_t n)
{
    const char *before = NULL;

    for (size_t i = 0; i < mpath_conf_n_multipaths(conf); i++) {
        const struct mpath_value *values = mpath_conf_multipath_at(conf, i);
        const char *wwid = values[MPATH_WWID].text;

        CHECK(wwid && (!before || strcmp(before, wwid) < 0));
        CHECK(mpath_conf_multipath(conf, wwid) == values);
        check_values(values, files, n);
        before = wwid;
    }
}

static void check_devices(const struct mpath_conf *conf, const struct file *files, size_t n)
{
    for (size_t i = 0; i < mpath_conf_n_devices(conf); i++) {
        const struct mpath_value *values = mpath_conf_device(conf, i);
        int any = mpath_device_matches(values, NULL, NULL);
        int one = mpath_device_matches(values, "LIO-ORG ", "lun0            ");

        CHECK(values[MPATH_VENDOR].text && values[MPATH_PRODUCT].text);
        CHECK(any == 1 && (one == 0 || one == 1));
        check_values(values, files, n);
    }
}

/* --- Printing ------------------------------------------------------------------------------- */

static void print_section(FILE *out, const char *name, const struct mpath_value *values)
{
    fprintf(out, "%s {\n", name);
    for (enum mpath_keyword i = 0; i < N_MPATH_KEYWORDS; i++) {
        if (!values[i].text)
            continue;
        fprintf(out, "%s \"", mpath_keyword_name(i));
        for (const char *at = values[i].text; *at; at++)
            fprintf(out, "%s%c", *at == '"' ? "\"" : "", *at);
        fputs("\"\n", out);
    }
    fputs("}\n", out);
}

static char *print(const struct mpath_conf *conf)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    CHECK(out);
    print_section(out, "defaults", mpath_conf_default(conf, 0));
    print_section(out, "overrides", mpath_conf_override(conf, 0));
    fputs("devices {\n", out);
    for (size_t i = 0; i < mpath_conf_n_devices(conf); i++)
        print_section(out, "device", mpath_conf_device(conf, i));
    fputs("}\nmultipaths {\n", out);
    for (size_t i = 0; i < mpath_conf_n_multipaths(conf); i++)
        print_section(out, "multipath", mpath_conf_multipath_at(conf, i));
    fputs("}\n", out);
    CHECK(fclose(out) == 0);
    return text;
}

static bool lines_fit(const char *text)
{
    for (size_t length; *text; text += length + 1) {
        length = strcspn(text, "\n");
        if (length > LINE_MAX_LENGTH)
            return false;
    }
    return true;
}

static void check_printed(const struct mpath_conf *conf)
{
    _cleanup_(mpath_conf_freep) struct mpath_conf *again = NULL;
    _cleanup_free_ char *text = print(conf), *text_again = NULL;

    /* What old releases print of this they do not read. */
    if (!lines_fit(text) ||
        (!mpath_conf_release(conf)->keeps_values && strstr(text, "marginal_pathgroups")))
        return;
    CHECK(mpath_conf_new(mpath_conf_release(conf), &again) == 0);
    CHECK(mpath_conf_read(again, "again", false, text, strlen(text)) == 0);
    text_again = print(again);
    CHECK(strcmp(text, text_again) == 0);
}

/* --- Reading -------------------------------------------------------------------------------- */

static size_t split(const char *text, size_t size, struct file files[FILES_MAX])
{
    size_t n = 0;

    for (const char *at = text, *end = text + size; n < FILES_MAX; n++) {
        const char *stop = at < end ? memchr(at, SEPARATOR, (size_t)(end - at)) : NULL;

        if (!stop || n + 1 == FILES_MAX)
            stop = end;
        files[n].text = at;
        files[n].size = (size_t)(stop - at);
        snprintf(files[n].name, sizeof(files[n].name), "%zu", n);
        if (stop == end)
            return n + 1;
        at = stop + 1;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = NULL;
    struct mpath_release release;
    struct mpath_refusal refusal;
    struct file files[FILES_MAX];
    size_t n;

    if (size == 0)
        return 0;
    release = mpath_release_of(releases[data[0] % ELEMENTSOF(releases)]);
    _cleanup_free_ char *text = fuzz_text(data + 1, size - 1); /* ends with the input, for ASan */
    n = split(text, size - 1, files);
    CHECK(mpath_conf_new(&release, &conf) == 0);
    for (size_t i = 0; i < n; i++)
        CHECK(mpath_conf_read(conf, files[i].name, i == 0, files[i].text, files[i].size) == 0);

    check_values(mpath_conf_default(conf, 0), files, n);
    check_values(mpath_conf_override(conf, 0), files, n);
    check_multipaths(conf, files, n);
    check_devices(conf, files, n);
    check_printed(conf);
    if (mpath_conf_refusal(conf, &refusal))
        check_place(files, n, refusal.file, refusal.line, refusal.keyword);
    return 0;
}
