/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/macros.h"
#include "multipath/drop-in.h"
#include "multipath/mpathd.h"
#include "plan/entry.h"
#include "plan/rival.h"
#include "service/multipathd/sync-attempt.h"

#define TIMEOUT_MS 60000
#define PROOFS 100U
#define PROOF_USEC 200000U
#define RELOADS_WEAKLY 808U /* 0.8.8: a reconfigure reloads only maps that it changes */

/* The prio that multipathd detects where a device handler tells access states (propsel.c). */
#define DETECTED_PRIO "sysfs"

void sync_attempt_free(struct sync_attempt *attempt)
{
    for (size_t i = 0; i < attempt->n; i++) {
        free(attempt->parts[i].wwid);
        free(attempt->parts[i].entry);
        free(attempt->parts[i].vendor);
        free(attempt->parts[i].product);
    }
    free(attempt->parts);
    free(attempt);
}

/*
 * The section for a part's product, NULL where it needs none: multipathd detects no prio for it, be
 * it by the administrator's word. `config` NULL: not known, it does.
 */
static int render_device(const struct sync_part *part, const char *config, char **ret)
{
    _cleanup_free_ char *device = NULL;

    int r = part->vendor ? entry_device(part->vendor, part->product, DETECTED_PRIO, &device) : 0;
    if (r == -EOPNOTSUPP)
        r = 0; /* a product that cannot be named: the maps show that multipathd disagrees */
    if (r >= 0 && device && config) {
        r = rival_detection(config, part->vendor, part->product, device);
        if (r == 0)
            free(TAKE_PTR(device));
    }
    if (r < 0)
        return r;
    *ret = TAKE_PTR(device);
    return 0;
}

static int render(const struct sync_attempt *attempt, const char *config, char **ret)
{
    const char **entries = calloc(attempt->n + 1, sizeof(*entries));
    char **devices = calloc(attempt->n + 1, sizeof(*devices));
    size_t n_devices = 0;
    int r = entries && devices ? 0 : -ENOMEM;

    for (size_t i = 0; i < attempt->n && r >= 0; i++) {
        entries[i] = attempt->parts[i].entry;
        r = render_device(&attempt->parts[i], config, &devices[n_devices]);
        if (devices[n_devices])
            n_devices++;
    }
    if (r >= 0)
        r = entry_file((const char *const *)devices, n_devices, entries, attempt->n, ret);
    if (r == -ENODATA) {
        *ret = NULL;
        r = 0;
    }
    for (size_t i = 0; i < n_devices; i++)
        free(devices[i]);
    free(devices);
    free(entries);
    return r;
}

/* Looking for what wins over one part. */
struct search {
    const struct sync_part *part;
    struct sync_verdict *verdict;
};

static int find_in_file(const char *path, bool later, const char *text, void *userdata)
{
    const struct search *search = userdata;
    const struct sync_part *part = search->part;
    _cleanup_(rival_done) struct rival rival = {0};

    int r = rival_find(text, later, part->wwid, part->entry, part->vendor, part->vendor,
                       part->product, &rival);
    if (r > 0)
        snprintf(search->verdict->rival, sizeof(search->verdict->rival), "%s line %u: %s", path,
                 rival.line, rival.keyword);
    return r;
}

/* Whether a part is in force, and if not, why. */
static int judge(const struct sync_part *part, const char *config, struct sync_verdict *verdict)
{
    struct search search = {part, verdict};

    int r = rival_in_force(config, part->wwid, part->entry);
    if (r < 0)
        return r;
    verdict->in_force = r > 0;
    verdict->rival[0] = '\0';
    r = part->vendor || !verdict->in_force ? drop_in_each_other(find_in_file, &search) : 0;
    return r < 0 ? r : 0;
}

static bool has_part(const struct sync_attempt *attempt, const char *wwid)
{
    for (size_t i = 0; i < attempt->n; i++)
        if (strcmp(attempt->parts[i].wwid, wwid) == 0)
            return true;
    return false;
}

/* Whether multipathd still has a part in force that is there no more. */
static int has_left_over(const struct sync_attempt *attempt, const char *config)
{
    const struct sync_attempt *previous = attempt->previous;
    int r = 0;

    for (size_t i = 0; previous && i < previous->n && r == 0; i++)
        if (!has_part(attempt, previous->parts[i].wwid))
            r = rival_in_force(config, previous->parts[i].wwid, previous->parts[i].entry);
    return r;
}

/* Judges all; *ret_reread says whether multipathd would know better if it read its files. */
static int judge_all(const struct sync_attempt *attempt, struct sync_verdict *verdicts,
                     bool *ret_reread)
{
    _cleanup_free_ char *config = NULL;

    int r = mpathd_config(TIMEOUT_MS, &config);
    if (r >= 0)
        r = has_left_over(attempt, config);
    if (r < 0)
        return r;
    *ret_reread = r > 0;
    for (size_t i = 0; i < attempt->n; i++) {
        verdicts[i].part = i;
        r = judge(&attempt->parts[i], config, &verdicts[i]);
        if (r < 0)
            return r;
        *ret_reread = *ret_reread || (!verdicts[i].in_force && !verdicts[i].rival[0]);
    }
    return 0;
}

__attribute__((format(printf, 3, 4))) static int fail(struct sync_outcome *outcome, int r,
                                                      const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(outcome->text, sizeof(outcome->text), format, ap);
    va_end(ap);
    outcome->error = r;
    return r;
}

static int fail_at_multipathd(struct sync_outcome *outcome, int r)
{
    if (r == -ENOTCONN)
        return fail(outcome, r, "multipathd does not run: start multipathd.service.");
    return fail(outcome, r, "multipathd does not read the policy: %s.", strerror(-r));
}

static bool needs_devices(const struct sync_attempt *attempt)
{
    for (size_t i = 0; i < attempt->n; i++)
        if (attempt->parts[i].vendor)
            return true;
    return false;
}

/* Writes the file. Whether it has changed counts on failure as well: multipathd is owed that. */
static int write_file(const struct sync_attempt *attempt, struct sync_outcome *outcome)
{
    _cleanup_free_ char *text = NULL, *config = NULL;

    if (needs_devices(attempt))
        (void)mpathd_config(TIMEOUT_MS, &config);
    int r = render(attempt, config, &text);
    if (r >= 0 && (text || !attempt->keep))
        r = drop_in_write(text, &outcome->changed);
    if (r < 0)
        return fail(outcome, r, "%s/" DROP_IN_NAME " cannot be written: %s.", drop_in_directory(),
                    strerror(-r));
    return 0;
}

/*
 * Has multipathd read the file where that changes something. A release that queues the request may
 * look idle before it has begun: its configuration is the proof.
 */
static int tell(const struct sync_attempt *attempt, struct sync_verdict *verdicts,
                struct sync_outcome *outcome)
{
    bool changed = outcome->changed || attempt->owed, reread;
    unsigned version;

    if (attempt->n == 0 && !changed)
        return 0;
    int r = mpathd_version(TIMEOUT_MS, &version);
    if (r >= 0)
        r = judge_all(attempt, verdicts, &reread);
    if (r < 0)
        return fail_at_multipathd(outcome, r);
    if (!changed && !reread)
        return 0;
    if (version < RELOADS_WEAKLY && !attempt->must_tell) {
        outcome->alone = true;
        return 0;
    }

    outcome->reconfigured = true;
    r = mpathd_reconfigure(TIMEOUT_MS);
    for (unsigned i = 0; r >= 0 && i < PROOFS; i++) {
        r = judge_all(attempt, verdicts, &reread);
        if (r >= 0 && !reread)
            return 0;
        usleep(PROOF_USEC);
    }
    return fail_at_multipathd(outcome, r < 0 ? r : -ETIMEDOUT);
}

static int check(const struct sync_attempt *attempt, struct sync_verdict *verdicts,
                 struct sync_outcome *outcome)
{
    int r = judge_all(attempt, verdicts, &outcome->reread);
    return r < 0 ? fail_at_multipathd(outcome, r) : 0;
}

int sync_attempt_run(int fd, void *arg)
{
    const struct sync_attempt *attempt = arg;
    struct sync_outcome outcome = {0};
    _cleanup_free_ struct sync_verdict *verdicts = calloc(attempt->n + 1, sizeof(*verdicts));

    /* Nothing here is harmed by an end half way. */
    signal(SIGTERM, SIG_DFL);
    if (!verdicts)
        return ENOMEM;
    for (size_t i = 0; i < attempt->n; i++)
        verdicts[i].part = i;

    int r =
        attempt->check_only ? check(attempt, verdicts, &outcome) : write_file(attempt, &outcome);
    if (r >= 0 && !attempt->check_only)
        r = tell(attempt, verdicts, &outcome);
    for (size_t i = 0; i < attempt->n && r >= 0; i++)
        if (write(fd, &verdicts[i], sizeof(*verdicts)) != sizeof(*verdicts))
            return EIO;
    return write(fd, &outcome, sizeof(outcome)) == sizeof(outcome) ? 0 : EIO;
}
