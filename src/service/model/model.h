/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The model of this host: adapters, sessions (I_T nexuses), connections (kernel sessions) and the
 * multipath maps over their disks, kept current by uevents. What changes without one (states,
 * tables) is read when it is asked for. Types alone: functions are in host.h, maps.h, find.h, ...
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "iscsi/digest.h"
#include "iscsi/kernel-session.h"
#include "iscsi/records.h"
#include "multipath/swap.h"
#include "plan/detection.h"
#include "plan/map-state.h"
#include "service/base/timer.h"
#include "service/model/announce.h"
#include "service/model/freshness.h"
#include "service/model/observer.h"
#include "store/store.h"
#include "wmi/policy.h"

struct host;
struct host_map;

struct connection {
    uint64_t id;           /* UniqueConnectionId */
    unsigned rank;         /* among those that are alike, from 1: it is in the ID; 0: alone */
    uint64_t other_id;     /* of rank 1 where it has none, of none where that is 1; else 0 */
    uint64_t announced_id; /* as clients were last told, 0: not yet */
    struct session *session;
    struct kernel_session *kernel;
    struct kernel_session_state state; /* as clients were last told */
    int state_fd; /* open while clients ask for states (service/model/states.h), else -1 */
    struct kernel_session_ends ends; /* as they were read last (service/model/connection-read.h) */
    uint64_t ends_moment;
    char **disks; /* likewise, NULL: not yet */
    uint64_t disks_serial;
    bool has_tag; /* its node record has one */
    uint8_t tag[GUID_SIZE];
    bool record_changed; /* since the adapter's GUID was set */
};

/* Whether the live tables mean the session's policy. */
enum agreement {
    AGREEMENT_APPLIED,   /* they do, or none is chosen */
    AGREEMENT_PENDING,   /* a map differs, or there is none yet */
    AGREEMENT_CONTESTED, /* somebody's configuration wins; it is left alone until that changes */
};

/* Whether multipathd would build the same groups. */
enum mpathd_agreement {
    MPATHD_AGREES,  /* it would, or no policy is chosen */
    MPATHD_PENDING, /* it has not been told yet */
    MPATHD_ALONE,   /* it cannot be told: the service holds the policy by itself */
};

/* How far kernel and multipathd agree with the policies in force for one map. */
struct map_agreement {
    enum agreement kernel;
    enum mpathd_agreement mpathd;
    char reason[256]; /* UTF-8: why one of the two is not the best; empty where both are */
};

/* What a session's policy looks like from outside (service/view/views.h). */
struct session_view {
    bool logged_in;
    uint32_t policy; /* 0: none */
    enum agreement agreement;
    enum mpathd_agreement mpathd;
    char reason[256]; /* why one of the two is not the best; empty where both are */
    uint32_t n_reapplied;
};

/* ISCSI_Supported_LB_Policies of one session: a path for each connection, ascending by ID. */
struct lb_answer {
    uint32_t policy;
    struct lb_path *paths;
    size_t n_paths;
    uint64_t serial; /* freshness_serial() when it was read, 0: good for once */
    uint64_t usec;   /* when that was, CLOCK_MONOTONIC */
};

/* What requests do to a session's policy; of a map it is enum map_hold. */
enum session_hold {
    SESSION_FREE,
    SESSION_CHANGE, /* one gives it another policy, or waits for its turn */
    SESSION_CLEAR,  /* likewise, and the policy that was there does not count any more */
};

struct session {
    uint64_t id; /* UniqueSessionId */
    uint64_t adapter_id;
    char *initiator;
    char *target;
    struct connection **connections; /* ascending by ID */
    size_t n_connections;
    struct store_policy *policy; /* the one chosen, NULL: none */
    enum session_hold hold;
    struct host_map **maps; /* those over its disks */
    size_t n_maps;
    uint32_t n_reapplied; /* maps that got their table again without a request */
    dev_t *devices;       /* dm devices over its disks (service/model/session-maps.h) */
    size_t n_devices;
    struct freshness_mark devices_mark; /* when they were listed */
    struct lb_answer *answer;  /* as it was read last (service/view/lb-query.h), NULL: not yet */
    struct session_view shown; /* as clients were last told */
    unsigned untold;           /* bits of enum session_change that they were not told yet */
    bool announced;            /* they will be */
    struct host *host;
};

/* What a disk looks like from outside (service/view/disk-views.h). */
struct disk_view {
    bool present;
    char name[128];
    uint64_t sectors;
    uint32_t policy;        /* enum dsm_policy, the one in force */
    const char *provenance; /* "disk", "session", "default" or "host" */
    struct map_agreement agreement;
    uint32_t n_reapplied;
};

/* The path of a map that has the I/O, where failback is manual. */
struct active_path {
    uint64_t id;  /* DsmPathId, 0: none, or not known yet */
    uint32_t sid; /* NO_SID: of another transport */
};

/* What the reconciler counts (service/reconcile/reconcile.c); times are CLOCK_MONOTONIC. */
struct map_watch {
    uint64_t transit_usec;         /* since when a path of it is on its way; 0: none is, but ... */
    size_t n_strangers;            /* ... such that were waited for in vain */
    uint64_t leaving_usec;         /* since when all of its paths log out; 0: they do not */
    unsigned inspections_left;     /* for access states that may change */
    uint64_t next_inspection_usec; /* the next of them, whatever inspections come before */
    bool is_changed;               /* its table is: to be told, if it is repaired, after that */
};

struct host_map {
    struct host *host;
    dev_t dev; /* 0: it is gone; its policy, or its entry in the drop-in, waits for its return */
    char *wwid;
    char *name; /* NULL: not seen yet, the store knows its policy, or the drop-in its entry */
    uint64_t sectors;
    uint64_t *session_ids; /* those with paths in it */
    size_t n_sessions;
    dev_t *paths; /* ascending */
    size_t n_paths;
    char *appearance; /* table, path and group states, as last seen: another one is a change */
    struct map_state state;
    enum kpartx kpartx;     /* as udev has told last */
    bool handler_moves_lun; /* plan/plan.h */
    bool asymmetric;        /* its paths differ in access state */
    bool
        asymmetric_now; /* likewise, as a client asked last (service/view/disk-query.c), and when */
    uint64_t asymmetry_moment;

    /* the disk's own policy (wmi/dsm.h), which ranks above those of sessions */
    struct store_disk_policy *policy; /* NULL: none */
    bool offered;       /* the default policy, in this boot (service/model/offers.h) ... */
    bool offer_unsaved; /* ... which the store does not know yet */
    struct active_path active_path;

    /* multipathd's part (multipath/drop-in.h) */
    char *entry; /* its section in the drop-in, NULL: no policy, or it cannot be told */
    const char *inexpressible;  /* why multipathd cannot be told of it */
    struct detection_disk disk; /* vendor NULL: multipathd detects no prio for it */
    bool disk_is_read;          /* it is known: not with an entry of an earlier run's */
    char *override;             /* what wins over the entry: of one that is overridden */

    struct map_watch watch;
    uint32_t n_reapplied; /* how often it got its table again without a request */

    struct disk_view shown; /* as clients were last told */
    bool is_shown;          /* they were told that it is there */
    bool to_tell;           /* they will be told of a change */
    unsigned untold;        /* bits of enum disk_change that they were not told yet */
};

/* How open-iscsi's records are, compared with those that an adapter's GUID was set for. */
enum comparison {
    COMPARISON_NONE, /* not compared yet */
    COMPARISON_SAME,
    COMPARISON_DIFFERENT,
    COMPARISON_NO_BASELINE, /* how they were is not known */
    COMPARISON_TOO_MANY,    /* more than are compared */
};

struct adapter {
    uint64_t id;     /* UniqueAdapterId */
    char *initiator; /* empty: a host that has no initiator name */
    unsigned n_ifaces;
    bool has_guid;
    uint8_t guid[GUID_SIZE];
    bool guid_busy;              /* a SetGenerationalGuid runs */
    struct digest_set *baseline; /* the records when it was set, NULL: not known */
    enum comparison comparison;
    struct record_changes changes;
    uint64_t *changed_ids; /* the connection of each of the changes, 0: none */
    bool shown_valid;      /* CacheValid as clients were last told */
    struct host *host;
};

/* How telling multipathd went last (service/multipathd/mpathd-sync.h). */
struct sync_status {
    bool deferred;   /* this multipathd is not asked to read its configuration */
    char error[192]; /* why it failed, one sentence; empty: it did not */
};

/* Who compares a thing with what clients were told of it last, and tells the observers. */
struct tellers {
    void (*session)(struct session *session);
    void (*disk)(struct host_map *map);
};

struct host {
    sd_event *event;
    struct store *store; /* borrowed */
    struct iscsi_context *iscsi;
    char *initiator;           /* the host's own initiator name, empty: none */
    struct adapter **adapters; /* ascending by ID, never empty */
    size_t n_adapters;
    struct session **sessions; /* ascending by ID */
    size_t n_sessions;
    void *connections_by_sid; /* a tree of tsearch(3) */
    void *maps_by_dev;        /* likewise, of struct host_map */
    void *maps_by_wwid;
    struct transactions *transactions;
    struct reconciler *reconciler;   /* NULL until it is started */
    struct gone *gone;               /* likewise */
    struct offers *offers;           /* likewise */
    struct intents *intents;         /* likewise */
    struct mpathd_sync *mpathd_sync; /* likewise */
    struct sync_status sync_status;
    struct drift *drift;                     /* likewise */
    struct events *events;                   /* likewise */
    struct initiator_watch *initiator_watch; /* likewise */
    bool records_read;                       /* open-iscsi's, once since the start */
    uint32_t *unidentified; /* sids that have not said who they are, or could not be read */
    size_t n_unidentified;
    bool highest_first;      /* Manager.PathWeightOrder */
    uint32_t default_policy; /* Manager.DefaultLoadBalancePolicy, enum dsm_policy; 0: none */
    uint32_t selectors; /* which of MPIO's policies this kernel has a path selector for, as bits */
    uint64_t selectors_usec; /* when that was looked up, CLOCK_MONOTONIC; 0: not yet */
    bool same_boot;          /* the service has run before in this boot */
    bool is_ending;          /* it was told to end: no change and no repair begins any more */
    struct change *changes;  /* of policies, that run or wait: in the order they came */
    uint64_t n_chosen; /* policies of sessions, since the start: later than all that were loaded */
    struct guid_change *guid_changes;     /* SetGenerationalGuid calls that run */
    struct ping *pings;                   /* PingIPAddress calls that run */
    struct statistics_reader *statistics; /* NULL: never asked for */
    struct requests *requests;            /* the bus' own: calls that are answered later */
    struct host_observers observers;
    struct tellers tell;
    struct announcer announcer; /* tells the observers of these sessions */
    bool all_sessions_to_tell;  /* of all */
    uint64_t *to_announce;
    size_t n_to_announce;
    struct announcer disk_announcer; /* likewise, of disks */
    bool all_disks_to_tell;
    struct timer states_closer;
    size_t n_state_fds;
    int uevent_fd;   /* what the kernel announces (service/model/freshness.h), -1: not to be had */
    uint64_t serial; /* grows with each change of the model and each announcement */
    uint64_t topology; /* of these, announcements that are not of a map's table */
    uint32_t
        tables[FRESHNESS_TABLES]; /* the minors of the maps whose tables changed last, in a ring */
    uint64_t n_tables;
    uint64_t session_serial; /* with each announcement of a session, or of what is below it */
    uint64_t moment;         /* with each message and event, 0: the main loop does not run yet */
};
