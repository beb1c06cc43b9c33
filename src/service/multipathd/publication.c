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
#include "service/multipathd/publication.h"

#define TIMEOUT_MS 60000
#define PROOFS 100U
#define PROOF_USEC 200000U
#define RELOADS_WEAKLY 808U /* 0.8.8: a reconfigure reloads only maps that it changes */

/* The prio that multipathd detects where a device handler tells access states (propsel.c). */
#define DETECTED_PRIO "sysfs"

void publication_free(struct publication *publication)
{
    for (size_t i = 0; i < publication->n; i++) {
        free(publication->parts[i].wwid);
        free(publication->parts[i].entry);
        free(publication->parts[i].vendor);
        free(publication->parts[i].product);
    }
    free(publication->parts);
    free(publication);
}

/*
 * The section for a part's product, NULL where it needs none: multipathd detects no prio for it, be
 * it by the administrator's word. `config` NULL: not known, it does.
 */
static int render_device(const struct publication_part *part, const char *config, char **ret)
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

static int render(const struct publication *publication, const char *config, char **ret)
{
    const char **entries = calloc(publication->n + 1, sizeof(*entries));
    char **devices = calloc(publication->n + 1, sizeof(*devices));
    size_t n_devices = 0;
    int r = entries && devices ? 0 : -ENOMEM;

    for (size_t i = 0; i < publication->n && r >= 0; i++) {
        entries[i] = publication->parts[i].entry;
        r = render_device(&publication->parts[i], config, &devices[n_devices]);
        if (devices[n_devices])
            n_devices++;
    }
    if (r >= 0)
        r = entry_file((const char *const *)devices, n_devices, entries, publication->n, ret);
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
    const struct publication_part *part;
    struct publication_verdict *verdict;
};

static int find_in_file(const char *path, bool later, const char *text, void *userdata)
{
    const struct search *search = userdata;
    const struct publication_part *part = search->part;
    _cleanup_(rival_done) struct rival rival = {0};

    int r = rival_find(text, later, part->wwid, part->entry, part->vendor, part->vendor,
                       part->product, &rival);
    if (r > 0)
        snprintf(search->verdict->rival, sizeof(search->verdict->rival), "%s line %u: %s", path,
                 rival.line, rival.keyword);
    return r;
}

/* Whether a part is in force, and if not, why. */
static int judge(const struct publication_part *part, const char *config,
                 struct publication_verdict *verdict)
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

static bool has_part(const struct publication *publication, const char *wwid)
{
    for (size_t i = 0; i < publication->n; i++)
        if (strcmp(publication->parts[i].wwid, wwid) == 0)
            return true;
    return false;
}

/* Whether multipathd still has a part in force that is there no more. */
static int has_left_over(const struct publication *publication, const char *config)
{
    const struct publication *previous = publication->previous;
    int r = 0;

    for (size_t i = 0; previous && i < previous->n && r == 0; i++)
        if (!has_part(publication, previous->parts[i].wwid))
            r = rival_in_force(config, previous->parts[i].wwid, previous->parts[i].entry);
    return r;
}

/* Judges all; *ret_reread says whether multipathd would know better if it read its files. */
static int judge_all(const struct publication *publication, struct publication_verdict *verdicts,
                     bool *ret_reread)
{
    _cleanup_free_ char *config = NULL;

    int r = mpathd_config(TIMEOUT_MS, &config);
    if (r >= 0)
        r = has_left_over(publication, config);
    if (r < 0)
        return r;
    *ret_reread = r > 0;
    for (size_t i = 0; i < publication->n; i++) {
        verdicts[i].part = i;
        r = judge(&publication->parts[i], config, &verdicts[i]);
        if (r < 0)
            return r;
        *ret_reread = *ret_reread || (!verdicts[i].in_force && !verdicts[i].rival[0]);
    }
    return 0;
}

__attribute__((format(printf, 3, 4))) static int fail(struct publication_outcome *outcome, int r,
                                                      const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(outcome->text, sizeof(outcome->text), format, ap);
    va_end(ap);
    outcome->error = r;
    return r;
}

static int fail_at_multipathd(struct publication_outcome *outcome, int r)
{
    if (r == -ENOTCONN)
        return fail(outcome, r, "multipathd does not run: start multipathd.service.");
    return fail(outcome, r, "multipathd does not read the policy: %s.", strerror(-r));
}

static bool needs_devices(const struct publication *publication)
{
    for (size_t i = 0; i < publication->n; i++)
        if (publication->parts[i].vendor)
            return true;
    return false;
}

/* Writes the file. Whether it has changed counts on failure as well: multipathd is owed that. */
static int write_file(const struct publication *publication, struct publication_outcome *outcome)
{
    _cleanup_free_ char *text = NULL, *config = NULL;

    if (needs_devices(publication))
        (void)mpathd_config(TIMEOUT_MS, &config);
    int r = render(publication, config, &text);
    if (r >= 0 && (text || !publication->keep))
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
static int tell(const struct publication *publication, struct publication_verdict *verdicts,
                struct publication_outcome *outcome)
{
    bool changed = outcome->changed || publication->owed, reread;
    unsigned version;

    if (publication->n == 0 && !changed)
        return 0;
    int r = mpathd_version(TIMEOUT_MS, &version);
    if (r >= 0)
        r = judge_all(publication, verdicts, &reread);
    if (r < 0)
        return fail_at_multipathd(outcome, r);
    if (!changed && !reread)
        return 0;
    if (version < RELOADS_WEAKLY && !publication->must_tell) {
        outcome->alone = true;
        return 0;
    }

    outcome->reconfigured = true;
    r = mpathd_reconfigure(TIMEOUT_MS);
    for (unsigned i = 0; r >= 0 && i < PROOFS; i++) {
        r = judge_all(publication, verdicts, &reread);
        if (r >= 0 && !reread)
            return 0;
        usleep(PROOF_USEC);
    }
    return fail_at_multipathd(outcome, r < 0 ? r : -ETIMEDOUT);
}

static int check(const struct publication *publication, struct publication_verdict *verdicts,
                 struct publication_outcome *outcome)
{
    int r = judge_all(publication, verdicts, &outcome->reread);
    return r < 0 ? fail_at_multipathd(outcome, r) : 0;
}

int publication_run(int fd, void *arg)
{
    const struct publication *publication = arg;
    struct publication_outcome outcome = {0};
    _cleanup_free_ struct publication_verdict *verdicts =
        calloc(publication->n + 1, sizeof(*verdicts));

    /* Nothing here is harmed by an end half way. */
    signal(SIGTERM, SIG_DFL);
    if (!verdicts)
        return ENOMEM;
    for (size_t i = 0; i < publication->n; i++)
        verdicts[i].part = i;

    int r = publication->check_only ? check(publication, verdicts, &outcome)
                                    : write_file(publication, &outcome);
    if (r >= 0 && !publication->check_only)
        r = tell(publication, verdicts, &outcome);
    for (size_t i = 0; i < publication->n && r >= 0; i++)
        if (write(fd, &verdicts[i], sizeof(*verdicts)) != sizeof(*verdicts))
            return EIO;
    return write(fd, &outcome, sizeof(outcome)) == sizeof(outcome) ? 0 : EIO;
}
