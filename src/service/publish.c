/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "multipath/drop-in.h"
#include "multipath/mpathd.h"
#include "plan/entry.h"
#include "plan/rival.h"
#include "service/lb-plan.h"
#include "service/maps.h"
#include "service/publish.h"
#include "service/reconcile.h"
#include "service/views.h"
#include "service/worker.h"

#define SECOND_USEC 1000000U
#define GATHER_USEC (2U * SECOND_USEC)   /* for requests that come one after another */
#define INTERVAL_USEC (5U * SECOND_USEC) /* from one reconfigure to the next */
#define RETRY_MAX_USEC (60U * SECOND_USEC)
#define TIMEOUT_MS 60000
#define PROOFS 100U
#define PROOF_USEC 200000U
#define RELOADS_WEAKLY 808U /* 0.8.8: a reconfigure reloads only maps that it changes */

/* The prio that multipathd detects where a device handler tells access states (propsel.c). */
#define DETECTED_PRIO "sysfs"

/* One map's part, as it was when the child was made. */
struct part {
    char *wwid, *entry, *vendor, *product;
};

/* What the child has to do. */
struct job {
    struct part *parts;
    size_t n;
    bool keep;      /* no map was seen yet, but policies wait for theirs: leave a file that is there */
    bool must_tell; /* also a multipathd that reloads every map */
    bool owed;      /* the file has changed before, and multipathd may not have read that */
    bool check_only;
    const struct job *previous; /* the one that multipathd has read last, NULL: not known */
};

/* What the child says last. */
struct outcome {
    int error;
    bool changed; /* the file */
    bool reconfigured;
    bool reread; /* after a check: multipathd would know better if it read its files */
    bool alone;  /* this multipathd was left to read the file when it starts */
    char text[192];
};

/* What it says of each part before. */
struct verdict {
    size_t part;
    bool in_force;
    char rival[192];
};

struct waiter {
    void (*func)(int r, void *userdata);
    void *userdata;
};

struct publisher {
    struct host *host;
    sd_event_source *timer;
    sd_event_source *watches[2]; /* conf.d; the directory of multipath.conf */
    char main_name[64];
    bool wanted, check_wanted, running, urgent, alone;
    bool has_told; /* a file was made of maps that were seen */
    bool owed;     /* see the job */
    struct job *read; /* what multipathd has read last */
    uint64_t last_reconfigure;
    unsigned failures;
    char error[192];
    struct waiter *waiters; /* the first n_current of which the running child answers */
    size_t n_waiters, n_current;
};

/* --- In the child --------------------------------------------------------------------------- */

/*
 * The section for a part's product, NULL where it needs none: multipathd detects no prio for it, be
 * it by the administrator's word. `config` NULL: not known, it does.
 */
static int render_device(const struct part *part, const char *config, char **ret)
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

static int render(const struct job *job, const char *config, char **ret)
{
    const char **entries = calloc(job->n + 1, sizeof(*entries));
    char **devices = calloc(job->n + 1, sizeof(*devices));
    size_t n_devices = 0;
    int r = entries && devices ? 0 : -ENOMEM;

    for (size_t i = 0; i < job->n && r >= 0; i++) {
        entries[i] = job->parts[i].entry;
        r = render_device(&job->parts[i], config, &devices[n_devices]);
        if (devices[n_devices])
            n_devices++;
    }
    if (r >= 0)
        r = entry_file((const char *const *)devices, n_devices, entries, job->n, ret);
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
    const struct part *part;
    struct verdict *verdict;
};

static int find_in_file(const char *path, bool later, const char *text, void *userdata)
{
    const struct search *search = userdata;
    const struct part *part = search->part;
    _cleanup_(rival_done) struct rival rival = {0};

    int r = rival_find(text, later, part->wwid, part->entry, part->vendor, part->vendor,
                       part->product, &rival);
    if (r > 0)
        snprintf(search->verdict->rival, sizeof(search->verdict->rival), "%s line %u: %s", path,
                 rival.line, rival.keyword);
    return r;
}

/* Whether a part is in force, and if not, why. */
static int judge(const struct part *part, const char *config, struct verdict *verdict)
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

static bool has_part(const struct job *job, const char *wwid)
{
    for (size_t i = 0; i < job->n; i++)
        if (strcmp(job->parts[i].wwid, wwid) == 0)
            return true;
    return false;
}

/* Whether multipathd still has a part in force that is there no more. */
static int has_left_over(const struct job *job, const char *config)
{
    const struct job *previous = job->previous;
    int r = 0;

    for (size_t i = 0; previous && i < previous->n && r == 0; i++)
        if (!has_part(job, previous->parts[i].wwid))
            r = rival_in_force(config, previous->parts[i].wwid, previous->parts[i].entry);
    return r;
}

/* Judges all; *ret_reread says whether multipathd would know better if it read its files. */
static int judge_all(const struct job *job, struct verdict *verdicts, bool *ret_reread)
{
    _cleanup_free_ char *config = NULL;

    int r = mpathd_config(TIMEOUT_MS, &config);
    if (r >= 0)
        r = has_left_over(job, config);
    if (r < 0)
        return r;
    *ret_reread = r > 0;
    for (size_t i = 0; i < job->n; i++) {
        verdicts[i].part = i;
        r = judge(&job->parts[i], config, &verdicts[i]);
        if (r < 0)
            return r;
        *ret_reread = *ret_reread || (!verdicts[i].in_force && !verdicts[i].rival[0]);
    }
    return 0;
}

__attribute__((format(printf, 3, 4))) static int fail(struct outcome *outcome, int r,
                                                       const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(outcome->text, sizeof(outcome->text), format, ap);
    va_end(ap);
    outcome->error = r;
    return r;
}

static int fail_at_multipathd(struct outcome *outcome, int r)
{
    if (r == -ENOTCONN)
        return fail(outcome, r, "multipathd does not run: start multipathd.service.");
    return fail(outcome, r, "multipathd does not read the policy: %s.", strerror(-r));
}

static bool needs_devices(const struct job *job)
{
    for (size_t i = 0; i < job->n; i++)
        if (job->parts[i].vendor)
            return true;
    return false;
}

/* Writes the file. 1: it has changed. */
static int write_file(const struct job *job, struct outcome *outcome)
{
    _cleanup_free_ char *text = NULL, *config = NULL;

    if (needs_devices(job))
        (void)mpathd_config(TIMEOUT_MS, &config);
    int r = render(job, config, &text);
    if (r >= 0 && (text || !job->keep))
        r = drop_in_write(text);
    if (r < 0)
        return fail(outcome, r, "%s/" DROP_IN_NAME " cannot be written: %s.", drop_in_directory(),
                    strerror(-r));
    return r;
}

/*
 * Has multipathd read the file where that changes something. A release that queues the request may
 * look idle before it has begun: its configuration is the proof.
 */
static int tell(const struct job *job, bool changed, struct verdict *verdicts,
                struct outcome *outcome)
{
    unsigned version;
    bool reread;

    if (job->n == 0 && !changed)
        return 0;
    int r = mpathd_version(TIMEOUT_MS, &version);
    if (r >= 0)
        r = judge_all(job, verdicts, &reread);
    if (r < 0)
        return fail_at_multipathd(outcome, r);
    if (!changed && !reread)
        return 0;
    if (version < RELOADS_WEAKLY && !job->must_tell) {
        outcome->alone = true;
        return 0;
    }

    outcome->reconfigured = true;
    r = mpathd_reconfigure(TIMEOUT_MS);
    for (unsigned i = 0; r >= 0 && i < PROOFS; i++) {
        r = judge_all(job, verdicts, &reread);
        if (r >= 0 && !reread)
            return 0;
        usleep(PROOF_USEC);
    }
    return fail_at_multipathd(outcome, r < 0 ? r : -ETIMEDOUT);
}

static int check(const struct job *job, struct verdict *verdicts, struct outcome *outcome)
{
    int r = judge_all(job, verdicts, &outcome->reread);
    return r < 0 ? fail_at_multipathd(outcome, r) : 0;
}

static int run_child(int fd, void *arg)
{
    const struct job *job = arg;
    struct outcome outcome = {0};
    _cleanup_free_ struct verdict *verdicts = calloc(job->n + 1, sizeof(*verdicts));

    /* Nothing here is harmed by an end half way. */
    signal(SIGTERM, SIG_DFL);
    if (!verdicts)
        return ENOMEM;
    for (size_t i = 0; i < job->n; i++)
        verdicts[i].part = i;

    int r = job->check_only ? check(job, verdicts, &outcome) : write_file(job, &outcome);
    outcome.changed = r > 0;
    if (r >= 0 && !job->check_only)
        r = tell(job, outcome.changed || job->owed, verdicts, &outcome);
    for (size_t i = 0; i < job->n && r >= 0; i++)
        if (write(fd, &verdicts[i], sizeof(*verdicts)) != sizeof(*verdicts))
            return EIO;
    return write(fd, &outcome, sizeof(outcome)) == sizeof(outcome) ? 0 : EIO;
}

/* --- Around it ------------------------------------------------------------------------------ */

static void job_free(struct job *job)
{
    for (size_t i = 0; i < job->n; i++) {
        free(job->parts[i].wwid);
        free(job->parts[i].entry);
        free(job->parts[i].vendor);
        free(job->parts[i].product);
    }
    free(job->parts);
    free(job);
}

DEFINE_CLEANUP(struct job *, job_free);

static char *copy(const char *text, bool *failed)
{
    char *copied = text ? strdup(text) : NULL;
    *failed = *failed || (text && !copied);
    return copied;
}

struct collecting {
    struct job *job;
    bool failed;
};

static void collect(struct host_map *map, void *userdata)
{
    struct collecting *c = userdata;

    if (!map->entry || c->failed)
        return;
    struct part *more = reallocarray(c->job->parts, c->job->n + 1, sizeof(*more));
    if (!more) {
        c->failed = true;
        return;
    }
    c->job->parts = more;
    more[c->job->n++] = (struct part){
        .wwid = copy(map->wwid, &c->failed),
        .entry = copy(map->entry, &c->failed),
        .vendor = copy(map->vendor, &c->failed),
        .product = copy(map->product, &c->failed),
    };
}

static bool has_policy(const struct host *host)
{
    for (size_t i = 0; i < host->n_sessions; i++)
        if (session_has_policy(host->sessions[i]))
            return true;
    return false;
}

static struct job *make_job(const struct publisher *p)
{
    _cleanup_(job_freep) struct job *job = calloc(1, sizeof(*job));
    struct collecting collecting = {.job = job};

    if (!job)
        return NULL;
    maps_each(p->host, collect, &collecting);
    job->must_tell = p->n_waiters > 0;
    job->owed = p->owed;
    job->previous = p->read;
    job->check_only = p->check_wanted;
    job->keep = !p->has_told && !job->must_tell && has_policy(p->host);
    return collecting.failed ? NULL : TAKE_PTR(job);
}

static void take_verdict(struct host *host, const struct job *job, const struct verdict *verdict)
{
    const struct part *part = &job->parts[verdict->part];
    struct host_map *map = maps_find_wwid(host, part->wwid);

    /* One that has another entry by now comes with the next job. */
    if (!map || !map->entry || strcmp(map->entry, part->entry) != 0)
        return;
    map->in_force = verdict->in_force;
    map->doubted = false;
    free(TAKE_PTR(map->rival));
    if (verdict->rival[0])
        map->rival = strdup(verdict->rival);
}

static uint64_t now(const struct publisher *p)
{
    uint64_t usec = 0;
    (void)sd_event_now(p->host->event, CLOCK_MONOTONIC, &usec);
    return usec;
}

static void answer_waiters(struct publisher *p, int r)
{
    size_t n = p->n_current;

    for (size_t i = 0; i < n; i++) {
        struct waiter waiter = p->waiters[0];
        memmove(p->waiters, p->waiters + 1, --p->n_waiters * sizeof(*p->waiters));
        waiter.func(r, waiter.userdata);
    }
    p->n_current = 0;
}

static void arm(struct publisher *p);
static void start(struct publisher *p);

/* The end of an attempt, however it went. */
static void conclude(struct publisher *p, bool was_check, const struct outcome *outcome)
{
    struct host *host = p->host;

    p->running = false;
    if (!was_check) {
        p->alone = outcome->alone;
        p->owed = outcome->error < 0 && (p->owed || outcome->changed);
    }
    if (outcome->reconfigured)
        p->last_reconfigure = now(p);
    if (outcome->error < 0 && strcmp(p->error, outcome->text) != 0)
        log_warning("%s The maps keep their policies; it is tried again.", outcome->text);
    snprintf(p->error, sizeof(p->error), "%s", outcome->error < 0 ? outcome->text : "");
    p->failures = outcome->error < 0 ? p->failures + 1 : 0;
    if (outcome->error < 0 || outcome->reread)
        p->wanted = true;

    answer_waiters(p, outcome->error);
    for (size_t i = 0; i < host->n_sessions; i++)
        views_announce(host->sessions[i], 0);
    if (p->check_wanted)
        start(p);
    else
        arm(p);
}

struct attempt {
    struct publisher *publisher;
    struct job *job;
};

static void on_child_done(int error, const void *data, size_t size, void *userdata)
{
    _cleanup_free_ struct attempt *attempt = userdata;
    _cleanup_(job_freep) struct job *job = attempt->job;
    struct outcome outcome = {.error = error ?: -EIO, .changed = true}; /* if it died: who knows */
    size_t verdicts = 0;

    if (size >= sizeof(outcome) && error == 0) {
        verdicts = size - sizeof(outcome);
        memcpy(&outcome, (const char *)data + verdicts, sizeof(outcome));
    } else
        snprintf(outcome.text, sizeof(outcome.text), "multipathd could not be told: %s.",
                 strerror(-outcome.error));
    for (size_t at = 0; at < verdicts; at += sizeof(struct verdict)) {
        struct verdict verdict;
        memcpy(&verdict, (const char *)data + at, sizeof(verdict));
        take_verdict(attempt->publisher->host, job, &verdict);
    }
    bool was_check = job->check_only;
    if (outcome.error >= 0 && !was_check) {
        if (attempt->publisher->read)
            job_free(attempt->publisher->read);
        job->previous = NULL;
        attempt->publisher->read = TAKE_PTR(job);
    }
    conclude(attempt->publisher, was_check, &outcome);
}

static void start(struct publisher *p)
{
    _cleanup_(job_freep) struct job *job = make_job(p);
    _cleanup_free_ struct attempt *attempt = calloc(1, sizeof(*attempt));

    p->n_current = p->check_wanted ? 0 : p->n_waiters;
    if (!p->check_wanted)
        p->wanted = p->urgent = false;
    p->check_wanted = false;
    p->running = true;
    int r = job && attempt ? 0 : -ENOMEM;
    if (r >= 0) {
        *attempt = (struct attempt){p, job};
        r = worker_start(p->host->event, run_child, job, on_child_done, attempt);
        p->has_told = p->has_told || job->n > 0;
    }
    if (r < 0) {
        struct outcome outcome = {.error = r};
        snprintf(outcome.text, sizeof(outcome.text), "multipathd could not be told: %s.",
                 strerror(-r));
        conclude(p, false, &outcome);
        return;
    }
    (void)TAKE_PTR(job);
    (void)TAKE_PTR(attempt);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct publisher *p = userdata;
    if (p->wanted && !p->running)
        start(p);
    return 0;
}

static uint64_t delay_after_failures(const struct publisher *p)
{
    uint64_t delay = INTERVAL_USEC << (p->failures < 5 ? p->failures - 1 : 4);
    return delay < RETRY_MAX_USEC ? delay : RETRY_MAX_USEC;
}

static void arm(struct publisher *p)
{
    uint64_t time = now(p) + (p->urgent ? 0 : p->failures > 0 ? delay_after_failures(p) : GATHER_USEC);
    uint64_t earliest = p->last_reconfigure ? p->last_reconfigure + INTERVAL_USEC : 0;
    int enabled = SD_EVENT_OFF;

    if (!p->wanted || p->running)
        return;
    /* A timer that runs already stays: requests that never end must not put it off for ever. */
    if (p->timer && !p->urgent && sd_event_source_get_enabled(p->timer, &enabled) > 0)
        return;
    if (time < earliest)
        time = earliest;
    if (!p->timer)
        (void)sd_event_add_time(p->host->event, &p->timer, CLOCK_MONOTONIC, time, 0, on_timer, p);
    else if (sd_event_source_set_time(p->timer, time) >= 0)
        (void)sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

void publish(struct host *host)
{
    if (!host->publisher)
        return;
    host->publisher->wanted = true;
    arm(host->publisher);
}

void publish_check(struct host *host)
{
    struct publisher *p = host->publisher;

    if (!p || p->check_wanted)
        return;
    p->check_wanted = true;
    if (!p->running)
        start(p);
}

int publish_and_wait(struct host *host, void (*func)(int r, void *userdata), void *userdata)
{
    struct publisher *p = host->publisher;
    struct waiter *more = reallocarray(p->waiters, p->n_waiters + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    p->waiters = more;
    more[p->n_waiters++] = (struct waiter){func, userdata};
    p->wanted = p->urgent = true;
    arm(p);
    return 0;
}

const char *publish_error(const struct host *host)
{
    return host->publisher && host->publisher->error[0] ? host->publisher->error : NULL;
}

const char *publish_alone(const struct host *host)
{
    return host->publisher && host->publisher->alone
               ? "this release reloads every map when it reconfigures, and will read the policy "
                 "when it starts."
               : NULL;
}

/* --- Its configuration, changed by others --------------------------------------------------- */

static int on_configuration(sd_event_source *source, const struct inotify_event *event,
                            void *userdata)
{
    struct publisher *p = userdata;
    const char *name = event->len > 0 ? event->name : "";
    size_t length = strlen(name);

    if (source == p->watches[1] ? strcmp(name, p->main_name) == 0
                                : length > 5 && strcmp(name + length - 5, ".conf") == 0 &&
                                      strcmp(name, DROP_IN_NAME) != 0)
        reconcile_configuration(p->host);
    return 0;
}

static void watch(struct publisher *p)
{
    const uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;
    char path[PATH_MAX];

    (void)sd_event_add_inotify(p->host->event, &p->watches[0], drop_in_directory(), mask,
                               on_configuration, p);
    if (drop_in_main_file(path) < 0)
        return;
    char *name = strrchr(path, '/');
    snprintf(p->main_name, sizeof(p->main_name), "%s", name + 1);
    *name = '\0';
    (void)sd_event_add_inotify(p->host->event, &p->watches[1], path[0] ? path : "/", mask,
                               on_configuration, p);
}

int publisher_new(struct host *host)
{
    struct publisher *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->host = host;
    host->publisher = p;
    watch(p);
    publish(host); /* a file that was left behind, or never told of */
    return 0;
}

void publisher_free(struct host *host)
{
    struct publisher *p = TAKE_PTR(host->publisher);
    if (!p)
        return;
    sd_event_source_disable_unref(p->timer);
    for (size_t i = 0; i < ELEMENTSOF(p->watches); i++)
        sd_event_source_disable_unref(p->watches[i]);
    if (p->read)
        job_free(p->read);
    free(p->waiters);
    free(p);
}
