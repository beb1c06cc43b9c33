/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#define GUID_SIZE 16U
#define GUID_TEXT_SIZE 37U /* with the NUL */

/*
 * Windows' text form of 16 opaque bytes, lower case: the first three fields are little-endian, so
 * bytes 00 11 22 ... ff read 33221100-5544-7766-8899-aabbccddeeff.
 */
void guid_format(const uint8_t guid[GUID_SIZE], char ret_text[GUID_TEXT_SIZE]);

/* The reverse; braces around the text and either case are accepted. -EINVAL: not a GUID. */
int guid_parse(const char *text, uint8_t ret_guid[GUID_SIZE]);
