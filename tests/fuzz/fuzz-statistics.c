/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What iscsiadm prints of the sessions' counters: what is cut off changes nothing before it. */

#include "fuzz.h"
#include "iscsi/statistics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ struct iscsi_statistics *list = NULL, *half = NULL;
    size_t n = 0, n_half = 0;

    CHECK(statistics_parse((const char *)data, size, &list, &n) == 0);
    /* "Stats for session [sid: 1," and six counters */
    CHECK(n <= size / 100);
    CHECK(statistics_parse((const char *)data, size / 2, &half, &n_half) == 0);
    CHECK(n_half <= n);
    for (size_t i = 0; i < n_half; i++)
        CHECK(memcmp(&list[i], &half[i], sizeof(list[i])) == 0);
    return 0;
}
