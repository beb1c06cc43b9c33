/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * iscsid.conf: whatever it says, the lengths are ones that a login can have. initiatorname.iscsi: a
 * name is one for the bus.
 */

#include "basic/sanitize.h"
#include "fuzz.h"
#include "iscsi/config.h"
#include "iscsi/initiator-name.h"

static void check_length(uint32_t length)
{
    CHECK(length >= 512 && length <= 16777215 && length % 4 == 0);
}

/* What was printed in the file's own form is read as it was. */
static void check_printed(const struct session_defaults *defaults)
{
    _cleanup_free_ char *text = NULL;
    struct session_defaults again = {0};
    FILE *file;

    CHECK(asprintf(&text,
                   "node.session.iscsi.InitialR2T = %s\n"
                   "node.session.iscsi.ImmediateData = %s\n"
                   "node.session.iscsi.FirstBurstLength = %u\n"
                   "node.session.iscsi.MaxBurstLength = %u\n"
                   "node.session.iscsi.MaxOutstandingR2T = %u\n"
                   "node.conn[0].iscsi.MaxRecvDataSegmentLength = %u\n",
                   defaults->initial_r2t ? "Yes" : "No", defaults->immediate_data ? "Yes" : "No",
                   defaults->first_burst_length, defaults->max_burst_length,
                   defaults->max_outstanding_r2t, defaults->max_recv_segment) > 0);
    file = fuzz_file((const uint8_t *)text, strlen(text));
    session_defaults_parse(file, &again);
    fclose(file);
    CHECK(again.initial_r2t == defaults->initial_r2t);
    CHECK(again.immediate_data == defaults->immediate_data);
    CHECK(again.first_burst_length == defaults->first_burst_length);
    CHECK(again.max_burst_length == defaults->max_burst_length);
    CHECK(again.max_outstanding_r2t == defaults->max_outstanding_r2t);
    CHECK(again.max_recv_segment == defaults->max_recv_segment);
}

static void check_lines(const uint8_t *data, size_t size)
{
    _cleanup_fclose_ FILE *file = fuzz_file(data, size);
    char line[CONFIG_LINE_SIZE], *key, *value;

    while (fgets(line, sizeof(line), file)) {
        if (!config_line_split(line, &key, &value))
            continue;
        CHECK(key[0] != '#' && !strpbrk(key, " \t\n\v\f\r="));
        CHECK(value[0] && !strchr(" \t\n\v\f\r", value[0]));
        CHECK(!strchr(" \t\n\v\f\r", value[strlen(value) - 1]));
    }
}

static void check_initiator_name(const uint8_t *data, size_t size)
{
    _cleanup_fclose_ FILE *file = fuzz_file(data, size);
    _cleanup_free_ char *name = NULL;

    if (initiator_name_parse(file, &name) >= 0)
        CHECK(name[0] && sink_takes(SINK_BUS, name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fclose_ FILE *file = NULL;
    struct session_defaults defaults = {0};

    if (size == 0)
        return 0;
    file = fuzz_file(data, size);
    session_defaults_parse(file, &defaults);
    check_length(defaults.max_recv_segment);
    check_length(defaults.max_burst_length);
    check_length(defaults.first_burst_length);
    CHECK(defaults.first_burst_length <= defaults.max_burst_length);
    check_printed(&defaults);
    check_lines(data, size);
    check_initiator_name(data, size);
    return 0;
}
