/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "iscsi/digest-read.h"
#include "iscsi/identity.h"
#include "iscsi/record-lock.h"
#include "iscsi/record-name.h"
#include "service/base/patience.h"
#include "service/base/timer.h"
#include "service/base/worker.h"
#include "service/guid/drift.h"
#include "service/model/announce.h"
#include "service/model/find.h"

#define MSEC_USEC 1000U
#define SECOND_USEC 1000000U
#define QUIET_USEC (200U * MSEC_USEC) /* after the last of several changes */
#define GATHER_MAX_USEC SECOND_USEC   /* after the first */
#define RETRY_USEC (5U * SECOND_USEC)
#define UNWATCHED_USEC (60U * SECOND_USEC) /* where not every directory can be watched */
#define DEADLINE_USEC (LOCK_PATIENCE * SECOND_USEC)

struct drift {
    struct host *host;
    int watch_fd; /* inotify, -1: cannot be had; children add what it watches */
    bool has_key;
    uint8_t key[DIGEST_KEY_SIZE];
    sd_event_source *events;
    struct timer timer; /* for the next look */
    sd_event_source *parents[RECORD_ROOTS];
    uint64_t first_event; /* that was not compared yet, 0: none */
    bool running;
    bool again;    /* something happened meanwhile */
    bool outdated; /* what the child reads is older than what it would be compared with */
    bool failing, too_many, unwatched; /* the journal has it */
};

DEFINE_CLEANUP(struct digest_set *, digest_set_free);

/* --- Reading ---------------------------------------------------------------------------------- */

struct drift_reading {
    const struct drift *drift; /* for the child, which has a copy */
    drift_read_done_t done;    /* NULL: has been called, the child is only waited for */
    void *userdata;
};

static int drift_in_child(int fd, void *arg)
{
    const struct drift_reading *reading = arg;
    _cleanup_(digest_set_clear) struct digest_set set = {0};

    worker_confine();
    int r = digests_read(reading->drift->watch_fd, reading->drift->key, &set);
    if (r < 0)
        return -r;

    _cleanup_fclose_ FILE *out = fdopen(fd, "w");
    if (!out)
        return errno;
    digest_set_write(&set, out);
    return fflush(out) == 0 ? 0 : errno;
}

static void drift_answer(struct drift_reading *reading, int error, const struct digest_set *set)
{
    drift_read_done_t done = TAKE_PTR(reading->done);
    if (done)
        done(error, set, reading->userdata);
}

static void drift_on_deadline(void *userdata)
{
    drift_answer(userdata, -ETIMEDOUT, NULL);
}

static void drift_on_child_done(int error, const void *data, size_t size, void *userdata)
{
    struct drift_reading *reading = userdata;
    _cleanup_(digest_set_clear) struct digest_set set = {0};

    int r = error;
    if (r >= 0)
        r = digest_set_parse(data, size, &set);
    drift_answer(reading, r, r < 0 ? NULL : &set);
    free(reading);
}

/* The store is asked once, for somebody else may hold it. */
static int drift_get_key(struct drift *drift)
{
    int r = drift->has_key ? 0 : store_get_key(drift->host->store, drift->key, sizeof(drift->key));
    drift->has_key = r >= 0;
    return r;
}

static int drift_read_until(struct host *host, const struct worker_deadline *deadline,
                            drift_read_done_t done, void *userdata)
{
    struct drift *drift = host->drift;
    _cleanup_free_ struct drift_reading *reading = calloc(1, sizeof(*reading));
    if (!reading)
        return -ENOMEM;
    reading->drift = drift;
    reading->done = done;
    reading->userdata = userdata;

    int r = drift_get_key(drift);
    if (r < 0)
        return r;
    r = worker_start_until(host->event, drift_in_child, reading, deadline, drift_on_child_done,
                           reading);
    if (r < 0)
        return r;
    (void)TAKE_PTR(reading);
    return 0;
}

int drift_read(struct host *host, drift_read_done_t done, void *userdata)
{
    static const struct worker_deadline deadline = {DEADLINE_USEC, drift_on_deadline};

    return drift_read_until(host, &deadline, done, userdata);
}

/* --- What an adapter's records were ----------------------------------------------------------- */

static int drift_take_digest(const struct store_digest *digest, void *userdata)
{
    struct digest_set *set = userdata;
    _cleanup_(record_digest_clear) struct record_digest record = {
        .kind = (enum record_kind)digest->kind,
        .path = strdup(digest->path),
        .initiator = strdup(""),
        .fields = malloc(digest->size ?: 1),
        .size = digest->size,
    };

    if (digest->kind < RECORD_NODE || digest->kind > RECORD_DISCOVERY ||
        !digest_fields_valid(digest->fields, digest->size))
        return -EUCLEAN;
    if (!record.path || !record.initiator || !record.fields)
        return -ENOMEM;
    memcpy(record.fields, digest->fields, digest->size);
    int r = digest_set_append(set, &record);
    if (r >= 0)
        record = (struct record_digest){0};
    return r;
}

static void drift_load_baseline(struct adapter *adapter)
{
    _cleanup_(digest_set_freep) struct digest_set *set = calloc(1, sizeof(*set));

    digest_set_free(TAKE_PTR(adapter->baseline));
    int r = !adapter->has_guid ? -ENODATA : set ? 0 : -ENOMEM;
    if (r >= 0)
        r = store_load_digests(adapter->host->store, adapter->initiator, drift_take_digest, set);
    if (r >= 0) {
        digest_set_sort(set);
        adapter->baseline = TAKE_PTR(set);
    } else if (r != -ENODATA)
        log_warning("The digests of adapter %s cannot be read: %s.", adapter->initiator,
                    strerror(-r));
}

/* --- What has become of them ------------------------------------------------------------------ */

bool drift_cache_valid(const struct adapter *adapter)
{
    return !adapter->has_guid || adapter->comparison == COMPARISON_SAME;
}

void drift_reason(const struct adapter *adapter, char ret[DRIFT_REASON_SIZE])
{
    const char *text = "";

    ret[0] = '\0';
    if (drift_cache_valid(adapter))
        return;
    switch (adapter->comparison) {
    case COMPARISON_SAME:
        break;
    case COMPARISON_NONE:
        text = "open-iscsi's records have not been compared yet.";
        break;
    case COMPARISON_NO_BASELINE:
        text = "How the records were when the GUID was set is not known: set it anew.";
        break;
    case COMPARISON_TOO_MANY:
        snprintf(ret, DRIFT_REASON_SIZE,
                 "open-iscsi has more than %u records, the most that are compared.",
                 DIGEST_RECORDS_MAX);
        return;
    case COMPARISON_DIFFERENT:
        snprintf(ret, DRIFT_REASON_SIZE, "%zu %s since the GUID was set.", adapter->changes.n,
                 adapter->changes.n == 1 ? "record has changed" : "records have changed");
        return;
    }
    snprintf(ret, DRIFT_REASON_SIZE, "%s", text);
}

/* Whether one of the changes is of a connection's record, which several may share. */
static bool drift_is_changed(const struct adapter *adapter, const struct connection *connection)
{
    const struct kernel_session *kernel = connection->kernel;
    uint64_t id = connection_id(adapter->initiator, connection->session->target, kernel->iface,
                                kernel->address, kernel->port, 0);

    for (size_t i = 0; i < adapter->changes.n; i++)
        if (adapter->changed_ids[i] == id)
            return true;
    return false;
}

static void drift_on_login(struct connection *connection, bool new_adapter, void *userdata)
{
    const struct session *session = connection->session;
    connection->record_changed =
        drift_is_changed(host_adapter(session->host, session->adapter_id), connection);
}

static void drift_mark_sessions(struct adapter *adapter)
{
    struct host *host = adapter->host;

    for (size_t i = 0; i < host->n_sessions; i++) {
        struct session *session = host->sessions[i];
        bool news = false;
        for (size_t k = 0; session->adapter_id == adapter->id && k < session->n_connections; k++) {
            struct connection *connection = session->connections[k];
            bool changed = drift_is_changed(adapter, connection);
            news = news || changed != connection->record_changed;
            connection->record_changed = changed;
        }
        if (news)
            announce_session(session, CHANGED_RECORDS);
    }
}

void drift_announce(struct adapter *adapter, unsigned changes)
{
    bool valid = drift_cache_valid(adapter);

    if (valid != adapter->shown_valid)
        changes |= ADAPTER_CACHE_VALID;
    adapter->shown_valid = valid;
    if (changes)
        observe_adapter_changed(adapter, changes);
}

static void drift_forget_changes(struct adapter *adapter)
{
    record_changes_clear(&adapter->changes);
    free(TAKE_PTR(adapter->changed_ids));
}

static void drift_conclude(struct adapter *adapter, enum comparison comparison)
{
    enum comparison before = adapter->comparison;
    char reason[DRIFT_REASON_SIZE];

    adapter->comparison = comparison;
    drift_mark_sessions(adapter);
    drift_reason(adapter, reason);
    if (comparison != before && reason[0])
        log_notice("The cache of adapter %s is not valid: %s", adapter->initiator, reason);
    else if (comparison != before && before != COMPARISON_NONE)
        log_notice("The cache of adapter %s is valid again.", adapter->initiator);
    /* One whose GUID is being set tells of both at its end. */
    if (!adapter->guid_busy)
        drift_announce(adapter, 0);
}

/* UniqueConnectionId of a session by a node's record, 0 where the record is none. -ENOMEM. */
static int drift_connection_of_change(const struct adapter *adapter,
                                      const struct record_change *change, uint64_t *ret)
{
    struct node_name name;

    *ret = 0;
    int r = change->kind == RECORD_NODE ? node_name_parse(change->path, &name) : -EINVAL;
    if (r < 0)
        return r == -ENOMEM ? r : 0;
    *ret = connection_id(adapter->initiator, name.target, name.iface, name.address, name.port, 0);
    free(name.text);
    return 0;
}

static int drift_take_changes(struct adapter *adapter, struct record_changes *changes)
{
    uint64_t *ids = calloc(changes->n + 1, sizeof(*ids));
    int r = ids ? 0 : -ENOMEM;

    for (size_t i = 0; i < changes->n && r >= 0; i++)
        r = drift_connection_of_change(adapter, &changes->items[i], &ids[i]);
    if (r < 0) {
        free(ids);
        return r;
    }
    drift_forget_changes(adapter);
    adapter->changes = *changes;
    adapter->changed_ids = ids;
    *changes = (struct record_changes){0};
    return 0;
}

static int drift_compare(struct adapter *adapter, const struct digest_set *set)
{
    _cleanup_(record_changes_clear) struct record_changes changes = {0};
    struct digest_set own;

    int r = digest_set_select(set, adapter->host->initiator, adapter->initiator, &own);
    if (r < 0)
        return r;
    r = digest_set_compare(adapter->baseline, &own, &changes);
    free(own.records);
    if (r >= 0)
        r = drift_take_changes(adapter, &changes);
    if (r >= 0)
        drift_conclude(adapter, adapter->changes.n > 0 ? COMPARISON_DIFFERENT : COMPARISON_SAME);
    return r;
}

static int drift_judge(struct adapter *adapter, const struct digest_set *set)
{
    if (!adapter->has_guid)
        return 0;
    if (adapter->baseline && !set->too_many)
        return drift_compare(adapter, set);
    drift_forget_changes(adapter);
    drift_conclude(adapter, adapter->baseline ? COMPARISON_TOO_MANY : COMPARISON_NO_BASELINE);
    return 0;
}

/* --- When to look ----------------------------------------------------------------------------- */

static bool drift_has_guid(const struct host *host)
{
    for (size_t i = 0; i < host->n_adapters; i++)
        if (host->adapters[i]->has_guid)
            return true;
    return false;
}

/* Something may have changed. Without a GUID nothing is kept that it could part from. */
static void drift_notice(struct drift *drift)
{
    if (!drift_has_guid(drift->host))
        return;
    if (drift->running) {
        drift->again = true;
        return;
    }
    uint64_t now = loop_usec(drift->host->event);
    if (drift->first_event == 0)
        drift->first_event = now;
    uint64_t latest = drift->first_event + GATHER_MAX_USEC;
    (void)timer_set_at(&drift->timer, now + QUIET_USEC < latest ? now + QUIET_USEC : latest);
}

static void drift_tell_unwatched(struct drift *drift, bool unwatched)
{
    if (unwatched && !drift->unwatched)
        log_warning("Not all directories with open-iscsi's records can be watched (see "
                    "fs.inotify.max_user_watches and max_user_instances): they are compared once a "
                    "minute.");
    drift->unwatched = unwatched;
}

/* What the journal is told once, until it is over. */
static void drift_tell_of_limits(struct drift *drift, const struct digest_set *set)
{
    if (set->too_many && !drift->too_many)
        log_warning("open-iscsi has more than %u records: they are not compared, and CacheValid is "
                    "false.",
                    DIGEST_RECORDS_MAX);
    drift->too_many = set->too_many;
    drift_tell_unwatched(drift, set->unwatched || drift->watch_fd < 0);
}

static void drift_fail(struct drift *drift, int error)
{
    if (!drift->failing)
        log_warning("open-iscsi's records cannot be compared: %s. It is tried again.",
                    record_lock_error(error));
    drift->failing = true;
    drift->again = false;
    (void)timer_set_in(&drift->timer, RETRY_USEC);
}

static void drift_on_read(int error, const struct digest_set *set, void *userdata)
{
    struct drift *drift = userdata;
    struct host *host = drift->host;
    bool again = drift->again || drift->outdated;

    drift->running = drift->again = false;
    for (size_t i = 0; i < host->n_adapters && error >= 0 && !drift->outdated; i++)
        error = drift_judge(host->adapters[i], set);
    drift->outdated = false;
    if (error < 0) {
        drift_fail(drift, error);
        return;
    }
    drift->failing = false;
    drift_tell_of_limits(drift, set);
    if (again)
        drift_notice(drift);
    else if (drift->unwatched)
        (void)timer_set_in(&drift->timer, UNWATCHED_USEC);
}

static void drift_start(struct drift *drift)
{
    drift->first_event = 0;
    drift->again = drift->outdated = false;
    int r = drift_read_until(drift->host, NULL, drift_on_read, drift);
    drift->running = r >= 0;
    if (r < 0)
        drift_fail(drift, r);
}

static int drift_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct drift *drift = userdata;

    if (!drift->running)
        drift_start(drift);
    return 0;
}

/* What its records were comes from the store. */
static void drift_on_adapter(struct adapter *adapter, void *userdata)
{
    struct drift *drift = adapter->host->drift;

    drift_load_baseline(adapter);
    adapter->shown_valid = drift_cache_valid(adapter);
    if (drift && adapter->has_guid)
        drift_notice(drift);
}

void drift_follow(struct host *host)
{
    host_observe(host, &(struct host_observer){
                           .adapter_added = drift_on_adapter,
                           .login = drift_on_login,
                       });
}

void drift_restart(struct adapter *adapter)
{
    struct drift *drift = adapter->host->drift;

    drift_load_baseline(adapter);
    drift_forget_changes(adapter);
    adapter->comparison = adapter->baseline ? COMPARISON_SAME : COMPARISON_NO_BASELINE;
    drift_mark_sessions(adapter);
    if (drift && drift->running)
        drift->outdated = true;
}

void drift_reconsider(struct host *host)
{
    if (host->drift)
        drift_notice(host->drift);
}

bool drift_is_settled(const struct host *host)
{
    const struct drift *drift = host->drift;
    return !drift || (!drift->running && drift->first_event == 0);
}

/* What it says does not matter: a look at the records says it all. */
static int drift_on_events(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    char data[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

    while (read(fd, data, sizeof(data)) > 0)
        ;
    drift_notice(userdata);
    return 0;
}

static bool drift_is_root(const char *name)
{
    struct record_places places;

    record_places(&places);
    for (size_t i = 0; i < RECORD_ROOTS && places.roots[i]; i++) {
        const char *last = strrchr(places.roots[i], '/');
        if (last && strcmp(name, last + 1) == 0)
            return true;
    }
    return false;
}

/*
 * A root has come, with open-iscsi; without a name, events were lost. What is in it is watched when
 * it is read.
 */
static int drift_on_parent(sd_event_source *source, const struct inotify_event *event,
                           void *userdata)
{
    if (event->len == 0 || drift_is_root(event->name))
        drift_notice(userdata);
    return 0;
}

static void drift_watch_parents(struct drift *drift)
{
    struct record_places places;

    record_places(&places);
    for (size_t i = 0; i < RECORD_ROOTS && places.roots[i]; i++) {
        _cleanup_free_ char *parent = strdup(places.roots[i]);
        char *name = parent ? strrchr(parent, '/') : NULL;
        if (!name || name == parent)
            continue;
        *name = '\0';
        (void)sd_event_add_inotify(drift->host->event, &drift->parents[i], parent,
                                   IN_CREATE | IN_MOVED_TO | IN_ONLYDIR, drift_on_parent, drift);
    }
}

int drift_new(struct host *host)
{
    struct drift *drift = calloc(1, sizeof(*drift));
    if (!drift)
        return -ENOMEM;
    drift->host = host;
    timer_init(&drift->timer, host->event, 1, drift_on_timer, drift);
    drift->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    host->drift = drift;
    drift_tell_unwatched(drift, drift->watch_fd < 0);
    if (drift->watch_fd >= 0) {
        int r = sd_event_add_io(host->event, &drift->events, drift->watch_fd, EPOLLIN,
                                drift_on_events, drift);
        if (r < 0)
            return r;
    }
    drift_watch_parents(drift);
    if (drift_has_guid(host))
        drift_start(drift);
    return 0;
}

void drift_free(struct host *host)
{
    struct drift *drift = TAKE_PTR(host->drift);

    if (!drift)
        return;
    sd_event_source_disable_unref(drift->events);
    timer_done(&drift->timer);
    for (size_t i = 0; i < RECORD_ROOTS; i++)
        sd_event_source_disable_unref(drift->parents[i]);
    closep(&drift->watch_fd);
    explicit_bzero(drift->key, sizeof(drift->key));
    free(drift);
}
