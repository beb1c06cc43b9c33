/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "service/model/find.h"
#include "service/model/maps.h"
#include "service/model/offers.h"
#include "service/model/settings.h"
#include "service/model/wwids.h"

#define WITHDRAW_USEC 1000000U /* until the store is told: of others, too */
#define RETRY_USEC 60000000U   /* after a failure of the store */

struct offers {
    struct host *host;
    struct timer timer;
    bool unknown;           /* to whom it was offered in this boot, before this service */
    struct wwids withdrawn; /* which the store still has */
};

/* What is told to the store at once. */
struct offers_unsaved {
    const char **made;
    size_t n_made;
    const struct store_disk_policy **taken;
    size_t n_taken;
    int error;
};

static void offers_unsaved_done(struct offers_unsaved *unsaved)
{
    free(unsaved->made);
    free(unsaved->taken);
}

static bool offers_are_kept(const struct host *host)
{
    return host->default_policy != DSM_NONE;
}

static void offers_collect(struct host_map *map, void *userdata)
{
    struct offers_unsaved *all = userdata;

    if (!map->offer_unsaved)
        return;
    const char **made = reallocarray(all->made, all->n_made + 1, sizeof(*made));
    if (made)
        all->made = made;
    const struct store_disk_policy **taken =
        reallocarray(all->taken, all->n_taken + 1, sizeof(*taken));
    if (taken)
        all->taken = taken;
    if (!made || !taken) {
        all->error = -ENOMEM;
        return;
    }
    made[all->n_made++] = map->wwid;
    if (map->policy && map->policy->by_default && map->policy->unsaved)
        taken[all->n_taken++] = map->policy;
}

static void offers_mark_saved(struct host_map *map, void *userdata)
{
    if (map->offer_unsaved && map->policy && map->policy->by_default)
        map->policy->unsaved = false;
    map->offer_unsaved = false;
}

/* What was withdrawn and cannot be deleted is so after the next start. */
static int offers_save(struct offers *offers)
{
    _cleanup_(offers_unsaved_done) struct offers_unsaved all = {0};

    maps_each(offers->host, offers_collect, &all);
    if (all.error >= 0 && (all.n_made > 0 || offers->withdrawn.n > 0))
        all.error = store_change_offers(
            offers->host->store, &(struct store_offers){
                                     .withdrawn = (const char *const *)offers->withdrawn.list,
                                     .n_withdrawn = offers->withdrawn.n,
                                     .made = all.made,
                                     .n_made = all.n_made,
                                     .taken = all.taken,
                                     .n_taken = all.n_taken,
                                 });
    wwids_clear(&offers->withdrawn);
    if (all.error >= 0)
        maps_each(offers->host, offers_mark_saved, NULL);
    else
        log_error("The default policy of %zu disks cannot be saved: %s.", all.n_taken,
                  strerror(-all.error));
    return all.error;
}

static int offers_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct offers *offers = userdata;

    if (offers_are_kept(offers->host) && offers_save(offers) < 0)
        (void)timer_set_in(&offers->timer, RETRY_USEC);
    return 0;
}

/* The default policy becomes the disk's, without any path named. */
static void offers_give(struct host_map *map)
{
    if (map->policy || map_state_is_requested(&map->state) || map_has_any_policy(map))
        return;
    map->policy = settings_default_for(map);
    if (!map->policy)
        return;
    map->policy->unsaved = true;
    log_notice("Map %s has appeared: it gets the default policy, %s.", map->name,
               dsm_policy_name(map->policy->policy));
}

void offers_make(struct host_map *map, bool old)
{
    struct offers *offers = map->host->offers;

    if (old && map->offered)
        return;
    map->offered = map->offer_unsaved = true;
    if (!old || !offers->unknown)
        offers_give(map);
    if (offers_are_kept(map->host))
        (void)timer_set_in(&offers->timer, 0);
}

void offers_withdraw(struct host_map *map)
{
    struct offers *offers = map->host->offers;

    if (map->offered && !map->offer_unsaved && offers_are_kept(map->host)) {
        (void)wwids_add(&offers->withdrawn, map->wwid);
        if (!timer_is_set(&offers->timer))
            (void)timer_set_in(&offers->timer, WITHDRAW_USEC);
    }
    map->offered = map->offer_unsaved = false;
}

/* --- A boot, and a default policy ----------------------------------------------------------- */

static int offers_mark(const char *wwid, void *userdata)
{
    return maps_mark_offered(userdata, wwid);
}

static int offers_load(struct offers *offers)
{
    char boot[BOOT_SIZE];

    if (!offers_are_kept(offers->host))
        return 0;
    int r = settings_boot(boot);
    if (r >= 0)
        r = store_load_offers(offers->host->store, boot, offers_mark, offers->host);
    offers->unknown = r == -ENODATA;
    return offers->unknown ? 0 : r;
}

int offers_new(struct host *host)
{
    struct offers *offers = calloc(1, sizeof(*offers));
    if (!offers)
        return -ENOMEM;
    offers->host = host;
    timer_init(&offers->timer, host->event, 1, offers_on_timer, offers);
    host->offers = offers;
    return offers_load(offers);
}

void offers_free(struct host *host)
{
    struct offers *offers = host->offers;
    if (!offers)
        return;
    if (offers_are_kept(host))
        (void)offers_save(offers);
    wwids_clear(&offers->withdrawn);
    timer_done(&offers->timer);
    free(offers);
    host->offers = NULL;
}

static void offers_collect_present(struct host_map *map, void *userdata)
{
    map->offer_unsaved = map->offered = map->dev;
    offers_collect(map, userdata);
}

static int offers_begin(struct host *host)
{
    _cleanup_(offers_unsaved_done) struct offers_unsaved all = {0};
    char boot[BOOT_SIZE];

    maps_each(host, offers_collect_present, &all);
    int r = all.error < 0 ? all.error : settings_boot(boot);
    if (r >= 0)
        r = store_begin_offers(host->store, boot, all.made, all.n_made);
    if (r >= 0)
        maps_each(host, offers_mark_saved, NULL);
    return r;
}

int offers_set_policy(struct host *host, uint32_t policy)
{
    if (!dsm_can_be_default(policy))
        return -EINVAL;
    int r = 0;
    if (host->default_policy == DSM_NONE && policy != DSM_NONE)
        r = offers_begin(host);
    else if (policy == DSM_NONE)
        r = offers_save(host->offers); /* what was taken stays; nothing more is saved after this */
    return r < 0 ? r : settings_set_default_policy(host, policy);
}

void offers_begin_boot(struct host *host)
{
    char boot[BOOT_SIZE];

    if (!offers_are_kept(host) || !host->offers->unknown || settings_boot(boot) < 0)
        return;
    int r = store_begin_offers(host->store, boot, NULL, 0);
    if (r < 0)
        log_warning("That the default policy was offered to nobody yet cannot be saved: %s.",
                    strerror(-r));
}
