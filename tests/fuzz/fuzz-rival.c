/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * multipath.conf, and multipathd's answer to "show config", which has the same form. What is found
 * to win is what keeps our entry from being in force, and the other way round.
 */

#include "fuzz.h"
#include "plan/rival.h"

#define WWID "36001405aaaa"

static const char entry[] = "    multipath {\n"
                            "        wwid \"" WWID "\"\n"
                            "        path_grouping_policy group_by_prio\n"
                            "        path_selector \"round-robin 0\"\n"
                            "        prio weightedpath\n"
                            "        prio_args \"hbtl ^7:0:0:1$ 20 .* 10\"\n"
                            "        failback immediate\n"
                            "        rr_weight uniform\n"
                            "        rr_min_io_rq 1\n"
                            "    }\n";
static const char device[] = "    device {\n"
                             "        vendor \"LIO-ORG\"\n"
                             "        product \"lun0\"\n"
                             "        prio const\n"
                             "        detect_prio no\n"
                             "    }\n";

static unsigned count_lines(const char *text)
{
    unsigned n = 1;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* A negative errno, or whether there is a rival. */
static int find(const char *text, bool later, bool detects)
{
    _cleanup_(rival_done) struct rival rival = {0};
    int r = rival_find(text, later, WWID, entry, detects, "LIO-ORG ", "lun0            ", &rival);

    CHECK(r == 0 || r == 1);
    if (r == 0) {
        CHECK(!rival.value);
        return 0;
    }
    CHECK(rival.value && rival.keyword && rival.section);
    CHECK(rival.line >= 1 && rival.line <= count_lines(text));
    CHECK(strstr(text, rival.keyword));
    CHECK(later || strcmp(rival.section, "overrides") == 0);
    CHECK(detects || strcmp(rival.section, "multipaths") == 0);
    return 1;
}

/* Our file, as multipathd has read it before this one. */
static void check_in_force(const char *text)
{
    _cleanup_free_ char *merged = NULL;

    CHECK(asprintf(&merged, "multipaths {\n%s}\n%s", entry, text) > 0);
    CHECK(rival_in_force(merged, WWID, entry) == !find(text, true, false));
}

static void check_detection(const char *text)
{
    _cleanup_free_ char *merged = NULL;
    int r = rival_detection(text, "LIO-ORG ", "lun0            ", device);

    CHECK(r == 0 || r == 1);
    /* Our own section is no reason. */
    CHECK(asprintf(&merged, "devices {\n%s}\n%s", device, text) > 0);
    CHECK(rival_detection(merged, "LIO-ORG ", "lun0            ", device) == r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size);
    bool found = find(text, true, true);

    /* What wins before our file does so after it, too. */
    CHECK(found || !find(text, false, true));
    CHECK(found || !find(text, true, false));
    CHECK(!find(text, false, false));
    check_in_force(text);
    check_detection(text);
    CHECK(rival_in_force(text, "", entry) >= 0);
    return 0;
}
