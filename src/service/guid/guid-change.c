/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-device.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "build-config.h"
#include "iscsi/kernel-session.h"
#include "iscsi/record-lock.h"
#include "iscsi/record-name.h"
#include "service/base/patience.h"
#include "service/base/timer.h"
#include "service/guid/drift.h"
#include "service/guid/guid-change.h"
#include "service/model/find.h"
#include "service/model/host.h"
#include "wmi/status.h"

#define UDEV_WAIT_USEC (UDEV_PATIENCE * 1000000U)

/* One SetGenerationalGuid from its check to its answer. */
struct guid_change {
    struct host *host;
    uint64_t adapter_id;
    uint8_t guid[GUID_SIZE];
    char text[GUID_TEXT_SIZE];
    struct requester who;
    uint32_t *waiting; /* sids whose tag udev has not taken yet */
    size_t n_waiting;
    size_t n_records, n_sessions; /* that were tagged, for the journal */
    struct timer deadline;        /* of udev */
    guid_change_done_t done;
    void *userdata;
    struct guid_change *next; /* in host->guid_changes */
};

static void guid_change_forget(struct guid_change *change)
{
    struct guid_change **p = &change->host->guid_changes;
    while (*p && *p != change)
        p = &(*p)->next;
    if (*p)
        *p = change->next;
}

static void guid_change_finish(struct guid_change *change, uint32_t status)
{
    struct adapter *adapter = host_adapter(change->host, change->adapter_id);

    log_line(status == STATUS_SUCCESS ? LOG_NOTICE : LOG_WARNING,
             "Generational GUID %s for adapter %s, asked by %s (uid %u, pid %d); "
             "%zu records and %zu sessions tagged; result: %s",
             change->text, adapter->initiator[0] ? adapter->initiator : "without a name",
             change->who.name, (unsigned)change->who.uid, (int)change->who.pid, change->n_records,
             change->n_sessions, status_symbol(status));

    adapter->guid_busy = false;
    guid_change_forget(change);
    drift_announce(adapter, status == STATUS_SUCCESS ? ADAPTER_GUID : 0);
    change->done(status, change->userdata);
    timer_done(&change->deadline);
    free(change->waiting);
    free(change);
}

/* What a GUID is saved with. */
struct guid_content {
    struct node_name *names; /* what the strings of the tags belong to */
    size_t n_names;
    struct store_record *tags;
    size_t n_tags;
    struct store_digest *digests;
    size_t n_digests;
};

static void guid_content_clear(struct guid_content *content)
{
    for (size_t i = 0; i < content->n_names; i++)
        free(content->names[i].text);
    free(content->names);
    free(content->tags);
    free(content->digests);
}

/* The adapter's records: digests of all, and a tag for each node. */
static int guid_change_collect_records(const struct digest_set *records,
                                       struct guid_content *content)
{
    for (size_t i = 0; i < records->n; i++) {
        const struct record_digest *record = &records->records[i];
        struct node_name *name = &content->names[content->n_names];
        content->digests[content->n_digests++] =
            (struct store_digest){record->kind, record->path, record->fields, record->size};
        if (record->kind != RECORD_NODE)
            continue;
        int r = node_name_parse(record->path, name);
        if (r < 0)
            return r;
        content->n_names++;
        content->tags[content->n_tags++] =
            (struct store_record){name->target, name->address, name->port, name->iface};
    }
    return 0;
}

/* The portals of its sessions have a tag, too, should one have no record. */
static void guid_change_collect_sessions(const struct guid_change *change,
                                         struct guid_content *content)
{
    const struct host *host = change->host;

    for (size_t i = 0; i < host->n_sessions; i++) {
        const struct session *session = host->sessions[i];
        for (size_t k = 0; session->adapter_id == change->adapter_id && k < session->n_connections;
             k++) {
            const struct kernel_session *kernel = session->connections[k]->kernel;
            content->tags[content->n_tags++] =
                (struct store_record){kernel->target, kernel->address, kernel->port, kernel->iface};
        }
    }
}

/* `records` are the adapter's. */
static int guid_change_collect(const struct guid_change *change, const struct digest_set *records,
                               struct guid_content *content)
{
    const struct host *host = change->host;
    size_t n_connections = 0;

    for (size_t i = 0; i < host->n_sessions; i++)
        n_connections += host->sessions[i]->n_connections;
    content->names = calloc(records->n + 1, sizeof(*content->names));
    content->digests = calloc(records->n + 1, sizeof(*content->digests));
    content->tags = calloc(records->n + n_connections + 1, sizeof(*content->tags));
    if (!content->names || !content->digests || !content->tags)
        return -ENOMEM;
    guid_change_collect_sessions(change, content);
    return guid_change_collect_records(records, content);
}

static int guid_change_on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct guid_change *change = userdata;

    log_warning("udev has not taken the tag of %zu sessions within %u s: is systemd-udevd running?",
                change->n_waiting, UDEV_PATIENCE);
    guid_change_finish(change, STATUS_SUCCESS);
    return 0;
}

static bool guid_change_tag(uint32_t sid, const char *text)
{
    int r = kernel_session_tag(sid, text);
    if (r < 0)
        log_warning("The device of iSCSI session %u cannot be tagged: %s.", sid, strerror(-r));
    return r >= 0;
}

/* Shows the tag on all sessions of the adapter; the answer waits for udev. */
static void guid_change_tag_sessions(struct guid_change *change)
{
    struct host *host = change->host;
    size_t room = 0;

    for (size_t i = 0; i < host->n_sessions; i++)
        room += host->sessions[i]->n_connections;
    change->waiting = calloc(room + 1, sizeof(*change->waiting));

    for (size_t i = 0; i < host->n_sessions; i++) {
        const struct session *session = host->sessions[i];
        for (size_t k = 0; session->adapter_id == change->adapter_id && k < session->n_connections;
             k++) {
            uint32_t sid = session->connections[k]->kernel->sid;
            if (!guid_change_tag(sid, change->text))
                continue;
            change->n_sessions++;
            if (change->waiting)
                change->waiting[change->n_waiting++] = sid;
        }
    }

    timer_init(&change->deadline, host->event, 0, guid_change_on_deadline, change);
    if (change->n_waiting == 0 || timer_set_in(&change->deadline, UDEV_WAIT_USEC) < 0)
        guid_change_finish(change, STATUS_SUCCESS);
}

void guid_on_udev_event(struct host *host, uint32_t sid, const char *text)
{
    for (struct guid_change *change = host->guid_changes, *next; change; change = next) {
        next = change->next;
        if (strcasecmp(change->text, text) != 0 || change->n_waiting == 0)
            continue;
        for (size_t i = 0; i < change->n_waiting; i++)
            if (change->waiting[i] == sid) {
                change->waiting[i] = change->waiting[--change->n_waiting];
                break;
            }
        if (change->n_waiting == 0)
            guid_change_finish(change, STATUS_SUCCESS);
    }
}

static int guid_change_put(struct guid_change *change, const struct digest_set *records,
                           const struct guid_content *content)
{
    const struct adapter *adapter = host_adapter(change->host, change->adapter_id);
    const struct store_digests digests = {content->digests, content->n_digests};

    if (records->too_many)
        log_warning("open-iscsi has more than %u records: changes to them will not be noticed, and "
                    "CacheValid of adapter %s is false.",
                    DIGEST_RECORDS_MAX, adapter->initiator);
    return store_put_guid(change->host->store, adapter->initiator, change->guid, content->tags,
                          content->n_tags, records->too_many ? NULL : &digests);
}

/* `records` are the adapter's. */
static void guid_change_save(struct guid_change *change, const struct digest_set *records)
{
    struct adapter *adapter = host_adapter(change->host, change->adapter_id);
    _cleanup_(guid_content_clear) struct guid_content content = {0};

    if (guid_change_collect(change, records, &content) < 0) {
        guid_change_finish(change, ISDSC_OUT_OF_RESOURCES);
        return;
    }
    int r = guid_change_put(change, records, &content);
    if (r < 0) {
        log_error("The generational GUID cannot be saved: %s.", strerror(-r));
        guid_change_finish(change, ISDSC_COULD_NOT_SAVE_PERSISTENT_LOGIN_DATA);
        return;
    }

    change->n_records = content.n_tags;
    r = host_reload_guid(change->host, adapter);
    if (r < 0)
        log_error("The generational GUID cannot be read back: %s.", strerror(-r));
    drift_restart(adapter);
    guid_change_tag_sessions(change);
}

static void guid_change_on_records(int error, const struct digest_set *set, void *userdata)
{
    struct guid_change *change = userdata;
    const struct adapter *adapter = host_adapter(change->host, change->adapter_id);
    struct digest_set own;

    if (error >= 0)
        error = digest_set_select(set, change->host->initiator, adapter->initiator, &own);
    if (error < 0) {
        log_warning("open-iscsi's records cannot be read: %s.", record_lock_error(error));
        guid_change_finish(change,
                           error == -ENOMEM ? ISDSC_OUT_OF_RESOURCES : ISDSC_INITIATOR_ERROR);
        return;
    }
    guid_change_save(change, &own);
    free(own.records);
}

/* Without an initiator name there is no open-iscsi, and no record. */
static void guid_change_read_and_save(struct guid_change *change)
{
    static const struct digest_set none;
    const struct adapter *adapter = host_adapter(change->host, change->adapter_id);

    if (!adapter->initiator[0]) {
        guid_change_save(change, &none);
        return;
    }
    int r = drift_read(change->host, guid_change_on_records, change);
    if (r >= 0)
        return;
    log_error("open-iscsi's records cannot be read for their digests: %s.", strerror(-r));
    guid_change_finish(change, r == -ENOMEM || r == -EAGAIN || r == -EMFILE
                                   ? ISDSC_OUT_OF_RESOURCES
                                   : ISDSC_COULD_NOT_SAVE_PERSISTENT_LOGIN_DATA);
}

static uint32_t guid_change_check(const struct adapter *adapter, size_t size)
{
    if (size != GUID_SIZE)
        return ISDSC_INVALID_PARAMETER;
    return adapter->guid_busy ? ISDSC_SESSION_BUSY : STATUS_SUCCESS;
}

void guid_change(struct host *host, struct adapter *adapter, const uint8_t *guid, size_t size,
                 const struct requester *who, guid_change_done_t done, void *userdata)
{
    uint32_t status = guid_change_check(adapter, size);
    struct guid_change *change = NULL;

    if (status == STATUS_SUCCESS) {
        change = calloc(1, sizeof(*change));
        status = change ? STATUS_SUCCESS : ISDSC_OUT_OF_RESOURCES;
    }
    if (status != STATUS_SUCCESS) {
        log_info("Generational GUID for adapter %s refused: %s", adapter->initiator,
                 status_symbol(status));
        done(status, userdata);
        return;
    }

    *change = (struct guid_change){
        .host = host,
        .adapter_id = adapter->id,
        .who = *who,
        .done = done,
        .userdata = userdata,
        .next = host->guid_changes,
    };
    memcpy(change->guid, guid, GUID_SIZE);
    guid_format(change->guid, change->text);
    host->guid_changes = change;
    adapter->guid_busy = true;
    guid_change_read_and_save(change);
}

void guid_tag_connection(const struct connection *connection)
{
    char path[64], text[GUID_TEXT_SIZE];
    _cleanup_(sd_device_unrefp) sd_device *device = NULL;
    const char *now = "";

    if (!connection->has_tag)
        return;
    guid_format(connection->tag, text);
    snprintf(path, sizeof(path), "/sys/class/iscsi_session/session%u", connection->kernel->sid);
    if (sd_device_new_from_syspath(&device, path) >= 0)
        (void)sd_device_get_property_value(device, SESSION_TAG_PROPERTY, &now);
    if (strcmp(now, text) != 0)
        (void)guid_change_tag(connection->kernel->sid, text);
}
