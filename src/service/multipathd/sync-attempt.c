/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "basic/macros.h"
#include "multipath/drop-in.h"
#include "multipath/mpathd.h"
#include "plan/detection.h"
#include "plan/entry.h"
#include "plan/override.h"
#include "service/multipathd/configuration.h"
#include "service/multipathd/sync-attempt.h"

#define TIMEOUT_MS 60000
#define ANSWER_MS 2000 /* to what it answers in the midst of all else, for requests wait */
#define PROOFS 100U
#define PROOF_USEC 200000U
#define RELOADS_WEAKLY 808U /* 0.8.8: a reconfigure reloads only maps that it changes */

/* What the child knows. */
struct run {
    const struct sync_attempt *attempt;
    struct configuration configuration;
    struct detection *detections;  /* of each part */
    const struct sync_part **gone; /* that multipathd has read and that are there no more */
    struct sync_verdict *verdicts; /* on each part */
    char *path_states;             /* multipathd's, of now; NULL: it was not asked */
    bool judged;                   /* they are made */
    struct sync_outcome outcome;
    size_t n_gone;
};

void sync_attempt_free(struct sync_attempt *attempt)
{
    for (size_t i = 0; i < attempt->n; i++) {
        free(attempt->parts[i].wwid);
        free(attempt->parts[i].entry);
        free(attempt->parts[i].disk.vendor);
        free(attempt->parts[i].disk.product);
    }
    free(attempt->parts);
    free(attempt);
}

static void run_done(struct run *run)
{
    configuration_done(&run->configuration);
    free(run->detections);
    free(run->gone);
    free(run->verdicts);
    free(run->path_states);
}

static int compare_parts(const void *a, const void *b)
{
    const struct sync_part *const *x = a, *const *y = b;

    return strcmp((*x)->wwid, (*y)->wwid);
}

/* Which parts of the one before are no more. */
static int find_gone(struct run *run)
{
    const struct sync_attempt *attempt = run->attempt, *previous = attempt->previous;
    _cleanup_free_ const struct sync_part **sorted = calloc(attempt->n + 1, sizeof(*sorted));

    if (!previous)
        return 0;
    run->gone = calloc(previous->n + 1, sizeof(*run->gone));
    if (!sorted || !run->gone)
        return -ENOMEM;
    for (size_t i = 0; i < attempt->n; i++)
        sorted[i] = &attempt->parts[i];
    qsort(sorted, attempt->n, sizeof(*sorted), compare_parts);
    for (size_t i = 0; i < previous->n; i++) {
        const struct sync_part *part = &previous->parts[i];

        if (!bsearch(&part, sorted, attempt->n, sizeof(*sorted), compare_parts))
            run->gone[run->n_gone++] = part;
    }
    return 0;
}

static int run_begin(struct run *run, const struct sync_attempt *attempt)
{
    *run = (struct run){.attempt = attempt};
    run->detections = calloc(attempt->n + 1, sizeof(*run->detections));
    run->verdicts = calloc(attempt->n + 1, sizeof(*run->verdicts));
    if (!run->detections || !run->verdicts)
        return -ENOMEM;
    for (size_t i = 0; i < attempt->n; i++)
        run->verdicts[i].part = i;
    return find_gone(run);
}

/* --- Files ---------------------------------------------------------------------------------- */

static bool same_disk(const struct detection_disk *a, const struct detection_disk *b)
{
    return a->vendor && b->vendor && strcmp(a->vendor, b->vendor) == 0 &&
           strcmp(a->product, b->product) == 0 && a->alua == b->alua &&
           a->has_access == b->has_access && a->is_followed == b->is_followed;
}

static int find_detections(struct run *run)
{
    const struct configuration *c = &run->configuration;
    const struct sync_part *parts = run->attempt->parts;
    int r = 0;

    for (size_t i = 0; i < run->attempt->n && r >= 0; i++) {
        if (i > 0 && same_disk(&parts[i].disk, &parts[i - 1].disk))
            run->detections[i] = run->detections[i - 1];
        else if (parts[i].disk.vendor)
            r = detection_find(c->files, c->shown, c->ours, &parts[i].disk, &run->detections[i]);
    }
    return r;
}

/* Of devices; there is room for all. */
struct sections {
    char **texts;
    size_t n;
};

static void sections_done(struct sections *sections)
{
    for (size_t i = 0; i < sections->n; i++)
        free(sections->texts[i]);
    free(sections->texts);
}

/* The text of our file; *devices, where not NULL, are its device sections. NULL: no file. */
static int sync_attempt_render_file(const struct sync_attempt *attempt, char **devices,
                                    size_t n_devices, char **ret)
{
    _cleanup_free_ const char **entries = calloc(attempt->n + 1, sizeof(*entries));

    if (!entries)
        return -ENOMEM;
    for (size_t i = 0; i < attempt->n; i++)
        entries[i] = attempt->parts[i].entry;
    int r = entry_file((const char *const *)devices, n_devices, entries, attempt->n, ret);
    if (r != -ENODATA)
        return r;
    *ret = NULL;
    return 0;
}

static int sync_attempt_read_files(struct run *run)
{
    _cleanup_free_ char *text = NULL;

    int r = sync_attempt_render_file(run->attempt, NULL, 0, &text);
    if (r >= 0)
        r = configuration_read(&run->configuration, text ?: "");
    return r < 0 ? r : find_detections(run);
}

/* Whether a section is about the product of a part, whose disks decide what it is. */
static bool is_of_part(const char *device, const struct sync_part *part)
{
    return part->disk.vendor &&
           entry_device_is_of(device, part->disk.vendor, part->disk.product) > 0;
}

/* Whether other maps of that product are expected, which need a section. */
static bool is_expected(const struct sync_attempt *attempt, const struct sync_part *part)
{
    for (size_t i = 0; i < attempt->n_devices; i++)
        if (is_of_part(attempt->devices[i], part))
            return true;
    return false;
}

static bool needs_section(const struct run *run, size_t i)
{
    const struct sync_part *part = &run->attempt->parts[i];

    return detection_needs_section(&run->detections[i], entry_has_several(part->entry) ||
                                                            is_expected(run->attempt, part));
}

static bool needs_sections(const struct run *run)
{
    for (size_t i = 0; i < run->attempt->n; i++)
        if (needs_section(run, i))
            return true;
    return false;
}

static int add_device(struct sections *sections, char *text)
{
    if (!text)
        return -ENOMEM;
    sections->texts[sections->n++] = text;
    return 0;
}

static bool is_of_any_part(const char *device, const struct sync_attempt *attempt)
{
    for (size_t i = 0; i < attempt->n; i++)
        if (is_of_part(device, &attempt->parts[i]))
            return true;
    return false;
}

static int add_earlier_devices(const struct sync_attempt *attempt, struct sections *sections)
{
    int r = 0;

    for (size_t i = 0; i < attempt->n_devices && r >= 0; i++)
        if (!is_of_any_part(attempt->devices[i], attempt))
            r = add_device(sections, strdup(attempt->devices[i]));
    return r;
}

static int add_devices(const struct run *run, struct sections *sections)
{
    const struct sync_attempt *attempt = run->attempt;

    for (size_t i = 0; i < attempt->n; i++) {
        const struct detection_disk *disk = &attempt->parts[i].disk;
        char *text = NULL;

        if (!needs_section(run, i))
            continue;
        int r = entry_device(disk->vendor, disk->product, run->detections[i].prio, &text);
        if (r == -EOPNOTSUPP)
            continue; /* a product that cannot be named: the maps show that multipathd disagrees */
        r = r < 0 ? r : add_device(sections, text);
        if (r < 0)
            return r;
    }
    return 0;
}

static int sync_attempt_render(const struct run *run, char **ret)
{
    const struct sync_attempt *attempt = run->attempt;
    _cleanup_(sections_done) struct sections sections = {
        .texts = calloc(attempt->n + attempt->n_devices + 1, sizeof(char *))};

    int r = sections.texts ? add_devices(run, &sections) : -ENOMEM;
    if (r >= 0)
        r = add_earlier_devices(attempt, &sections);
    return r < 0 ? r : sync_attempt_render_file(attempt, sections.texts, sections.n, ret);
}

/* --- Judging -------------------------------------------------------------------------------- */

/*
 * Whether multipathd has moved paths of a map that has lost its groups, and what has it do so. Only
 * a path that is marginal says so: the groups can have been anybody's.
 */
static int find_marginal(struct run *run, const struct sync_part *part, struct override *ret)
{
    if (!part->has_lost || !override_marginal(run->configuration.files, ret))
        return 0;
    int r = run->path_states ? 0 : mpathd_path_states(TIMEOUT_MS, &run->path_states);
    return r < 0 ? r : mpathd_is_marginal(run->path_states, part->wwid);
}

/* Whether a part is in force, and if not, why. */
static int sync_attempt_judge(struct run *run, size_t i)
{
    const struct sync_part *part = &run->attempt->parts[i];
    const struct configuration *c = &run->configuration;
    const struct override_map map = {part->wwid, part->entry, c->ours, &run->detections[i]};
    struct sync_verdict *verdict = &run->verdicts[i];
    struct override override;

    int r = override_entry_in_force(c->shown, part->wwid, part->entry);
    if (r < 0)
        return r;
    verdict->in_force = r > 0;
    verdict->override[0] = '\0';
    r = verdict->in_force ? override_in_detection(&map, &override)
                          : override_find(c->files, &map, &override);
    if (r == 0)
        r = find_marginal(run, part, &override);
    if (r > 0)
        snprintf(verdict->override, sizeof(verdict->override), "%s line %u: %s", override.file,
                 override.line, override.keyword);
    return r < 0 ? r : 0;
}

/* Whether multipathd still has a part in force that is there no more. */
static int has_left_over(const struct run *run)
{
    int r = 0;

    for (size_t i = 0; i < run->n_gone && r == 0; i++)
        r = override_entry_in_force(run->configuration.shown, run->gone[i]->wwid,
                                    run->gone[i]->entry);
    return r;
}

/* Asks multipathd, by whose release the files are read, should they not have been. */
static int sync_attempt_ask(struct run *run)
{
    bool first = !run->configuration.shown;

    int r = configuration_ask(&run->configuration, TIMEOUT_MS);
    return r < 0 || !first ? r : sync_attempt_read_files(run);
}

/* Judges all; *ret_reread says whether multipathd would know better if it read its files. */
static int sync_attempt_judge_all(struct run *run, bool *ret_reread)
{
    int r = has_left_over(run);
    if (r < 0)
        return r;
    free(TAKE_PTR(run->path_states));
    *ret_reread = r > 0;
    for (size_t i = 0; i < run->attempt->n; i++) {
        r = sync_attempt_judge(run, i);
        if (r < 0)
            return r;
        *ret_reread = *ret_reread || (!run->verdicts[i].in_force && !run->verdicts[i].override[0]);
    }
    run->judged = true;
    return 0;
}

static int ask_and_judge(struct run *run, bool *ret_reread)
{
    int r = sync_attempt_ask(run);
    return r < 0 ? r : sync_attempt_judge_all(run, ret_reread);
}

/* --- Telling -------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int sync_attempt_fail(struct run *run, int r,
                                                                   const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(run->outcome.text, sizeof(run->outcome.text), format, ap);
    va_end(ap);
    run->outcome.error = r;
    return r;
}

static int sync_attempt_fail_at_multipathd(struct run *run, int r)
{
    if (r == -ENOTCONN)
        return sync_attempt_fail(run, r, "multipathd does not run: start multipathd.service.");
    return sync_attempt_fail(run, r, "multipathd does not read the policy: %s.", strerror(-r));
}

/* Its own configuration stays what it is, and it answers that all is well. */
static int sync_attempt_fail_at_refusal(struct run *run)
{
    struct mpath_refusal refusal;

    int r = mpath_conf_refusal(run->configuration.files, &refusal);
    if (r < 0)
        return sync_attempt_fail_at_multipathd(run, r);
    if (r == 0)
        return 0;
    return sync_attempt_fail(run, -EINVAL,
                             "multipathd refuses to read its configuration for %s line %u: %s.",
                             refusal.file, refusal.line, refusal.keyword);
}

/*
 * Writes the file. Whether it has changed counts on failure as well: multipathd is owed that. It is
 * worth asking where it is to say whether a device section is needed, if it `answers`.
 */
static int sync_attempt_write_file(struct run *run, bool answers)
{
    _cleanup_free_ char *text = NULL;

    int r = sync_attempt_read_files(run);
    if (r >= 0 && answers && needs_sections(run))
        (void)sync_attempt_ask(run);
    if (r >= 0)
        r = sync_attempt_render(run, &text);
    if (r >= 0)
        r = drop_in_write(text, &run->outcome.changed);
    if (r < 0)
        return sync_attempt_fail(run, r, "%s/" DROP_IN_NAME " cannot be written: %s.",
                                 drop_in_directory(), strerror(-r));
    return 0;
}

/* Has multipathd begin to read its files, where there is something for it to read. */
static int begin_reconfigure(struct run *run)
{
    const struct sync_attempt *attempt = run->attempt;
    struct sync_outcome *outcome = &run->outcome;
    bool changed = outcome->changed || attempt->schedule.owed, reread;

    int r = run->configuration.shown ? 0 : sync_attempt_ask(run);
    if (r >= 0)
        r = sync_attempt_judge_all(run, &reread);
    if (r < 0)
        return sync_attempt_fail_at_multipathd(run, r);
    outcome->digest = run->configuration.digest;
    outcome->deferred =
        (changed || reread) && run->configuration.version < RELOADS_WEAKLY && !attempt->must_tell;
    if ((!changed && !reread) || outcome->deferred)
        return 0;
    r = reread ? sync_attempt_fail_at_refusal(run) : 0;
    if (r < 0)
        return r;
    if (!sync_schedule_may_reconfigure(&attempt->schedule, outcome->changed, outcome->digest))
        return sync_attempt_fail(
            run, -ETIMEDOUT,
            "multipathd has read its files and does not have the policy in force: "
            "is %s its directory?",
            drop_in_directory());
    outcome->reconfigured = true;
    r = mpathd_begin_reconfigure(TIMEOUT_MS);
    return r < 0 ? sync_attempt_fail_at_multipathd(run, r) : 0;
}

/* Whether multipathd answers, and which release: requests wait for that. */
static int sync_attempt_hear(struct run *run)
{
    return mpathd_version(ANSWER_MS, &run->configuration.version);
}

/* One that does not run is not asked where there is nothing to tell: systemd would start it. */
static int sync_attempt_tell(struct run *run)
{
    const struct sync_attempt *attempt = run->attempt;
    bool asks = attempt->has_seen || attempt->must_tell;

    int heard = asks ? sync_attempt_hear(run) : 0;
    int r = sync_attempt_write_file(run, heard >= 0);
    if (r < 0)
        return r;
    if (!asks && !run->outcome.changed && !attempt->schedule.owed)
        return 0;
    return heard < 0 ? sync_attempt_fail_at_multipathd(run, heard) : begin_reconfigure(run);
}

/*
 * A release that queues a reconfiguration may look idle before it has begun: its configuration is
 * the proof.
 */
static int prove(struct run *run)
{
    bool reread;

    run->outcome.reconfigured = true;
    int r = sync_attempt_hear(run);
    if (r >= 0)
        r = mpathd_wait_until_idle(TIMEOUT_MS);
    for (unsigned i = 0; r >= 0 && i < PROOFS; i++) {
        r = ask_and_judge(run, &reread);
        if (r >= 0 && !reread)
            return 0;
        usleep(PROOF_USEC);
    }
    run->outcome.unproved = r >= 0;
    return sync_attempt_fail_at_multipathd(run, r < 0 ? r : -ETIMEDOUT);
}

static int sync_attempt_check(struct run *run)
{
    int r = sync_attempt_hear(run);
    if (r >= 0)
        r = ask_and_judge(run, &run->outcome.reread);
    return r < 0 ? sync_attempt_fail_at_multipathd(run, r) : 0;
}

static int sync_attempt_report(const struct run *run, int fd)
{
    size_t n = run->outcome.error < 0 || !run->judged ? 0 : run->attempt->n;

    for (size_t i = 0; i < n; i++)
        if (write(fd, &run->verdicts[i], sizeof(run->verdicts[i])) != sizeof(run->verdicts[i]))
            return EIO;
    return write(fd, &run->outcome, sizeof(run->outcome)) == sizeof(run->outcome) ? 0 : EIO;
}

int sync_attempt_run(int fd, void *arg)
{
    const struct sync_attempt *attempt = arg;
    _cleanup_(run_done) struct run run;

    /* systemd ends all processes: a change may wait for this one, and nobody does after the
     * service. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (run_begin(&run, attempt) < 0)
        return ENOMEM;
    if (attempt->schedule.running == ATTEMPT_CHECK)
        (void)sync_attempt_check(&run);
    else if (attempt->schedule.running == ATTEMPT_PROVE)
        (void)prove(&run);
    else
        (void)sync_attempt_tell(&run);
    return sync_attempt_report(&run, fd);
}
