/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsi/target-port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "basic/fileio.h"
#include "basic/macros.h"

#define DEVICE_PATH "/sys/dev/block/%u:%u/device"
#define PAGE_CODE 0x83
#define HEADER_SIZE 4U /* of the page, and of each designator in it */
#define ASSOCIATION_TARGET_PORT 1
#define TYPE_RELATIVE_PORT 4
#define TYPE_PORT_GROUP 5

static const struct {
    const char *text;
    enum dsm_state state;
} states[] = {
    {"active/optimized", DSM_ACTIVE_OPTIMIZED},
    {"active/non-optimized", DSM_ACTIVE_UNOPTIMIZED},
    {"standby", DSM_STANDBY},
    {"unavailable", DSM_UNAVAILABLE},
    /* MPIO has no number for these, on which no path does I/O for long. */
    {"lba-dependent", DSM_UNAVAILABLE},
    {"offline", DSM_UNAVAILABLE},
    {"transitioning", DSM_UNAVAILABLE},
};

enum dsm_state target_port_state(const char *text)
{
    for (size_t i = 0; text && i < ELEMENTSOF(states); i++)
        if (strcmp(states[i].text, text) == 0)
            return states[i].state;
    return DSM_STATE_NOT_USED;
}

enum dsm_alua target_port_alua(const uint8_t *inquiry, size_t size)
{
    return size > 5 ? (enum dsm_alua)(inquiry[5] >> 4 & 3) : DSM_ALUA_NONE;
}

static unsigned big_endian(const uint8_t *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

void target_port_ids(const uint8_t *page, size_t size, uint16_t *ret_group, uint32_t *ret_port)
{
    size_t end = size;

    *ret_group = 0;
    *ret_port = 0;
    if (size < HEADER_SIZE || page[1] != PAGE_CODE)
        return;
    if (HEADER_SIZE + big_endian(page + 2) < end)
        end = HEADER_SIZE + big_endian(page + 2);

    for (size_t at = HEADER_SIZE; at + HEADER_SIZE <= end;) {
        const uint8_t *header = page + at, *data = header + HEADER_SIZE;
        unsigned association = header[1] >> 4 & 3, type = header[1] & 0xf, length = header[3];

        at += HEADER_SIZE + length;
        if (at > end)
            return;
        if (association != ASSOCIATION_TARGET_PORT || length < 4)
            continue;
        if (type == TYPE_PORT_GROUP)
            *ret_group = (uint16_t)big_endian(data + 2);
        else if (type == TYPE_RELATIVE_PORT)
            *ret_port = big_endian(data + 2);
    }
}

int target_port_is_followed(dev_t dev)
{
    _cleanup_free_ char *handler = NULL;

    int r = read_first_linef(&handler, DEVICE_PATH "/dh_state", major(dev), minor(dev));
    if (is_shortage(r))
        return r;
    return r >= 0 && strcmp(handler, "alua") == 0;
}

void target_port_read(dev_t dev, struct target_port *ret)
{
    struct target_port port = {.state = DSM_STATE_NOT_USED};
    _cleanup_free_ char *state = NULL, *preferred = NULL;
    uint8_t bytes[4096];
    char path[80];
    size_t n;

    bool followed = target_port_is_followed(dev) > 0;
    if (followed &&
        read_first_linef(&state, DEVICE_PATH "/access_state", major(dev), minor(dev)) >= 0)
        port.state = target_port_state(state);
    if (followed &&
        read_first_linef(&preferred, DEVICE_PATH "/preferred_path", major(dev), minor(dev)) >= 0)
        port.preferred = strcmp(preferred, "1") == 0;
    snprintf(path, sizeof(path), DEVICE_PATH "/inquiry", major(dev), minor(dev));
    if (port.state != DSM_STATE_NOT_USED && read_bytes(path, bytes, sizeof(bytes), &n) >= 0)
        port.alua = target_port_alua(bytes, n);
    snprintf(path, sizeof(path), DEVICE_PATH "/vpd_pg83", major(dev), minor(dev));
    if (read_bytes(path, bytes, sizeof(bytes), &n) >= 0)
        target_port_ids(bytes, n, &port.group, &port.port);
    *ret = port;
}
