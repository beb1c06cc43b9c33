/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Runs a fuzzer over files and directories of files, without libFuzzer: the corpus as a test. */

#include <dirent.h>
#include <errno.h>

#include "basic/fileio.h"
#include "fuzz.h"

#define INPUT_MAX (1024U * 1024U)

DEFINE_CLEANUP(DIR *, closedir);

static unsigned n_inputs;

static void run_file(const char *path)
{
    _cleanup_free_ uint8_t *buffer = malloc(INPUT_MAX), *input = NULL;
    size_t size;

    CHECK(buffer);
    if (read_bytes(path, buffer, INPUT_MAX, &size) < 0) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(EXIT_FAILURE);
    }
    /* Of the input's own size, so that a sanitizer sees what is read behind it. */
    input = malloc(size ? size : 1);
    CHECK(input);
    memcpy(input, buffer, size);
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(input, size);
    n_inputs++;
}

static void run(const char *path)
{
    _cleanup_(closedirp) DIR *dir = opendir(path);

    if (!dir) {
        run_file(path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        _cleanup_free_ char *file = NULL;

        if (entry->d_name[0] == '.')
            continue;
        CHECK(asprintf(&file, "%s/%s", path, entry->d_name) > 0);
        run_file(file);
    }
}

int main(int argc, char **argv)
{
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    fprintf(stderr, "%u inputs\n", n_inputs);
    return n_inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
