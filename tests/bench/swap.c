/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-swap PROCESSES FILE...: the floor of a change. Gives maps the tables of a file, in so many
 * processes, with nothing but RELOAD and RESUME for each; then those of the next file. Prints the
 * nanoseconds that each file took, a line each. A line of a file: UUID, sectors and the table's
 * parameters.
 */

#include <libdevmapper.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "basic/macros.h"
#include "clock.h"

#define PROCESSES_MAX 64UL

DEFINE_CLEANUP(struct dm_task *, dm_task_destroy);

struct swap {
    char *uuid;
    uint64_t sectors;
    char *params;
};

struct swaps {
    struct swap *swaps;
    size_t n;
};

static bool load(const struct swap *swap)
{
    _cleanup_(dm_task_destroyp) struct dm_task *task = dm_task_create(DM_DEVICE_RELOAD);

    return task && dm_task_set_uuid(task, swap->uuid) && dm_task_no_open_count(task) &&
           dm_task_add_target(task, 0, swap->sectors, "multipath", swap->params) &&
           dm_task_run(task);
}

/* As multipathd does it: see src/multipath/swap.c. */
static bool resume(const struct swap *swap)
{
    uint32_t cookie = 0;
    uint16_t flags = DM_UDEV_DISABLE_LIBRARY_FALLBACK | DM_SUBSYSTEM_UDEV_FLAG0;
    _cleanup_(dm_task_destroyp) struct dm_task *task = dm_task_create(DM_DEVICE_RESUME);

    return task && dm_task_set_uuid(task, swap->uuid) && dm_task_no_open_count(task) &&
           dm_task_no_flush(task) && dm_task_skip_lockfs(task) &&
           dm_task_set_cookie(task, &cookie, flags) && dm_task_run(task);
}

/* Opens the control device before the clock runs, as a service has it open. */
static bool open_control(void)
{
    _cleanup_(dm_task_destroyp) struct dm_task *task = dm_task_create(DM_DEVICE_VERSION);
    return task && dm_task_run(task);
}

_Noreturn static void run_child(const struct swaps *swaps, size_t first, size_t step)
{
    for (size_t i = first; i < swaps->n; i += step)
        if (!load(&swaps->swaps[i]) || !resume(&swaps->swaps[i]))
            _exit(EXIT_FAILURE);
    _exit(EXIT_SUCCESS);
}

/* False: a child failed, or could not be made. */
static bool swap_all(const struct swaps *swaps, size_t processes)
{
    bool good = true;
    size_t n = 0;
    int status;

    for (; n < processes; n++) {
        pid_t pid = fork();
        if (pid == 0)
            run_child(swaps, n, processes);
        if (pid < 0)
            break;
    }
    good = n == processes;
    for (; n > 0; n--)
        if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS)
            good = false;
    return good;
}

static bool add_line(struct swaps *swaps, char *line)
{
    struct swap *more = reallocarray(swaps->swaps, swaps->n + 1, sizeof(*more));
    if (!more)
        return false;
    swaps->swaps = more;

    line[strcspn(line, "\n")] = '\0';
    const char *uuid = strsep(&line, " "), *sectors = strsep(&line, " ");
    if (!sectors || !line)
        return false;
    struct swap swap = {strdup(uuid), strtoull(sectors, NULL, 10), strdup(line)};
    more[swaps->n++] = swap;
    return swap.uuid && swap.sectors > 0 && swap.params;
}

static void swaps_clear(struct swaps *swaps)
{
    for (size_t i = 0; i < swaps->n; i++) {
        free(swaps->swaps[i].uuid);
        free(swaps->swaps[i].params);
    }
    free(swaps->swaps);
}

static bool read_file(const char *path, struct swaps *swaps)
{
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    _cleanup_free_ char *line = NULL;
    size_t allocated = 0;

    while (file && getline(&line, &allocated, file) >= 0)
        if (!add_line(swaps, line))
            return false;
    return file && swaps->n > 0;
}

static bool measure(const char *path, size_t processes)
{
    _cleanup_(swaps_clear) struct swaps swaps = {0};

    if (!read_file(path, &swaps)) {
        fprintf(stderr, "bench-swap: %s: not a file of tables\n", path);
        return false;
    }
    fflush(stdout); /* nothing for the children to write once more */
    uint64_t before = now_ns();
    bool good = swap_all(&swaps, processes < swaps.n ? processes : swaps.n);
    uint64_t after = now_ns();
    if (good)
        printf("%" PRIu64 "\n", after - before);
    else
        fprintf(stderr, "bench-swap: %s: a map could not be given its table\n", path);
    return good;
}

int main(int argc, char **argv)
{
    unsigned long processes = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;

    if (processes == 0 || processes > PROCESSES_MAX) {
        fprintf(stderr, "usage: bench-swap PROCESSES FILE...\n");
        return 2;
    }
    dm_udev_set_sync_support(0);
    if (!open_control())
        return EXIT_FAILURE;
    for (int i = 2; i < argc; i++)
        if (!measure(argv[i], processes))
            return EXIT_FAILURE;
    return EXIT_SUCCESS;
}
