/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Preloaded into the service by tests: makes device-mapper calls fail or wait where the real kernel
 * cannot be made to. The file named by LAB_FAULTS has one rule a line:
 *
 *     COMMAND MAP SKIP COUNT ERRNO MILLISECONDS
 *
 * COMMAND is load, resume, table or message; MAP a map's UUID or "*". The first SKIP such calls,
 * over all processes, pass; the next COUNT wait and, where ERRNO is not 0, fail. The calls seen
 * are counted in the file's last column, which begins as 0.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RULES_MAX 16

struct rule {
    char command[16], map[140];
    int skip, count, error, milliseconds, seen;
};

static const char *command_name(unsigned long request, const struct dm_ioctl *dm)
{
    switch (_IOC_NR(request)) {
    case DM_TABLE_LOAD_CMD:
        return "load";
    case DM_DEV_SUSPEND_CMD:
        return dm->flags & DM_SUSPEND_FLAG ? "suspend" : "resume";
    case DM_TABLE_STATUS_CMD:
        return "table";
    case DM_TARGET_MSG_CMD:
        return "message";
    default:
        return "";
    }
}

static int read_rules(FILE *file, struct rule *rules)
{
    int n = 0;
    while (n < RULES_MAX &&
           fscanf(file, "%15s %139s %d %d %d %d %d", rules[n].command, rules[n].map,
                  &rules[n].skip, &rules[n].count, &rules[n].error, &rules[n].milliseconds,
                  &rules[n].seen) == 7)
        n++;
    return n;
}

static void write_rules(FILE *file, const struct rule *rules, int n)
{
    rewind(file);
    for (int i = 0; i < n; i++)
        fprintf(file, "%s %s %d %d %d %d %d\n", rules[i].command, rules[i].map, rules[i].skip,
                rules[i].count, rules[i].error, rules[i].milliseconds, rules[i].seen);
    fflush(file);
    if (ftruncate(fileno(file), ftell(file)) < 0)
        abort();
}

/* The errno that this call is to fail with, 0: none. */
static int fault(unsigned long request, const struct dm_ioctl *dm)
{
    struct rule rules[RULES_MAX];
    const char *path = getenv("LAB_FAULTS"), *command = command_name(request, dm);
    int error = 0, wait = 0;

    FILE *file = path ? fopen(path, "r+e") : NULL;
    if (!file)
        return 0;
    flock(fileno(file), LOCK_EX);
    int n = read_rules(file, rules);
    for (int i = 0; i < n; i++) {
        if (strcmp(rules[i].command, command) != 0 ||
            (strcmp(rules[i].map, "*") != 0 && strcmp(rules[i].map, dm->uuid) != 0))
            continue;
        rules[i].seen++;
        if (rules[i].seen <= rules[i].skip || rules[i].seen > rules[i].skip + rules[i].count)
            continue;
        error = rules[i].error;
        wait = rules[i].milliseconds;
    }
    write_rules(file, rules, n);
    fclose(file);
    usleep((useconds_t)wait * 1000);
    return error;
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list ap;
    va_start(ap, request);
    void *argument = va_arg(ap, void *);
    va_end(ap);

    if (!real)
        real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    if (_IOC_TYPE(request) == DM_IOCTL) {
        int error = fault(request, argument);
        if (error > 0) {
            errno = error;
            return -1;
        }
    }
    return real(fd, request, argument);
}
