/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Descriptions of the status codes; the codes themselves are public. */

#include <stdint.h>

#include "iscsi-wmi/status.h"

struct status_info {
    uint32_t code;
    const char *symbol;
    const char *text; /* one sentence: what it means and what to do */
};

/* The description of a status of iSCSI or of DSM_LB_Operations, NULL for any other code. */
const struct status_info *status_find(uint32_t code);

/*
 * A code from text: "0xEFFF0058", decimal, or the symbol in any case with or without "ISDSC_".
 * -EINVAL: not a status code.
 */
int status_parse(const char *text, uint32_t *ret_code);

/* The symbol, or "UNKNOWN_STATUS": for messages. */
const char *status_symbol(uint32_t code);
