/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What was asked of the service, durable: one SQLite file. Everything is kept by identity (names,
 * portals, stable IDs), never by a kernel session id, host number or device name.
 *
 * Functions return 0 or a negative errno: -ENOSPC, -EROFS, -EACCES, -ENOMEM, -EIO. Each change
 * is one transaction: it is there whole, or not at all.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wmi/dsm.h"
#include "wmi/guid.h"
#include "wmi/policy.h"

struct store;

/* A connection as a stored policy names it, with the words that its ID was made of. */
struct store_path {
    uint64_t connection_id;
    char *iface;
    char *address;
    uint16_t port;
    uint32_t weight;
    bool primary;
};

/* The policy chosen for a session. */
struct store_policy {
    char *initiator;
    char *target;
    enum lb_policy policy;    /* 1 to 5 */
    bool highest_first;       /* the weight order in force when it was chosen */
    uint64_t serial;          /* grows with each choice on this host */
    struct store_path *paths; /* in the order of the request */
    size_t n_paths;
    bool unsaved; /* the caller's own: the store did not take it */
};

/* A path as a disk's stored policy names it. */
struct store_disk_path {
    uint64_t id; /* DsmPathId */
    uint32_t weight;
    bool primary;
    bool preferred;
};

/* The policy of a disk, chosen for it or given to it by default. */
struct store_disk_policy {
    char *wwid;
    enum dsm_policy policy;        /* 1 to 6 */
    bool by_default;               /* the default policy of the time when its map appeared */
    struct store_disk_path *paths; /* in the order of the request */
    size_t n_paths;
    bool unsaved; /* likewise */
};

/* What names a node record of an adapter. */
struct store_record {
    const char *target;
    const char *address;
    uint16_t port;
    const char *iface;
};

/* The digests of one of open-iscsi's records. What is in `fields` is for others to know. */
struct store_digest {
    int kind;
    const char *path;
    const void *fields;
    size_t size;
};

struct store_digests {
    const struct store_digest *items; /* each path once */
    size_t n;
};

/*
 * Opens the file, creating it where there is none, and giving one of an earlier
 * schema what it lacks. A file that is no store of ours, is corrupt, or
 * has a newer schema is left untouched: -EUCLEAN or -EPROTONOSUPPORT, with *ret_message (to be
 * freed) saying so and what to do, as every failure does.
 */
int store_open(const char *path, struct store **ret, char **ret_message);
struct store *store_close(struct store *store); /* NULL */

/*
 * What is read between these is one state of the file, which is locked and looked at once, not anew
 * for each row that is asked for. Nothing is changed meanwhile. The end passes a failure `r` on,
 * and forgets the pages that were read.
 */
int store_begin_reading(struct store *store);
int store_end_reading(struct store *store, int r);

/* All policies, the one chosen last first. */
int store_load_policies(struct store *store, struct store_policy ***ret, size_t *ret_n);
/* Replaces the session's policy; sets policy->serial. */
int store_put_policy(struct store *store, struct store_policy *policy);
int store_remove_policy(struct store *store, const char *initiator, const char *target);
void store_policy_free(struct store_policy *policy);

/* All disks' policies, in the order of WWIDs. */
int store_load_disk_policies(struct store *store, struct store_disk_policy ***ret, size_t *ret_n);
/* Replaces the disk's policy. */
int store_put_disk_policy(struct store *store, const struct store_disk_policy *policy);
int store_remove_disk_policy(struct store *store, const char *wwid);
/* Of those of these disks that have one by default. */
int store_remove_default_policies(struct store *store, const char *const *wwids, size_t n);
void store_disk_policy_free(struct store_disk_policy *policy);

/*
 * Intents: the maps, by WWID, whose first policy is not finished; each is there once, however often
 * it was added. A negative errno of the function that gets them ends that and comes out.
 */
typedef int (*store_wwid_func_t)(const char *wwid, void *userdata);
int store_load_intents(struct store *store, store_wwid_func_t func, void *userdata);
int store_add_intents(struct store *store, const char *const *wwids, size_t n);
int store_remove_intents(struct store *store, const char *const *wwids, size_t n);
int store_remove_all_intents(struct store *store);

/*
 * Offers: the maps, by WWID, that were offered the default policy when they appeared, whether they
 * have taken it or had one; of one boot, whose ID is a text. -ENODATA: of that boot nothing is
 * known.
 */
int store_load_offers(struct store *store, const char *boot, store_wwid_func_t func,
                      void *userdata);
/* They are that boot's from now on, and these. */
int store_begin_offers(struct store *store, const char *boot, const char *const *wwids, size_t n);
struct store_offers {
    const char *const *withdrawn; /* their maps have gone */
    size_t n_withdrawn;
    const char *const *made;
    size_t n_made;
    const struct store_disk_policy *const *taken; /* what some of these maps have got */
    size_t n_taken;
};
int store_change_offers(struct store *store, const struct store_offers *offers);

/* The adapter's GUID; -ENODATA where none was ever set. */
int store_get_guid(struct store *store, const char *initiator, uint8_t ret_guid[GUID_SIZE]);
/*
 * Sets the adapter's GUID and tags these node records of it, and no others, with it. The digests
 * are those of the adapter's records; NULL: none are kept.
 */
int store_put_guid(struct store *store, const char *initiator, const uint8_t guid[GUID_SIZE],
                   const struct store_record *records, size_t n_records,
                   const struct store_digests *digests);
/*
 * Gives the adapter's digests to a function, in ascending order of paths; a negative errno of it
 * ends that and comes out. -ENODATA: none are kept.
 */
typedef int (*store_digest_func_t)(const struct store_digest *digest, void *userdata);
int store_load_digests(struct store *store, const char *initiator, store_digest_func_t func,
                       void *userdata);
/* The key for digests, `size` random bytes: made and saved when it is asked for first. */
int store_get_key(struct store *store, void *ret, size_t size);
/* The tag of one node record; -ENODATA where it has none. */
int store_get_tag(struct store *store, const char *initiator, const struct store_record *record,
                  uint8_t ret_guid[GUID_SIZE]);

/* A setting's text; -ENODATA where it was never set. */
int store_get_setting(struct store *store, const char *name, char **ret);
int store_put_setting(struct store *store, const char *name, const char *value);
