/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What wins over our entry, in whatever file an administrator has: exactly what keeps the entry
 * from being in force, and a line that there is. A device section of ours changes nothing for
 * others.
 */

#include "fuzz.h"
#include "plan/entry.h"
#include "plan/override.h"

#define WWID "36001405aaaa"
#define RELEASE 1101U

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
static char vendor[] = "LIO-ORG", product[] = "lun0";
static const struct detection_disk disk = {vendor, product, DSM_ALUA_BOTH, true};

static void read_into(struct mpath_conf *conf, const char *name, const char *text, size_t size)
{
    CHECK(mpath_conf_read(conf, name, false, text, size) == 0);
}

/* The file, read before ours or after it. */
static struct mpath_conf *read_files(const char *text, size_t size, bool later)
{
    const struct mpath_release release = mpath_release_of(RELEASE);
    _cleanup_free_ char *ours = NULL;
    struct mpath_conf *conf;

    CHECK(asprintf(&ours, "multipaths {\n%s}\n", entry) > 0);
    CHECK(mpath_conf_new(&release, &conf) == 0);
    if (!later)
        read_into(conf, "theirs", text, size);
    read_into(conf, "ours", ours, strlen(ours));
    if (later)
        read_into(conf, "theirs", text, size);
    return conf;
}

static unsigned count_lines(const char *text, size_t size)
{
    unsigned n = 1;

    for (size_t i = 0; i < size; i++)
        n += text[i] == '\n';
    return n;
}

static void check(const char *text, size_t size, bool later)
{
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = read_files(text, size, later);
    struct detection detection;
    struct override_map map = {WWID, entry, "ours", NULL};
    struct override override;
    int r = override_find(conf, &map, &override);

    CHECK(r == 0 || (r == 1 && later));
    CHECK(override_entry_in_force(conf, WWID, entry) == !r);
    CHECK(detection_find(conf, NULL, "ours", &disk, &detection) == 0);
    CHECK(!detection.other || !detection_needs_section(&detection, true));
    CHECK(!detection.by_target || detection_matters(&detection, false));
    map.detection = &detection;
    CHECK(override_find(conf, &map, &override) >= r);
    if (override_find(conf, &map, &override) == 0)
        return;
    CHECK(strcmp(override.file, "theirs") == 0);
    CHECK(override.line >= 1 && override.line <= count_lines(text, size));
    CHECK(memmem(text, size, override.keyword, strlen(override.keyword)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size); /* ends with the input, for ASan */

    check(text, size, true);
    check(text, size, false);
    return 0;
}
