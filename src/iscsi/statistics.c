/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/macros.h"
#include "build-config.h"
#include "iscsi/statistics.h"

/* What of a session has been read, as bits in the order of `counters`. */
#define ALL_COUNTERS 0x3FU

static const struct {
    const char *name;
    size_t offset;
} counters[] = {
    {"txdata_octets", offsetof(struct iscsi_statistics, bytes_sent)},
    {"rxdata_octets", offsetof(struct iscsi_statistics, bytes_received)},
    {"scsicmd_pdus", offsetof(struct iscsi_statistics, commands_sent)},
    {"tmfcmd_pdus", offsetof(struct iscsi_statistics, commands_sent)},
    {"scsirsp_pdus", offsetof(struct iscsi_statistics, responses_received)},
    {"tmfrsp_pdus", offsetof(struct iscsi_statistics, responses_received)},
};

/* Adds a line "name: number" to what it is a part of. Gives its bit, 0: of no interest. */
static unsigned read_counter(const char *line, struct iscsi_statistics *to)
{
    char name[32];
    uint64_t value;

    if (sscanf(line, " %31[a-z_]: %" SCNu64, name, &value) != 2)
        return 0;
    for (size_t i = 0; i < ELEMENTSOF(counters); i++)
        if (strcmp(counters[i].name, name) == 0) {
            *(uint64_t *)(void *)((char *)to + counters[i].offset) += value;
            return 1U << i;
        }
    return 0;
}

static int append(struct iscsi_statistics **list, size_t *n, const struct iscsi_statistics *item)
{
    struct iscsi_statistics *more = reallocarray(*list, *n + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    *list = more;
    more[(*n)++] = *item;
    return 0;
}

int statistics_parse(const char *text, size_t size, struct iscsi_statistics **ret, size_t *ret_n)
{
    _cleanup_free_ struct iscsi_statistics *list = NULL;
    _cleanup_free_ char *copy = malloc(size + 1);
    struct iscsi_statistics item = {0};
    unsigned found = ALL_COUNTERS; /* no session yet: its counters are not waited for */
    size_t n = 0;
    char *rest = copy, *line;

    if (!copy)
        return -ENOMEM;
    if (size > 0)
        memcpy(copy, text, size);
    copy[size] = '\0';
    /* What stands behind the last newline may have been cut off. */
    while ((line = strsep(&rest, "\n")) && rest) {
        uint32_t sid;
        if (sscanf(line, "Stats for session [sid: %" SCNu32 ",", &sid) == 1) {
            item = (struct iscsi_statistics){.sid = sid};
            found = 0;
            continue;
        }
        if (found == ALL_COUNTERS)
            continue;
        found |= read_counter(line, &item);
        if (found == ALL_COUNTERS && append(&list, &n, &item) < 0)
            return -ENOMEM;
    }
    *ret = TAKE_PTR(list);
    *ret_n = n;
    return 0;
}

/* SIGTERM stays ignored: killed with open-iscsi's lock in hand, it would keep it for ever. */
int statistics_exec(int fd)
{
    if (dup2(fd, STDOUT_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
        return errno;
    unsetenv("NOTIFY_SOCKET");
    execl(ISCSIADM, "iscsiadm", "-m", "session", "-s", NULL);
    return errno;
}
